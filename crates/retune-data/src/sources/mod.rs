//! Sources of examples, one file each; [`open`] finds out which one a path is.
//!
//! - `image_folder`: one sub-folder of image files per class;
//! - `cifar10_binary`, `cifar10_pickle`: CIFAR-10's binary and Python batches, `cifar10` what they share, `tar` the archives they
//!   come in;
//! - `idx`: IDX files as MNIST and Fashion-MNIST have them, also `.gz`;
//! - `arrays`: numpy's `.npy` and `.npz`;
//! - `tables`: texts, images or numbers in tables; `records` the rows of their files (CSV, JSON, Parquet, Arrow), `columns` what their columns
//!   are taken for, `parts` which files are which part;
//! - [`text`]: texts in tables, lines and folders;
//! - [`rewrite`]: copies of such files without some of their rows;
//! - `examples`, `label_texts`: examples and labels on their way into a data set.

mod arrays;
mod cifar10;
mod cifar10_binary;
mod cifar10_pickle;
mod columns;
mod examples;
mod idx;
mod image_folder;
mod label_texts;
mod parts;
mod records;
pub mod rewrite;
mod tables;
mod tar;
pub mod text;

use crate::column::Storage;
use crate::dataset::{Dataset, Inputs};
use crate::error::{DataError, shape_text};
use crate::labels::{LabelKind, LabelType};
use crate::origins::Origins;
use crate::side::SideColumns;
pub use image_folder::images_of;
pub(crate) use records::each_line;
pub use records::{TextRow, TextTable, raw_rows};
use retune_tensor::{DType, Tensor, Values};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use text::{TextEncoding, TextFormat};

/// Names of the parts that a folder may be divided into, in lower case.
const TRAIN: &[&str] = &["train", "training"];
const VALIDATION: &[&str] = &["validation", "valid", "val", "dev"];
const TEST: &[&str] = &["test", "testing"];

/// Kinds of sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SourceKind {
    /// A folder with one sub-folder of images per class, or with folders `train`, `validation`, `test` of that form.
    ImageFolder,
    /// CIFAR-10's binary batches: a folder of `data_batch_1.bin` … and `test_batch.bin`, the same as a `.tar.gz`, or a single file.
    Cifar10Binary,
    /// CIFAR-10's Python batches: a folder of `data_batch_1` … and `test_batch`, the same as a `.tar.gz`, or a single file.
    Cifar10Pickle,
    /// IDX files: a folder of `train-images-idx3-ubyte` and so on, or a file of images with its labels beside it. Also
    /// `.gz`.
    Idx,
    /// numpy's `.npz`, a folder of `.npy` files, or one `.npy`.
    Numpy,
    /// A table of numbers: `.csv` or `.tsv`, `.json`, `.jsonl`, `.parquet`, `.arrow`; or a folder of `train.csv`, `validation.csv`,
    /// `test.csv` and the like. Those of text also as `.gz`.
    Csv,
    /// Tables of these forms with columns of numbers and of categories, and missing values, as a model for tables takes them. Never told
    /// from a path.
    Table,
    /// Texts with labels, in tables of these forms and in others, see [`text`].
    Text,
    /// A table of these forms that holds images, or names their files relative to its folder; a folder of images with a
    /// `metadata.csv` (`.jsonl`, `.parquet`).
    ImageTable,
}

impl SourceKind {
    /// Whether examples are rows of columns or objects of fields, of which some may stand beside input and label.
    pub fn has_columns(self) -> bool {
        match self {
            SourceKind::Csv | SourceKind::Table | SourceKind::Text | SourceKind::ImageTable => true,
            SourceKind::ImageFolder
            | SourceKind::Cifar10Binary
            | SourceKind::Cifar10Pickle
            | SourceKind::Idx
            | SourceKind::Numpy => false,
        }
    }
}

/// Order of the axes of images in arrays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// `[examples, height, width, channels]`.
    #[default]
    ChannelsLast,
    /// `[examples, channels, height, width]`, turned into channels last when read.
    ChannelsFirst,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Column {
    /// By place, from 0.
    Index(usize),
    /// By the name in the header.
    Name(String),
}

