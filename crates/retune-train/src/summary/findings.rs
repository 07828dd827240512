//! What the checks of data find in the data of a run, where that is a matter of seconds.

use crate::language::Language;
use crate::report::{DataFinding, FindingWeight};
use retune_audit::collection::{Content, Part, SplitName};
use retune_audit::findings::{Finding, Remedy, Severity, all};
use retune_audit::{Collection, Facts};
use retune_data::{Dataset, Inputs, Loader};
use std::path::PathBuf;
use std::sync::Arc;

/// Texts and rows beyond which checking is left to `retune check`.
const MOST_ITEMS: usize = 100_000;
/// The same of images in memory, which take longer; files of images are left to `retune check`.
const MOST_IMAGES: usize = 10_000;
/// Texts are near duplicates from this similarity on, as for `retune check`.
const SIMILARITY: f32 = 0.8;

/// Problems and warnings of all parts together, the most important first; nothing where there is too much to look at.
pub(super) fn findings(parts: &[(&str, &Loader)], language: Language) -> Vec<DataFinding> {
    let mut sources: Vec<(SplitName, Arc<Dataset>)> = Vec::new();
    for (name, loader) in parts {
        let split = match *name {
            "validation" => SplitName::Validation,
            "test" => SplitName::Test,
            _ => SplitName::Train,
        };
        let data = loader.shared_data();
        // Parts that are shares of one source are looked at once.
        if !sources.iter().any(|(_, other)| Arc::ptr_eq(other, &data)) {
            sources.push((split, data));
        }
    }
    let items: usize = sources.iter().map(|(_, data)| data.total()).sum();
    let is_cheap = |data: &Dataset| match data.inputs() {
        Inputs::Texts(_) | Inputs::Features(_) => items <= MOST_ITEMS,
        Inputs::Images(_) => items <= MOST_IMAGES,
        _ => false,
    };
    if !sources.iter().all(|(_, data)| is_cheap(data)) {
        return Vec::new();
    }
    let part = |(split, data): (SplitName, Arc<Dataset>)| {
        let path = PathBuf::from(data.description());
        Part { split, path, content: Content::Examples(data) }
    };
    let Ok(collection) = Collection::new(sources.into_iter().map(part).collect()) else { return Vec::new() };
    let facts = Facts::gather(&collection, SIMILARITY);
    let found = all(&collection, &facts, None, 1);
    found.iter().filter(|finding| finding.severity != Severity::Note).map(|finding| shown(finding, language)).collect()
}

fn shown(finding: &Finding, language: Language) -> DataFinding {
    DataFinding {
        weight: match finding.severity {
            Severity::Problem => FindingWeight::Problem,
            _ => FindingWeight::Warning,
        },
        title: finding.title.of(language).to_owned(),
        why: finding.why.of(language).to_owned(),
        advice: match &finding.remedy {
            Remedy::Clean(rule) => format!("retune clean … --drop {}", rule.name()),
            Remedy::Setting(command) => command.clone(),
            Remedy::Advice(words) => words.of(language).to_owned(),
            _ => String::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retune_data::{Labels, LoaderOptions};
    use retune_tensor::Tensor;

    #[test]
    fn what_stands_in_two_parts_is_found() {
        let data = |rows: std::ops::Range<u32>| {
            let values: Vec<f32> = rows.clone().flat_map(|i| [i as f32, (i * i % 97) as f32]).collect();
            let labels = rows.clone().map(|i| (i % 2) as i32).collect();
            let inputs = Inputs::Features(Tensor::new([rows.len(), 2], values).unwrap());
            Arc::new(Dataset::new("t", inputs, Labels::classes("t", labels, 2).unwrap()).unwrap())
        };
        let part = |data: &Arc<Dataset>| Loader::new(data.clone(), data.ids(), LoaderOptions::default()).unwrap();
        let (train, test) = (part(&data(0..40)), part(&data(30..50)));
        let found = findings(&[("training", &train), ("test", &test)], Language::Chinese);
        assert_eq!(found.first().map(|finding| finding.weight), Some(FindingWeight::Problem), "{found:?}");
        assert!(found[0].title.starts_with("测试集") && found[0].title.contains("10"), "{found:?}");
        // A division of one source is no overlap.
        let whole = data(0..40);
        let share =
            |ids: std::ops::Range<u64>| Loader::new(whole.clone(), ids.collect(), LoaderOptions::default()).unwrap();
        let found = findings(&[("training", &share(0..30)), ("test", &share(30..40))], Language::English);
        assert!(found.iter().all(|finding| finding.weight != FindingWeight::Problem), "{found:?}");
    }
}
