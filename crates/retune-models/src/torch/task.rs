//! What a network is for.

use retune_graph::ops::sequence::Pooling;
use serde_json::{Map, Value, json};

use super::config::Config;
use super::sentence::Modules;
use crate::error::{ModelError, Result};

/// What a network is for. It decides about the head, the output and the class in transformers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// One of several labels for each text or image: output `[Batch, labels]`, probabilities that add up to 1.
    Classification {
        /// Names of the labels, in the order of the output.
        labels: Vec<String>,
    },
    /// Any number of labels for each text or image: output `[Batch, labels]`, a probability each.
    MultiLabel {
        /// Names of the labels.
        labels: Vec<String>,
    },
    /// Numbers for each text or image: output `[Batch, values]`.
    Regression {
        /// How many.
        values: usize,
    },
    /// One of several labels for each token: output `[Tokens, labels]`.
    TokenClassification {
        /// Names of the labels.
        labels: Vec<String>,
    },
    /// A vector for each text or image: output `[Batch, width]`.
    Embedding {
        /// How the vectors of tokens become one; networks for images have their own way.
        pooling: Pooling,
        /// Whether it is divided by its length.
        normalize: bool,
    },
    /// How alike the two texts of a pair are: output `[Batch, 1]`, the cosine of the angle between their vectors. Both go through
    /// one encoder, each by itself, so that an example has two sequences of tokens. In files this is the [`Task::Embedding`] of
    /// the same settings.
    Similarity {
        /// How the vectors of tokens become one.
        pooling: Pooling,
        /// Whether the vectors of texts are divided by their length where they are given by themselves.
        normalize: bool,
    },
}

impl Task {
    /// The task of a model folder: by the class in `architectures`, `problem_type` and `id2label`; a base alone is a classifier if
    /// the modules of sentence-transformers end in a head for these labels, else it gives vectors.
    pub(crate) fn read(config: &Config<'_>, modules: &Modules) -> Result<Task> {
        let classes = config.get("architectures").and_then(Value::as_array);
        let class = classes.and_then(|classes| classes.first()).and_then(Value::as_str).unwrap_or_default();
        if class.ends_with("ForTokenClassification") {
            return Ok(Task::TokenClassification { labels: labels(config)? });
        }
        if !["ForSequenceClassification", "ForImageClassification"].iter().any(|end| class.ends_with(end)) {
            let classifier = match (&modules.head, config.text_if_any("problem_type")?) {
                (Some(_), Some(_)) => Some(Task::of_texts(config)?).filter(|task| modules.has_head(task)),
                _ => None,
            };
            let pooling = modules.pooling.unwrap_or(Pooling::Mean);
            return Ok(classifier.unwrap_or(Task::Embedding { pooling, normalize: modules.normalize }));
        }
        Task::of_texts(config)
    }

    /// The task of a head for whole texts or images.
    pub(crate) fn of_texts(config: &Config<'_>) -> Result<Task> {
        let labels = labels(config)?;
        match config.text_if_any("problem_type")?.as_deref() {
            Some("regression") => Ok(Task::Regression { values: labels.len() }),
            Some("multi_label_classification") => Ok(Task::MultiLabel { labels }),
            // transformers trains a single output as regression.
            _ if labels.len() == 1 => Ok(Task::Regression { values: 1 }),
            _ => Ok(Task::Classification { labels }),
        }
    }

    /// Number of values of the head's output; `None` without a head.
    pub fn outputs(&self) -> Option<usize> {
        match self {
            Task::Classification { labels } | Task::MultiLabel { labels } | Task::TokenClassification { labels } => {
                Some(labels.len())
            }
            Task::Regression { values } => Some(*values),
            Task::Embedding { .. } | Task::Similarity { .. } => None,
        }
    }

    /// Number of sequences of tokens that an example of texts has.
    pub fn sequences(&self) -> usize {
        if matches!(self, Task::Similarity { .. }) { 2 } else { 1 }
    }