/// What is to be known about a source beyond its path. All of it has a default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct SourceOptions {
    /// What kind of source it is. Default: told from the path.
    pub kind: Option<SourceKind>,
    /// How many unusable examples are set aside, and reported, before it is an error. Default 0.
    pub tolerance: usize,
    /// What labels are. Default: told from their type and shape (see
    /// [`Labels::from_tensor`](crate::Labels::from_tensor)); in a table, text is classes, whole numbers of at most 100
    /// different values on at least twice as many rows are classes, other numbers are real values.
    pub labels: Option<LabelType>,
    /// Number of classes. Default: one more than the largest label.
    pub classes: Option<usize>,
    /// Names of the classes in the order of their numbers. Default: as the source has them.
    pub class_names: Option<Vec<String>>,
    /// Shape of one input, where the source does not keep it: a table whose 64 columns are 8×8 grey pixels has
    /// `[8, 8, 1]`. Three axes make images of it.
    pub input_shape: Option<Vec<usize>>,
    /// Order of the axes of images in arrays. Default: `channels-last`.
    pub layout: Layout,
    /// Name of the array of inputs in a `.npz`. Default: `x_train` (then also `x_val`, `x_test`) or `x`.
    pub inputs_key: Option<String>,
    /// Name of the array of labels that belongs to `inputs_key`. Default: `y`.
    pub labels_key: Option<String>,
    /// The `.npy` file of labels that belongs to a `.npy` file of inputs. Default: the name with `y` for a first `x`.
    pub labels_path: Option<PathBuf>,
    /// Whether a table's first row has the columns' names. Default: where it has text above numbers.
    pub header: Option<bool>,
    /// A table's column of labels, or the field of JSON lines. Default: the one named `label`, `class`, `target` or `y`, of texts
    /// also `score`; else the last.
    pub label: Option<Column>,
    /// A table's columns that are neither features nor labels.
    pub drop_columns: Vec<Column>,
    /// A column or field that tells what belongs together, see [`SideColumns::group`](crate::SideColumns::group). Neither this one nor the
    /// next two are inputs. Default: none.
    pub group: Option<Column>,
    /// A column or field of times, see [`SideColumns::time`](crate::SideColumns::time). Default: none.
    pub time: Option<Column>,
    /// A column or field of weights, see [`SideColumns::weight`](crate::SideColumns::weight). Default: none.
    pub weight: Option<Column>,
    /// Whether the source has no labels (a table whose columns are all features, texts to predict on). Default false.
    pub unlabelled: bool,
    /// The column or field of texts. Default: see [`text`]. Naming it makes texts of a table.
    pub text: Option<Column>,
    /// The column or field of the second texts, where examples are pairs. Default: `text_b` beside `text_a`, `sentence2` beside
    /// `sentence1`, two texts before a number; else none.
    pub text_pair: Option<Column>,
    /// The form of a file of texts. Default: told from its name.
    pub format: Option<TextFormat>,
    /// How a file's text is stored. Default: found, see [`TextEncoding`].
    pub encoding: Option<TextEncoding>,
    /// The ASCII character between the columns of a table. Default: the one of tab, semicolon, comma and bar that suits the first lines.
    pub delimiter: Option<char>,
    /// What stands between the labels of an example that has several in one column. Naming it makes labels multi-hot. Default, where
    /// they are: bar, semicolon or comma.
    pub label_separator: Option<char>,
    /// The column or field of images, or of the names of their files. Default: found. Naming it makes images of a table.
    pub image: Option<Column>,
    /// Where texts, and images taken out of tables, are kept while they are used.
    pub storage: Storage,
    /// The folder for those that are kept on disk. Default: the user's cache.
    pub spool_folder: Option<PathBuf>,
}

impl SourceOptions {
    /// Options for a source of its own that holds another part of the same data: its labels mean what they mean in `train`.
    pub fn like(&self, train: &Dataset) -> SourceOptions {
        if *train.origins() == Origins::Unknown {
            return self.with_classes_of(train);
        }
        let labels = match train.label_kind() {
            LabelKind::Real { .. } => Some(LabelType::Real),
            LabelKind::MultiHot { .. } => Some(LabelType::MultiHot),
            LabelKind::WordClasses { .. } => Some(LabelType::WordClass),
            LabelKind::None => self.labels,
            _ => Some(LabelType::Class),
        };
        let own_names = || train.class_names().map(<[String]>::to_vec);
        SourceOptions {
            labels,
            class_names: self.class_names.clone().or_else(own_names),
            ..self.with_classes_of(train)
        }
    }

    /// Whether an option is given that only texts have.
    fn names_texts(&self) -> bool {
        let is_named =
            self.text.is_some() || self.text_pair.is_some() || self.format.is_some() || self.encoding.is_some();
        is_named || self.labels == Some(LabelType::WordClass)
    }

    /// The same for another part of the source, whose labels must be classes of the training part.
    fn with_classes_of(&self, train: &Dataset) -> SourceOptions {
        SourceOptions { classes: self.classes.or(train.class_count()), ..self.clone() }
    }
}

/// A source's examples, divided where the source itself divides them.
#[derive(Debug)]
pub struct Parts {
    /// Examples to train on; all of them where the source is not divided.
    pub train: Dataset,
    /// Examples to choose the best epoch by.
    pub validation: Option<Dataset>,
    /// Examples for the final figures only.
    pub test: Option<Dataset>,
}

