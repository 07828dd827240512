//! CIFAR-10's binary batches (<https://www.cs.toronto.edu/~kriz/cifar.html>): records of one label byte and 3 × 32 × 32
//! bytes, the red plane first, 3,073 bytes each.

use super::{Parts, SourceOptions, list_folder, name_of};
use crate::dataset::{Dataset, Inputs};
use crate::error::DataError;
use crate::labels::Labels;
use retune_tensor::Tensor;
use std::path::{Path, PathBuf};

/// Names of CIFAR-10's classes in the order of their numbers.
pub(super) const CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;
const RECORD: usize = 1 + 3 * PLANE;

pub(super) fn is_batch_name(name: &str) -> bool {
    (name.starts_with("data_batch") || name.starts_with("test_batch")) && name.ends_with(".bin")
}

pub(super) fn open(path: &Path, options: &SourceOptions) -> Result<Parts, DataError> {
    if !path.is_dir() {
        return Ok(read(path, vec![path.to_path_buf()], options)?.into());
    }
    let files: Vec<PathBuf> = list_folder(path)?.into_iter().filter(|f| is_batch_name(&name_of(f))).collect();
    let (train, test): (Vec<PathBuf>, _) = files.into_iter().partition(|f| name_of(f).starts_with("data_batch"));
    if train.is_empty() {
        return Ok(read(path, test, options)?.into());
    }
    let test = if test.is_empty() { None } else { Some(read(path, test, options)?) };
    Ok(Parts { train: read(path, train, options)?, validation: None, test })
}

fn read(path: &Path, files: Vec<PathBuf>, options: &SourceOptions) -> Result<Dataset, DataError> {
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for file in &files {
        let bytes = std::fs::read(file).map_err(DataError::io(file))?;
        if bytes.is_empty() || bytes.len() % RECORD != 0 {
            return Err(DataError::Malformed {
                path: file.clone(),
                place: "whole file".into(),
                expected: format!("a multiple of {RECORD} bytes (CIFAR-10 records)"),
                found: format!("{} bytes", bytes.len()),
                hint: "the download may have been cut short; CIFAR-100 has other records and is not read",
            });
        }
        pixels.reserve(bytes.len());
        for (row, record) in bytes.chunks_exact(RECORD).enumerate() {
            if usize::from(record[0]) >= CLASSES.len() {
                return Err(DataError::LabelOutOfRange {
                    place: format!("`{}`, record {row}", file.display()),
                    label: i64::from(record[0]),
                    classes: CLASSES.len(),
                });
            }
            labels.push(i32::from(record[0]));
            push_interleaved(&record[1..], &mut pixels);
        }
    }
    let description = format!("{} (CIFAR-10, {} images)", path.display(), labels.len());
    dataset(description, pixels, labels, options)
}

/// Appends one image of three planes with its channels last.
pub(super) fn push_interleaved(planes: &[u8], pixels: &mut Vec<u8>) {
    pixels.extend((0..PLANE).flat_map(|i| [planes[i], planes[PLANE + i], planes[2 * PLANE + i]]));
}

/// CIFAR-10 images, channels last, with their labels.
pub(super) fn dataset(
    description: String,
    pixels: Vec<u8>,
    labels: Vec<i32>,
    options: &SourceOptions,
) -> Result<Dataset, DataError> {
    let shape = [labels.len(), SIDE, SIDE, 3];
    let images = Tensor::new(shape, pixels).expect("3,072 bytes were appended for each label");
    let labels = Labels::classes(&description, labels, CLASSES.len())?;
    let data = Dataset::new(description, Inputs::Images(images), labels)?;
    match options.class_names {
        Some(_) => Ok(data),
        None => data.with_class_names(CLASSES.map(str::to_owned).to_vec()),
    }
}
