//! CIFAR-10's Python batches (<https://www.cs.toronto.edu/~kriz/cifar.html>): pickled dictionaries of `data`, a
//! `uint8` array `[images, 3072]` with the red plane first, and `labels`, a list of numbers. The pickle is read as
//! data; nothing in it runs.

use super::cifar10::{Form, Images, PIXELS};
use crate::error::{DataError, shape_text};
use retune_formats::Limits;
use retune_formats::pickle::{Value, numpy, parse};
use retune_tensor::Values;
use std::path::Path;

pub(super) const FORM: Form = Form { is_batch_name, read_batch };

fn is_batch_name(name: &str) -> bool {
    (name.starts_with("data_batch") || name.starts_with("test_batch")) && Path::new(name).extension().is_none()
}

fn read_batch(file: &Path, bytes: &[u8], images: &mut Images) -> Result<(), DataError> {
    let malformed = |place: &str, expected: &str, found: String| DataError::Malformed {
        path: file.to_path_buf(),
        place: place.to_owned(),
        expected: expected.to_owned(),
        found,
        hint: "only batches of CIFAR-10's Python version are read, not CIFAR-100",
    };
    let pickle = parse(bytes, numpy::GLOBALS, &Limits::default()).map_err(|e| e.in_file(file))?;
    let root = pickle.root();
    let entry = |key: &str| {
        let place = format!("key `{key}`");
        root.get(key).ok_or_else(|| malformed(&place, "an entry of this key", format!("none in a {}", root.kind())))
    };
    let data = numpy::array(entry("data")?).map_err(|e| e.at("data").in_file(file))?;
    let (Values::U8(pixels), &[rows, PIXELS]) = (data.values(), data.shape()) else {
        let found = format!("{} of shape {}", data.dtype(), shape_text(data.shape()));
        return Err(malformed("key `data`", "uint8 of shape [images, 3072]", found));
    };
    let list = entry("labels")?;
    let labels: Option<Vec<i64>> = list.items().and_then(|items| items.map(Value::as_i64).collect());
    let Some(labels) = labels else {
        return Err(malformed("key `labels`", "a list of whole numbers", format!("a {}", list.kind())));
    };
    if labels.len() != rows {
        let place = format!("`{}`", file.display());
        return Err(DataError::CountMismatch { place, inputs: rows, labels: labels.len() });
    }
    for (row, (planes, label)) in pixels.chunks_exact(PIXELS).zip(labels).enumerate() {
        images.push(planes, label, || format!("`{}`, example {row}", file.display()))?;
    }
    Ok(())
}
