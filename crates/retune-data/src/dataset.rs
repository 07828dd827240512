//! [`Dataset`]: examples of one source, in the source's order, with their labels.

use crate::column::{ByteColumn, TextColumn};
use crate::decode::{DecodedImage, decode_image, is_image_name, read_image_file};
use crate::error::{BadExample, DataError, shape_text};
use crate::hash::{ContentHash, hash_dataset, hash_example};
use crate::labels::{LabelKind, Labels};
use crate::loader::numbers::copy_as_f32;
use crate::origins::Origins;
use crate::side::SideColumns;
use crate::table::TableColumns;
use crate::words::Words;
use retune_tensor::Tensor;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Where the inputs of a data set are.
#[derive(Debug)]
#[non_exhaustive]
pub enum Inputs {
    /// Images in memory: `[examples, height, width, channels]` in their stored type.
    Images(Tensor),
    /// Anything else in memory: `[examples, ...]` in its stored type.
    Features(Tensor),
    /// Encoded images, decoded as batches are made.
    Encoded(EncodedImages),
    /// A table in memory, which a [`TableSchema`](crate::TableSchema) turns into numbers.
    Table(TableColumns),
    /// Texts, which a [`TextEncoder`](crate::TextEncoder) cuts into tokens.
    Texts(Texts),
}

/// Texts of a data set, one or two for each example.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Texts {
    /// The text of each example, or the first of its two.
    pub first: TextColumn,
    /// The second text of each example, where examples are pairs.
    pub second: Option<TextColumn>,
}

impl Texts {
    /// One text for each example, in memory.
    pub fn single(texts: impl Into<TextColumn>) -> Texts {
        Texts { first: texts.into(), second: None }
    }

    /// Two texts for each example, in memory.
    pub fn pairs(first: impl Into<TextColumn>, second: impl Into<TextColumn>) -> Texts {
        Texts { first: first.into(), second: Some(second.into()) }
    }

    /// Text or texts of one example; `None` for one that does not exist.
    pub fn get(&self, index: usize) -> Option<(Cow<'_, str>, Option<Cow<'_, str>>)> {
        let first = self.first.get(index)?;
        Some((first, self.second.as_ref().and_then(|second| second.get(index))))
    }

    /// Whether texts are on disk.
    pub fn are_on_disk(&self) -> bool {
        self.first.is_on_disk() || self.second.as_ref().is_some_and(TextColumn::is_on_disk)
    }

    /// Bytes that they take in memory.
    pub fn size_bytes(&self) -> usize {
        self.first.size_bytes() + self.second.as_ref().map_or(0, TextColumn::size_bytes)
    }
}

/// Encoded images of a data set.
#[derive(Debug)]
pub struct EncodedImages {
    /// Where they are.
    pub source: ImageSource,
    /// `[height, width]` by the images' headers, where all usable images agree.
    pub size: Option<[usize; 2]>,
}

/// Where encoded images are.
#[derive(Debug)]
pub enum ImageSource {
    /// A file each.
    Files {
        /// Folder that the names are relative to.
        root: PathBuf,
        /// File names in the order of the examples, relative to `root`.
        names: Vec<PathBuf>,
    },
    /// Taken out of the table that held them.
    Column(ByteColumn),
}

impl EncodedImages {
    /// Number of images.
    pub fn len(&self) -> usize {
        match &self.source {
            ImageSource::Files { names, .. } => names.len(),
            ImageSource::Column(bytes) => bytes.len(),
        }
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of one image; the reason in words where they cannot be had.
    ///
    /// # Errors
    /// A file that cannot be read or is too large.
    ///
    /// # Panics
    /// An index that no image has.
    pub fn read(&self, index: usize) -> Result<Cow<'_, [u8]>, String> {
        match &self.source {
            ImageSource::Files { root, names } => read_image_file(&root.join(&names[index])).map(Cow::Owned),
            ImageSource::Column(bytes) => bytes.get(index).map_err(|error| error.to_string()),
        }
    }

