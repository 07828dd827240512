//! The card of a trained model: `README.md` in the form that the Hugging Face Hub reads, a front matter of YAML and then Markdown.
//!
//! It says what the run knows, and nothing else: data by name, size and hash, the method and its settings, what was measured with
//! intervals, the base by name and hash. The licence is the one that the base's own card states; without one there is none.

use crate::comparison::{Comparison, Measured};
use crate::error::TrainError;
use crate::fit::Cost;
use crate::metrics::{Estimate, Metric};
use crate::run::Manifest;
use crate::said;
use retune_models::{AdapterBase, AdapterKind, FrontMatter, Model, Task};
use serde_json::json;
use std::fmt::Write;
use std::path::Path;

/// Sections of the recipe that say how it was trained; others name places.
const SECTIONS: [&str; 8] = ["method", "optimizer", "schedule", "loss", "train", "preprocess", "augment", "split"];
/// Keys of these that name places or change no result.
const LEFT_OUT: [&str; 4] = ["cache-folder", "cache-bytes", "threads", "workers"];

/// What a card is made of.
#[derive(Debug, Clone, Copy)]
pub struct CardFacts<'a> {
    /// The trained model.
    pub model: &'a Model,
    /// The model's name: that of the run.
    pub name: &'a str,
    /// Provenance.
    pub manifest: &'a Manifest,
    /// Before and after, where there is data to compare on.
    pub comparison: Option<&'a Comparison>,
    /// Numbers of weights.
    pub cost: &'a Cost,
    /// The resolved recipe.
    pub recipe: &'a str,
    /// The stages of a run that has several, in words.
    pub stages: Option<&'a str>,
    /// Whether the card is that of a folder of adapters alone.
    pub is_adapter: bool,
}