impl From<Dataset> for Parts {
    fn from(train: Dataset) -> Parts {
        Parts { train, validation: None, test: None }
    }
}

/// Opens a source.
///
/// # Errors
/// Whatever is wrong with it, and more unusable examples than `options.tolerance`.
pub fn open(path: &Path, options: &SourceOptions) -> Result<Parts, DataError> {
    std::fs::metadata(path).map_err(DataError::io(path))?;
    let kind = match options.kind {
        Some(kind) => kind,
        None if options.image.is_some() => SourceKind::ImageTable,
        None if options.names_texts() => SourceKind::Text,
        None => detect(path)?,
    };
    let parts = match kind {
        SourceKind::ImageFolder => image_folder::open(path, options),
        SourceKind::Cifar10Binary => cifar10::open(path, options, cifar10_binary::FORM),
        SourceKind::Cifar10Pickle => cifar10::open(path, options, cifar10_pickle::FORM),
        SourceKind::Numpy => arrays::open(path, options),
        SourceKind::Idx => idx::open(path, options),
        kind @ (SourceKind::Csv | SourceKind::Table | SourceKind::ImageTable) => {
            tables::open(parts::files(path)?, kind, options)
        }
        SourceKind::Text => text::open(path, options),
    }?;
    for (side, _) in SideColumns::wanted(options) {
        if parts.train.side().get(side).is_none() {
            let expected = "a table or JSON lines, which have columns";
            return Err(DataError::setting(side.name(), expected, parts.train.description()));
        }
    }
    match &options.class_names {
        None => Ok(parts),
        Some(names) => Ok(Parts {
            train: parts.train.with_class_names(names.clone())?,
            validation: parts.validation.map(|d| d.with_class_names(names.clone())).transpose()?,
            test: parts.test.map(|d| d.with_class_names(names.clone())).transpose()?,
        }),
    }
}

/// Tells the kind of a source from the names at its path.
pub fn detect(path: &Path) -> Result<SourceKind, DataError> {
    let unknown = |found: &str| DataError::UnknownKind { path: path.to_path_buf(), found: found.to_owned() };
    if path.is_dir() {
        let entries = list_folder(path)?;
        let any = |test: fn(&str) -> bool| entries.iter().any(|e| test(&name_of(e)));
        return match () {
            _ if any(cifar10_binary::FORM.is_batch_name) => Ok(SourceKind::Cifar10Binary),
            _ if any(cifar10_pickle::FORM.is_batch_name) => Ok(SourceKind::Cifar10Pickle),
            _ if any(arrays::is_array_name) => Ok(SourceKind::Numpy),
            _ if any(idx::is_images_name) => Ok(SourceKind::Idx),
            _ if parts::has_tables(path) => Ok(table_kind(path)),
            _ if any(text::is_text_name) || text::is_text_folder(path) => Ok(SourceKind::Text),
            _ if entries.iter().any(|e| e.is_dir()) => Ok(SourceKind::ImageFolder),
            _ if entries.is_empty() => Err(unknown("an empty folder")),
            _ if entries.iter().any(|e| crate::decode::is_image_name(e)) => {
                Err(unknown("images, but no sub-folder per class"))
            }
            _ => Err(unknown("files of no known name")),
        };
    }
    let name = name_of(path).to_ascii_lowercase();
    if tar::is_archive_name(&name) {
        return match cifar10::form_in_archive(path, &[cifar10_binary::FORM, cifar10_pickle::FORM])? {
            Some(0) => Ok(SourceKind::Cifar10Binary),
            Some(_) => Ok(SourceKind::Cifar10Pickle),
            None => Err(unknown("an archive without CIFAR-10 batches")),
        };
    }
    match () {
        _ if parts::is_table_name(&name) => Ok(table_kind(path)),
        _ if text::is_text_name(&name) => Ok(SourceKind::Text),
        _ if idx::is_images_name(&name) => Ok(SourceKind::Idx),
        _ if arrays::is_array_name(&name) => Ok(SourceKind::Numpy),
        _ if (cifar10_pickle::FORM.is_batch_name)(&name) => Ok(SourceKind::Cifar10Pickle),
        _ if (cifar10_binary::FORM.is_batch_name)(&name) => Ok(SourceKind::Cifar10Binary),
        _ if text::looks_like_lines(path) => Ok(SourceKind::Text),
        _ => Err(unknown("a file of no known name")),
    }
}

/// What tables hold, by the first of them that has rows; numbers where none can be read.
fn table_kind(path: &Path) -> SourceKind {
    let files = parts::files(path).ok();
    let kinds =
        files.iter().flat_map(|files| &files.train).filter_map(|file| tables::kind(file, &SourceOptions::default()));
    { kinds }.next().unwrap_or(SourceKind::Csv)
}

