//! Divisions in which no group is in two parts.

use super::classes::{class_of, sorted};
use super::key;
use crate::dataset::Dataset;
use crate::error::DataError;
use std::collections::BTreeMap;

/// Parts of these shares, which sum to 1, made of whole groups.
///
/// As scikit-learn's `StratifiedGroupKFold`: groups go through in random order, those first whose classes are most unequal in number;
/// each goes to the part in which it leaves the standard deviation, over the parts, of how full they are of each class least, in the
/// mean over classes; of equal ones to the one that holds least. "How full" is the number of examples over the part's share of all, so
/// that parts of different shares fill up alike.
///
/// # Errors
/// Data without groups, and fewer groups than parts.
pub(super) fn shares(data: &Dataset, ids: &[u64], shares: &[f64], seed: u64) -> Result<Vec<Vec<u64>>, DataError> {
    let Some(column) = &data.side().group else {
        let expected = "a column of groups, as `group = \"patient\"`";
        return Err(DataError::setting("split by groups", expected, format!("none in {}", data.description())));
    };
    let one_class = ids.iter().all(|&id| class_of(data, id).is_some());
    let classes = data.class_count().filter(|_| one_class).unwrap_or(1);
    let mut groups: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for &id in ids {
        groups.entry(&column[id as usize]).or_default().push(id);
    }
    let wanted: Vec<usize> = (0..shares.len()).filter(|&part| shares[part] > 0.0).collect();
    if groups.len() < wanted.len() {
        let expected = format!("at least {} groups, one for each part", wanted.len());
        return Err(DataError::setting("split by groups", expected, format!("{} groups", groups.len())));
    }
    let counts = |ids: &[u64]| {
        let mut counts = vec![0usize; classes];
        ids.iter().for_each(|&id| counts[class_of(data, id).filter(|_| one_class).unwrap_or(0)] += 1);
        counts
    };
    let totals = counts(ids);
    let groups: Vec<Vec<u64>> = groups.into_values().collect();
    let order = key(seed).at(0, 0).permutation(groups.len());
    let mut ordered: Vec<(Vec<u64>, Vec<usize>)> =
        order.into_iter().map(|group| (groups[group].clone(), counts(&groups[group]))).collect();
    let unequal = |counts: &[usize]| match counts {
        // Of a single class the largest group goes first.
        [count] => *count as f64,
        counts => deviation(counts.iter().map(|&count| count as f64)),
    };
    ordered.sort_by(|a, b| unequal(&b.1).total_cmp(&unequal(&a.1)));
    let mut filled = vec![vec![0usize; classes]; shares.len()];
    let mut parts = vec![Vec::new(); shares.len()];
    let left_after = |index: usize| ordered.len() - index;
    for (index, (ids, own)) in ordered.iter().enumerate() {
        let empty: Vec<usize> = wanted.iter().copied().filter(|&part: &usize| parts[part].is_empty()).collect();
        // The last groups go to parts that have none yet.
        let open = if empty.len() >= left_after(index) { &empty } else { &wanted };
        let spread = |part: usize| {
            let of_class = |class: usize| {
                let total = totals[class].max(1) as f64;
                deviation(wanted.iter().map(|&other| {
                    let added = if other == part { own[class] } else { 0 };
                    (filled[other][class] + added) as f64 / (total * shares[other])
                }))
            };
            (0..classes).map(of_class).sum::<f64>() / classes as f64
        };
        let held = |part: usize| parts[part].len() as f64 / shares[part];
        let best = open.iter().copied().min_by(|&a: &usize, &b: &usize| {
            let (first, second) = (spread(a), spread(b));
            let close = (first - second).abs() <= 1e-12 * first.max(second);
            if close { held(a).total_cmp(&held(b)) } else { first.total_cmp(&second) }
        });
        let Some(best) = best else { continue };
        parts[best].extend_from_slice(ids);
        filled[best].iter_mut().zip(own).for_each(|(sum, count)| *sum += count);
    }
    Ok(parts.into_iter().map(sorted).collect())
}

/// Standard deviation, of as many degrees of freedom as values.
fn deviation(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = values.clone().count().max(1) as f64;
    let mean = values.clone().sum::<f64>() / count;
    (values.map(|value| (value - mean) * (value - mean)).sum::<f64>() / count).sqrt()
}
