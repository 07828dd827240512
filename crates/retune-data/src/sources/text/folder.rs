//! One sub-folder per class, one text a `.txt` file.

use crate::dataset::Dataset;
use crate::error::DataError;
use crate::origins::Origins;
use crate::sources::examples::{Example, Examples, Form, Input};
use crate::sources::label_texts::RawLabel;
use crate::sources::records::lines::Lines;
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
    // Folders are names even where they look like numbers.
    let own = SourceOptions { labels: Some(crate::LabelType::Class), ..options.clone() };
    let mut examples = Examples::new(root, Form::Texts, &own);
    let mut paths = Vec::new();
    for folder in &folders {
        let class = name_of(folder);
        let files: Vec<PathBuf> = list_folder(folder)?.into_iter().filter(|file| is_text_file(file)).collect();
        if files.is_empty() {
            return Err(DataError::EmptyClass { place: format!("`{}`", root.display()), class });
        }
        for file in files {
            let bytes = std::fs::read(&file).map_err(DataError::io(&file))?;
            let example = text_of(Lines::of_bytes(&file, bytes, options.encoding))?.map(|text| Example {
                input: Input::Text(text),
                label: Some(RawLabel::One(class.clone())),
                side: Vec::new(),
            });
            examples.push(|| file.display().to_string(), example)?;
            paths.push(file);
        }
    }
    let form = format!("one a file in {} class folders", folders.len());
    examples.finish("texts", &form, Origins::Files(paths))
}

/// The text of all lines, or what is wrong with it.
fn text_of(mut lines: Lines) -> Result<Result<String, String>, DataError> {
    let mut text = String::new();
    while let Some(line) = lines.next()? {
        if let Some(problem) = line.problem {
            return Ok(Err(format!("line {}: {problem}", line.number)));
        }
        text.push_str(&line.text);
    }
    Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()).ok_or_else(|| "the file holds no text".to_owned()))
}
