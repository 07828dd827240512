//! `left-out.jsonl`: the rows and files that a run did without, a line each with place and reason. Not there where all could be used.

use crate::error::TrainError;
use retune_data::{BadExample, Loader};
use retune_formats::atomic::write_bytes_atomic;
use std::collections::BTreeSet;
use std::path::Path;

/// The file's name in the run's folder.
pub const LEFT_OUT: &str = "left-out.jsonl";

/// Examples set aside when the sources were read, and those found unreadable on the way, each once.
pub fn left_out<'a>(loaders: impl IntoIterator<Item = &'a Loader>) -> BTreeSet<BadExample> {
    let mut all = BTreeSet::new();
    for loader in loaders {
        all.extend(loader.data().excluded().cloned());
        all.extend(loader.skipped());
    }
    all
}

/// Writes the list, if there is anything to list; the number of its lines.
///
/// # Errors
/// A file that cannot be written.
pub fn write_left_out<'a>(root: &Path, loaders: impl IntoIterator<Item = &'a Loader>) -> Result<usize, TrainError> {
    let all = left_out(loaders);
    if all.is_empty() {
        return Ok(0);
    }
    let path = root.join(LEFT_OUT);
    let mut text = String::new();
    for bad in &all {
        let line = serde_json::json!({ "place": bad.place, "example": bad.id, "reason": bad.reason });
        text.push_str(&format!("{line}\n"));
    }
    write_bytes_atomic(&path, text.as_bytes()).map_err(TrainError::write(&path))?;
    Ok(all.len())
}
