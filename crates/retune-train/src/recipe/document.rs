//! A recipe's text as sections of values, each with its place.

use crate::language::Said;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use toml::Value;

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Bytes of the recipe's text.
    Text(Range<usize>),
    /// An override on the command line.
    Override(String),
    /// Nowhere: the recipe does not say it.
    Absent,
}

/// One thing that is wrong with a recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// Section and key, for example `optimizer.learning-rate`.
    pub key: String,
    /// What is wrong.
    pub message: Said,
    /// What to do.
    pub hint: Option<String>,
}

/// Everything that is wrong with a recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipeError {
    /// Name of the recipe.
    pub name: String,
    /// Its text.
    pub text: String,
    /// The problems, in the order of the text.
    pub problems: Vec<Problem>,
}

impl RecipeError {
    /// Where all the problems are.
    pub fn whereabouts(&self) -> Said {
        match self.name.as_str() {
            "" => Said::new("on the command line", "命令行中"),
            name => Said::new(format!("in the recipe `{name}`"), format!("配方 `{name}` 中")),
        }
    }

    /// Line and column of a byte of the text, counted from 1.
    pub fn line_and_column(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

impl fmt::Display for RecipeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        write!(f, "{count} problem{} {}", if count == 1 { "" } else { "s" }, self.whereabouts())?;
        for problem in &self.problems {
            match &problem.place {
                Place::Text(range) => {
                    let (line, column) = self.line_and_column(range.start);
                    write!(f, "\n  line {line}, column {column}: ")?;
                }
                Place::Override(text) => write!(f, "\n  `--set {text}`: ")?,
                Place::Absent => write!(f, "\n  ")?,
            }
            if !problem.key.is_empty() {
                write!(f, "`{}`: ", problem.key)?;
            }
            write!(f, "{}", problem.message)?;
            if let Some(hint) = &problem.hint {
                write!(f, "\n    hint: {hint}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for RecipeError {}

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

/// The sections of a recipe: name, key, value.
#[derive(Debug)]
pub struct Document {
    name: String,
    text: String,
    sections: BTreeMap<String, BTreeMap<String, Located<Value>>>,
    section_places: BTreeMap<String, Place>,
    pub(super) problems: Vec<Problem>,
}

impl Document {
    /// Parses TOML.
    ///
    /// # Errors
    /// Text that is not TOML.
    pub fn parse(name: &str, text: &str) -> Result<Document, RecipeError> {
        let not_toml = |error: toml::de::Error| RecipeError {
            name: name.to_owned(),
            text: text.to_owned(),
            problems: vec![Problem {
                place: error.span().map_or(Place::Absent, Place::Text),
                key: String::new(),
                message: Said::looked_up(error.message()),
                hint: None,
            }],
        };
        let spans = toml::de::DeTable::parse(text).map_err(not_toml)?;
        let values: toml::Table = toml::from_str(text).map_err(not_toml)?;
        let mut document = Document {
            name: name.to_owned(),
            text: text.to_owned(),
            sections: BTreeMap::new(),
            section_places: BTreeMap::new(),
            problems: Vec::new(),
        };
        for (section, value) in values {
            let spanned = spans.get_ref().iter().find(|(key, _)| key.get_ref().as_ref() == section);
            let place = spanned.map_or(Place::Absent, |(key, _)| Place::Text(key.span()));
            let Value::Table(entries) = value else {
                let hint =
                    Some(format!("write it inside of a section, such as `[train]`, not as `{section} = …` before any"));
                let message = ("this key stands outside of every section", "这个键不在任何一节之内");
                document.problem(place, section, message, hint);
                continue;
            };
            let inner = spanned.and_then(|(_, value)| value.get_ref().as_table());
            let located = entries.into_iter().map(|(key, value)| {
                let span = inner.and_then(|table| table.iter().find(|(name, _)| name.get_ref().as_ref() == key));
                let place =
                    span.map_or(Place::Absent, |(name, value)| Place::Text(name.span().start..value.span().end));
                (key, Located { value, place })
            });
            let entries = located.collect();
            document.sections.insert(section.clone(), entries);
            document.section_places.insert(section, place);
        }
        Ok(document)
    }

    /// Applies overrides `section.key=value`. A value that is not TOML is taken as text.
    pub fn apply(&mut self, overrides: &[String]) {
        for text in overrides {
            let place = Place::Override(text.clone());
            let parts =
                text.split_once('=').and_then(|(path, value)| Some((path.trim().split_once('.')?, value.trim())));
            let Some(((section, key), value)) = parts else {
                let hint = Some("for example `--set train.epochs=3`".to_owned());
                let message = ("an override has the form `section.key=value`", "覆盖的写法是 `节.键=值`");
                self.problem(place, "", message, hint);
                continue;
            };
            let parsed = toml::from_str::<toml::Table>(&format!("value = {value}")).ok();
            let value =
                parsed.and_then(|mut table| table.remove("value")).unwrap_or_else(|| Value::String(value.into()));
            self.sections.entry(section.to_owned()).or_default().insert(key.to_owned(), Located { value, place });
        }
    }

    /// Notes a problem.
    pub fn problem(&mut self, place: Place, key: impl Into<String>, message: impl Into<Said>, hint: Option<String>) {
        self.problems.push(Problem { place, key: key.into(), message: message.into(), hint });
    }

    /// Takes one value out, of the type asked for; a value of another type is a problem.
    pub(super) fn take<T: DeserializeOwned>(&mut self, section: &str, key: &str) -> Option<Located<T>> {
        let Located { value, place } = self.sections.get_mut(section)?.remove(key)?;
        match value.try_into() {
            Ok(value) => Some(Located { value, place }),
            Err(error) => {
                self.problem(place, format!("{section}.{key}"), Said::looked_up(error.message().trim()), None);
                None
            }
        }
    }

    /// Reports every section and key that nobody took.
    pub(super) fn report_unknown(&mut self, known: &[(&str, Vec<&str>)]) {
        for (section, entries) in std::mem::take(&mut self.sections) {
            let Some((_, keys)) = known.iter().find(|(name, _)| *name == section) else {
                let place = self.section_places.get(&section).cloned();
                let place = place.or_else(|| entries.values().next().map(|entry| entry.place.clone()));
                let sections = known.iter().map(|(name, _)| *name);
                let hint = Some(match nearest(&section, sections.clone()) {
                    Some(name) => format!("did you mean `[{name}]`?"),
                    None => format!("sections are {}", sections.collect::<Vec<_>>().join(", ")),
                });
                self.problem(
                    place.unwrap_or(Place::Absent),
                    section,
                    Said::new("there is no such section", "没有这一节"),
                    hint,
                );
                continue;
            };
            for (key, entry) in entries {
                let elsewhere = known.iter().find(|(_, keys)| keys.contains(&key.as_str())).map(|(name, _)| *name);
                let hint = Some(match (elsewhere, nearest(&key, keys.iter().copied())) {
                    (Some(other), _) => format!("`{key}` belongs to `[{other}]`"),
                    (None, Some(name)) => format!("did you mean `{name}`?"),
                    (None, None) => format!("keys of `[{section}]` are {}", keys.join(", ")),
                });
                self.problem(
                    entry.place,
                    format!("{section}.{key}"),
                    Said::new("there is no such key", "没有这个键"),
                    hint,
                );
            }
        }
    }

    /// The problems noted so far as an error, if there are any.
    ///
    /// # Errors
    /// All of them.
    pub fn finish(mut self) -> Result<(), RecipeError> {
        if self.problems.is_empty() {
            return Ok(());
        }
        self.problems.sort_by_key(|problem| match &problem.place {
            Place::Text(range) => range.start,
            _ => usize::MAX,
        });
        Err(RecipeError { name: self.name, text: self.text, problems: self.problems })
    }
}

/// The candidate that fewest changes of characters turn into `name`, if it is near.
pub(crate) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let best = candidates.map(|candidate| (edit_distance(name, candidate), candidate)).min()?;
    (best.0 <= name.chars().count().max(3) / 3 + 1).then_some(best.1)
}

fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(100).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, &y) in b.iter().enumerate() {
            let cost = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}
