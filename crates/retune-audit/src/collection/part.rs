//! [`Part`]: the examples of one split, whatever they are.

use super::table::Table;
use crate::error::AuditError;
use crate::findings::{counted, grouped};
use crate::language::Said;
use retune_data::decode::DecodedImage;
use retune_data::{BadExample, Dataset, Inputs, LabelKind, Labels, Origins};
use retune_tensor::Values;
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Between the two texts of a pair; no text has it.
const BETWEEN_TEXTS: char = '\u{1f}';
/// Characters of a text that are shown.
const EXCERPT: usize = 160;
/// Values of an array that are shown.
const EXCERPT_VALUES: usize = 8;

/// What a part of the data is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SplitName {
    /// To train on; all of the data where it is not divided.
    Train,
    /// To choose the best epoch by.
    Validation,
    /// For the final figures only.
    Test,
}

impl SplitName {
    /// The name as it is written.
    pub fn name(self) -> &'static str {
        match self {
            SplitName::Train => "train",
            SplitName::Validation => "validation",
            SplitName::Test => "test",
        }
    }
}

impl SplitName {
    /// What the part is called.
    pub fn word(self) -> Said {
        match self {
            SplitName::Train => Said::new(self.name(), "训练集"),
            SplitName::Validation => Said::new(self.name(), "验证集"),
            SplitName::Test => Said::new(self.name(), "测试集"),
        }
    }
}

/// What examples are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noun {
    /// One of them, in English.
    pub one: &'static str,
    /// Several, in English.
    pub many: &'static str,
    /// Behind a number, with the measure word, in Chinese.
    pub chinese: &'static str,
}

impl Noun {
    /// Whatever they are.
    pub const EXAMPLE: Noun = Noun { one: "example", many: "examples", chinese: "个样本" };
    /// Images.
    pub const IMAGE: Noun = Noun { one: "image", many: "images", chinese: "张图像" };
    /// Pairs of texts.
    pub const PAIR: Noun = Noun { one: "pair of texts", many: "pairs of texts", chinese: "对文本" };
    /// Rows of a table.
    pub const ROW: Noun = Noun { one: "row", many: "rows", chinese: "行" };
    /// Texts.
    pub const TEXT: Noun = Noun { one: "text", many: "texts", chinese: "条文本" };

    /// `1 text`, `2,345 texts`; `2,345 条文本`.
    pub fn counted(self, n: usize) -> Said {
        Said::new(counted(n, (self.one, self.many)), self.chinese(n))
    }

    /// `2,345 条文本`.
    pub(crate) fn chinese(self, n: usize) -> String {
        format!("{} {}", grouped(n), self.chinese)
    }
}

/// Singular and plural, in English.
impl Serialize for Noun {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.one, self.many).serialize(serializer)
    }
}

impl fmt::Display for SplitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The examples of a part.
#[derive(Debug)]
pub enum Content {
    /// Texts, images or arrays.
    Examples(Arc<Dataset>),
    /// Rows of a table of numbers and categories.
    Table(Table),
}

/// The examples of one split.
#[derive(Debug)]
pub struct Part {
    /// Which one.
    pub split: SplitName,
    /// The file or folder it was read from.
    pub path: PathBuf,
    /// Its examples.
    pub content: Content,
}

impl Part {
    /// Keeps so many of its texts or images, at equal distances.
    ///
    /// # Errors
    /// A disk that cannot be read.
    pub(super) fn keep(&mut self, most: usize) -> Result<(), AuditError> {
        if let Content::Examples(data) = &self.content
            && let Some(some) = data.some(most)?
        {
            self.content = Content::Examples(Arc::new(some));
        }
        Ok(())
    }