impl CardFacts<'_> {
    /// The card.
    ///
    /// # Errors
    /// A recipe that is none.
    pub fn text(&self) -> Result<String, TrainError> {
        let mut text = self.front_matter();
        self.heading(&mut text);
        self.use_it(&mut text);
        self.results(&mut text);
        self.data(&mut text);
        self.method(&mut text)?;
        self.origin(&mut text);
        Ok(text)
    }

    /// What the base's own card says.
    fn base_matter(&self) -> FrontMatter {
        FrontMatter::of(self.model.base_card().unwrap_or_default())
    }

    /// The base, where the Hub knows it.
    fn hub_base(&self) -> Option<AdapterBase> {
        AdapterBase::of_address(self.manifest.model.as_ref()?.address.as_deref()?)
    }

    /// The kind of adapters, as cards and lists of the Hub call them.
    fn adapter_tag(&self) -> Option<&'static str> {
        let adapter = self.model.adapters().first()?;
        Some(match adapter.kind {
            AdapterKind::LowRank { .. } => "lora",
            AdapterKind::ScaleOutput | AdapterKind::ScaleInput => "ia3",
            AdapterKind::Bottleneck { .. } => "bottleneck-adapter",
            AdapterKind::Prompt { .. } => "prompt-tuning",
            AdapterKind::Prefix { .. } => "prefix-tuning",
        })
    }

    /// PEFT reads the folder, or no library of the Hub does.
    fn library(&self) -> Option<&'static str> {
        match self.model.adapters().first() {
            Some(adapter) if self.is_adapter => {
                (!matches!(adapter.kind, AdapterKind::Bottleneck { .. })).then_some("peft")
            }
            _ => self.model.library(),
        }
    }

    fn front_matter(&self) -> String {
        let (matter, base) = (self.base_matter(), self.hub_base());
        let library = self.library();
        let pipeline = self.model.task().and_then(|task| pipeline(self.model, task));
        let mut tags = vec!["retune"];
        tags.extend(library.filter(|library| *library == "sentence-transformers"));
        tags.extend(self.adapter_tag());
        let mut lines = String::from("---\n");
        let mut line = |key: &str, value: Option<&str>| {
            if let Some(value) = value {
                // A JSON text is one of YAML too.
                let _ = writeln!(lines, "{key}: {}", json!(value));
            }
        };
        line("library_name", library);
        line("base_model", base.as_ref().map(|base| base.name.as_str()));
        let relation = if self.is_adapter { "adapter" } else { "finetune" };
        line("base_model_relation", base.as_ref().map(|_| relation));
        for key in ["license", "license_name", "license_link", "language"] {
            line(key, matter.get(key));
        }
        line("pipeline_tag", pipeline);
        list(&mut lines, "tags", &tags);
        let measured: Vec<&Measured> = self.measured().collect();
        let mut names: Vec<&str> = measured.iter().filter_map(|m| hub_metric(m.metric)).collect();
        names.dedup();
        if !names.is_empty() {
            list(&mut lines, "metrics", &names);
        }
        if let (Some(comparison), Some(pipeline), false) = (self.comparison, pipeline, measured.is_empty()) {
            let _ = write!(lines, "model-index:\n- name: {}\n  results:\n", json!(self.name));
            let name = self.data_name();
            let _ = write!(lines, "  - task:\n      type: {pipeline}\n    dataset:\n      name: {}\n", json!(name));
            let _ = write!(lines, "      type: {}\n      split: {}\n    metrics:\n", json!(name), comparison.part);
            for Measured { metric, after, .. } in measured {
                let (Some(after), Some(kind)) = (after, hub_metric(*metric)) else { continue };
                let _ = writeln!(
                    lines,
                    "    - type: {kind}\n      name: {}\n      value: {}",
                    json!(metric.to_string()),
                    after.value
                );
            }
        }
        lines.push_str("---\n");
        lines
    }

    /// What was measured and is not the loss.
    fn measured(&self) -> impl Iterator<Item = &Measured> {
        let all = self.comparison.iter().flat_map(|comparison| &comparison.metrics);
        all.filter(|m| m.metric != Metric::Loss && m.after.is_some() && hub_metric(m.metric).is_some())
    }

    /// The data by the name of its file or folder.
    fn data_name(&self) -> String {
        self.manifest.data.first().map_or_else(|| "data".to_owned(), |part| data_name(&part.description))
    }

    /// The base by the name that a reader can use, and what is known of it.
    fn base_text(&self) -> String {
        let Some(file) = &self.manifest.model else { return "a new network".to_owned() };
        let mut text = match self.hub_base() {
            Some(AdapterBase { name, revision }) => {
                let revision = revision.map_or(String::new(), |revision| format!(", revision `{revision}`"));
                format!("[`{name}`](https://huggingface.co/{name}){revision}")
            }
            None => format!("`{}`", file_name(&file.path.display().to_string())),
        };
        let _ = write!(text, " (SHA-256 `{}`)", file.sha256);
        text
    }

    fn heading(&self, text: &mut String) {
        let what = match (self.is_adapter, self.adapter_tag()) {
            (true, Some(tag)) => format!("Adapters ({tag}) of"),
            _ => "Fine-tuned from".to_owned(),
        };
        let _ = write!(text, "\n# {}\n\n{what} {}, on `{}`.\n", self.name, self.base_text(), self.data_name());
        if let Some(labels) = self.model.task().map(Task::labels).filter(|labels| !labels.is_empty()) {
            let names: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
            let _ = write!(text, "\nLabels: {}.\n", names.join(", "));
        }
    }

    fn use_it(&self, text: &mut String) {
        let is_text = self.model.tokenizer().is_some();
        let input = if is_text { "--text \"…\"" } else { "--input FILES" };
        let _ = write!(text, "\n## Use\n\n```sh\nretune predict --model FOLDER {input}\n```\n");
        let python = match (self.library(), self.model.task()) {
            (Some("peft"), _) => "from peft import PeftModel\n\nmodel = PeftModel.from_pretrained(base, FOLDER)",
            (Some("sentence-transformers"), _) => {
                "from sentence_transformers import SentenceTransformer\n\nvectors = SentenceTransformer(FOLDER).encode(texts)"
            }
            (Some("transformers"), Some(task)) => match pipeline(self.model, task) {
                Some("text-classification") => {
                    "from transformers import pipeline\n\npipeline(\"text-classification\", FOLDER)(texts)"
                }
                Some("token-classification") => {
                    "from transformers import pipeline\n\npipeline(\"token-classification\", FOLDER)(texts)"
                }
                Some("image-classification") => {
                    "from transformers import pipeline\n\npipeline(\"image-classification\", FOLDER)(images)"
                }
                _ => return,
            },
            _ => return,
        };
        let _ = write!(text, "\n```python\n{python}\n```\n");
    }

    fn results(&self, text: &mut String) {
        text.push_str("\n## Results\n\n");
        let Some(comparison) = self.comparison else {
            text.push_str("Not measured: there were neither test nor validation data.\n");
            return;
        };
        let _ = write!(
            text,
            "On the {} items of the {} part, with 95 % intervals of a bootstrap over the items.",
            comparison.items, comparison.part
        );
        text.push_str(match comparison.part {
            "validation" => " They may have decided which weights were kept, so that the figures can be too good.\n",
            _ => "\n",
        });
        text.push_str("\n| metric | before | after | difference |\n| --- | --- | --- | --- |\n");
        for Measured { metric, before, after, difference } in &comparison.metrics {
            let cell = |estimate: Option<Estimate>| estimate.map_or("–".to_owned(), |e| interval(*metric, e));
            let difference = cell(difference.map(|paired| paired.difference));
            let _ = writeln!(text, "| {metric} | {} | {} | {difference} |", cell(*before), cell(*after));
        }
        if let Some(test) = &comparison.mcnemar {
            let _ = write!(text, "\nMcNemar's exact test of the answers before and after: p = {:.3}.\n", test.p_value);
        }
    }

    fn data(&self, text: &mut String) {
        text.push_str(
            "\n## Data\n\n| part | name | examples | SHA-256 of inputs and labels |\n| --- | --- | --- | --- |\n",
        );
        for part in &self.manifest.data {
            let name = data_name(&part.description);
            let _ = writeln!(text, "| {} | `{name}` | {} | `{}` |", part.part, part.examples, part.sha256);
        }
    }

    fn method(&self, text: &mut String) -> Result<(), TrainError> {
        let recipe: toml::Table = self.recipe.parse().map_err(|error: toml::de::Error| {
            TrainError::unfit(
                said!("the resolved recipe cannot be read: {error}", "无法读取补全后的配方：{error}"),
                "this is a defect of retune",
            )
        })?;
        let mut kept = toml::Table::new();
        for section in SECTIONS {
            let Some(toml::Value::Table(keys)) = recipe.get(section) else { continue };
            let keys = keys.iter().filter(|(key, _)| !LEFT_OUT.contains(&key.as_str()));
            let keys: toml::Table = keys.map(|(key, value)| (key.clone(), value.clone())).collect();
            if !keys.is_empty() {
                kept.insert(section.to_owned(), toml::Value::Table(keys));
            }
        }
        let Cost { trainable_weights, total_weights, .. } = *self.cost;
        let share = 100.0 * trainable_weights as f64 / total_weights.max(1) as f64;
        let _ =
            write!(text, "\n## Method\n\n{trainable_weights} of {total_weights} weights were trained ({share:.2} %)");
        let _ = match self.stages {
            Some(stages) => write!(text, ": {stages}."),
            None => write!(text, "."),
        };
        let _ = write!(text, " Seed {}.\n\n```toml\n{}```\n", self.manifest.seed, kept);
        Ok(())
    }

    fn origin(&self, text: &mut String) {
        let _ = write!(text, "\n## Base and licence\n\nBase: {}.", self.base_text());
        let _ = match self.base_matter().get("license") {
            Some(license) => write!(text, " Its card states the licence `{license}`."),
            None => write!(text, " No licence is known: it has no card that states one."),
        };
        if self.model.base_card().is_some() {
            text.push_str(" The base's own card is in `README.base.md`.");
        }
        let _ = write!(text, "\n\nMade by retune {}.\n", self.manifest.retune);
    }
}

