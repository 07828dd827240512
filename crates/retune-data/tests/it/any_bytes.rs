//! What readers of rows must stand, whatever bytes they meet: the body of the fuzz target `records`, which tests run over altered files, too.

use retune_data::sources::rewrite::{self, Fate};
use retune_data::{Origins, SourceOptions, open};
use std::path::Path;

/// Endings of the forms of tables.
pub const FORMS: [&str; 6] = ["csv", "json", "jsonl", "parquet", "arrow", "conll"];

/// Opens bytes as a table of this form in a folder, and copies it without every other row; whether it could be opened. A table of text that was
/// read is copied whatever stands in it.
pub fn open_and_copy(folder: &Path, form: &str, bytes: &[u8]) -> bool {
    let (path, copy) = (folder.join(format!("a.{form}")), folder.join(format!("b.{form}")));
    std::fs::write(&path, bytes).expect("a folder that can be written");
    let options = SourceOptions { tolerance: usize::MAX, ..SourceOptions::default() };
    let Ok(parts) = open(&path, &options) else { return false };
    let data = parts.train;
    let mut fates: Vec<Fate> =
        (0..data.total()).map(|row| [Fate::Copied, Fate::Dropped, Fate::Repaired][row % 3]).collect();
    let meant = |text: &str| text.contains('e').then(|| text.replace('e', "é"));
    let origins = data.origins();
    match origins {
        Origins::Lines { path, .. } => {
            rewrite::lines(path, &copy, None, &|row| origins.lines(row), &mut fates, &meant)
                .expect("its lines are there");
        }
        Origins::Elements { path } => {
            rewrite::elements(path, &copy, None, &mut fates, &meant).expect("its elements are there");
        }
        // Damage that reading did not meet, in columns that it does not want, may be met here.
        Origins::Rows { path } => drop(rewrite::columns(path, &copy, &mut fates, &meant)),
        _ => {}
    }
    let _ = open(&copy, &options);
    true
}
