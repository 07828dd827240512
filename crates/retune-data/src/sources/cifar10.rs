//! What CIFAR-10's two forms share: files of batches in one folder, 32×32 colour images in three planes, ten classes.

use super::{Parts, SourceOptions, list_folder, name_of};
use crate::dataset::{Dataset, Inputs};
use crate::error::DataError;
use crate::labels::Labels;
use retune_tensor::Tensor;
use std::path::{Path, PathBuf};

/// Names of the classes in the order of their numbers.
pub(super) const CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;
/// Bytes of one image.
pub(super) const PIXELS: usize = 3 * PLANE;

/// Images gathered from batches: pixels with channels last, and class numbers.
#[derive(Debug, Default)]
pub(super) struct Images {
    pixels: Vec<u8>,
    labels: Vec<i32>,
}

impl Images {
    /// Appends one image of three planes. `place` names it where its label is no class.
    pub(super) fn push(&mut self, planes: &[u8], label: i64, place: impl Fn() -> String) -> Result<(), DataError> {
        if !(0..CLASSES.len() as i64).contains(&label) {
            return Err(DataError::LabelOutOfRange { place: place(), label, classes: CLASSES.len() });
        }
        self.labels.push(label as i32);
        self.pixels.extend((0..PLANE).flat_map(|i| [planes[i], planes[PLANE + i], planes[2 * PLANE + i]]));
        Ok(())
    }
}

/// Opens a folder of batches, those named `data_batch…` to train on and `test_batch…` to test on, or a single batch.
pub(super) fn open(
    path: &Path,
    options: &SourceOptions,
    is_batch_name: fn(&str) -> bool,
    read_batch: fn(&Path, &mut Images) -> Result<(), DataError>,
) -> Result<Parts, DataError> {
    let read = |files: &[PathBuf]| {
        let mut images = Images::default();
        files.iter().try_for_each(|file| read_batch(file, &mut images))?;
        dataset(path, images, options)
    };
    if !path.is_dir() {
        return Ok(read(&[path.to_path_buf()])?.into());
    }
    let files: Vec<PathBuf> = list_folder(path)?.into_iter().filter(|f| is_batch_name(&name_of(f))).collect();
    let (train, test): (Vec<_>, Vec<_>) = files.into_iter().partition(|f| name_of(f).starts_with("data_batch"));
    if train.is_empty() || test.is_empty() {
        return Ok(read(&[train, test].concat())?.into());
    }
    Ok(Parts { train: read(&train)?, validation: None, test: Some(read(&test)?) })
}

fn dataset(path: &Path, images: Images, options: &SourceOptions) -> Result<Dataset, DataError> {
    let Images { pixels, labels } = images;
    let description = format!("{} (CIFAR-10, {} images)", path.display(), labels.len());
    let inputs = Tensor::new([labels.len(), SIDE, SIDE, 3], pixels).expect("3,072 bytes were appended for each label");
    let labels = Labels::classes(&description, labels, CLASSES.len())?;
    let data = Dataset::new(description, Inputs::Images(inputs), labels)?;
    match options.class_names {
        Some(_) => Ok(data),
        None => data.with_class_names(CLASSES.map(str::to_owned).to_vec()),
    }
}
