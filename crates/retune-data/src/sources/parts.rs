//! Which files of a folder are the training, validation and test part, by their names.
//!
//! ```text
//! train.csv      data/train-00000-of-00002.parquet      default/train/0000.parquet
//! dev.csv        data/train-00001-of-00002.parquet
//! test.csv       data/test-00000-of-00001.parquet
//! ```
//!
//! A name tells the part by its first word, up to a dot, a hyphen or an underscore. Where the folder itself has no such files, they are
//! looked for in `data`, or in the only folder that it has.

use super::text::TextFormat;
use super::{TEST, TRAIN, VALIDATION, list_folder, name_of};
use crate::error::DataError;
use std::path::{Path, PathBuf};

/// Folders that files are looked for in, one inside of the other, at most.
const MAX_DEPTH: usize = 3;

/// The files of each part, one table each; of several, those of a part follow one another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct PartFiles {
    pub(super) train: Vec<PathBuf>,
    pub(super) validation: Vec<PathBuf>,
    pub(super) test: Vec<PathBuf>,
}

/// Whether a file is a table by its name.
pub(super) fn is_table_name(name: &str) -> bool {
    TextFormat::of_table(name).is_some()
}

/// The tables at a path: of a folder those of its parts, or the only one.
///
/// # Errors
/// A folder without tables, with several of which none is named as the training part, or in which a numbered part is missing.
pub(super) fn files(path: &Path) -> Result<PartFiles, DataError> {
    if !path.is_dir() {
        return Ok(PartFiles { train: vec![path.to_path_buf()], ..PartFiles::default() });
    }
    let tables = tables_below(path, 0)?;
    let of = |names: &[&str]| -> Vec<PathBuf> {
        tables.iter().filter(|file| part_of(file).is_some_and(|part| names.contains(&part.as_str()))).cloned().collect()
    };
    let files = PartFiles { train: of(TRAIN), validation: of(VALIDATION), test: of(TEST) };
    let files = match (files.train.is_empty(), tables.as_slice()) {
        (false, _) => files,
        (true, [one]) => PartFiles { train: vec![one.clone()], ..PartFiles::default() },
        (true, all)
            if !all.is_empty()
                && all.iter().all(|file| number(&name_of(file)).is_some() && part_of(file) == part_of(&all[0])) =>
        {
            PartFiles { train: tables, ..PartFiles::default() }
        }
        (true, _) => {
            let found = "several tables, none named `train.csv` or the like".to_owned();
            return Err(DataError::UnknownKind { path: path.to_path_buf(), found });
        }
    };
    [&files.train, &files.validation, &files.test].into_iter().try_for_each(|part| check(path, part))?;
    Ok(files)
}

/// The tables of a folder, or of the one below it that has some.
fn tables_below(path: &Path, depth: usize) -> Result<Vec<PathBuf>, DataError> {
    let entries = list_folder(path)?;
    let tables: Vec<PathBuf> = entries.iter().filter(|e| !e.is_dir() && is_table_name(&name_of(e))).cloned().collect();
    if !tables.is_empty() || depth == MAX_DEPTH {
        return Ok(tables);
    }
    let folders: Vec<&PathBuf> = entries.iter().filter(|entry| entry.is_dir()).collect();
    // Parts that are folders of their own.
    let is_part =
        |folder: &&PathBuf| [TRAIN, VALIDATION, TEST].concat().contains(&name_of(folder).to_ascii_lowercase().as_str());
    if folders.iter().any(is_part) {
        let below = folders.into_iter().filter(is_part).map(|folder| tables_below(folder, MAX_DEPTH));
        return Ok(below.collect::<Result<Vec<_>, _>>()?.concat());
    }
    match folders.iter().find(|folder| name_of(folder) == "data").or(folders.first().filter(|_| folders.len() == 1)) {
        Some(folder) => tables_below(folder, depth + 1),
        None => Ok(Vec::new()),
    }
}

/// Whether a folder, or the one below it, has tables.
pub(super) fn has_tables(path: &Path) -> bool {
    tables_below(path, 0).is_ok_and(|tables| !tables.is_empty())
}

/// The first word of a file's name, or the name of its folder where that is a part's, in lower case.
fn part_of(file: &Path) -> Option<String> {
    let folder = file.parent().map(name_of).unwrap_or_default().to_ascii_lowercase();
    let word = name_of(file).to_ascii_lowercase().split(['.', '-', '_']).next().map(str::to_owned);
    let all = [TRAIN, VALIDATION, TEST].concat();
    match word {
        Some(word) if all.contains(&word.as_str()) => Some(word),
        _ if all.contains(&folder.as_str()) => Some(folder),
        word => word,
    }
}

/// Of `train-00001-of-00002.parquet` 1 and 2.
fn number(name: &str) -> Option<(usize, usize)> {
    let stem = name.split('.').next()?;
    let (before, total) = stem.rsplit_once("-of-")?;
    let (_, number) = before.rsplit_once('-')?;
    Some((number.parse().ok()?, total.parse().ok()?))
}

/// An error where several files are one part and not all are there: numbers that are missing, or files without numbers.
fn check(path: &Path, files: &[PathBuf]) -> Result<(), DataError> {
    let numbers: Vec<Option<(usize, usize)>> = files.iter().map(|file| number(&name_of(file))).collect();
    let malformed = |expected: String, found: String| DataError::Malformed {
        path: path.to_path_buf(),
        place: "its files".to_owned(),
        expected,
        found,
        hint: "fetch all files of a part, and name each part of one file as `train.csv`",
    };
    if let Some(Some((_, total))) = numbers.first()
        && (files.len() != *total || numbers.iter().zip(0..).any(|(number, index)| *number != Some((index, *total))))
    {
        let missing = (0..*total).find(|index| !numbers.contains(&Some((*index, *total))));
        let found = missing.map_or("others beside them".to_owned(), |index| format!("none with number {index:05}"));
        return Err(malformed(format!("{total} files that belong together"), found));
    }
    let is_counted =
        |file: &PathBuf| name_of(file).split('.').next().is_some_and(|stem| stem.bytes().all(|b| b.is_ascii_digit()));
    if files.len() > 1 && numbers[0].is_none() && !files.iter().all(is_counted) {
        let names: Vec<String> = files.iter().map(|file| format!("`{}`", name_of(file))).collect();
        return Err(malformed("one file for each part, or numbered ones".to_owned(), names.join(", ")));
    }
    Ok(())
}