    /// Decodes one image; the reason in words where it cannot be.
    ///
    /// # Errors
    /// As for [`read`](Self::read), and bytes that are no image.
    ///
    /// # Panics
    /// An index that no image has.
    pub fn decode(&self, index: usize) -> Result<DecodedImage, String> {
        decode_image(&self.read(index)?)
    }

    /// The name of an image's file, relative to the data's folder; `None` where it is not in a file of its own.
    pub fn name(&self, index: usize) -> Option<&Path> {
        match &self.source {
            ImageSource::Files { names, .. } => names.get(index).map(PathBuf::as_path),
            ImageSource::Column(_) => None,
        }
    }

    /// The path of an image's file; `None` where it is not in a file of its own.
    pub fn path(&self, index: usize) -> Option<PathBuf> {
        match &self.source {
            ImageSource::Files { root, .. } => self.name(index).map(|name| root.join(name)),
            ImageSource::Column(_) => None,
        }
    }

    /// Bytes that they take in memory.
    pub fn size_bytes(&self) -> usize {
        match &self.source {
            ImageSource::Files { names, .. } => {
                names.iter().map(|name| size_of::<PathBuf>() + name.as_os_str().len()).sum()
            }
            ImageSource::Column(bytes) => bytes.size_bytes(),
        }
    }
}

/// Examples of one source with their labels.
///
/// An example's id is its index in the source, counted from 0, the unusable examples included; so the ids of the others
/// do not change when a bad one is mended or removed by tolerance.
#[derive(Debug)]
pub struct Dataset {
    description: String,
    inputs: Inputs,
    /// The words of texts, where they are told apart.
    words: Option<Words>,
    labels: Labels,
    class_names: Option<Vec<String>>,
    excluded: BTreeMap<u64, BadExample>,
    origins: Origins,
    side: SideColumns,
    hash: OnceLock<ContentHash>,
    /// Of each input, as far as it was asked for.
    example_hashes: OnceLock<Vec<OnceLock<ContentHash>>>,
}

impl Dataset {
    /// A data set over arrays in memory.
    ///
    /// `description` says whence they come. Inputs are images or features, [`Inputs::Images`] of rank 4.
    ///
    /// # Errors
    /// A wrong rank, no examples, another number of labels than of inputs, or of second texts than of first ones.
    pub fn new(description: impl Into<String>, inputs: Inputs, labels: Labels) -> Result<Dataset, DataError> {
        let description = description.into();
        let count = match &inputs {
            Inputs::Images(t) => {
                if t.shape().len() != 4 || t.shape()[1..].contains(&0) {
                    return Err(DataError::WrongShape {
                        place: format!("images of {description}"),
                        expected: "[examples, height, width, channels]".into(),
                        found: shape_text(t.shape()),
                        hint: "give the shape of one example, or take the array as features",
                    });
                }
                t.shape()[0]
            }
            Inputs::Features(t) => match t.shape().split_first() {
                Some((&count, one)) if !one.contains(&0) => count,
                _ => {
                    return Err(DataError::WrongShape {
                        place: format!("inputs of {description}"),
                        expected: "[examples, ...]".into(),
                        found: shape_text(t.shape()),
                        hint: "the first axis counts the examples",
                    });
                }
            },
            Inputs::Encoded(images) => images.len(),
            Inputs::Table(table) => table.rows(),
            Inputs::Texts(texts) => {
                let (inputs, second) =
                    (texts.first.len(), texts.second.as_ref().map_or(texts.first.len(), TextColumn::len));
                if second != inputs {
                    let (expected, found) = (format!("{inputs}, one for each first text"), second);
                    return Err(DataError::setting(format!("second texts of {description}"), expected, found));
                }
                inputs
            }
        };
        if count == 0 {
            return Err(DataError::NoExamples { place: description });
        }
        match labels.len() {
            Some(found) if found != count => {
                Err(DataError::CountMismatch { place: description, inputs: count, labels: found })
            }
            _ => Ok(Dataset {
                description,
                inputs,
                words: None,
                labels,
                class_names: None,
                excluded: BTreeMap::new(),
                origins: Origins::Unknown,
                side: SideColumns::default(),
                hash: OnceLock::new(),
                example_hashes: OnceLock::new(),
            }),
        }
    }

