//! Features of texts without a model: a hashed bag of words and pairs of words.
//!
//! A word is a run of letters and digits of the normalized text, or a single ideograph. Words and pairs of neighbours are hashed to
//! [`WIDTH`] columns; a value is `ln(1 + n)·ln(1 + N/d)` for `n` occurrences in the text and `d` texts of `N` that have it, and every row
//! has the length 1.

use super::Features;
use crate::normalize::{is_ideograph, normalize};
use rayon::prelude::*;

/// Columns.
pub const WIDTH: usize = 1 << 17;

/// The features of texts.
pub fn features(texts: &[String]) -> Features {
    let counts: Vec<Vec<(u32, f32)>> = texts.par_iter().map(|text| counts(&normalize(text))).collect();
    let mut having = vec![0u32; WIDTH];
    counts.iter().flatten().for_each(|(column, _)| having[*column as usize] += 1);
    let total = texts.len() as f32;
    let weighted = |mut row: Vec<(u32, f32)>| {
        for (column, value) in &mut row {
            *value = value.ln_1p() * (total / having[*column as usize] as f32).ln_1p();
        }
        let length = row.iter().map(|(_, value)| value * value).sum::<f32>().sqrt();
        row.iter_mut().for_each(|(_, value)| *value /= length.max(f32::MIN_POSITIVE));
        row
    };
    Features::sparse(WIDTH, counts.into_iter().map(weighted))
}

/// Columns and how often each occurs, ascending.
fn counts(normalized: &str) -> Vec<(u32, f32)> {
    let words = words(normalized);
    let single = words.iter().map(|word| column(word, ""));
    let pairs = words.windows(2).map(|pair| column(pair[0], pair[1]));
    let mut columns: Vec<u32> = single.chain(pairs).collect();
    columns.sort_unstable();
    columns.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as f32)).collect()
}

fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices() {
        let is_single = is_ideograph(c);
        if (is_single || !c.is_alphanumeric())
            && let Some(start) = start.take()
        {
            words.push(&text[start..at]);
        }
        if is_single {
            words.push(&text[at..at + c.len_utf8()]);
        } else if c.is_alphanumeric() && start.is_none() {
            start = Some(at);
        }
    }
    words.extend(start.map(|start| &text[start..]));
    words
}

/// FNV-1a of 64 bits, its high bits.
fn column(first: &str, second: &str) -> u32 {
    let bytes = first.bytes().chain([0x1f]).chain(second.bytes());
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    (hash >> (64 - WIDTH.ilog2())) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_and_ideographs() {
        assert_eq!(words("don't stop: 3 cats"), ["don", "t", "stop", "3", "cats"]);
        assert_eq!(words("这个hotel很好"), ["这", "个", "hotel", "很", "好"]);
    }

    #[test]
    fn rows_have_length_one() {
        let features = features(&["a b c".to_owned(), "A  b!".to_owned(), String::new()]);
        let length = |row| features.row(row).map(|(_, value)| value * value).sum::<f32>();
        assert!((length(0) - 1.0).abs() < 1e-5 && (length(1) - 1.0).abs() < 1e-5);
        assert_eq!((features.row(0).count(), features.row(1).count(), features.row(2).count()), (5, 3, 0));
    }
}
