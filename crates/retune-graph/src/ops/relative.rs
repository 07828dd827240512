//! What the distance between two tokens adds to their score in [`Attention`](super::Attention).
//!
//! Distances fall into buckets, near ones into one each, far ones into shared ones; tables hold a row for each bucket. So a table
//! of a few rows serves sequences of any length.

use super::Operand;
use super::require;
use crate::error::Rule;
use crate::shape::{DType, Dim, Shape};

/// What is added to the score of token i for token j, whose distance `j − i` is in bucket b.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relative {
    /// `bias[b, head]` of a table `[buckets, heads]`, added to the scaled score, as in MPNet and T5.
    Bias(Buckets),
    /// `scale · (qᵢ · keys[b] + kⱼ · queries[b])` of tables `[buckets, heads · head size]`: the disentangled attention of He et
    /// al., *DeBERTa*, 2020, who call the terms content-to-position and position-to-content. The tables follow each other in
    /// this order, and only those of the terms that there are.
    Vectors {
        /// The buckets of both.
        buckets: Buckets,
        /// Whether there is the term of the query and the position.
        keys: bool,
        /// Whether there is the term of the position and the key.
        queries: bool,
    },
}

impl Relative {
    /// The buckets.
    pub fn buckets(self) -> Buckets {
        match self {
            Relative::Bias(buckets) | Relative::Vectors { buckets, .. } => buckets,
        }
    }

    /// Number of tables.
    pub fn tables(self) -> usize {
        match self {
            Relative::Bias(_) => 1,
            Relative::Vectors { keys, queries, .. } => usize::from(keys) + usize::from(queries),
        }
    }

    /// Columns of a table, for queries of `width` values in `heads` heads.
    pub fn columns(self, width: usize, heads: usize) -> usize {
        match self {
            Relative::Bias(_) => heads,
            Relative::Vectors { .. } => width,
        }
    }

    /// The shape rule of the tables.
    pub(crate) fn check(self, tables: &[Operand<'_>], width: Dim, heads: usize) -> Result<(), Rule> {
        require(self.tables() > 0, || "relative positions have one term or two".to_owned())?;
        let (rows, columns) = (self.buckets().count(), self.columns(width.fixed().unwrap_or(0), heads));
        require(rows > 0, || "relative positions need a bucket".to_owned())?;
        let expected = Shape::fixed(&[rows, columns]);
        require(tables.iter().all(|table| *table.shape == expected && table.dtype == DType::F32), || {
            format!("tables of relative positions must be {expected}")
        })
    }
}

/// Which bucket the distance of two tokens is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Buckets {
    /// As in T5 (Raffel et al., 2019): the first half of `count` for tokens before, the second for those behind. Of each half
    /// the first half are distances of their own, the others grow with the logarithm up to `furthest`.
    Halves {
        /// Number of buckets, a multiple of 4.
        count: usize,
        /// The distance from which on all are in the last bucket.
        furthest: usize,
    },
    /// As in DeBERTa: `span + place` of `2 · span` buckets, where the place is `i − j` while that is at most `span / 2`, and
    /// grows with the logarithm up to `span` at a distance of `furthest`. Places outside are in the first or the last bucket.
    Centred {
        /// Half of the number of buckets.
        span: usize,
        /// The distance that the logarithm is stretched to; without one the place is `i − j`.
        furthest: Option<usize>,
    },
}

impl Buckets {
    /// Number of buckets.
    pub fn count(self) -> usize {
        match self {
            Buckets::Halves { count, .. } => count,
            Buckets::Centred { span, .. } => 2 * span,
        }
    }

    /// The bucket of the distance `j − i`. Logarithms are of 32 bits, as where the tables were trained.
    pub fn of(self, distance: isize) -> usize {
        let far = distance.unsigned_abs();
        match self {
            Buckets::Halves { count, furthest } => {
                let half = count / 2;
                let start = if distance > 0 { half } else { 0 };
                let exact = half / 2;
                if far < exact {
                    return start + far;
                }
                let share = (far as f32 / exact as f32).ln() / (furthest as f64 / exact as f64).ln() as f32;
                start + (exact + (share * (half - exact) as f32) as usize).min(half - 1)
            }
            Buckets::Centred { span, furthest } => {
                let middle = span / 2;
                let place = match furthest {
                    Some(furthest) if far > middle => {
                        let share = (far as f32 / middle as f32).ln()
                            / (furthest.saturating_sub(1) as f32 / middle as f32).ln();
                        middle.saturating_add((share * (middle as f32 - 1.0)).ceil() as usize)
                    }
                    _ => far,
                };
                // Tokens before, whose distance is below 0, have the buckets above the middle.
                if distance <= 0 { span.saturating_add(place).min(2 * span - 1) } else { span.saturating_sub(place) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first distance of each bucket from 0 on, up to 1024, on one side.
    fn starts(buckets: Buckets, side: isize) -> Vec<isize> {
        let changes = |&far: &isize| far == 0 || buckets.of(side * far) != buckets.of(side * (far - 1));
        (0..=1024).filter(changes).collect()
    }

    #[test]
    fn buckets_of_mpnet() {
        let buckets = Buckets::Halves { count: 32, furthest: 128 };
        // What `MPNetEncoder.relative_position_bucket` gives.
        let expected = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91];
        assert_eq!(starts(buckets, -1), expected);
        assert_eq!(starts(buckets, 1), expected);
        assert_eq!(
            (buckets.of(0), buckets.of(-7), buckets.of(7), buckets.of(-2000), buckets.of(2000)),
            (0, 7, 23, 15, 31)
        );
    }

    #[test]
    fn buckets_of_deberta() {
        let buckets = Buckets::Centred { span: 256, furthest: Some(512) };
        assert_eq!((buckets.of(0), buckets.of(-128), buckets.of(128), buckets.count()), (256, 384, 128, 512));
        // What `make_log_bucket_position` gives.
        let far = [-129, -200, -300, -511, -600, 129, 200, 300, 511, 600].map(|distance| buckets.of(distance));
        assert_eq!(far, [385, 425, 463, 511, 511, 127, 87, 49, 1, 0]);
        let small = Buckets::Centred { span: 8, furthest: Some(64) };
        assert_eq!(starts(small, -1), [0, 1, 2, 3, 4, 5, 11, 26]);
        assert_eq!(starts(small, 1), [0, 1, 2, 3, 4, 5, 11, 26, 64]);
        let plain = Buckets::Centred { span: 4, furthest: None };
        assert_eq!((-6..=6).map(|r| plain.of(r)).collect::<Vec<_>>(), [7, 7, 7, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0]);
    }
}
