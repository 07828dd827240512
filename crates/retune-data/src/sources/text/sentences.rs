//! Texts whose words have labels, as found in a file one by one, and the data set that they make.

use crate::column::TextColumnBuilder;
use crate::dataset::{Dataset, Inputs, Texts};
use crate::error::{BadExample, DataError};
use crate::labels::Labels;
use crate::origins::Origins;
use crate::sources::SourceOptions;
use crate::words::Words;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// A text as it stands in a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Sentence {
    pub(super) words: Vec<String>,
    /// One per word, or none at all.
    pub(super) labels: Vec<String>,
}

/// The texts of a file so far.
pub(super) struct Sentences {
    place: String,
    /// What a text stands in.
    unit: &'static str,
    texts: TextColumnBuilder,
    words: Words,
    labels: LabelNames,
    /// The first line (element) of each text, from 1.
    starts: Vec<u64>,
    bad: Vec<BadExample>,
}

impl Sentences {
    pub(super) fn new(path: &Path, unit: &'static str, options: &SourceOptions) -> Sentences {
        Sentences {
            place: path.display().to_string(),
            unit,
            texts: TextColumnBuilder::new(options.storage, options.spool_folder.as_deref()),
            words: Words::default(),
            labels: LabelNames::default(),
            starts: Vec::new(),
            bad: Vec::new(),
        }
    }

    /// Adds the text that begins at a line (element), or what is wrong with it.
    ///
    /// # Errors
    /// A disk that cannot be written.
    pub(super) fn push(&mut self, start: u64, row: Result<Sentence, String>) -> Result<(), DataError> {
        let row = row.and_then(checked).unwrap_or_else(|reason| {
            let place = format!("{}, {} {start}", self.place, self.unit);
            self.bad.push(BadExample { id: self.starts.len() as u64, place, reason });
            // It keeps its place, so that the ids of those after it do not depend on the tolerance.
            Sentence::default()
        });
        self.starts.push(start);
        self.labels.push(row.labels);
        self.texts.push(&self.words.push(&row.words))
    }

    /// The data set, its bad texts set aside. `form` says how the file is stored, `origins` from the first lines (elements) where texts stand.
    pub(super) fn into_dataset(
        self,
        form: &str,
        origins: impl FnOnce(Vec<u64>) -> Origins,
        options: &SourceOptions,
    ) -> Result<Dataset, DataError> {
        let Sentences { place, texts, words, labels, starts, bad, .. } = self;
        let count = starts.len();
        if count == 0 {
            return Err(DataError::NoExamples { place });
        }
        let inputs = Inputs::Texts(Texts::single(texts.finish()?));
        let description = format!("{place} ({count} texts of words, {form})");
        let data = if options.unlabelled {
            Dataset::new(description, inputs, Labels::None)?
        } else {
            let (labels, names) = numbered(&place, labels, options)?;
            let data = Dataset::new(description, inputs, labels)?;
            match names {
                Some(names) => data.with_class_names(names)?,
                None => data,
            }
        };
        data.with_words(words).with_origins(origins(starts)).excluding(bad, options.tolerance)
    }
}

/// The labels of words, each name once.
#[derive(Debug, Default)]
struct LabelNames {
    /// In the order in which they were met.
    names: Vec<String>,
    numbers: HashMap<String, u32>,
    /// The number of each word's name.
    of_words: Vec<u32>,
    /// Where the words of each text end.
    ends: Vec<usize>,
}

impl LabelNames {
    fn push(&mut self, labels: Vec<String>) {
        for label in labels {
            let next = self.names.len() as u32;
            let number = *self.numbers.entry(label).or_insert_with_key(|label| {
                self.names.push(label.clone());
                next
            });
            self.of_words.push(number);
        }
        self.ends.push(self.of_words.len());
    }
}

fn checked(sentence: Sentence) -> Result<Sentence, String> {
    match sentence.words.iter().position(|word| word.trim().is_empty()) {
        _ if sentence.words.is_empty() => Err("the text has no words".to_owned()),
        Some(place) => Err(format!("word {place} is empty")),
        None => Ok(sentence),
    }
}

/// The labels as classes. They are numbered by the names given, else in the order of the alphabet; numbers are class numbers.
fn numbered(
    place: &str,
    labels: LabelNames,
    options: &SourceOptions,
) -> Result<(Labels, Option<Vec<String>>), DataError> {
    let found = &labels.names;
    let largest = found.iter().map(|label| label.parse::<u16>().ok()).collect::<Option<Vec<_>>>();
    let given = options.class_names.as_ref();
    let are_numbers = largest.is_some() && !given.is_some_and(|names| found.iter().all(|label| names.contains(label)));
    let names: Option<Vec<String>> = match (given, are_numbers) {
        (Some(names), _) => Some(names.clone()),
        (None, true) => None,
        (None, false) => Some(found.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect()),
    };
    let highest = largest.iter().flatten().max().map_or(0, |&number| usize::from(number) + 1);
    let classes = names.as_ref().map_or(options.classes.unwrap_or(highest), Vec::len);
    let class_of = |label: &String| match &names {
        Some(names) if !are_numbers => names.iter().position(|name| name == label).map(|class| class as i32),
        _ => label.parse().ok(),
    };
    // The class of each name, in the order in which they were met, so that the first unknown one is named.
    let class = |label: &String| {
        class_of(label).ok_or_else(|| DataError::UnknownClass {
            place: place.to_owned(),
            class: label.clone(),
            known: names.clone().unwrap_or_default(),
        })
    };
    let class_of_name = found.iter().map(class).collect::<Result<Vec<i32>, _>>()?;
    let indices = labels.of_words.iter().map(|&number| class_of_name[number as usize]).collect();
    Ok((Labels::of_words(place, indices, labels.ends, classes)?, names))
}
