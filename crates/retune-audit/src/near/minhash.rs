//! Pairs of texts whose shingles are probably alike, by MinHash and banding (Broder 1997; Leskovec, Rajaraman, Ullman,
//! *Mining of Massive Datasets*, chapter 3).
//!
//! The least value of a random hash over a set is the same for two sets with a probability equal to their Jaccard similarity.
//! [`BANDS`] bands of [`ROWS`] such values are compared; two texts meet where all values of a band are equal: with
//! probability `1 − (1 − sᴿ)ᴮ`, that is 99.8 % at a similarity of 0.8, 92 % at 0.7 and 27 % at 0.5. Whoever meets is
//! [checked](super::shingles::jaccard) on the sets themselves.

use super::shingles::push_shingles;
use crate::collection::Item;
use rayon::prelude::*;

/// Bands of a signature.
pub const BANDS: usize = 20;
/// Values of a band.
pub const ROWS: usize = 6;
const VALUES: usize = BANDS * ROWS;
/// Texts of a piece of work.
const CHUNK: usize = 4096;

/// The bands of texts, a 32-bit hash each: 80 bytes a text.
#[derive(Debug)]
pub struct Signatures {
    items: Vec<Item>,
    bands: Vec<[u32; BANDS]>,
}

/// Multipliers and offsets of the hashes, `h(x) = a·x + b` modulo 2³² with odd `a`, folded so that high bits count.
struct Hashes {
    factors: [u32; VALUES],
    offsets: [u32; VALUES],
}

impl Hashes {
    /// From the constants of SplitMix64 (Steele, Lea, Flood 2014), always the same.
    fn new() -> Hashes {
        let mut state = 0u64;
        let mut next = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut x = state;
            x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            (x ^ x >> 31) as u32
        };
        Hashes { factors: std::array::from_fn(|_| next() | 1), offsets: std::array::from_fn(|_| next()) }
    }

    fn bands(&self, shingles: &[u32]) -> [u32; BANDS] {
        let mut least = [u32::MAX; VALUES];
        for &shingle in shingles {
            for value in 0..VALUES {
                let hash = self.factors[value].wrapping_mul(shingle).wrapping_add(self.offsets[value]);
                least[value] = least[value].min(hash);
            }
        }
        std::array::from_fn(|band| {
            let values = &least[band * ROWS..(band + 1) * ROWS];
            values.iter().fold(band as u32, |hash, &value| (hash ^ value).wrapping_mul(0x9e37_79b1).rotate_left(15))
        })
    }
}

impl Signatures {
    /// The signatures of items; `normalized` gives the text of one. Texts without a character have none.
    pub fn new(items: &[Item], normalized: impl Fn(Item) -> String + Sync) -> Signatures {
        let hashes = Hashes::new();
        let parts: Vec<Vec<(Item, [u32; BANDS])>> = items
            .par_chunks(CHUNK)
            .map(|chunk| {
                let mut shingles = Vec::new();
                let mut one = |&item: &Item| {
                    push_shingles(&normalized(item), &mut shingles);
                    (!shingles.is_empty()).then(|| (item, hashes.bands(&shingles)))
                };
                chunk.iter().filter_map(&mut one).collect()
            })
            .collect();
        let (items, bands) = parts.into_iter().flatten().unzip();
        Signatures { items, bands }
    }

    /// The items that meet in one band, in groups, each ascending.
    pub fn buckets(&self, band: usize) -> Vec<Vec<Item>> {
        let mut keys: Vec<u64> = self
            .bands
            .iter()
            .zip(&self.items)
            .map(|(bands, &item)| u64::from(bands[band]) << 32 | u64::from(item))
            .collect();
        keys.par_sort_unstable();
        keys.chunk_by(|a, b| a >> 32 == b >> 32)
            .filter(|bucket| bucket.len() > 1)
            .map(|bucket| bucket.iter().map(|&key| key as Item).collect())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::near::shingles::{jaccard, shingles};

    /// Two sets that share so many of so many shingles.
    fn pair(seed: u32, shared: u32, own: u32) -> [Vec<u32>; 2] {
        let spread = |i: u32| (seed * 10_000 + i).wrapping_mul(2_654_435_761).rotate_left(11).wrapping_mul(0x85eb_ca6b);
        let set = |own: std::ops::Range<u32>| (0..shared).chain(own).map(spread).collect::<Vec<_>>();
        [set(shared..shared + own), set(shared + own..shared + 2 * own)]
    }

    #[test]
    fn sets_meet_with_the_probability_of_the_formula() {
        let hashes = Hashes::new();
        // Jaccard 80/100, 50/100.
        for (shared, own, similarity) in [(80, 10, 0.8f64), (50, 25, 0.5)] {
            let met = (0..400u32).filter(|&seed| {
                let [a, b] = pair(seed, shared, own).map(|set| hashes.bands(&set));
                (0..BANDS).any(|band| a[band] == b[band])
            });
            let expected = 1.0 - (1.0 - similarity.powi(ROWS as i32)).powi(BANDS as i32);
            let found = met.count() as f64 / 400.0;
            assert!((found - expected).abs() < 0.08, "{similarity}: {found}, expected {expected}");
        }
    }

    #[test]
    fn like_texts_meet() {
        let texts = [
            "the quick brown fox jumps over the lazy dog today",
            "something else altogether, and long enough",
            "the quick brown fox jumps over the lazy dog, today",
            "",
        ];
        let signatures = Signatures::new(&[0, 1, 2, 3], |item| texts[item as usize].to_owned());
        assert!(jaccard(&shingles(texts[0]), &shingles(texts[2])) > 0.8);
        let met: Vec<Vec<Item>> = (0..BANDS).flat_map(|band| signatures.buckets(band)).collect();
        assert!(met.contains(&vec![0, 2]) && met.iter().all(|bucket| *bucket == [0, 2]), "{met:?}");
    }
}
