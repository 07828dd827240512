//! Predictions for every example by a probe that has not seen it.

use super::Features;
use super::logistic::{Probe, mixed};
use rayon::prelude::*;
use std::collections::HashMap;

/// Folds; each example is predicted by a probe fitted to the other four fifths.
pub const FOLDS: usize = 5;

/// Probabilities `[rows, classes]` of the classes of every row, out of fold.
///
/// Rows of one group (the same input several times) are in one fold, so that no probe has seen what it predicts. Groups are
/// divided by the class of their first row, so that every fold has its share of each class.
pub fn out_of_fold(features: &Features, labels: &[usize], groups: &[u64], classes: usize) -> Vec<f32> {
    let folds = folds(labels, groups, classes);
    let parts: Vec<Vec<(usize, Vec<f32>)>> = (0..FOLDS)
        .into_par_iter()
        .map(|fold| {
            let (held, seen): (Vec<usize>, Vec<usize>) = (0..labels.len()).partition(|&row| folds[row] == fold);
            let probe = Probe::fit(features, &seen, labels, classes);
            let predict = |row| {
                let mut out = vec![0.0; classes];
                probe.predict(features, row, &mut out);
                (row, out)
            };
            held.into_iter().map(predict).collect()
        })
        .collect();
    let mut probabilities = vec![0.0; labels.len() * classes];
    for (row, out) in parts.into_iter().flatten() {
        probabilities[row * classes..(row + 1) * classes].copy_from_slice(&out);
    }
    probabilities
}

/// The fold of each row.
fn folds(labels: &[usize], groups: &[u64], classes: usize) -> Vec<usize> {
    let mut firsts: HashMap<u64, usize> = HashMap::new();
    groups.iter().enumerate().for_each(|(row, &group)| {
        firsts.entry(group).or_insert(row);
    });
    let mut order: Vec<(usize, u64, usize)> =
        firsts.values().map(|&row| (labels[row], mixed(1, row as u64), row)).collect();
    order.sort_unstable();
    let mut next = vec![0; classes];
    let mut fold_of: HashMap<usize, usize> = HashMap::new();
    for (class, _, row) in order {
        // Classes begin at different folds, so that small ones do not all lack the last.
        fold_of.insert(row, (next[class] + class) % FOLDS);
        next[class] += 1;
    }
    groups.iter().map(|group| fold_of[&firsts[group]]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_are_stratified_and_keep_groups_together() {
        let labels: Vec<usize> = (0..100).map(|i| usize::from(i % 4 == 0)).collect();
        let groups: Vec<u64> = (0..100).map(|i| if i >= 90 { i - 90 } else { i }).collect();
        let folds = folds(&labels, &groups, 2);
        for row in 90..100 {
            assert_eq!(folds[row], folds[row - 90]);
        }
        for fold in 0..FOLDS {
            for class in 0..2 {
                let n = (0..90).filter(|&row| folds[row] == fold && labels[row] == class).count();
                assert!((4..=14).contains(&n), "fold {fold}, class {class}: {n}");
            }
        }
    }
}
