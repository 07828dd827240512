//! Keras 3's `.keras` archives: a zip file of `metadata.json`, `config.json` and `model.weights.h5`.

use std::io::{Seek, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::file::{KerasFile, Layout, RETUNE, parse_json};
use super::paths;
use super::weights::{KerasWeights, PathWeights};
use crate::error::{FormatError, Problem};
use crate::hdf5::Hdf5File;
use crate::limits::Limits;
use crate::zip_archive;

const METADATA: &str = "metadata.json";
const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.weights.h5";

/// The version of Keras whose formats this crate writes, named in files unless the caller names another.
pub const KERAS_VERSION: &str = "3.15.1";

/// Reads an archive.
pub(super) fn read(bytes: Vec<u8>, limits: &Limits) -> Result<KerasFile, FormatError> {
    let mut members = zip_archive::read_members(&bytes, limits)?;
    drop(bytes);
    let mut take = |name: &str| members.shift_remove(name);
    let missing = |name: &str| FormatError::from(Problem::missing(format_args!("the zip member `{name}`")));
    let config = parse_json(&take(CONFIG).ok_or_else(|| missing(CONFIG))?, CONFIG, limits)?;
    let weights = match take(WEIGHTS) {
        Some(bytes) => read_weights(bytes, limits).map_err(|error| error.within(WEIGHTS))?,
        None if take("model.weights.npz").is_some() => {
            let hint = "save the model again with Keras's default weights format";
            return Err(
                Problem::Unsupported { what: "a `.keras` archive with `model.weights.npz`".into(), hint }.into()
            );
        }
        None => return Err(missing(WEIGHTS)),
    };
    let metadata = take(METADATA).map(|text| parse_json(&text, METADATA, limits)).transpose()?;
    let retune_json = format!("{RETUNE}.json");
    let retune = take(&retune_json).map(|text| parse_json(&text, &retune_json, limits)).transpose()?;
    let mut file = KerasFile::new(Layout::Archive, KerasWeights::Paths(weights));
    file.keras_version = metadata.as_ref().and_then(|m| m.get("keras_version")?.as_str().map(str::to_owned));
    file.config = Some(config);
    file.retune = retune;
    file.extra = members;
    Ok(file)
}

fn read_weights(bytes: Vec<u8>, limits: &Limits) -> Result<PathWeights, FormatError> {
    let file = Hdf5File::from_bytes(bytes, limits)?;
    // A model without weights is a tree without groups.
    match paths::read_tree(&file.root()) {
        Err(FormatError { problem: Problem::Mismatch { .. }, .. }) if is_empty(&file)? => Ok(PathWeights::default()),
        weights => weights,
    }
}

fn is_empty(file: &Hdf5File) -> Result<bool, FormatError> {
    let root = file.root();
    Ok(root.groups()?.is_empty() && root.datasets()?.is_empty())
}

/// Writes an archive.
pub(super) fn write(file: &KerasFile, weights: &PathWeights, writer: impl Write + Seek) -> Result<(), FormatError> {
    let config = file.config.as_ref().ok_or_else(|| Problem::missing("the model's configuration"))?.to_string();
    let metadata = metadata(file.keras_version.as_deref().unwrap_or(KERAS_VERSION)).to_string();
    let weights = paths::tree(weights)?.into_bytes()?;
    let retune = file.retune.as_ref().map(Value::to_string);
    let retune_json = format!("{RETUNE}.json");
    let mut members = vec![(METADATA, metadata.as_bytes()), (CONFIG, config.as_bytes()), (WEIGHTS, weights.as_slice())];
    members.extend(retune.as_ref().map(|text| (retune_json.as_str(), text.as_bytes())));
    for (name, data) in &file.extra {
        if members.iter().any(|(taken, _)| taken == name) {
            return Err(Problem::Duplicate { name: name.clone() }.into());
        }
        members.push((name, data));
    }
    zip_archive::write_members(members, writer)
}

fn metadata(keras_version: &str) -> Value {
    let secs = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    json!({ "keras_version": keras_version, "date_saved": date(secs) })
}

/// The date and time of day (UTC) `secs` after the start of 1970, as Keras writes them: `2026-11-23@13:28:59`.
fn date(secs: u64) -> String {
    let (mut days, time) = (secs / 86_400, secs % 86_400);
    let days_of_year = |year: u64| 365 + u64::from(is_leap(year));
    let mut year = 1970;
    while days >= days_of_year(year) {
        days -= days_of_year(year);
        year += 1;
    }
    let days_of_month = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= days_of_month[month] {
        days -= days_of_month[month];
        month += 1;
    }
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year}-{:02}-{:02}@{hour:02}:{minute:02}:{second:02}", month + 1, days + 1)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_keras_writes_them() {
        assert_eq!(date(0), "1970-01-01@00:00:00");
        assert_eq!(date(951_782_399), "2000-02-28@23:59:59");
        assert_eq!(date(951_868_800), "2000-03-01@00:00:00");
        assert_eq!(date(1_795_440_539), "2026-11-23@13:28:59");
    }
}
