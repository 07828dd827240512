//! [`TokenSequences`]: tokens of many examples, one after the other.

use super::encoder::Encoded;
use serde::Serialize;

/// Tokens of many examples, one after the other, without padding.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenSequences {
    ids: Vec<i32>,
    types: Vec<u8>,
    /// Where each example ends in `ids`.
    ends: Vec<usize>,
    truncated: usize,
}

impl TokenSequences {
    /// Adds an example.
    pub fn push(&mut self, example: &Encoded) {
        self.ids.extend_from_slice(&example.token_ids);
        self.types.extend_from_slice(&example.token_types);
        self.ends.push(self.ids.len());
        self.truncated += usize::from(example.is_truncated);
    }

    /// Adds the examples of another collection.
    pub fn append(&mut self, other: &TokenSequences) {
        let start = self.ids.len();
        self.ids.extend_from_slice(&other.ids);
        self.types.extend_from_slice(&other.types);
        self.ends.extend(other.ends.iter().map(|end| start + end));
        self.truncated += other.truncated;
    }

    /// Number of examples.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no examples.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    fn range(&self, index: usize) -> std::ops::Range<usize> {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        start..self.ends[index]
    }

    /// Number of tokens of an example.
    ///
    /// # Panics
    /// An index that no example has.
    pub fn length(&self, index: usize) -> usize {
        self.range(index).len()
    }

    /// Indices in the vocabulary of an example's tokens.
    ///
    /// # Panics
    /// An index that no example has.
    pub fn token_ids(&self, index: usize) -> &[i32] {
        &self.ids[self.range(index)]
    }

    /// Types of an example's tokens.
    ///
    /// # Panics
    /// An index that no example has.
    pub fn token_types(&self, index: usize) -> &[u8] {
        &self.types[self.range(index)]
    }

    /// Bytes that they take in memory.
    pub fn size_bytes(&self) -> usize {
        size_of_val(self.ids.as_slice()) + self.types.len() + size_of_val(self.ends.as_slice())
    }

    /// How long the examples are; `None` where there are none.
    pub fn statistics(&self) -> Option<TokenStatistics> {
        let mut lengths: Vec<usize> = (0..self.len()).map(|index| self.length(index)).collect();
        lengths.sort_unstable();
        let &most = lengths.last()?;
        // The nearest rank: the least length that at least 95 % of the examples do not exceed.
        let p95 = lengths[(lengths.len() * 95).div_ceil(100).max(1) - 1];
        Some(TokenStatistics {
            examples: lengths.len(),
            tokens: self.ids.len(),
            mean: self.ids.len() as f64 / lengths.len() as f64,
            p95,
            most,
            truncated: self.truncated,
        })
    }
}

/// How long examples are, in tokens, after truncation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TokenStatistics {
    /// Number of examples.
    pub examples: usize,
    /// Tokens of all of them.
    pub tokens: usize,
    /// Tokens of an example in the mean.
    pub mean: f64,
    /// At least 95 % of the examples have no more tokens than this.
    pub p95: usize,
    /// Tokens of the longest.
    pub most: usize,
    /// Examples that were cut off.
    pub truncated: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(length: usize, is_truncated: bool) -> Encoded {
        let token_ids = (0..length as i32).collect();
        Encoded { token_ids, token_types: vec![length as u8; length], is_truncated }
    }

    #[test]
    fn examples_stand_one_after_the_other() {
        let mut first = TokenSequences::default();
        [2, 0, 3].into_iter().for_each(|length| first.push(&example(length, length == 3)));
        let mut second = TokenSequences::default();
        second.push(&example(1, true));
        first.append(&second);
        assert_eq!((first.len(), first.length(0), first.length(1), first.length(3)), (4, 2, 0, 1));
        assert_eq!((first.token_ids(2), first.token_types(2)), (&[0, 1, 2][..], &[3, 3, 3][..]));
        assert!(first.token_ids(1).is_empty());
        let statistics = first.statistics().unwrap();
        assert_eq!((statistics.tokens, statistics.mean, statistics.most, statistics.truncated), (6, 1.5, 3, 2));
        assert_eq!(TokenSequences::default().statistics(), None);
    }

    #[test]
    fn the_95th_percentile_is_the_nearest_rank() {
        let mut sequences = TokenSequences::default();
        (1..=100).rev().for_each(|length| sequences.push(&example(length, false)));
        let statistics = sequences.statistics().unwrap();
        assert_eq!((statistics.p95, statistics.most, statistics.truncated), (95, 100, 0));
        let mut few = TokenSequences::default();
        [7, 9].into_iter().for_each(|length| few.push(&example(length, false)));
        assert_eq!(few.statistics().unwrap().p95, 9);
    }
}
