//! IDX files (<http://yann.lecun.com/exdb/mnist>): two zero bytes, a type (8: unsigned bytes), the number of axes,
//! each axis as a big-endian `u32`, then the values. As MNIST and Fashion-MNIST name them: `train-images-idx3-ubyte`,
//! `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`, also with `.idx3-ubyte` and `.gz`.

use super::{Parts, SourceOptions, array_inputs, list_folder, name_of};
use crate::dataset::Dataset;
use crate::error::DataError;
use crate::labels::Labels;
use flate2::read::GzDecoder;
use retune_tensor::Tensor;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

const BYTES: u8 = 8;
/// Largest array that is read.
const MAX_BYTES: usize = 1 << 34;

pub(super) fn is_images_name(name: &str) -> bool {
    name.contains("images") && (name.contains("-idx") || name.contains(".idx"))
}

pub(super) fn open(path: &Path, options: &SourceOptions) -> Result<Parts, DataError> {
    if !path.is_dir() {
        return Ok(read(path, options)?.into());
    }
    let files: Vec<PathBuf> = list_folder(path)?.into_iter().filter(|f| is_images_name(&name_of(f))).collect();
    let find = |begin: &[&str]| files.iter().find(|f| begin.iter().any(|b| name_of(f).starts_with(b)));
    let train = find(&["train"]).or(files.first().filter(|_| files.len() == 1)).ok_or_else(|| {
        DataError::UnknownKind { path: path.to_path_buf(), found: "no IDX file whose name begins with `train`".into() }
    })?;
    let data = read(train, options)?;
    let options = options.with_classes_of(&data);
    let other = |begin: &[&str]| find(begin).filter(|f| *f != train).map(|f| read(f, &options)).transpose();
    Ok(Parts { validation: other(&["val"])?, test: other(&["t10k", "test"])?, train: data })
}

/// The file of labels that belongs to a file of images: `images` and `idx3` replaced, with or without `.gz`.
fn labels_path(images: &Path) -> Option<PathBuf> {
    let name = name_of(images).replace("images", "labels").replace("idx3", "idx1").replace("idx4", "idx1");
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    [name.clone(), plain.to_owned(), format!("{plain}.gz")]
        .into_iter()
        .map(|name| images.with_file_name(name))
        .find(|path| path != images && path.is_file())
}

fn read(images: &Path, options: &SourceOptions) -> Result<Dataset, DataError> {
    let place = images.display().to_string();
    let inputs = array_inputs(&place, read_array(images)?, options)?;
    let labels = match labels_path(images) {
        _ if options.unlabelled => Labels::None,
        Some(path) => {
            Labels::from_tensor(&path.display().to_string(), read_array(&path)?, options.labels, options.classes)?
        }
        None => {
            return Err(DataError::UnknownKind {
                path: images.to_path_buf(),
                found: "images without a file of labels beside them (`…labels-idx1-ubyte`)".into(),
            });
        }
    };
    Dataset::new(format!("{place} (IDX)"), inputs, labels)
}

/// Reads an IDX file of unsigned bytes.
fn read_array(path: &Path) -> Result<Tensor, DataError> {
    let file = File::open(path).map_err(DataError::io(path))?;
    let zipped = name_of(path).to_ascii_lowercase().ends_with(".gz");
    let mut reader: Box<dyn Read> = if zipped { Box::new(GzDecoder::new(file)) } else { Box::new(file) };
    let malformed = |place: &str, expected: String, found: String| DataError::Malformed {
        path: path.to_path_buf(),
        place: place.to_owned(),
        expected,
        found,
        hint: "the file is damaged or not an IDX file; fetch it again",
    };
    let cut = |e: std::io::Error| malformed("header", "an IDX header".into(), e.to_string());
    let mut magic = [0; 4];
    reader.read_exact(&mut magic).map_err(cut)?;
    let [0, 0, BYTES, axes @ 1..=4] = magic else {
        let expected = "bytes 00 00 08 and 1 to 4 axes".to_owned();
        return Err(malformed("header", expected, format!("{magic:02x?}")));
    };
    let mut shape = Vec::new();
    for _ in 0..axes {
        let mut axis = [0; 4];
        reader.read_exact(&mut axis).map_err(cut)?;
        shape.push(u32::from_be_bytes(axis) as usize);
    }
    let count = shape.iter().try_fold(1usize, |p, &d| p.checked_mul(d)).filter(|&n| n <= MAX_BYTES);
    let Some(count) = count else {
        return Err(malformed("header", format!("at most {MAX_BYTES} bytes"), format!("shape {shape:?}")));
    };
    // Memory grows with what is really there, not with what the header claims; one byte more tells of a longer file.
    let mut values = Vec::new();
    reader
        .take(count as u64 + 1)
        .read_to_end(&mut values)
        .map_err(|e| malformed("values", format!("{count} bytes for shape {shape:?}"), e.to_string()))?;
    if values.len() != count {
        let found = if values.len() > count { "more".to_owned() } else { format!("{} bytes", values.len()) };
        return Err(malformed("values", format!("{count} bytes for shape {shape:?}"), found));
    }
    Ok(Tensor::new(shape, values).expect("the length was just compared"))
}
