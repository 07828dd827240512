//! Correlation of predicted with true values.
//!
//! Pearson's r is `Σ w (t − t̄)(y − ȳ) / √(Σ w (t − t̄)² · Σ w (y − ȳ)²)`, in `[−1, 1]`. Spearman's ρ is Pearson's r of the
//! ranks, equal values having the mean of their ranks. Neither is defined where all true or all predicted values are equal
//! (scipy: NaN). Of several outputs, the mean over the outputs.
//!
//! An item of weight 2 counts as two, also in the ranks: those of equal values of total weight `w`, above values of total weight
//! `c`, lie between `c` and `c + w`, in the mean at `c + w / 2` (up to a constant, which changes no correlation).

use super::Scored;
use super::prepared::{is_constant, weighted_mean};

/// True and predicted values of one output, for Pearson's r.
#[derive(Debug, Clone)]
pub struct Pairs {
    truth: Vec<f64>,
    predicted: Vec<f64>,
}

impl Pairs {
    /// The values of each output.
    pub fn of(scored: &Scored) -> Vec<Pairs> {
        let column = |values: &[f32], output: usize| -> Vec<f64> {
            values.iter().skip(output).step_by(scored.width()).map(|&value| f64::from(value)).collect()
        };
        let pairs =
            |output| Pairs { truth: column(scored.true_values(), output), predicted: column(scored.scores(), output) };
        (0..scored.width()).map(pairs).collect()
    }

    /// Pearson's r for these weights of the items; NaN where it is not defined.
    pub fn pearson(&self, weights: &[f64]) -> f64 {
        pearson(&self.truth, &self.predicted, weights)
    }
}

/// The order of true and predicted values of one output, for Spearman's ρ.
#[derive(Debug, Clone)]
pub struct RankPairs {
    truth: Order,
    predicted: Order,
}

impl RankPairs {
    /// The orders of each output.
    pub fn of(scored: &Scored) -> Vec<RankPairs> {
        let ranks =
            |pairs: Pairs| RankPairs { truth: Order::new(&pairs.truth), predicted: Order::new(&pairs.predicted) };
        Pairs::of(scored).into_iter().map(ranks).collect()
    }

    /// Spearman's ρ for these weights of the items; NaN where it is not defined.
    pub fn spearman(&self, weights: &[f64]) -> f64 {
        pearson(&self.truth.ranks(weights), &self.predicted.ranks(weights), weights)
    }
}

/// Items in ascending order of their values.
#[derive(Debug, Clone)]
struct Order {
    items: Vec<u32>,
    /// Where each group of equal values ends.
    ends: Vec<usize>,
}

impl Order {
    fn new(values: &[f64]) -> Order {
        let mut items: Vec<u32> = (0..values.len() as u32).collect();
        let value = |item: u32| values[item as usize];
        items.sort_by(|&a, &b| value(a).total_cmp(&value(b)));
        let differs = |&place: &usize| place == items.len() || value(items[place]) != value(items[place - 1]);
        let ends = (1..=items.len()).filter(differs).collect();
        Order { items, ends }
    }

    /// The mean rank of each item, by item.
    fn ranks(&self, weights: &[f64]) -> Vec<f64> {
        let mut ranks = vec![0.0; self.items.len()];
        let (mut below, mut start) = (0.0, 0);
        for &end in &self.ends {
            let group = &self.items[start..end];
            let weight: f64 = group.iter().map(|&item| weights[item as usize]).sum();
            for &item in group {
                ranks[item as usize] = below + 0.5 * weight;
            }
            below += weight;
            start = end;
        }
        ranks
    }
}

fn pearson(x: &[f64], y: &[f64], weights: &[f64]) -> f64 {
    if is_constant(x, weights) || is_constant(y, weights) {
        return f64::NAN;
    }
    let (x_mean, y_mean) = (weighted_mean(x, weights), weighted_mean(y, weights));
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for ((x, y), weight) in x.iter().zip(y).zip(weights) {
        let (dx, dy) = (x - x_mean, y - y_mean);
        xx += weight * dx * dx;
        yy += weight * dy * dy;
        xy += weight * dx * dy;
    }
    (xy / (xx * yy).sqrt()).clamp(-1.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metric;

    fn of(truth: &[f32], predicted: &[f32]) -> [Option<f64>; 2] {
        let scored = Scored::values(predicted.to_vec(), 1, truth.to_vec()).unwrap();
        [Metric::Pearson, Metric::Spearman].map(|metric| metric.value(&scored))
    }

    #[test]
    fn a_straight_line_is_one_and_a_curve_keeps_its_order() {
        assert_eq!(of(&[1.0, 2.0, 3.0], &[5.0, 7.0, 9.0]), [Some(1.0), Some(1.0)]);
        assert_eq!(of(&[1.0, 2.0, 3.0], &[0.0, -1.0, -2.0]), [Some(-1.0), Some(-1.0)]);
        let [pearson, spearman] = of(&[1.0, 2.0, 3.0, 4.0], &[1.0, 10.0, 100.0, 1000.0]);
        assert_eq!(spearman, Some(1.0));
        assert!(pearson.unwrap() < 0.9);
    }

    #[test]
    fn constants_correlate_with_nothing() {
        assert_eq!(of(&[0.1, 0.1, 0.1], &[1.0, 2.0, 3.0]), [None, None]);
        assert_eq!(of(&[1.0, 2.0, 3.0], &[0.1, 0.1, 0.1]), [None, None]);
        assert_eq!(of(&[], &[]), [None, None]);
    }
}
