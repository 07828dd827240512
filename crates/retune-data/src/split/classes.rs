//! Divisions of each class alike.

use super::key;
use crate::dataset::Dataset;

/// The class of an example; `None` where it has not exactly one.
pub(super) fn class_of(data: &Dataset, id: u64) -> Option<usize> {
    data.labels().class_of(id as usize)
}

/// The ids of each class in random order; a single list where examples have not one class each.
pub(super) fn classes_of(data: &Dataset, ids: &[u64], seed: u64, draw: u64) -> Vec<Vec<u64>> {
    let one_class = ids.iter().all(|&id| class_of(data, id).is_some());
    let mut classes = vec![Vec::new(); data.class_count().filter(|_| one_class).unwrap_or(1)];
    for &id in ids {
        classes[class_of(data, id).filter(|_| one_class).unwrap_or(0)].push(id);
    }
    for (class, members) in classes.iter_mut().enumerate() {
        let order = key(seed).at(draw, class as u64).permutation(members.len());
        *members = order.into_iter().map(|i| members[i]).collect();
    }
    classes
}

/// What is left, a share for validation, and one for test.
pub(super) fn shares(data: &Dataset, ids: &[u64], [validation, test]: [f64; 2], seed: u64) -> [Vec<u64>; 3] {
    let mut classes = classes_of(data, ids, seed, 0);
    let sizes: Vec<usize> = classes.iter().map(Vec::len).collect();
    let mut draw = |share: f64| {
        let room: Vec<usize> = classes.iter().map(|class| class.len().saturating_sub(1)).collect();
        let quotas = quotas(&sizes, &room, share);
        let drawn = classes.iter_mut().zip(quotas).flat_map(|(class, n)| class.split_off(class.len() - n));
        sorted(drawn.collect())
    };
    let (test, validation) = (draw(test), draw(validation));
    [sorted(classes.concat()), validation, test]
}

/// Folds: the classes one after the other, dealt out in turn.
pub(super) fn folds(data: &Dataset, ids: &[u64], folds: usize, seed: u64) -> Vec<Vec<u64>> {
    let all = classes_of(data, ids, seed, 0).concat();
    (0..folds).map(|fold| sorted(all.iter().copied().skip(fold).step_by(folds).collect())).collect()
}

pub(super) fn sorted(mut ids: Vec<u64>) -> Vec<u64> {
    ids.sort_unstable();
    ids
}

/// How many of each class make up `share` of all: the whole part of each class's share, and one more for the largest
/// remainders until the total is right, never beyond `room`.
fn quotas(sizes: &[usize], room: &[usize], share: f64) -> Vec<usize> {
    let exact: Vec<f64> = sizes.iter().map(|&n| n as f64 * share).collect();
    // A share such as 0.1 of 30 is not exact in binary; what is within rounding of a whole number is that number.
    let floor = |x: f64| (x + 1e-9).floor();
    let mut quotas: Vec<usize> = exact.iter().zip(room).map(|(&x, &room)| (floor(x) as usize).min(room)).collect();
    let total = (sizes.iter().sum::<usize>() as f64 * share).round() as usize;
    let mut by_remainder: Vec<usize> = (0..sizes.len()).collect();
    by_remainder.sort_by(|&a, &b| (exact[b] - floor(exact[b])).total_cmp(&(exact[a] - floor(exact[a]))));
    for class in by_remainder {
        let missing = quotas.iter().sum::<usize>() < total;
        if missing && quotas[class] < room[class] && exact[class] - floor(exact[class]) > 1e-9 {
            quotas[class] += 1;
        }
    }
    quotas
}
