//! CIFAR-10's binary batches (<https://www.cs.toronto.edu/~kriz/cifar.html>): records of one label byte and 3 × 32 × 32
//! bytes, the red plane first, 3,073 bytes each.

use super::cifar10::{Form, Images, PIXELS};
use crate::error::DataError;
use std::path::Path;

const RECORD: usize = 1 + PIXELS;

pub(super) const FORM: Form = Form { is_batch_name, read_batch };

fn is_batch_name(name: &str) -> bool {
    (name.starts_with("data_batch") || name.starts_with("test_batch")) && name.ends_with(".bin")
}

fn read_batch(file: &Path, bytes: &[u8], images: &mut Images) -> Result<(), DataError> {
    if bytes.is_empty() || !bytes.len().is_multiple_of(RECORD) {
        return Err(DataError::Malformed {
            path: file.to_path_buf(),
            place: "whole file".into(),
            expected: format!("a multiple of {RECORD} bytes (CIFAR-10 records)"),
            found: format!("{} bytes", bytes.len()),
            hint: "the download may have been cut short; CIFAR-100 has other records and is not read",
        });
    }
    for (row, record) in bytes.chunks_exact(RECORD).enumerate() {
        images.push(&record[1..], i64::from(record[0]), || format!("`{}`, record {row}", file.display()))?;
    }
    Ok(())
}
