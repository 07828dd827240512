//! [`TokenSequences`]: tokens of many examples, one after the other; each example is a sequence, or several.

use super::encoder::Encoded;
use serde::Serialize;

/// Tokens of many examples, one after the other, without padding. All examples have the same number of sequences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSequences {
    ids: Vec<i32>,
    types: Vec<u8>,
    /// For each token the word that begins with it, −1 for others; empty where texts are not given as words.
    words: Vec<i32>,
    /// Where each sequence ends in `ids`.
    ends: Vec<usize>,
    /// Sequences of an example.
    per_example: usize,
    truncated: usize,
    words_cut: usize,
}

impl TokenSequences {
    /// No examples yet, of `per_example` sequences each.
    ///
    /// # Panics
    /// Examples without sequences.
    pub fn new(per_example: usize) -> TokenSequences {
        assert!(per_example > 0, "an example has a sequence at least");
        let (ids, types, words, ends) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        TokenSequences { ids, types, words, ends, per_example, truncated: 0, words_cut: 0 }
    }

    /// Adds an example by its sequences.
    ///
    /// # Panics
    /// Another number of sequences than [`TokenSequences::new`] was told.
    pub fn push(&mut self, example: &[Encoded]) {
        assert_eq!(example.len(), self.per_example, "all examples have the same number of sequences");
        for sequence in example {
            self.ids.extend_from_slice(&sequence.token_ids);
            self.types.extend_from_slice(&sequence.token_types);
            self.words.extend_from_slice(&sequence.words);
            self.words_cut += sequence.words_cut;
            self.ends.push(self.ids.len());
        }
        self.truncated += usize::from(example.iter().any(|sequence| sequence.is_truncated));
    }

    /// Adds the examples of another collection.
    pub fn append(&mut self, other: &TokenSequences) {
        let start = self.ids.len();
        self.ids.extend_from_slice(&other.ids);
        self.types.extend_from_slice(&other.types);
        self.words.extend_from_slice(&other.words);
        self.ends.extend(other.ends.iter().map(|end| start + end));
        self.truncated += other.truncated;
        self.words_cut += other.words_cut;
    }

    /// Sequences of an example.
    pub fn per_example(&self) -> usize {
        self.per_example
    }

    /// Number of examples.
    pub fn len(&self) -> usize {
        self.ends.len() / self.per_example
    }

    /// Whether there are no examples.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    fn range(&self, index: usize) -> std::ops::Range<usize> {
        let (first, behind) = (index * self.per_example, (index + 1) * self.per_example);
        first.checked_sub(1).map_or(0, |before| self.ends[before])..self.ends[behind - 1]
    }

    /// Number of tokens of each sequence of an example.
    ///
    /// # Panics
    /// An index that no example has.
    pub fn lengths(&self, index: usize) -> impl Iterator<Item = usize> {
        let ends = &self.ends[index * self.per_example..(index + 1) * self.per_example];
        let starts = std::iter::once(self.range(index).start).chain(ends.iter().copied());
        ends.iter().zip(starts).map(|(end, start)| end - start)
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

    /// For each token of an example the word that begins with it, −1 for others; nothing where texts are not given as words.
    ///
    /// # Panics
    /// An index that no example has.
    pub fn words(&self, index: usize) -> &[i32] {
        self.words.get(self.range(index)).unwrap_or(&[])
    }

    /// Bytes that they take in memory.
    pub fn size_bytes(&self) -> usize {
        let numbers = [self.ids.as_slice(), self.words.as_slice()].map(size_of_val);
        numbers.iter().sum::<usize>() + self.types.len() + size_of_val(self.ends.as_slice())
    }

    /// How long the examples are; `None` where there are none.
    pub fn statistics(&self) -> Option<TokenStatistics> {
        let mut lengths: Vec<usize> = (0..self.len()).map(|index| self.length(index)).collect();
        lengths.sort_unstable();
        TokenStatistics::of_lengths(&lengths, self.truncated, self.words_cut)
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
    /// Words that are lost by it, where texts are given as words: they have no labels to learn or to predict.
    pub words_cut: usize,
}

impl TokenStatistics {
    /// Those of examples of these numbers of tokens, ascending; `None` where there are none.
    pub(crate) fn of_lengths(lengths: &[usize], truncated: usize, words_cut: usize) -> Option<TokenStatistics> {
        let &most = lengths.last()?;
        let tokens: usize = lengths.iter().sum();
        Some(TokenStatistics {
            examples: lengths.len(),
            tokens,
            mean: tokens as f64 / lengths.len() as f64,
            // The nearest rank: the least length that at least 95 % of the examples do not exceed.
            p95: lengths[(lengths.len() * 95).div_ceil(100).max(1) - 1],
            most,
            truncated,
            words_cut,
        })
    }

    /// Those of `examples` that are like these, which are a sample of them.
    pub(crate) fn of_more(self, examples: usize) -> TokenStatistics {
        let scaled = |count: usize| (count as f64 / self.examples as f64 * examples as f64).round() as usize;
        let [tokens, truncated, words_cut] = [self.tokens, self.truncated, self.words_cut].map(scaled);
        TokenStatistics { examples, tokens, truncated, words_cut, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(length: usize, is_truncated: bool) -> Encoded {
        let token_ids = (0..length as i32).collect();
        Encoded { token_ids, token_types: vec![length as u8; length], is_truncated, ..Encoded::default() }
    }

    #[test]
    fn examples_stand_one_after_the_other() {
        let mut first = TokenSequences::new(1);
        [2, 0, 3].into_iter().for_each(|length| first.push(&[example(length, length == 3)]));
        let mut second = TokenSequences::new(1);
        second.push(&[example(1, true)]);
        first.append(&second);
        assert_eq!((first.len(), first.length(0), first.length(1), first.length(3)), (4, 2, 0, 1));
        assert_eq!((first.token_ids(2), first.token_types(2)), (&[0, 1, 2][..], &[3, 3, 3][..]));
        assert!(first.token_ids(1).is_empty());
        let statistics = first.statistics().unwrap();
        assert_eq!((statistics.tokens, statistics.mean, statistics.most, statistics.truncated), (6, 1.5, 3, 2));
        assert_eq!(TokenSequences::new(1).statistics(), None);
    }

    #[test]
    fn examples_have_several_sequences() {
        let mut pairs = TokenSequences::new(2);
        [(2, 1), (0, 3)].into_iter().for_each(|(a, b)| pairs.push(&[example(a, a == 2), example(b, true)]));
        assert_eq!((pairs.len(), pairs.length(0), pairs.length(1)), (2, 3, 3));
        assert_eq!((pairs.token_ids(0), pairs.token_types(1)), (&[0, 1, 0][..], &[3, 3, 3][..]));
        assert_eq!([0, 1].map(|index| pairs.lengths(index).collect::<Vec<_>>()), [[2, 1], [0, 3]]);
        let statistics = pairs.statistics().unwrap();
        assert_eq!((statistics.examples, statistics.tokens, statistics.truncated), (2, 6, 2), "examples are counted");
    }

    #[test]
    fn the_95th_percentile_is_the_nearest_rank() {
        let mut sequences = TokenSequences::new(1);
        (1..=100).rev().for_each(|length| sequences.push(&[example(length, false)]));
        let statistics = sequences.statistics().unwrap();
        assert_eq!((statistics.p95, statistics.most, statistics.truncated), (95, 100, 0));
        let mut few = TokenSequences::new(1);
        [7, 9].into_iter().for_each(|length| few.push(&[example(length, false)]));
        assert_eq!(few.statistics().unwrap().p95, 9);
    }
}