    /// Image files without labels, to predict on.
    ///
    /// # Errors
    /// No files. Files are opened only as batches are made.
    pub fn from_image_files(files: Vec<PathBuf>) -> Result<Dataset, DataError> {
        if let Some(other) = files.iter().find(|f| !is_image_name(f)) {
            return Err(DataError::UnknownKind { path: other.clone(), found: "a file not named as an image".into() });
        }
        let description = match files.as_slice() {
            [one] => one.display().to_string(),
            many => format!("{} image files", many.len()),
        };
        Dataset::new(
            description,
            Inputs::Encoded(EncodedImages {
                source: ImageSource::Files { root: PathBuf::new(), names: files },
                size: None,
            }),
            Labels::None,
        )
    }

    /// Texts without labels, to predict on.
    ///
    /// # Errors
    /// No texts.
    pub fn from_texts(description: impl Into<String>, texts: Texts) -> Result<Dataset, DataError> {
        Dataset::new(description, Inputs::Texts(texts), Labels::None)
    }

    /// Texts by their words, without labels, to predict on.
    ///
    /// # Errors
    /// No texts.
    pub fn from_words(description: impl Into<String>, texts: &[impl AsRef<[String]>]) -> Result<Dataset, DataError> {
        let mut words = Words::default();
        let first: TextColumn = texts.iter().map(|text| words.push(text.as_ref())).collect();
        Ok(Dataset::from_texts(description, Texts::single(first))?.with_words(words))
    }

    /// Names the classes.
    ///
    /// # Errors
    /// Labels that are not classes, or another number of names than of classes.
    pub fn with_class_names(mut self, names: Vec<String>) -> Result<Dataset, DataError> {
        if self.labels.class_count() != Some(names.len()) {
            return Err(DataError::setting(
                format!("class names of {}", self.description),
                self.labels.class_count().map_or("labels that are classes".into(), |n| format!("{n} names")),
                format!("{} names", names.len()),
            ));
        }
        self.class_names = Some(names);
        Ok(self)
    }

    /// Says where the words of the texts are.
    pub(crate) fn with_words(self, words: Words) -> Dataset {
        Dataset { words: Some(words), ..self }
    }

    /// Says where in files the examples stand.
    pub(crate) fn with_origins(self, origins: Origins) -> Dataset {
        Dataset { origins, ..self }
    }

    /// Says what is known of the examples beside inputs and labels.
    ///
    /// # Panics
    /// A column with another number of texts than there are examples.
    pub fn with_side(self, side: SideColumns) -> Dataset {
        let columns = [&side.group, &side.time, &side.weight];
        assert!(columns.into_iter().flatten().all(|column| column.len() == self.total()), "a text for each example");
        Dataset { side, ..self }
    }

    /// What is known of the examples beside inputs and labels.
    pub fn side(&self) -> &SideColumns {
        &self.side
    }

    /// The same with examples behind the others, which `inputs` and `labels` have already.
    pub(crate) fn extended(&self, inputs: Inputs, labels: Labels, added: usize) -> Dataset {
        Dataset {
            description: format!("{} with {added} rows made", self.description),
            inputs,
            words: None,
            labels,
            class_names: self.class_names.clone(),
            excluded: self.excluded.clone(),
            origins: self.origins.clone(),
            side: SideColumns::default(),
            hash: OnceLock::new(),
            example_hashes: OnceLock::new(),
        }
    }

    /// The columns, if inputs are those of a table.
    pub fn table(&self) -> Option<&TableColumns> {
        if let Inputs::Table(table) = &self.inputs { Some(table) } else { None }
    }

