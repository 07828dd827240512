//! Pairs of images whose perceptual hashes are alike.
//!
//! Two hashes of 64 bits that differ in at most [`DISTANCE`] bits have at least one of their 8 bytes in common, for 7 bits cannot
//! touch all 8 (pigeonhole; multi-index hashing, Norouzi et al. 2012). So only images that share a byte at the same place are compared.

use crate::collection::Item;
use rayon::prelude::*;

/// Most bits in which the hashes of two like images differ.
pub const DISTANCE: u32 = 7;
/// Pieces of a hash.
const PIECES: usize = 8;

/// Pairs of positions in `hashes` at most [`DISTANCE`] bits apart, as buckets of two items; `items` names the positions. Each
/// position is paired with at most `most` later ones of each piece, so that a heap of like images stays cheap.
pub fn near_pairs(items: &[Item], hashes: &[u64], most: usize) -> Vec<Vec<Item>> {
    let mut pairs: Vec<(Item, Item)> = (0..PIECES)
        .into_par_iter()
        .flat_map_iter(|piece| {
            let byte = |index: usize| (hashes[index] >> (8 * piece)) as u8;
            let mut places: Vec<Vec<u32>> = vec![Vec::new(); 256];
            (0..hashes.len()).for_each(|index| places[usize::from(byte(index))].push(index as u32));
            let mut found = Vec::new();
            for place in places {
                for (at, &first) in place.iter().enumerate() {
                    let hash = hashes[first as usize];
                    let near = |&&other: &&u32| (hashes[other as usize] ^ hash).count_ones() <= DISTANCE;
                    let later = place[at + 1..].iter().filter(near).take(most);
                    found.extend(later.map(|&other| (items[first as usize], items[other as usize])));
                }
            }
            found
        })
        .collect();
    pairs.par_sort_unstable();
    pairs.dedup();
    pairs.into_iter().map(|(a, b)| vec![a, b]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_pairs_as_by_comparing_all_with_all() {
        let mut state = 1u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state ^ state >> 29
        };
        let mut hashes: Vec<u64> = (0..200).map(|_| random()).collect();
        for index in 0..200 {
            // Up to ten bits turned, at places all over the hash.
            let turned = (0..index % 11).fold(hashes[index], |hash, _| hash ^ 1 << (random() % 64));
            hashes.push(turned);
        }
        let items: Vec<Item> = (0..400).collect();
        let mut expected = Vec::new();
        for a in 0..400usize {
            for b in a + 1..400 {
                if (hashes[a] ^ hashes[b]).count_ones() <= DISTANCE {
                    expected.push(vec![a as Item, b as Item]);
                }
            }
        }
        assert!(expected.len() > 100);
        assert_eq!(near_pairs(&items, &hashes, usize::MAX), expected);
    }
}