/// The entries of a folder, hidden ones left out, sorted by name.
fn list_folder(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(path).map_err(DataError::io(path))? {
        let entry = entry.map_err(DataError::io(path))?.path();
        if !name_of(&entry).starts_with('.') {
            entries.push(entry);
        }
    }
    entries.sort();
    Ok(entries)
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

/// An array as images or features: reshaped as the options say, channels put last, a lone `u8` `[examples, height,
/// width]` given one channel; images where there are three axes and 1, 3 or 4 channels.
fn array_inputs(place: &str, array: Tensor, options: &SourceOptions) -> Result<Inputs, DataError> {
    let mut shape = array.shape().to_vec();
    let mut array = array;
    if let (Some(wanted), Some((&examples, one))) = (&options.input_shape, shape.split_first()) {
        let found = one.iter().product::<usize>();
        if wanted.iter().try_fold(1usize, |p, &d| p.checked_mul(d)) != Some(found) {
            return Err(DataError::WrongShape {
                place: format!("inputs of {place}"),
                expected: format!("{} ({} values)", shape_text(wanted), wanted.iter().product::<usize>()),
                found: format!("{} ({found} values)", shape_text(one)),
                hint: "`input-shape` must have as many values as the source has for each example",
            });
        }
        shape = [&[examples], wanted.as_slice()].concat();
        array = array.reshaped(shape.clone()).expect("as many values as before");
    }
    if options.layout == Layout::ChannelsFirst && shape.len() == 4 {
        array = channels_last(array);
    } else if options.input_shape.is_none() && shape.len() == 3 && array.dtype() == DType::U8 {
        array = array.reshaped([shape[0], shape[1], shape[2], 1]).expect("as many values as before");
    }
    let is_image = array.shape().len() == 4 && matches!(array.shape()[3], 1 | 3 | 4);
    Ok(if is_image { Inputs::Images(array) } else { Inputs::Features(array) })
}

/// `[examples, channels, height, width]` to `[examples, height, width, channels]`.
fn channels_last(array: Tensor) -> Tensor {
    let &[examples, channels, height, width] = array.shape() else { return array };
    let shape = [examples, height, width, channels];
    fn transposed<T: Copy>(values: &[T], channels: usize, pixels: usize) -> Vec<T> {
        let mut out = Vec::with_capacity(values.len());
        for image in values.chunks_exact((channels * pixels).max(1)) {
            (0..pixels).for_each(|pixel| out.extend((0..channels).map(|channel| image[channel * pixels + pixel])));
        }
        out
    }
    macro_rules! transpose {
        ($($variant:ident)*) => {
            match array.values() {
                $(Values::$variant(v) => Values::$variant(transposed(v, channels, height * width)),)*
            }
        };
    }
    let values = transpose!(F32 F64 F16 BF16 I8 I16 I32 I64 U8 U16 U32 U64 Bool);
    Tensor::new(shape, values).expect("as many values as before")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_go_last() {
        let planes = Tensor::new([2, 3, 1, 2], (0u8..12).collect::<Vec<_>>()).unwrap();
        let turned = channels_last(planes);
        assert_eq!(turned.shape(), [2, 1, 2, 3]);
        assert_eq!(turned.values(), &Values::U8(vec![0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11]));
    }

    #[test]
    fn arrays_become_images_or_features() {
        let default = SourceOptions::default();
        let shape = |t: Tensor, options: &SourceOptions| match array_inputs("t", t, options).unwrap() {
            Inputs::Images(t) => (true, t.shape().to_vec()),
            Inputs::Features(t) => (false, t.shape().to_vec()),
            Inputs::Encoded(_) | Inputs::Texts(_) | Inputs::Table(_) => unreachable!(),
        };
        assert_eq!(shape(Tensor::new([2, 4, 4], vec![0u8; 32]).unwrap(), &default), (true, vec![2, 4, 4, 1]));
        assert_eq!(shape(Tensor::zeros([2, 4, 4]), &default), (false, vec![2, 4, 4]));
        assert_eq!(shape(Tensor::zeros([2, 4, 4, 3]), &default), (true, vec![2, 4, 4, 3]));
        assert_eq!(shape(Tensor::zeros([2, 4, 4, 7]), &default), (false, vec![2, 4, 4, 7]));
        let first = SourceOptions { layout: Layout::ChannelsFirst, ..default.clone() };
        assert_eq!(shape(Tensor::zeros([2, 3, 4, 5]), &first), (true, vec![2, 4, 5, 3]));
        let shaped = SourceOptions { input_shape: Some(vec![2, 2, 1]), ..default };
        assert_eq!(shape(Tensor::zeros([3, 4]), &shaped), (true, vec![3, 2, 2, 1]));
        assert!(matches!(array_inputs("t", Tensor::zeros([3, 5]), &shaped), Err(DataError::WrongShape { .. })));
    }
}
