//! What makes the figures of a run less worth than they look: test data that take part in training or in choosing.

use crate::recipe::build::DataParts;
use crate::repeats::RepeatKind;
use crate::report::Warning;
use crate::run::{DataManifest, Manifest};
use crate::trainer::TrainSettings;
use retune_data::Dataset;
use std::path::Path;
use std::sync::Arc;

/// The warnings of a run before it begins. `output` is to be its folder.
pub(crate) fn warnings(
    parts: &DataParts,
    settings: &TrainSettings,
    manifest: &Manifest,
    output: &Path,
) -> Vec<Warning> {
    let mut found = Vec::new();
    let sha256 = |part: &str| manifest.data.iter().find(|data| data.part == part).map(|data| &data.sha256);
    let is_same = |a: &Option<(Arc<Dataset>, Vec<u64>)>, b: &(Arc<Dataset>, Vec<u64>), parts: [&str; 2]| {
        // Shares of one data set have its hash, but not the same items.
        a.as_ref().is_some_and(|(data, _)| !Arc::ptr_eq(data, &b.0)) && sha256(parts[0]) == sha256(parts[1])
    };
    let is_own = |(data, _): &(Arc<Dataset>, Vec<u64>)| !Arc::ptr_eq(data, &parts.train.0);
    if let Some(test) = &parts.test
        && parts.validation.as_ref().is_some_and(is_own)
        && is_same(&parts.validation, test, ["validation", "test"])
    {
        found.push(Warning::ValidationIsTest);
    }
    if is_same(&parts.test, &parts.train, ["test", "train"]) {
        found.push(Warning::TrainIsTest);
    }
    if settings.early_stopping.is_some() && parts.validation.is_none() {
        found.push(Warning::StopsWithoutValidation);
    }
    let runs = manifest.data.iter().find(|data| data.part == "test").map(|test| tested_before(test, output));
    if let Some(runs) = runs.filter(|runs| !runs.is_empty()) {
        found.push(Warning::TestUsedBefore { runs });
    }
    found
}

/// Finished runs beside `output` that were measured on the same test items, by name.
fn tested_before(test: &DataManifest, output: &Path) -> Vec<String> {
    // Runs that are repeats of one are no choice among each other.
    let is_of_repeats = |folder: &Path| RepeatKind::ALL.iter().any(|kind| folder.join(kind.file()).exists());
    let Some(folder) = output.parent().filter(|folder| !is_of_repeats(folder)) else { return Vec::new() };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let has_tested = |run: &std::path::PathBuf| {
        let is_same =
            |data: &DataManifest| data.part == "test" && data.sha256 == test.sha256 && data.examples == test.examples;
        run != output
            && run.join("evaluation.json").exists()
            && Manifest::read(run).is_ok_and(|manifest| manifest.data.iter().any(is_same))
    };
    let mut names: Vec<String> = entries
        .filter(has_tested)
        .map(|run| run.file_name().unwrap_or_default().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
