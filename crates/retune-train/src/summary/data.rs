//! What is in the data: items of each class in each part, what stands out, what was left out.

use crate::report::{ClassCounts, DataFacts, DataNote, Skipped};
use crate::run::left_out::left_out;
use retune_data::Loader;

/// Left-out items that are listed; the others are only counted.
const LISTED: usize = 20;
/// A class this many times as frequent as another is worth a note.
const UNEVEN: usize = 4;

/// The facts on parts, each with its name, the training part first.
pub(super) fn facts(parts: &[(&str, &Loader)], class_name: &dyn Fn(usize) -> String) -> DataFacts {
    let counts: Vec<Vec<usize>> =
        parts.iter().filter_map(|(_, loader)| loader.data().class_counts(loader.ids())).collect();
    let classes = if counts.len() == parts.len() { counts.iter().map(Vec::len).max().unwrap_or(0) } else { 0 };
    let left_out = left_out(parts.iter().map(|(_, loader)| *loader));
    DataFacts {
        splits: parts.iter().map(|(name, _)| (*name).to_owned()).collect(),
        items: parts.iter().map(|(_, loader)| loader.ids().len() as u64).collect(),
        classes: (0..classes)
            .map(|class| ClassCounts {
                name: class_name(class),
                items: counts.iter().map(|part| part.get(class).copied().unwrap_or(0) as u64).collect(),
            })
            .collect(),
        notes: shares(parts).into_iter().chain(counts.first().and_then(|train| balance(train, class_name))).collect(),
        findings: Vec::new(),
        skipped_total: left_out.len() as u64,
        skipped: left_out
            .into_iter()
            .take(LISTED)
            .map(|bad| Skipped { place: bad.place, reason: bad.reason })
            .collect(),
    }
}

/// Which parts are shares of the training data's source.
fn shares(parts: &[(&str, &Loader)]) -> Option<DataNote> {
    let (_, train) = parts.first()?;
    let same = |loader: &Loader| std::ptr::eq(loader.data(), train.data());
    let drawn: Vec<String> =
        parts[1..].iter().filter(|(_, loader)| same(loader)).map(|(name, _)| (*name).to_owned()).collect();
    (!drawn.is_empty()).then_some(DataNote::SameSource { parts: drawn })
}

/// Classes that training lacks, or that are far rarer than others.
fn balance(train: &[usize], class_name: &dyn Fn(usize) -> String) -> Option<DataNote> {
    let (most, &largest) = train.iter().enumerate().max_by_key(|&(class, &count)| (count, std::cmp::Reverse(class)))?;
    let (least, &smallest) = train.iter().enumerate().min_by_key(|&(class, &count)| (count, class))?;
    if smallest == 0 {
        let count = train.iter().filter(|&&count| count == 0).count();
        return Some(DataNote::MissingClasses { first: class_name(least), count });
    }
    (largest >= UNEVEN * smallest).then(|| DataNote::Uneven {
        most: class_name(most),
        largest,
        least: class_name(least),
        smallest,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use retune_data::{Dataset, Inputs, Labels, LoaderOptions};
    use retune_tensor::Tensor;
    use std::sync::Arc;

    #[test]
    fn items_are_counted_by_class_and_part() {
        let labels = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 0];
        let inputs = Inputs::Features(Tensor::zeros([12, 2]));
        let data = Dataset::new("t", inputs, Labels::classes("t", labels.to_vec(), 3).unwrap()).unwrap();
        let data = Arc::new(data);
        let part =
            |ids: std::ops::Range<u64>| Loader::new(data.clone(), ids.collect(), LoaderOptions::default()).unwrap();
        let (train, test) = (part(0..10), part(10..12));
        let facts = facts(&[("training", &train), ("test", &test)], &|class| format!("c{class}"));
        assert_eq!((facts.items, facts.skipped_total), (vec![10, 2], 0));
        let counts: Vec<_> = facts.classes.iter().map(|c| (c.name.as_str(), c.items.clone())).collect();
        assert_eq!(counts, [("c0", vec![8, 1]), ("c1", vec![2, 0]), ("c2", vec![0, 1])]);
        let notes = [
            DataNote::SameSource { parts: vec!["test".to_owned()] },
            DataNote::MissingClasses { first: "c2".to_owned(), count: 1 },
        ];
        assert_eq!(facts.notes, notes);
        let uneven = balance(&[40, 10, 20], &|class| class.to_string());
        let (most, least) = ("0".to_owned(), "1".to_owned());
        assert_eq!(uneven, Some(DataNote::Uneven { most, largest: 40, least, smallest: 10 }));
        assert_eq!(balance(&[30, 10], &|class| class.to_string()), None);
    }
}