/// The last part of a path, which says nothing of the machine.
fn file_name(path: &str) -> String {
    Path::new(path).file_name().map_or_else(|| path.to_owned(), |name| name.to_string_lossy().into_owned())
}

/// The name of data of this description, which says in brackets what is in them.
fn data_name(description: &str) -> String {
    file_name(description.split_once(" (").map_or(description, |(path, _)| path))
}

fn list(lines: &mut String, key: &str, values: &[&str]) {
    let _ = writeln!(lines, "{key}:");
    for value in values {
        let _ = writeln!(lines, "- {}", json!(value));
    }
}

/// What the Hub calls the task.
fn pipeline(model: &Model, task: &Task) -> Option<&'static str> {
    let is_text = model.max_tokens().is_some();
    match task {
        Task::TokenClassification { .. } => Some("token-classification"),
        Task::Embedding { .. } | Task::Similarity { .. } if is_text => Some("sentence-similarity"),
        Task::Embedding { .. } | Task::Similarity { .. } => Some("image-feature-extraction"),
        _ if is_text => Some("text-classification"),
        _ => Some("image-classification"),
    }
}

/// The name of a metric among those of the Hub (the library `evaluate`); `None` for those that it does not have.
fn hub_metric(metric: Metric) -> Option<&'static str> {
    let name = metric.to_string();
    let known: [(&str, &'static str); 9] = [
        ("f1", "f1"),
        ("precision", "precision"),
        ("recall", "recall"),
        ("roc-auc", "roc_auc"),
        ("matthews-correlation", "matthews_correlation"),
        ("mean-squared-error", "mse"),
        ("mean-absolute-error", "mae"),
        ("pearson", "pearsonr"),
        ("spearman", "spearmanr"),
    ];
    if name == "accuracy" {
        return Some("accuracy");
    }
    known.into_iter().find(|(start, _)| name.starts_with(start)).map(|(_, known)| known)
}

/// A value with its interval: shares in percent.
fn interval(metric: Metric, Estimate { value, low, high }: Estimate) -> String {
    match metric.is_share() {
        true => format!("{:.1} % ({:.1} to {:.1})", 100.0 * value, 100.0 * low, 100.0 * high),
        false => format!("{value:.4} ({low:.4} to {high:.4})"),
    }
}
