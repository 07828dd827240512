//! [`Collection`]: all parts of a data set, their examples numbered through.
//!
//! - [`part`]: [`Part`], the examples of one split, whatever they are;
//! - [`table`]: [`Table`], rows of a table as they stand in the file;
//! - [`open`]: from paths to parts.

pub mod open;
pub mod part;
pub mod table;

pub use open::Sources;
pub use part::{Content, Noun, Part, SplitName};
pub use table::Table;

use crate::error::AuditError;
use serde::Serialize;
use std::collections::BTreeMap;

/// Number of an example, counted through all parts of a collection.
pub type Item = u32;

/// The class of an example that has none.
const NO_CLASS: u32 = u32::MAX;

/// Where an example stands, and what is to be seen of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The part it belongs to.
    pub split: SplitName,
    /// Its file; for arrays, their description.
    pub file: String,
    /// Its line in the file, counted from 1; of an array, the number of the example, counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<u64>,
    /// Its label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The beginning of its text, or its values; empty for images.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub excerpt: String,
}

/// All parts of a data set.
#[derive(Debug)]
pub struct Collection {
    parts: Vec<Part>,
    /// The first item of each part, and one more than the last of all.
    starts: Vec<usize>,
    /// Names of the classes of all parts.
    classes: Vec<String>,
    /// The class of each item.
    class: Vec<u32>,
}

impl Collection {
    /// Puts parts together; classes of the same name are the same.
    ///
    /// # Errors
    /// More examples than an [`Item`] can number.
    pub fn new(parts: Vec<Part>) -> Result<Collection, AuditError> {
        let mut starts = vec![0];
        for part in &parts {
            starts.push(starts[starts.len() - 1] + part.len());
        }
        let total = starts[parts.len()];
        if total >= Item::MAX as usize {
            return Err(AuditError::TooMany { most: Item::MAX as usize - 1, found: total });
        }
        let names = parts.iter().filter_map(Part::class_names);
        let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
        let mut classes = Vec::new();
        for name in names.flatten() {
            numbers.entry(name).or_insert_with_key(|name| {
                classes.push(name.clone());
                classes.len() as u32 - 1
            });
        }
        let mut class = Vec::with_capacity(total);
        for part in &parts {
            let known: Vec<u32> = part.class_names().unwrap_or_default().iter().map(|name| numbers[name]).collect();
            let of = |index| part.class_of(index).and_then(|class| known.get(class).copied()).unwrap_or(NO_CLASS);
            class.extend((0..part.len()).map(of));
        }
        Ok(Collection { parts, starts, classes, class })
    }

    /// The parts, in the order of training, validation, test.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Number of examples, unusable ones included.
    pub fn len(&self) -> usize {
        self.class.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All items.
    pub fn items(&self) -> impl Iterator<Item = Item> + use<> {
        0..self.len() as Item
    }

    /// The items of one part.
    pub fn items_of(&self, part: usize) -> std::ops::Range<Item> {
        self.starts[part] as Item..self.starts[part + 1] as Item
    }

    /// The number of an item's part.
    pub fn part_index(&self, item: Item) -> usize {
        self.starts.partition_point(|&start| start <= item as usize) - 1
    }

    /// An item's part, and its index there.
    pub fn at(&self, item: Item) -> (&Part, usize) {
        let part = self.part_index(item);
        (&self.parts[part], item as usize - self.starts[part])
    }

    /// The split that an item belongs to.
    pub fn split(&self, item: Item) -> SplitName {
        self.at(item).0.split
    }

    /// Whether an item could be read and can be used.
    pub fn is_usable(&self, item: Item) -> bool {
        let (part, index) = self.at(item);
        part.is_usable(index)
    }

    /// Names of the classes of all parts; empty where labels are not classes.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The class of an item.
    pub fn class(&self, item: Item) -> Option<usize> {
        Some(self.class[item as usize]).filter(|&class| class != NO_CLASS).map(|class| class as usize)
    }

    /// An item's label as people read it.
    pub fn label(&self, item: Item) -> Option<String> {
        match self.class(item) {
            Some(class) => Some(self.classes[class].clone()),
            None => {
                let (part, index) = self.at(item);
                part.label(index)
            }
        }
    }

    /// Where an item stands.
    pub fn place(&self, item: Item) -> Place {
        let (part, index) = self.at(item);
        let (file, row) = part.place(index);
        Place { split: part.split, file, row, label: self.label(item), excerpt: part.excerpt(index) }
    }

    /// Text of an item, or its two texts with a unit separator between.
    pub fn text(&self, item: Item) -> Option<std::borrow::Cow<'_, str>> {
        let (part, index) = self.at(item);
        part.text(index)
    }
}