    /// Sets bad examples aside, an error where they are more than `tolerance`.
    pub(crate) fn excluding(mut self, bad: Vec<BadExample>, tolerance: usize) -> Result<Dataset, DataError> {
        if bad.len() > tolerance {
            return Err(DataError::BadExamples { total: self.total(), origin: self.description, tolerance, bad });
        }
        self.excluded = bad.into_iter().map(|b| (b.id, b)).collect();
        if self.is_empty() {
            return Err(DataError::NoExamples { place: self.description });
        }
        Ok(self)
    }

    /// So many of the examples at equal distances, unusable ones included, as data of their own: texts and encoded images are copied into
    /// memory. All of them where there are no more.
    ///
    /// # Errors
    /// Data that are not texts or encoded images, texts of words, and a disk that cannot be read.
    pub fn some(&self, count: usize) -> Result<Option<Dataset>, DataError> {
        let total = self.total();
        if total <= count || self.words.is_some() {
            return Ok(None);
        }
        let indices: Vec<usize> = (0..count).map(|index| index * total / count).collect();
        let inputs = match &self.inputs {
            Inputs::Images(_) | Inputs::Features(_) | Inputs::Table(_) => return Ok(None),
            Inputs::Texts(texts) => {
                let of = |column: &TextColumn| indices.iter().filter_map(|&index| column.get(index)).collect();
                Inputs::Texts(Texts { first: of(&texts.first), second: texts.second.as_ref().map(of) })
            }
            Inputs::Encoded(images) => {
                let source = match &images.source {
                    ImageSource::Files { root, names } => ImageSource::Files {
                        root: root.clone(),
                        names: indices.iter().map(|&index| names[index].clone()).collect(),
                    },
                    ImageSource::Column(bytes) => ImageSource::Column(bytes.some(&indices)?),
                };
                Inputs::Encoded(EncodedImages { source, size: images.size })
            }
        };
        let excluded = (0u64..).zip(&indices).filter_map(|(id, &index)| {
            let bad = self.excluded.get(&(index as u64))?;
            Some((id, BadExample { id, ..bad.clone() }))
        });
        Ok(Some(Dataset {
            description: format!("{}, of which {count} at equal distances", self.description),
            inputs,
            words: None,
            labels: self.labels.some(&indices),
            class_names: self.class_names.clone(),
            excluded: excluded.collect(),
            origins: Origins::Some { indices, all: Box::new(self.origins.clone()) },
            side: SideColumns::default(),
            hash: OnceLock::new(),
            example_hashes: OnceLock::new(),
        }))
    }

    /// Where in files the examples stand, where that is known.
    pub fn origins(&self) -> &Origins {
        &self.origins
    }

    /// Whence the data comes, for reports: a path and what stands there.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The inputs, unusable examples included.
    pub fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// The labels, unusable examples included.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// What the labels are.
    pub fn label_kind(&self) -> LabelKind {
        self.labels.kind()
    }

    /// Names of the classes, where labels are classes and have names.
    pub fn class_names(&self) -> Option<&[String]> {
        self.class_names.as_deref()
    }

    /// The name of one class: the given one, else its number.
    pub fn class_name(&self, class: usize) -> String {
        self.class_names.as_ref().and_then(|names| names.get(class).cloned()).unwrap_or_else(|| class.to_string())
    }

    /// Number of classes, where labels are classes.
    pub fn class_count(&self) -> Option<usize> {
        self.labels.class_count()
    }

    /// Number of examples in the source, unusable ones included; ids lie below it.
    pub fn total(&self) -> usize {
        match &self.inputs {
            Inputs::Images(t) | Inputs::Features(t) => t.shape()[0],
            Inputs::Encoded(images) => images.len(),
            Inputs::Table(table) => table.rows(),
            Inputs::Texts(texts) => texts.first.len(),
        }
    }

