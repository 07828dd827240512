//! Examples as they come out of a file, one after the other, and the data set that they make. A bad one keeps its place, so that the
//! ids of those behind it do not depend on the tolerance.

use super::label_texts::{LabelColumn, RawLabel};
use super::{SourceOptions, array_inputs};
use crate::column::{ByteColumnBuilder, TextColumnBuilder};
use crate::dataset::{Dataset, EncodedImages, ImageSource, Inputs, Texts};
use crate::decode::{ImageHeader, check_image_bytes, check_image_file, read_image_file};
use crate::error::{BadExample, DataError};
use crate::labels::Labels;
use crate::origins::Origins;
use crate::side::{SideColumn, SideColumns};
use crate::table::TableColumns;
use crate::table::columns::TableColumnBuilder;
use rayon::prelude::*;
use retune_tensor::Tensor;
use std::path::{Path, PathBuf};

/// Bad examples beyond the tolerance that are listed before reading is given up.
const MOST_LISTED: usize = 100_000;

/// What an example is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Input {
    Text(String),
    Pair(String, String),
    /// The name of a file, relative to the table's folder.
    ImageFile(PathBuf),
    /// An encoded image.
    ImageBytes(Vec<u8>),
    Numbers(Vec<f32>),
    /// Numbers and categories, as their texts.
    Values(Vec<String>),
}

/// An example as it stands in a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Example {
    pub(super) input: Input,
    pub(super) label: Option<RawLabel>,
    /// What is asked for beside these.
    pub(super) side: Vec<(SideColumn, String)>,
}

/// What all examples of a source are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Texts,
    Pairs,
    /// Files relative to a folder.
    ImageFiles,
    /// Encoded images.
    ImageBytes,
    /// So many numbers each.
    Numbers(usize),
    /// Numbers and categories.
    Table,
}

/// Examples on their way into a data set.
pub(super) struct Examples<'a> {
    /// What they come from, for messages.
    place: String,
    /// Folder that names of files are relative to.
    root: PathBuf,
    options: &'a SourceOptions,
    inputs: InputColumn,
    labels: LabelColumn,
    /// What every example says beside these, and that.
    beside: Vec<SideColumn>,
    side: SideColumns,
    bad: Vec<BadExample>,
    count: usize,
}

enum InputColumn {
    Texts { first: TextColumnBuilder, second: Option<TextColumnBuilder> },
    Files { names: Vec<PathBuf>, places: Vec<String> },
    Bytes { bytes: ByteColumnBuilder, sizes: Sizes },
    Numbers { width: usize, values: Vec<f32> },
    Table { columns: Vec<TableColumnBuilder>, label: Option<String> },
}

/// The size of all images, where they agree.
#[derive(Debug, Default)]
struct Sizes {
    first: Option<[usize; 2]>,
    differ: bool,
}

impl Sizes {
    fn add(&mut self, header: &ImageHeader) {
        let size = [header.height, header.width];
        self.differ |= *self.first.get_or_insert(size) != size;
    }

    fn common(&self) -> Option<[usize; 2]> {
        self.first.filter(|_| !self.differ)
    }
}

impl<'a> Examples<'a> {
    /// No examples yet of the source at `path`.
    pub(super) fn new(path: &Path, form: Form, options: &'a SourceOptions) -> Examples<'a> {
        let folder = options.spool_folder.as_deref();
        let texts = || TextColumnBuilder::new(options.storage, folder);
        let inputs = match form {
            Form::Texts => InputColumn::Texts { first: texts(), second: None },
            Form::Pairs => InputColumn::Texts { first: texts(), second: Some(texts()) },
            Form::ImageFiles => InputColumn::Files { names: Vec::new(), places: Vec::new() },
            Form::ImageBytes => {
                InputColumn::Bytes { bytes: ByteColumnBuilder::new(options.storage, folder), sizes: Sizes::default() }
            }
            Form::Numbers(width) => InputColumn::Numbers { width, values: Vec::new() },
            Form::Table => InputColumn::Table { columns: Vec::new(), label: None },
        };
        Examples::of_inputs(path, inputs, options)
    }

    /// No rows yet of a table with columns of these names, and of this one the label.
    pub(super) fn of_table(
        path: &Path,
        names: impl Iterator<Item = String>,
        label: Option<String>,
        options: &'a SourceOptions,
    ) -> Examples<'a> {
        let columns = names.map(TableColumnBuilder::new).collect();
        Examples::of_inputs(path, InputColumn::Table { columns, label }, options)
    }

