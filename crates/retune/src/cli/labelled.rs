//! Labelled data as a model is measured on them: the part for figures, its labels numbered as the model numbers them.

use super::failure::Failure;
use super::{Result, paths};
use retune::data::{self, Dataset, LabelType, SourceKind, SourceOptions};
use retune::models::Task;
use retune::train::language::Said;
use retune::train::metrics::Metric;
use retune::train::predict::Predictor;
use std::path::Path;
use std::sync::Arc;

/// Names of labels that are shown of each side.
const SHOWN_NAMES: usize = 8;

/// Items to measure a model on.
pub struct Labelled {
    /// Which part of the data they are: `test`, `validation` or `all`.
    pub part: &'static str,
    /// The items.
    pub data: Arc<Dataset>,
}

impl Labelled {
    /// The test part of data, else the validation part, else all of them.
    pub fn open(predictor: &Predictor, path: &Path, input_shape: Option<&[usize]>) -> Result<Labelled> {
        paths::must_exist(path)?;
        let takes_texts = predictor.model().tokenizer().is_some();
        let table = predictor.preprocessing().table.as_ref();
        let names = predictor.preprocessing().class_names.clone();
        let options = match table {
            Some(schema) => SourceOptions { class_names: names, ..schema.source_options() },
            None => SourceOptions {
                // A model that gives vectors compares texts, which have scores.
                labels: match predictor.model().task() {
                    _ if !takes_texts => None,
                    Some(Task::Embedding { .. }) => Some(LabelType::Real),
                    Some(Task::TokenClassification { .. }) => Some(LabelType::WordClass),
                    _ => None,
                },
                kind: takes_texts.then_some(SourceKind::Text),
                // Labels of texts are numbered as the model numbers them.
                class_names: names.filter(|_| takes_texts),
                input_shape: input_shape.map(<[usize]>::to_vec),
                ..SourceOptions::default()
            },
        };
        let parts = data::open(path, &options)?;
        let (part, data) = match (parts.test, parts.validation) {
            (Some(test), _) => ("test", test),
            (None, Some(validation)) => ("validation", validation),
            (None, None) => ("all", parts.train),
        };
        check_names(predictor, &data, path)?;
        Ok(Labelled { part, data: Arc::new(data) })
    }
}

/// An error where the classes of the data are others than those of the model, or in another order: answers would be counted as wrong
/// that are right.
fn check_names(predictor: &Predictor, data: &Dataset, path: &Path) -> Result {
    let (Some(own), Some(given)) = (predictor.preprocessing().class_names.as_deref(), data.class_names()) else {
        return Ok(());
    };
    if own == given {
        return Ok(());
    }
    let missing: Vec<String> = own.iter().filter(|name| !given.contains(name)).cloned().collect();
    let unknown: Vec<String> = given.iter().filter(|name| !own.contains(name)).cloned().collect();
    let (path, given_names, own_names) = (path.display(), list(given), list(own));
    let failure = Failure::new(Said::new(
        format!("the labels of `{path}` are {given_names}, those of the model {own_names}"),
        format!("`{path}` 的标签是 {given_names}，模型的标签是 {own_names}"),
    ));
    Err(match (missing.as_slice(), unknown.as_slice()) {
        ([], []) => {
            failure.hint("they are the same in another order; give the data their labels by the model's numbers")
        }
        (missing, []) => failure.hint(format!(
            "the data lack {}: add an (empty) folder or a row for each, so that classes are numbered alike",
            list(missing)
        )),
        (_, unknown) => failure.hint(format!("the model does not know {}: leave these items out", list(unknown))),
    })
}

/// Names in backticks, the first of them where there are many.
pub fn list(names: &[String]) -> String {
    let shown = names.iter().take(SHOWN_NAMES).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN_NAMES { format!("{shown}, … ({} in all)", names.len()) } else { shown }
}

/// A metric by its name.
pub fn metric(name: &str) -> Result<Metric> {
    name.parse().map_err(|_| {
        let failure =
            Failure::new(Said::new(format!("there is no metric `{name}`"), format!("没有名为 `{name}` 的指标")));
        match paths::nearest(name, Metric::NAMES.iter().copied()) {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint(format!("metrics are {}", Metric::NAMES.join(", "))),
        }
    })
}
