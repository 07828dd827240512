//! What CIFAR-10's two forms share: files of batches in one folder or `.tar.gz`, 32×32 colour images in three planes, ten classes.

use super::tar::{self, Next};
use super::{Parts, SourceOptions, list_folder, name_of};
use crate::dataset::{Dataset, Inputs};
use crate::error::DataError;
use crate::labels::Labels;
use retune_tensor::Tensor;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Names of the classes in the order of their numbers.
pub(super) const CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;
/// Bytes of one image.
pub(super) const PIXELS: usize = 3 * PLANE;

/// Most bytes of a batch; the original ones have 31 million.
const MAX_BATCH_BYTES: u64 = 1 << 28;

/// A way to write batches.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    /// Whether a file of this name is a batch.
    pub(super) is_batch_name: fn(&str) -> bool,
    /// Appends the images of a batch, given where it stands and its bytes.
    pub(super) read_batch: fn(&Path, &[u8], &mut Images) -> Result<(), DataError>,
}

/// Images gathered from batches: pixels with channels last, and class numbers.
#[derive(Debug, Clone, Default)]
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

/// Opens a folder or an archive of batches, those named `data_batch…` to train on and `test_batch…` to test on, or a single
/// batch.
pub(super) fn open(path: &Path, options: &SourceOptions, form: Form) -> Result<Parts, DataError> {
    if tar::is_archive_name(&name_of(path)) {
        return parts(path, archived(path, form)?, options);
    }
    let read = |file: &Path| -> Result<Images, DataError> {
        let mut images = Images::default();
        (form.read_batch)(file, &std::fs::read(file).map_err(DataError::io(file))?, &mut images)?;
        Ok(images)
    };
    if !path.is_dir() {
        return Ok(dataset(path, read(path)?, options)?.into());
    }
    let files: Vec<PathBuf> = list_folder(path)?.into_iter().filter(|f| (form.is_batch_name)(&name_of(f))).collect();
    let batches = files.iter().map(|file| Ok((name_of(file), read(file)?)));
    parts(path, batches.collect::<Result<_, DataError>>()?, options)
}

/// The batches of an archive by name, whatever their order in it.
fn archived(path: &Path, form: Form) -> Result<BTreeMap<String, Images>, DataError> {
    let mut batches = BTreeMap::new();
    let wants = |name: &str| (form.is_batch_name)(name).then_some(MAX_BATCH_BYTES);
    tar::read(path, wants, |name, bytes| {
        let mut images = Images::default();
        (form.read_batch)(&path.join(name), &bytes, &mut images)?;
        batches.insert(name.to_owned(), images);
        Ok(Next::Read)
    })?;
    if batches.is_empty() {
        return Err(DataError::UnknownKind {
            path: path.to_path_buf(),
            found: "an archive without CIFAR-10 batches".into(),
        });
    }
    Ok(batches)
}

/// Whether the first batch of an archive has this form; `None` where it has none of the forms.
pub(super) fn form_in_archive(path: &Path, forms: &[Form]) -> Result<Option<usize>, DataError> {
    let mut found = None;
    let index = |name: &str| forms.iter().position(|form| (form.is_batch_name)(name));
    tar::read(
        path,
        |name| index(name).map(|_| MAX_BATCH_BYTES),
        |name, _| {
            found = index(name);
            Ok(Next::Stop)
        },
    )?;
    Ok(found)
}

fn parts(path: &Path, batches: BTreeMap<String, Images>, options: &SourceOptions) -> Result<Parts, DataError> {
    let (train, test): (Vec<_>, Vec<_>) = batches.into_iter().partition(|(name, _)| name.starts_with("data_batch"));
    let joined = |batches: Vec<(String, Images)>| {
        let mut all = Images::default();
        for (_, images) in batches {
            all.labels.extend(images.labels);
            all.pixels.extend(images.pixels);
        }
        dataset(path, all, options)
    };
    if train.is_empty() || test.is_empty() {
        return Ok(joined([train, test].concat())?.into());
    }
    Ok(Parts { train: joined(train)?, validation: None, test: Some(joined(test)?) })
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