    /// Number of usable examples.
    pub fn len(&self) -> usize {
        self.total() - self.excluded.len()
    }

    /// Whether no example is usable.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ids of the usable examples, ascending.
    pub fn ids(&self) -> Vec<u64> {
        (0..self.total() as u64).filter(|id| !self.excluded.contains_key(id)).collect()
    }

    /// The examples set aside when the source was read, within the tolerance given.
    pub fn excluded(&self) -> impl Iterator<Item = &BadExample> {
        self.excluded.values()
    }

    /// Whether an example was set aside when the source was read.
    pub fn is_excluded(&self, id: u64) -> bool {
        self.excluded.contains_key(&id)
    }

    /// Shape of one input as stored: `[height, width, channels]` or any other in memory; `None` for texts, for
    /// tables of columns, and for encoded images, whose channels are not known before they are decoded (see [`EncodedImages::size`]).
    pub fn input_shape(&self) -> Option<&[usize]> {
        match &self.inputs {
            Inputs::Images(t) | Inputs::Features(t) => Some(&t.shape()[1..]),
            Inputs::Encoded(_) | Inputs::Texts(_) | Inputs::Table(_) => None,
        }
    }

    /// Whether inputs are images.
    pub fn has_images(&self) -> bool {
        matches!(self.inputs, Inputs::Images(_) | Inputs::Encoded(_))
    }

    /// Whether inputs are images of 8 bits.
    pub fn has_images_of_bytes(&self) -> bool {
        match &self.inputs {
            Inputs::Encoded(_) => true,
            Inputs::Images(images) => matches!(images.values(), retune_tensor::Values::U8(_)),
            _ => false,
        }
    }

    /// The texts, if inputs are texts.
    pub fn texts(&self) -> Option<&Texts> {
        if let Inputs::Texts(texts) = &self.inputs { Some(texts) } else { None }
    }

    /// Where the words of the texts are, where these are told apart.
    pub fn words(&self) -> Option<&Words> {
        self.words.as_ref()
    }

    /// The words of one text, where they are told apart.
    pub fn words_of(&self, id: u64) -> Option<Vec<String>> {
        let (words, index) = (self.words.as_ref()?, id as usize);
        let text = self.texts()?.first.get(index)?;
        Some(words.of(index, &text).into_iter().map(str::to_owned).collect())
    }

    /// Where an example stands, for messages.
    pub fn place(&self, id: u64) -> String {
        match &self.inputs {
            Inputs::Encoded(images) if images.path(id as usize).is_some() => {
                images.path(id as usize).unwrap_or_default().display().to_string()
            }
            _ => match self.origins.place(id as usize) {
                Some(place) => place,
                None => format!("{}, example {id}", self.description),
            },
        }
    }

    /// Bytes that inputs and labels take in memory; what is on disk takes none.
    pub fn size_bytes(&self) -> usize {
        let inputs = match &self.inputs {
            Inputs::Images(t) | Inputs::Features(t) => t.size_bytes(),
            Inputs::Texts(texts) => texts.size_bytes(),
            Inputs::Table(table) => table.size_bytes(),
            Inputs::Encoded(images) => images.size_bytes(),
        };
        inputs + self.labels.size_bytes() + self.words.as_ref().map_or(0, Words::size_bytes) + self.side.size_bytes()
    }

    /// The first values of one input as stored, at most `count` of them; none for image files, texts, and ids outside of the
    /// data.
    pub fn first_values(&self, id: u64, count: usize) -> Vec<f32> {
        match &self.inputs {
            Inputs::Images(t) | Inputs::Features(t) if (id as usize) < self.total() => {
                let size: usize = t.shape()[1..].iter().product();
                let mut values = vec![0.0; size.min(count)];
                copy_as_f32(t.values(), id as usize * size, &mut values);
                values
            }
            _ => Vec::new(),
        }
    }

