//! One sub-folder per class, one text a `.txt` file.

use super::charset;
use super::examples::{RawExample, RawLabel, Rows, Unit};
use crate::dataset::Dataset;
use crate::error::DataError;
use crate::sources::{SourceOptions, list_folder, name_of};
use std::path::{Path, PathBuf};

fn is_text_file(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("txt"))
}

/// Whether the first sub-folder, or the first one's first, holds texts.
pub(in crate::sources) fn is_text_folder(path: &Path) -> bool {
    fn holds(path: &Path, depth: usize) -> bool {
        let entries = list_folder(path).unwrap_or_default();
        depth > 0 && entries.iter().any(|entry| is_text_file(entry))
            || depth < 2 && entries.iter().find(|entry| entry.is_dir()).is_some_and(|folder| holds(folder, depth + 1))
    }
    holds(path, 0)
}

pub(super) fn read(root: &Path, options: &SourceOptions) -> Result<Dataset, DataError> {
    let folders: Vec<PathBuf> = list_folder(root)?.into_iter().filter(|entry| entry.is_dir()).collect();
    if folders.is_empty() {
        let found = "no table or lines of texts, and no sub-folder per class".to_owned();
        return Err(DataError::UnknownKind { path: root.to_path_buf(), found });
    }
    let mut rows = Rows::new(format!("one a file in {} class folders", folders.len()), false);
    let mut paths = Vec::new();
    for folder in &folders {
        let class = name_of(folder);
        let files: Vec<PathBuf> = list_folder(folder)?.into_iter().filter(|file| is_text_file(file)).collect();
        if files.is_empty() {
            return Err(DataError::EmptyClass { place: format!("`{}`", root.display()), class });
        }
        for file in files {
            let bytes = std::fs::read(&file).map_err(DataError::io(&file))?;
            let decoded = charset::decode(bytes, options.encoding);
            let text = decoded.text.trim();
            let row = match decoded.bad_lines.first() {
                Some(line) => Err(format!("`{}`, line {line}: bytes that are no {}", file.display(), decoded.encoding)),
                None if text.is_empty() => Err(format!("`{}` holds no text", file.display())),
                None => Ok(RawExample {
                    first: text.to_owned(),
                    second: None,
                    label: Some(RawLabel::One(class.clone())),
                    side: Vec::new(),
                }),
            };
            let number = rows.rows.len() as u64 + 1;
            rows.rows.push((number..number + 1, row));
            paths.push(file);
        }
    }
    // Folders are names even where they look like numbers.
    let options = SourceOptions { labels: Some(crate::LabelType::Class), ..options.clone() };
    rows.unit = Unit::File(paths);
    rows.into_dataset(root, &options)
}