    /// Number of examples, unusable ones included.
    pub fn len(&self) -> usize {
        match &self.content {
            Content::Examples(data) => data.total(),
            Content::Table(table) => table.rows().len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the part is, in words.
    pub fn description(&self) -> String {
        match &self.content {
            Content::Examples(data) => data.description().to_owned(),
            Content::Table(table) => table.description(),
        }
    }

    /// What an example is called.
    pub fn noun(&self) -> Noun {
        match &self.content {
            Content::Examples(data) if data.has_images() => Noun::IMAGE,
            Content::Examples(data) => match data.inputs() {
                Inputs::Texts(texts) if texts.second.is_some() => Noun::PAIR,
                Inputs::Texts(_) => Noun::TEXT,
                _ => Noun::EXAMPLE,
            },
            Content::Table(_) => Noun::ROW,
        }
    }

    /// Whether an example could be read and can be used.
    pub fn is_usable(&self, index: usize) -> bool {
        match &self.content {
            Content::Examples(data) => !data.is_excluded(index as u64),
            Content::Table(table) => table.is_whole(index),
        }
    }

    /// What was found wrong when the part was opened.
    pub fn bad_examples(&self) -> Vec<BadExample> {
        match &self.content {
            Content::Examples(data) => data.excluded().cloned().collect(),
            Content::Table(table) => table.bad_rows(),
        }
    }

    /// Names of the classes by their numbers in this part; `None` where labels are not classes.
    pub fn class_names(&self) -> Option<Vec<String>> {
        match &self.content {
            Content::Examples(data)
                if !matches!(data.label_kind(), LabelKind::MultiHot { .. } | LabelKind::WordClasses { .. }) =>
            {
                Some((0..data.class_count()?).map(|class| data.class_name(class)).collect())
            }
            Content::Examples(_) => None,
            Content::Table(table) => table.class_names().map(<[String]>::to_vec),
        }
    }

    /// The class of a usable example, by its number in this part.
    pub fn class_of(&self, index: usize) -> Option<usize> {
        match &self.content {
            _ if !self.is_usable(index) => None,
            Content::Examples(data) => data.labels().class_of(index),
            Content::Table(table) => table.class_of(index),
        }
    }

    /// The label of a usable example as people read it.
    pub fn label(&self, index: usize) -> Option<String> {
        let data = match &self.content {
            _ if !self.is_usable(index) => return None,
            Content::Table(table) => return table.label(index).map(str::to_owned),
            Content::Examples(data) => data,
        };
        match data.labels() {
            Labels::None => None,
            Labels::Classes { .. } | Labels::OneHot(_) => data.labels().class_of(index).map(|c| data.class_name(c)),
            Labels::MultiHot(_) => {
                let row = data.labels().row(index)?;
                let names = row.iter().enumerate().filter(|(_, value)| **value == 1.0);
                Some(names.map(|(class, _)| data.class_name(class)).collect::<Vec<_>>().join(", "))
            }
            Labels::WordClasses { .. } => {
                let classes = data.labels().word_classes(index)?;
                Some(classes.iter().map(|&class| data.class_name(class as usize)).collect::<Vec<_>>().join(" "))
            }
            Labels::Real(_) => {
                let row = data.labels().row(index)?;
                Some(row.iter().map(f32::to_string).collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// File and row of an example.
    pub fn place(&self, index: usize) -> (String, Option<u64>) {
        let data = match &self.content {
            Content::Table(table) => return (self.path.display().to_string(), Some(table.line(index))),
            Content::Examples(data) => data,
        };
        match (data.inputs(), data.origins()) {
            (Inputs::Encoded(images), Origins::Unknown) if images.path(index).is_some() => {
                (images.path(index).unwrap_or_default().display().to_string(), None)
            }
            (_, origins) => match origins.of(index) {
                Some((Origins::Lines { path, starts, .. }, index)) => {
                    (path.display().to_string(), starts.get(index).copied())
                }
                Some((Origins::Elements { path } | Origins::Rows { path }, index)) => {
                    (path.display().to_string(), Some(index as u64 + 1))
                }
                Some((Origins::Files(paths), index)) => (paths[index].display().to_string(), None),
                _ => (data.description().to_owned(), Some(index as u64)),
            },
        }
    }

    /// What is to be seen of an example in a line of text.
    pub fn excerpt(&self, index: usize) -> String {
        match &self.content {
            Content::Table(table) => shortened(&table.cells(index).join(", ")),
            Content::Examples(data) => match data.inputs() {
                Inputs::Texts(texts) => match texts.get(index) {
                    Some((first, Some(second))) => format!("{} ‖ {}", shortened(&first), shortened(&second)),
                    Some((first, None)) => shortened(&first),
                    None => String::new(),
                },
                Inputs::Features(_) => {
                    let values = data.first_values(index as u64, EXCERPT_VALUES);
                    shortened(&values.iter().map(f32::to_string).collect::<Vec<_>>().join(", "))
                }
                _ => String::new(),
            },
        }
    }

    /// Text of an example, or its two texts with a unit separator between; `None` for what is no text.
    pub fn text(&self, index: usize) -> Option<Cow<'_, str>> {
        let Content::Examples(data) = &self.content else { return None };
        let (first, second) = data.texts()?.get(index)?;
        Some(match second {
            None => first,
            Some(second) => Cow::Owned(format!("{first}{BETWEEN_TEXTS}{second}")),
        })
    }

    /// Pixels of an example; the reason in words where they cannot be had, `None` for what is no image.
    pub fn image(&self, index: usize) -> Option<Result<DecodedImage, String>> {
        let Content::Examples(data) = &self.content else { return None };
        match data.inputs() {
            Inputs::Encoded(images) => Some(images.decode(index)),
            Inputs::Images(images) => {
                let &[_, height, width, channels] = images.shape() else { return None };
                let size = height * width * channels;
                let pixels = match images.values() {
                    Values::U8(bytes) => bytes[index * size..(index + 1) * size].to_vec(),
                    _ => stretched(&data.first_values(index as u64, size)),
                };
                Some(Ok(DecodedImage { height, width, channels, pixels }))
            }
            _ => None,
        }
    }

    /// Whether examples are images.
    pub fn has_images(&self) -> bool {
        matches!(&self.content, Content::Examples(data) if data.has_images())
    }

    /// Whether examples are texts.
    pub fn has_texts(&self) -> bool {
        matches!(&self.content, Content::Examples(data) if data.texts().is_some())
    }
}

/// Values from 0 for the lowest to 255 for the highest.
fn stretched(values: &[f32]) -> Vec<u8> {
    let bounds = |(low, high): (f32, f32), &x: &f32| (low.min(x), high.max(x));
    let (low, high) = values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), bounds);
    let factor = if high > low { 255.0 / (high - low) } else { 0.0 };
    values.iter().map(|x| ((x - low) * factor).round() as u8).collect()
}

/// The beginning of a text on one line.
pub(crate) fn shortened(text: &str) -> String {
    let mut out: String = text.chars().take(EXCERPT).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(EXCERPT).is_some() {
        out.push('…');
    }
    out
}
