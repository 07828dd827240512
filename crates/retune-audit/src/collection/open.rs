//! From paths to the parts of a collection.

use super::{Collection, Content, Part, SplitName, Table};
use crate::error::AuditError;
use retune_data::sources::detect;
use retune_data::{SourceKind, SourceOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Names of tables of the parts, in lower case and without what follows the first dot.
const PARTS: [(SplitName, &[&str]); 3] = [
    (SplitName::Train, &["train", "training"]),
    (SplitName::Validation, &["validation", "valid", "val", "dev"]),
    (SplitName::Test, &["test", "testing"]),
];

/// Where the parts of a data set are.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The data: training part, or all parts where the source is divided.
    pub data: PathBuf,
    /// The validation part, where it is a source of its own.
    pub validation: Option<PathBuf>,
    /// The test part, where it is a source of its own.
    pub test: Option<PathBuf>,
    /// What is to be known about the sources beyond their paths. Unusable examples are findings, whatever the tolerance.
    pub options: SourceOptions,
    /// How many examples of a part of texts or images are looked at, at equal distances; it does not matter where there are fewer.
    /// Default: all.
    pub most: Option<usize>,
}

impl Collection {
    /// Opens all parts.
    ///
    /// # Errors
    /// A source that cannot be read at all, or parts that do not fit together.
    pub fn open(sources: &Sources) -> Result<Collection, AuditError> {
        let options = SourceOptions { tolerance: usize::MAX, ..sources.options.clone() };
        let names_texts = options.text.is_some() || options.text_pair.is_some() || options.format.is_some();
        let kind = match options.kind {
            Some(kind) => kind,
            None if names_texts || options.encoding.is_some() => SourceKind::Text,
            None => detect(&sources.data)?,
        };
        let mut parts = parts_at(&sources.data, kind, &options)?;
        for (split, path) in [(SplitName::Validation, &sources.validation), (SplitName::Test, &sources.test)] {
            let Some(path) = path else { continue };
            let like = match &parts[0].content {
                Content::Examples(train) => SourceOptions { kind: Some(kind), ..options.like(train) },
                Content::Table(_) => options.clone(),
            };
            let mut opened = parts_at(path, kind, &like)?;
            // A part given by itself takes the place of one that the source has.
            parts.retain(|part| part.split != split);
            let mut part = opened.remove(0);
            part.split = split;
            parts.push(part);
        }
        for part in &mut parts {
            part.keep(sources.most.unwrap_or(usize::MAX))?;
        }
        parts.sort_by_key(|part| part.split);
        Collection::new(parts)
    }
}

/// Tables of numbers that are files of text are looked at cell by cell; anything else as training reads it.
fn parts_at(path: &Path, kind: SourceKind, options: &SourceOptions) -> Result<Vec<Part>, AuditError> {
    let holds_tables = || match std::fs::read_dir(path) {
        Ok(mut entries) => entries.any(|entry| entry.is_ok_and(|entry| is_table(&entry.path()))),
        Err(_) => is_table(path),
    };
    if kind == SourceKind::Csv && holds_tables() { tables(path, options) } else { examples(path, options) }
}

fn examples(path: &Path, options: &SourceOptions) -> Result<Vec<Part>, AuditError> {
    let opened = retune_data::open(path, options)?;
    let all = [
        (SplitName::Train, Some(opened.train)),
        (SplitName::Validation, opened.validation),
        (SplitName::Test, opened.test),
    ];
    let part = |(split, data): (SplitName, Option<_>)| {
        Some(Part { split, path: path.to_path_buf(), content: Content::Examples(Arc::new(data?)) })
    };
    Ok(all.into_iter().filter_map(part).collect())
}

fn tables(path: &Path, options: &SourceOptions) -> Result<Vec<Part>, AuditError> {
    let part = |split: SplitName, path: &Path| -> Result<Part, AuditError> {
        Ok(Part { split, path: path.to_path_buf(), content: Content::Table(Table::read(path, options)?) })
    };
    if !path.is_dir() {
        return Ok(vec![part(SplitName::Train, path)?]);
    }
    let entries = std::fs::read_dir(path).map_err(AuditError::io("read", path))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|file| is_table(file)).collect();
    files.sort();
    let mut found = Vec::new();
    for (split, names) in PARTS {
        let file = files.iter().find(|file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
            names.contains(&name.split('.').next().unwrap_or_default())
        });
        if let Some(file) = file {
            found.push(part(split, file)?);
        }
    }
    match (found.is_empty(), files.as_slice()) {
        (false, _) if found[0].split == SplitName::Train => Ok(found),
        (true, [file]) => Ok(vec![part(SplitName::Train, file)?]),
        _ => Err(AuditError::Table {
            path: path.to_path_buf(),
            expected: "one table, or one named `train.csv`".into(),
            found: format!("{} tables", files.len()),
        }),
    }
}

fn is_table(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    !name.starts_with('.') && (plain.ends_with(".csv") || plain.ends_with(".tsv"))
}
