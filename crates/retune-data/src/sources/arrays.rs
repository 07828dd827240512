//! numpy's arrays: `.npz` with the keys `x`, `y` or, as Keras's data sets have them, `x_train`, `y_train`, `x_test`,
//! `y_test` (also `x_val`, `y_val`); `.npy` files of the same names in a folder; or one `.npy` with its labels beside
//! it.

use super::{Parts, SourceOptions, array_inputs, list_folder, name_of};
use crate::dataset::{Dataset, Inputs};
use crate::error::{BadExample, DataError};
use crate::labels::Labels;
use retune_formats::{npy, npz};
use retune_tensor::{Tensor, Values};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const TRAIN: [(&str, &str); 2] = [("x_train", "y_train"), ("x", "y")];
const VALIDATION: [(&str, &str); 2] = [("x_val", "y_val"), ("x_validation", "y_validation")];
const TEST: [(&str, &str); 1] = [("x_test", "y_test")];

pub(super) fn is_array_name(name: &str) -> bool {
    name.ends_with(".npy") || name.ends_with(".npz")
}

pub(super) fn open(path: &Path, options: &SourceOptions) -> Result<Parts, DataError> {
    let mut arrays = BTreeMap::new();
    if path.is_dir() {
        for file in list_folder(path)?.into_iter().filter(|f| name_of(f).ends_with(".npy")) {
            arrays.insert(name_of(&file).trim_end_matches(".npy").to_owned(), npy::read(&file)?);
        }
    } else if name_of(path).to_ascii_lowercase().ends_with(".npz") {
        arrays.extend(npz::read(path)?);
    } else {
        return single(path, options);
    }
    let given = options.inputs_key.as_deref().map(|x| (x, options.labels_key.as_deref()));
    let pair_of = |names: &[(&'static str, &'static str)]| {
        names.iter().find(|(x, _)| arrays.contains_key(*x)).map(|&(x, y)| (x, Some(y)))
    };
    let (train, validation, test) = match given {
        Some((x, y)) => (Some((x, y.or(Some("y")))), None, None),
        None => (pair_of(&TRAIN), pair_of(&VALIDATION), pair_of(&TEST)),
    };
    let (train, test) = if train.is_none() { (test, None) } else { (train, test) };
    let known: Vec<String> = arrays.keys().cloned().collect();
    let unknown = |name: &str| DataError::UnknownName {
        path: path.to_path_buf(),
        what: "array",
        name: name.to_owned(),
        known: known.clone(),
    };
    let mut take = |(x, y): (&str, Option<&str>), options: &SourceOptions| {
        let inputs = arrays.remove(x).ok_or_else(|| unknown(x))?;
        let labels = match y.filter(|_| !options.unlabelled) {
            Some(y) => Some(arrays.remove(y).ok_or_else(|| unknown(y))?),
            None => None,
        };
        dataset(format!("{}, array `{x}`", path.display()), inputs, labels, options)
    };
    let train = take(train.ok_or_else(|| unknown("x` or `x_train"))?, options)?;
    let options = options.with_classes_of(&train);
    let mut other = |pair: Option<(&str, Option<&str>)>| pair.map(|pair| take(pair, &options)).transpose();
    Ok(Parts { validation: other(validation)?, test: other(test)?, train })
}

/// One `.npy` of inputs; labels from the file given, or from the one named `y…` where the inputs are named `x…`.
fn single(path: &Path, options: &SourceOptions) -> Result<Parts, DataError> {
    let beside: Option<PathBuf> = name_of(path).strip_prefix('x').map(|rest| path.with_file_name(format!("y{rest}")));
    let labels = match options.labels_path.clone().or(beside) {
        _ if options.unlabelled => None,
        Some(file) => Some(npy::read(&file)?),
        None => {
            return Err(DataError::setting(
                "labels-path",
                format!("a `.npy` file of labels for `{}`, or `unlabelled = true`", path.display()),
                "nothing",
            ));
        }
    };
    Ok(dataset(path.display().to_string(), npy::read(path)?, labels, options)?.into())
}

fn dataset(
    description: String,
    inputs: Tensor,
    labels: Option<Tensor>,
    options: &SourceOptions,
) -> Result<Dataset, DataError> {
    let labels = match labels {
        Some(labels) => Labels::from_tensor(&description, labels, options.labels, options.classes)?,
        None => Labels::None,
    };
    let inputs = array_inputs(&description, inputs, options)?;
    let bad = match &inputs {
        Inputs::Images(t) | Inputs::Features(t) => not_finite(&description, t),
        Inputs::Encoded(_) | Inputs::Texts(_) | Inputs::Table(_) => Vec::new(),
    };
    Dataset::new(description, inputs, labels)?.excluding(bad, options.tolerance)
}

/// The examples with a value that is not a finite number.
fn not_finite(place: &str, inputs: &Tensor) -> Vec<BadExample> {
    fn find<T: Copy>(values: &[T], width: usize, finite: impl Fn(T) -> bool) -> Vec<(usize, usize)> {
        let rows = values.chunks_exact(width.max(1)).enumerate();
        rows.filter_map(|(row, values)| Some((row, values.iter().position(|&v| !finite(v))?))).collect()
    }
    let width: usize = inputs.shape().iter().skip(1).product();
    let found = match inputs.values() {
        Values::F32(v) => find(v, width, f32::is_finite),
        Values::F64(v) => find(v, width, |x| (x as f32).is_finite()),
        Values::F16(v) => find(v, width, |x| x.is_finite()),
        Values::BF16(v) => find(v, width, |x| x.is_finite()),
        _ => Vec::new(),
    };
    let bad = |(row, at): (usize, usize)| BadExample {
        id: row as u64,
        place: format!("{place}, example {row}"),
        reason: format!("value {at}: expected a finite number (of 32 bits), found another"),
    };
    found.into_iter().map(bad).collect()
}