    /// Checks a list of ids: each in range, usable, and given once.
    pub fn check_ids(&self, ids: &[u64]) -> Result<(), DataError> {
        let mut seen = vec![false; self.total()];
        for &id in ids {
            let problem = match seen.get_mut(id as usize) {
                None => "does not exist",
                Some(true) => "is given twice",
                Some(_) if self.excluded.contains_key(&id) => "cannot be used",
                Some(unseen) => {
                    *unseen = true;
                    continue;
                }
            };
            return Err(DataError::BadId { id, problem, len: self.total() });
        }
        Ok(())
    }

    /// Examples of each class among `ids`; for multi-hot labels the number of 1s, for labels of words the number of words. `None`
    /// where labels are not classes.
    pub fn class_counts(&self, ids: &[u64]) -> Option<Vec<usize>> {
        let mut counts = vec![0; self.class_count()?];
        for &id in ids {
            for &class in self.labels.word_classes(id as usize).unwrap_or(&[]) {
                counts[class as usize] += 1;
            }
            match self.labels.class_of(id as usize) {
                Some(class) => counts[class] += 1,
                None => {
                    let row = self.labels.row(id as usize).unwrap_or(&[]);
                    row.iter().zip(&mut counts).filter(|(v, _)| **v == 1.0).for_each(|(_, count)| *count += 1);
                }
            }
        }
        Some(counts)
    }

    /// An error if some class has no example among `ids`.
    pub fn check_classes_present(&self, ids: &[u64]) -> Result<(), DataError> {
        match self.class_counts(ids).and_then(|counts| counts.iter().position(|&n| n == 0)) {
            Some(class) => {
                Err(DataError::EmptyClass { place: self.description.clone(), class: self.class_name(class) })
            }
            None => Ok(()),
        }
    }

    /// An error if a label is not one of `classes` classes (the outputs of the network).
    pub fn check_labels_below(&self, classes: usize) -> Result<(), DataError> {
        let largest = |id: u64| match self.labels.word_classes(id as usize) {
            Some(words) => words.iter().max().map(|&class| class as usize),
            None => self.labels.class_of(id as usize),
        };
        let outside = |id: &u64| largest(*id).filter(|&class| class >= classes).map(|class| (*id, class));
        match self.ids().iter().find_map(outside) {
            Some((id, class)) => {
                Err(DataError::LabelOutOfRange { place: self.place(id), label: class as i64, classes })
            }
            None => Ok(()),
        }
    }

    /// SHA-256 over every input and label, in order; computed on the first call (it reads every image file).
    ///
    /// For image files it covers relative names and contents, so a copy elsewhere has the same hash.
    pub fn content_hash(&self) -> Result<ContentHash, DataError> {
        if let Some(hash) = self.hash.get() {
            return Ok(*hash);
        }
        let hash = hash_dataset(self)?;
        Ok(*self.hash.get_or_init(|| hash))
    }

    /// SHA-256 of one input as stored, without its label: of an image file its bytes, in memory type, shape and values. Computed
    /// on the first call.
    ///
    /// # Errors
    /// A file that cannot be read.
    ///
    /// # Panics
    /// An id outside of the data.
    pub fn example_hash(&self, id: u64) -> Result<ContentHash, DataError> {
        let hashes = self.example_hashes.get_or_init(|| vec![OnceLock::new(); self.total()]);
        match hashes[id as usize].get() {
            Some(hash) => Ok(*hash),
            None => Ok(*hashes[id as usize].get_or_init({
                let hash = hash_example(self, id)?;
                move || hash
            })),
        }
    }

