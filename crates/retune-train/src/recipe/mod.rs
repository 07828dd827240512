//! Recipes: what a run does, as a TOML file.
//!
//! ```text
//! text + --set overrides ──document──▶ Document: every value with its place
//!                         ──keys──────▶ Recipe: typed values, unknown keys reported with the nearest known one
//!                         ──settings──▶ Settings: checked, defaults filled in; all problems reported at once
//!                         ──build─────▶ Job: model, data, loaders, ready to train
//! ```
//!
//! - [`document`][]: [`Document`] and the place of every value;
//! - [`keys`]: every section and key with its doc, unit and default;
//! - [`values`]: the words and small tables that values may be;
//! - `sections`: how keys are declared, taken and written;
//! - [`settings`][]: [`Settings`];
//! - [`augment`]: tables and checks of augmentation;
//! - `images`: checks of preprocessing;
//! - `method`: adapters, and what is trained;
//! - `split`: how data are divided and drawn;
//! - `table`: models for tables, rows made for rare classes;
//! - `rates`: learning rates by layer, and of the factors of low-rank terms;
//! - [`mod@build`]: from settings to a [`Job`](crate::trainer::Job).

pub mod augment;
pub mod build;
pub mod document;
mod images;
pub mod keys;
mod method;
mod rates;
mod sections;
pub mod settings;
mod split;
mod table;
pub mod values;

pub use build::{Built, ReadData, build, build_on};
pub use document::{Document, Problem, RecipeError};
pub use keys::{Recipe, reference};
pub use sections::Key;
pub use settings::Settings;

use crate::error::TrainError;
use std::path::Path;

/// Reads a recipe's file, with overrides such as `train.epochs=3`.
///
/// # Errors
/// A file that cannot be read; every problem of the recipe at once.
pub fn read(path: &Path, overrides: &[String]) -> Result<Settings, TrainError> {
    let text = std::fs::read_to_string(path).map_err(TrainError::read(path))?;
    Ok(parse(&path.display().to_string(), &text, overrides)?)
}

/// An override such as `data.path=texts.tsv` whose path starts at `folder` in place of the recipe's; others as they are, and addresses
/// such as `hf://org/name`.
pub fn with_path_from(text: &str, folder: &Path) -> String {
    let path = text.split_once('=').filter(|(key, _)| Recipe::PATHS.contains(&key.trim())).and_then(|(key, given)| {
        let parsed = toml::from_str::<toml::Table>(&format!("value = {given}")).ok();
        let parsed = parsed.and_then(|mut table| table.remove("value"));
        match parsed {
            _ if given.contains("://") => None,
            Some(toml::Value::String(path)) => Some((key, folder.join(path))),
            // What is no text is reported where values are checked.
            Some(_) => None,
            None => Some((key, folder.join(given.trim()))),
        }
    });
    path.map_or_else(|| text.to_owned(), |(key, path)| format!("{key}={}", toml::Value::from(&*path.to_string_lossy())))
}

/// Reads a recipe's text; `name` stands for it in messages, none where all is set on the command line.
///
/// # Errors
/// Every problem at once.
pub fn parse(name: &str, text: &str, overrides: &[String]) -> Result<Settings, RecipeError> {
    let mut document = Document::parse(name, text)?;
    document.apply(overrides);
    let recipe = Recipe::take(&mut document);
    Settings::check(recipe, document)
}
