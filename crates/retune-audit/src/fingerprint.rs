//! Fingerprints of contents, and groups of items that share one.

use crate::collection::Item;
use sha2::{Digest, Sha256};

/// The first 128 bits of SHA-256: equal fingerprints are taken for equal contents, in hostile data too. 0 is none.
pub type Fingerprint = u128;

/// The fingerprint of a content.
pub fn fingerprint(content: &[u8]) -> Fingerprint {
    let digest = Sha256::digest(content);
    let first: [u8; 16] = digest[..16].try_into().expect("SHA-256 has 32 bytes");
    u128::from_le_bytes(first).max(1)
}

/// Items that share a fingerprint with another one, in groups; items and groups ascending. 0 is never shared.
pub fn groups_of_equal(fingerprints: &[Fingerprint]) -> Vec<Vec<Item>> {
    let mut order: Vec<Item> = (0..fingerprints.len() as Item).filter(|&i| fingerprints[i as usize] != 0).collect();
    order.sort_unstable_by_key(|&item| (fingerprints[item as usize], item));
    let same = |a: &Item, b: &Item| fingerprints[*a as usize] == fingerprints[*b as usize];
    let mut groups: Vec<Vec<Item>> =
        order.chunk_by(same).filter(|group| group.len() > 1).map(<[Item]>::to_vec).collect();
    groups.sort_unstable_by_key(|group| group[0]);
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_items_are_grouped_in_order() {
        let of = |text: &str| if text.is_empty() { 0 } else { fingerprint(text.as_bytes()) };
        let prints: Vec<_> = ["b", "", "a", "b", "a", "", "c", "b"].iter().map(|text| of(text)).collect();
        assert_eq!(groups_of_equal(&prints), [vec![0, 3, 7], vec![2, 4]]);
    }
}