    /// The comparison of two texts by their vectors: pooled as the task says where it gives vectors, else by the mean.
    pub fn similarity(&self) -> Task {
        match *self {
            Task::Embedding { pooling, normalize } | Task::Similarity { pooling, normalize } => {
                Task::Similarity { pooling, normalize }
            }
            _ => Task::Similarity { pooling: Pooling::Mean, normalize: false },
        }
    }

    /// Whether the labels have no names of their own: numbers, or transformers' `LABEL_0`, `LABEL_1`, …
    pub fn has_numbered_labels(&self) -> bool {
        let is_numbered = |(index, name): (usize, &String)| {
            name.strip_prefix("LABEL_").unwrap_or(name).parse::<usize>().is_ok_and(|number| number == index)
        };
        !self.labels().is_empty() && self.labels().iter().enumerate().all(is_numbered)
    }

    /// Names of the labels; empty where there are none.
    pub fn labels(&self) -> &[String] {
        match self {
            Task::Classification { labels } | Task::MultiLabel { labels } | Task::TokenClassification { labels } => {
                labels
            }
            Task::Regression { .. } | Task::Embedding { .. } | Task::Similarity { .. } => &[],
        }
    }

    /// The end of the class's name in transformers.
    pub(crate) fn class_suffix(&self) -> &'static str {
        match self {
            Task::Classification { .. } | Task::MultiLabel { .. } | Task::Regression { .. } => {
                "ForSequenceClassification"
            }
            Task::TokenClassification { .. } => "ForTokenClassification",
            Task::Embedding { .. } | Task::Similarity { .. } => "Model",
        }
    }

    /// Writes the task into `config.json`.
    pub(crate) fn describe(&self, class: &str, config: &mut Map<String, Value>) {
        config.insert("architectures".to_owned(), json!([class]));
        let problem = match self {
            Task::Classification { .. } => Some("single_label_classification"),
            Task::MultiLabel { .. } => Some("multi_label_classification"),
            Task::Regression { .. } => Some("regression"),
            Task::TokenClassification { .. } | Task::Embedding { .. } | Task::Similarity { .. } => None,
        };
        match problem {
            Some(problem) => config.insert("problem_type".to_owned(), json!(problem)),
            None => config.remove("problem_type"),
        };
        let Some(outputs) = self.outputs() else { return };
        let names = match self.labels() {
            [] => numbered_labels(outputs),
            labels => labels.to_vec(),
        };
        let by_number: Map<String, Value> =
            names.iter().enumerate().map(|(i, name)| (i.to_string(), json!(name))).collect();
        let by_name: Map<String, Value> = names.iter().enumerate().map(|(i, name)| (name.clone(), json!(i))).collect();
        // transformers counts the labels by `id2label`.
        config.remove("num_labels");
        config.insert("id2label".to_owned(), Value::Object(by_number));
        config.insert("label2id".to_owned(), Value::Object(by_name));
    }
}

/// transformers' names of labels that have none.
pub(crate) fn numbered_labels(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("LABEL_{index}")).collect()
}

/// The labels of `id2label`, else two with transformers' default names, or `num_labels` of them.
fn labels(config: &Config<'_>) -> Result<Vec<String>> {
    let wrong = |found: &Value| ModelError::Description {
        place: "config.json: id2label".to_owned(),
        expected: "a name for each number from 0".to_owned(),
        found: crate::keras::values::excerpt(found),
    };
    match config.get("id2label") {
        None => Ok(numbered_labels(config.size_if_any("num_labels")?.unwrap_or(2))),
        Some(value) => {
            let names = value.as_object().filter(|names| !names.is_empty()).ok_or_else(|| wrong(value))?;
            let name = |index: usize| names.get(&index.to_string()).and_then(Value::as_str).map(str::to_owned);
            (0..names.len()).map(name).collect::<Option<Vec<_>>>().ok_or_else(|| wrong(value))
        }
    }
}