    /// Decodes every encoded image, in parallel, and lists those that cannot be; empty for data in memory.
    pub fn verify(&self) -> Vec<BadExample> {
        use rayon::prelude::*;
        let Inputs::Encoded(images) = &self.inputs else { return Vec::new() };
        self.ids()
            .into_par_iter()
            .filter_map(|id| {
                let reason = images.decode(id as usize).err()?;
                Some(BadExample { id, place: self.place(id), reason })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset() -> Dataset {
        let inputs = Inputs::Features(Tensor::new([4, 2], vec![0u8, 1, 2, 3, 4, 5, 6, 7]).unwrap());
        Dataset::new("test", inputs, Labels::classes("test", vec![0, 1, 1, 0], 3).unwrap()).unwrap()
    }

    #[test]
    fn knows_its_examples_and_classes() {
        let data = dataset();
        assert_eq!((data.len(), data.input_shape(), data.ids()), (4, Some(&[2][..]), vec![0, 1, 2, 3]));
        assert_eq!(data.class_counts(&data.ids()), Some(vec![2, 2, 0]));
        assert_eq!((data.first_values(2, 9), data.first_values(2, 1)), (vec![4.0, 5.0], vec![4.0]));
        assert!(data.first_values(7, 9).is_empty());
        assert!(
            matches!(data.check_classes_present(&data.ids()), Err(DataError::EmptyClass { class, .. }) if class == "2")
        );
        assert!(matches!(data.check_labels_below(1), Err(DataError::LabelOutOfRange { label: 1, classes: 1, .. })));
        assert!(data.check_labels_below(2).is_ok());
        let named = data.with_class_names(vec!["a".into(), "b".into(), "c".into()]).unwrap();
        assert_eq!(named.class_name(1), "b");
        assert!(named.with_class_names(vec![]).is_err());
    }

    #[test]
    fn ids_stay_when_bad_examples_are_set_aside() {
        let bad = vec![BadExample { id: 1, place: "row 1".into(), reason: "broken".into() }];
        let error = dataset().excluding(bad.clone(), 0).unwrap_err();
        assert!(
            error.to_string().contains("1 of 4 examples") && error.to_string().contains("`row 1`: broken"),
            "{error}"
        );
        let data = dataset().excluding(bad, 1).unwrap();
        assert_eq!((data.len(), data.total(), data.ids()), (3, 4, vec![0, 2, 3]));
        assert_eq!(data.excluded().count(), 1);
        assert!(matches!(data.check_ids(&[1]), Err(DataError::BadId { id: 1, problem: "cannot be used", .. })));
        assert!(matches!(data.check_ids(&[0, 0]), Err(DataError::BadId { problem: "is given twice", .. })));
        assert!(matches!(data.check_ids(&[4]), Err(DataError::BadId { problem: "does not exist", .. })));
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let x = || Inputs::Features(Tensor::new([4, 2], vec![0f32; 8]).unwrap());
        let y = |n| Labels::classes("test", vec![0; n], 1).unwrap();
        assert!(matches!(Dataset::new("t", x(), y(3)), Err(DataError::CountMismatch { inputs: 4, labels: 3, .. })));
        let scalar = Inputs::Features(Tensor::new([], vec![0f32]).unwrap());
        assert!(matches!(Dataset::new("t", scalar, Labels::None), Err(DataError::WrongShape { .. })));
        let flat = Inputs::Images(Tensor::new([4, 2], vec![0f32; 8]).unwrap());
        assert!(matches!(Dataset::new("t", flat, Labels::None), Err(DataError::WrongShape { .. })));
        assert!(matches!(Dataset::from_image_files(vec![]), Err(DataError::NoExamples { .. })));
    }

    #[test]
    fn the_hash_follows_inputs_and_labels() {
        let hash = |x: u8, y: i32| {
            let inputs = Inputs::Features(Tensor::new([2, 1], vec![x, 1]).unwrap());
            let labels = Labels::classes("t", vec![0, y], 2).unwrap();
            Dataset::new("t", inputs, labels).unwrap().content_hash().unwrap()
        };
        assert_eq!(hash(0, 1), hash(0, 1));
        assert_ne!(hash(0, 1), hash(1, 1));
        assert_ne!(hash(0, 1), hash(0, 0));
        assert_eq!(hash(0, 1).to_string().len(), 64);
    }
}