    fn of_inputs(path: &Path, inputs: InputColumn, options: &'a SourceOptions) -> Examples<'a> {
        Examples {
            place: path.display().to_string(),
            root: path.parent().map(Path::to_path_buf).unwrap_or_default(),
            options,
            inputs,
            labels: LabelColumn::default(),
            beside: Vec::new(),
            side: SideColumns::default(),
            bad: Vec::new(),
            count: 0,
        }
    }

    /// Says what every example comes with beside input and label.
    pub(super) fn expect_beside(&mut self, beside: impl Iterator<Item = SideColumn>) {
        self.beside = beside.collect();
    }

    /// Number of examples so far.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Names of image files are relative to the folder of this file from here on.
    pub(super) fn continue_with(&mut self, path: &Path) {
        let folder = path.parent().unwrap_or(Path::new(""));
        if folder != self.root && matches!(self.inputs, InputColumn::Bytes { .. }) {
            self.root = folder.to_path_buf();
        }
    }

    /// Adds an example, or what is wrong with it. `place` is where it stands.
    ///
    /// # Errors
    /// A disk that cannot be written, labels of different forms, and so many bad examples that reading on is of no use.
    pub(super) fn push(
        &mut self,
        place: impl Fn() -> String,
        example: Result<Example, String>,
    ) -> Result<(), DataError> {
        let id = self.count as u64;
        self.count += 1;
        let label = match example.and_then(|example| self.with_bytes(example)) {
            Ok(Example { input, label, side }) => {
                self.inputs.push(input, &place)?;
                self.side.push(side);
                label
            }
            Err(reason) => {
                self.bad.push(BadExample { id, place: place(), reason });
                self.inputs.push_nothing(&place)?;
                self.side.push(self.beside.iter().map(|&side| (side, String::new())));
                None
            }
        };
        if self.bad.len() >= self.options.tolerance.saturating_add(MOST_LISTED) {
            let (bad, tolerance) = (std::mem::take(&mut self.bad), self.options.tolerance);
            return Err(DataError::BadExamples { origin: self.place.clone(), total: self.count, tolerance, bad });
        }
        self.labels.push(label, &self.place, self.options)
    }

    /// The example with its encoded image checked, and read where only its file is named.
    fn with_bytes(&mut self, mut example: Example) -> Result<Example, String> {
        let InputColumn::Bytes { sizes, .. } = &mut self.inputs else { return Ok(example) };
        if let Input::ImageFile(name) = &example.input {
            let of_file = |reason| format!("`{}`: {reason}", name.display());
            example.input = Input::ImageBytes(read_image_file(&self.root.join(name)).map_err(of_file)?);
        }
        if let Input::ImageBytes(bytes) = &example.input {
            sizes.add(&check_image_bytes(bytes)?);
        }
        Ok(example)
    }

    /// The data set. `noun` is what its examples are, `form` how they are stored.
    ///
    /// # Errors
    /// No examples, more bad ones than tolerated, and labels that cannot be what the options ask for.
    pub(super) fn finish(self, noun: &str, form: &str, origins: Origins) -> Result<Dataset, DataError> {
        let Examples { place, root, options, inputs, labels, side, mut bad, count, .. } = self;
        if count == 0 {
            return Err(DataError::NoExamples { place });
        }
        let inputs = match inputs {
            InputColumn::Texts { first, second } => {
                let second = second.map(TextColumnBuilder::finish).transpose()?;
                Inputs::Texts(Texts { first: first.finish()?, second })
            }
            InputColumn::Files { names, places } => {
                let size = check_files(&root, &names, places, &mut bad);
                Inputs::Encoded(EncodedImages { source: ImageSource::Files { root, names }, size })
            }
            InputColumn::Bytes { bytes, sizes } => {
                Inputs::Encoded(EncodedImages { source: ImageSource::Column(bytes.finish()?), size: sizes.common() })
            }
            InputColumn::Numbers { width, values } => {
                let values =
                    Tensor::new([count, width], values).expect("each row has as many values as there are columns");
                array_inputs(&place, values, options)?
            }
            InputColumn::Table { columns, label } => {
                let columns = columns.into_iter().map(TableColumnBuilder::finish).collect();
                Inputs::Table(TableColumns::new(columns).with_label(label))
            }
        };
        let description = format!("{place} ({count} {noun}, {form})");
        let (labels, names) = match options.unlabelled {
            true => (Labels::None, None),
            false => labels.finish(&place, options)?,
        };
        let data = Dataset::new(description, inputs, labels)?;
        let data = match names {
            Some(names) => data.with_class_names(names)?,
            None => data,
        };
        data.with_side(side).with_origins(origins).excluding(bad, options.tolerance)
    }
}

/// Reads the header of every image file that a usable example names, in parallel: the size, where all agree. Files that cannot be used are
/// noted as bad examples.
fn check_files(root: &Path, names: &[PathBuf], places: Vec<String>, bad: &mut Vec<BadExample>) -> Option<[usize; 2]> {
    let headers: Vec<Option<Result<ImageHeader, String>>> = names
        .par_iter()
        .map(|name| (!name.as_os_str().is_empty()).then(|| check_image_file(&root.join(name))))
        .collect();
    let mut sizes = Sizes::default();
    for ((id, header), place) in headers.into_iter().enumerate().zip(places) {
        match header {
            None => {}
            Some(Ok(header)) => sizes.add(&header),
            Some(Err(reason)) => {
                let reason = format!("`{}`: {reason}", names[id].display());
                bad.push(BadExample { id: id as u64, place, reason });
            }
        }
    }
    bad.sort_by_key(|bad| bad.id);
    sizes.common()
}

impl InputColumn {
    fn push(&mut self, input: Input, place: &impl Fn() -> String) -> Result<(), DataError> {
        match (self, input) {
            (InputColumn::Texts { first, .. }, Input::Text(text)) => first.push(&text),
            (InputColumn::Texts { first, second: Some(second) }, Input::Pair(a, b)) => {
                first.push(&a)?;
                second.push(&b)
            }
            (InputColumn::Files { names, places }, Input::ImageFile(name)) => {
                names.push(name);
                places.push(place());
                Ok(())
            }
            (InputColumn::Bytes { bytes, .. }, Input::ImageBytes(image)) => bytes.push(&image),
            (InputColumn::Numbers { values, .. }, Input::Numbers(numbers)) => {
                values.extend(numbers);
                Ok(())
            }
            (InputColumn::Table { columns, .. }, Input::Values(values)) => {
                columns.iter_mut().zip(&values).for_each(|(column, value)| column.push(value));
                Ok(())
            }
            _ => unreachable!("a source gives examples of one form"),
        }
    }

    /// What stands in the place of a bad example.
    fn push_nothing(&mut self, place: &impl Fn() -> String) -> Result<(), DataError> {
        match self {
            InputColumn::Texts { first, second } => {
                first.push("")?;
                second.as_mut().map_or(Ok(()), |second| second.push(""))
            }
            InputColumn::Files { names, places } => {
                names.push(PathBuf::new());
                places.push(place());
                Ok(())
            }
            InputColumn::Bytes { bytes, .. } => bytes.push(&[]),
            InputColumn::Numbers { width, values } => {
                values.resize(values.len() + *width, 0.0);
                Ok(())
            }
            InputColumn::Table { columns, .. } => {
                columns.iter_mut().for_each(|column| column.push(""));
                Ok(())
            }
        }
    }
}
