//! Labels as they stand in tables and text files: names, class numbers, or values.

use super::SourceOptions;
use crate::error::DataError;
use crate::labels::{LabelType, Labels};
use retune_tensor::Tensor;
use std::collections::BTreeSet;

/// Most different whole numbers that are taken for classes.
const MOST_CLASSES: usize = 100;

/// Labels, and the names of the classes where the texts are names.
pub(super) type NamedLabels = (Labels, Option<Vec<String>>);

/// Labels from their texts; `None` for rows that cannot be used, whose label is never looked at.
pub(super) fn read_labels(
    place: &str,
    texts: &[Option<&str>],
    options: &SourceOptions,
) -> Result<NamedLabels, DataError> {
    let known = || texts.iter().flatten();
    let whole = known().all(|t| t.parse::<i64>().is_ok());
    let numeric = known().all(|t| t.parse::<f64>().is_ok());
    let distinct: BTreeSet<&str> = known().copied().collect();
    let few = distinct.len() <= MOST_CLASSES && distinct.len() * 2 <= texts.len();
    let class = match options.labels {
        Some(LabelType::Class) => true,
        Some(_) => false,
        None => !numeric || (whole && few),
    };
    if !class {
        let mut values = Vec::with_capacity(texts.len());
        for (row, text) in texts.iter().enumerate() {
            let text = text.unwrap_or("0");
            let value = text.parse::<f32>().map_err(|_| {
                DataError::setting(format!("label of {place}, row {row}"), "a number", format!("`{text}`"))
            })?;
            values.push(value);
        }
        let values = Tensor::new([values.len(), 1], values).expect("one value per row");
        return Ok((Labels::from_tensor(place, values, Some(LabelType::Real), None)?, None));
    }
    // Whole numbers that count from 0 are the class numbers themselves; anything else is numbered in order.
    let mut numbers: Vec<i64> = distinct.iter().filter_map(|t| t.parse().ok()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let are_names = |names: &Vec<String>| distinct.iter().all(|t| names.iter().any(|name| name == t));
    let counted = whole
        && !options.class_names.as_ref().is_some_and(are_names)
        && (options.classes.is_some() || numbers.iter().copied().eq(0..numbers.len() as i64));
    if counted {
        let indices: Vec<i64> = texts.iter().map(|t| t.and_then(|t| t.parse().ok()).unwrap_or(0)).collect();
        let count = indices.len();
        let indices = Tensor::new([count], indices).expect("one value per row");
        return Ok((Labels::from_tensor(place, indices, Some(LabelType::Class), options.classes)?, None));
    }
    let names: Vec<String> = match &options.class_names {
        Some(names) => names.clone(),
        None if whole => numbers.iter().map(i64::to_string).collect(),
        None => distinct.iter().map(|&t| t.to_owned()).collect(),
    };
    let mut indices = Vec::with_capacity(texts.len());
    for text in texts {
        let index = match text {
            None => 0,
            Some(text) => {
                let same = |name: &String| name == text || (whole && name.parse::<i64>().ok() == text.parse().ok());
                names.iter().position(same).ok_or_else(|| DataError::UnknownClass {
                    place: place.to_owned(),
                    class: (*text).to_owned(),
                    known: names.clone(),
                })?
            }
        };
        indices.push(index as i32);
    }
    Ok((Labels::classes(place, indices, names.len())?, Some(names)))
}
