//! A text as a set of its short pieces.
//!
//! A shingle begins at each character of the normalized text and goes on for four letters, signs or spaces, or two ideographs, which
//! say about as much; so the same measure holds for English, Chinese and texts of both. A text that is shorter is one
//! shingle.

use crate::normalize::is_ideograph;

/// Weight of a shingle: letters count 1, ideographs 2.
const WEIGHT: u32 = 4;

/// Hashes of the shingles of a normalized text, ascending, each once.
pub fn shingles(normalized: &str) -> Vec<u32> {
    let mut out = Vec::with_capacity(normalized.len());
    push_shingles(normalized, &mut out);
    out
}

/// The same into a buffer.
pub fn push_shingles(normalized: &str, out: &mut Vec<u32>) {
    out.clear();
    let weight = |c: char| if is_ideograph(c) { 2 } else { 1 };
    let (mut end, mut held) = (0, 0);
    let mut ahead = normalized.chars();
    for (start, first) in normalized.char_indices() {
        while held < WEIGHT {
            let Some(next) = ahead.next() else { break };
            held += weight(next);
            end += next.len_utf8();
        }
        if held < WEIGHT && start > 0 {
            break;
        }
        out.push(hash(&normalized.as_bytes()[start..end]));
        held -= weight(first);
    }
    out.sort_unstable();
    out.dedup();
}

/// FNV-1a of the bytes, its bits mixed once more as in MurmurHash3.
fn hash(bytes: &[u8]) -> u32 {
    let mut hash = bytes.iter().fold(0x811c_9dc5u32, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash ^= hash >> 16;
    hash = hash.wrapping_mul(0x85eb_ca6b);
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

/// Jaccard similarity of two sets: what both have as a share of what either has; both ascending. 1 for two empty ones.
pub fn jaccard(a: &[u32], b: &[u32]) -> f32 {
    let (mut i, mut j, mut common) = (0, 0, 0usize);
    while i < a.len() && j < b.len() {
        let (x, y) = (a[i], b[j]);
        common += usize::from(x == y);
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
    let all = a.len() + b.len() - common;
    if all == 0 { 1.0 } else { common as f32 / all as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn similarity(a: &str, b: &str) -> f32 {
        jaccard(&shingles(a), &shingles(b))
    }

    #[test]
    fn shingles_are_four_letters_or_two_ideographs() {
        assert_eq!(shingles("abcdef").len(), 3);
        assert_eq!(shingles("这个宾馆").len(), 3);
        assert_eq!((shingles("").len(), shingles("a").len(), shingles("猫").len()), (0, 1, 1));
        assert_ne!(shingles("a"), shingles("b"));
        // `ab这` weighs four, `b这个` five, `这个` four.
        assert_eq!(shingles("ab这个").len(), 3);
    }

    #[test]
    fn similarity_is_that_of_jaccard() {
        assert_eq!(similarity("the same", "the same"), 1.0);
        assert_eq!(similarity("abcd", "efgh"), 0.0);
        // bcde, abcd | bcde, cdef
        assert_eq!(similarity("abcde", "bcdef"), 1.0 / 3.0);
        assert_eq!(similarity("", ""), 1.0);
        assert_eq!(similarity("", "a"), 0.0);
        assert!(similarity("the cat sat on the mat and looked at me", "the cat sat on the mat and looked at us") > 0.8);
        assert!(similarity("这个宾馆比较陈旧了，特价的房间也很一般。", "这个宾馆比较陈旧了，特价的房间也很一般") > 0.9);
    }
}
