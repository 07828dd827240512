//! Labels or values of texts, similarities of pairs: given on the command line, or in files of lines, tables or JSON lines.

use super::{Arguments, Predictions, vectors, write};
use crate::cli::failure::Failure;
use crate::cli::progress::Progress;
use crate::cli::{Context, Result};
use retune::Model;
use retune::data::sources::text::TextFormat;
use retune::data::sources::{Column, SourceKind};
use retune::data::{Dataset, SourceOptions, TextColumn, dataset::Texts, open};
use retune::models::Task;
use retune::train::language::Said;
use retune::train::predict::{Answer, Predictor};
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

/// Predicts on all texts that the arguments name.
pub(super) fn predict(context: &Context, arguments: &Arguments, model: Model) -> Result {
    let texts = texts(arguments)?;
    let task = model.task().cloned();
    let gives_vectors = matches!(task, Some(Task::Embedding { .. }));
    if gives_vectors && texts.second.is_none() {
        return vectors::predict(context, arguments, model, texts);
    }
    let predictor = Predictor::new(&context.cpu(), model)?;
    let names = predictor.preprocessing().class_names.clone();
    let items = (0..texts.first.len()).filter_map(|index| texts.get(index));
    let items = items.map(|(first, second)| second.map_or(first.to_string(), |second| format!("{first}\t{second}")));
    let items = items.collect();
    let data = Arc::new(Dataset::from_texts("texts to predict on", texts)?);
    let mut bar = Progress::new(context.console, ("predicting", "预测")).bar_only();
    let answers = match &task {
        Some(Task::Classification { .. }) => predictor.classify(data, &mut bar)?,
        Some(Task::MultiLabel { labels }) => {
            rows(&predictor, data, &mut bar)?.into_iter().map(|row| several(row, labels)).collect()
        }
        Some(Task::Regression { .. } | Task::Embedding { .. }) => {
            rows(&predictor, data, &mut bar)?.into_iter().map(values).collect()
        }
        _ => {
            let failure = Failure::new(Said::new(
                "the model gives a label for each token, not for whole texts",
                "该模型为每个词元而不是整段文本给出标签",
            ));
            return Err(failure.hint("use a model for whole texts, or fine-tune this one on labelled texts"));
        }
    };
    bar.finish();
    let value = if gives_vectors { "similarity" } else { "value" };
    write(context, arguments, &Predictions { item: "text", value, items, answers, names })
}

/// The texts on the command line and in the files named.
fn texts(arguments: &Arguments) -> Result<Texts> {
    let mut all: (Vec<String>, Option<Vec<String>>) = (arguments.text.clone(), None);
    if !arguments.text_pair.is_empty() {
        if arguments.text_pair.len() != arguments.text.len() {
            return Err(Failure::usage(Said::new(
                "each `--text` needs a `--text-pair`",
                "每个 `--text` 都需要一个 `--text-pair`",
            )));
        }
        all.1 = Some(arguments.text_pair.clone());
    }
    for path in &arguments.input {
        let part = open(path, &options(arguments, path))?.train;
        let Some(part) = part.texts() else {
            return Err(Failure::new(Said::new(
                format!("`{}` holds no texts", path.display()),
                format!("`{}` 中没有文本", path.display()),
            )));
        };
        if arguments.input.len() == 1 && all.0.is_empty() {
            return Ok(part.clone());
        }
        if all.0.is_empty() {
            all.1 = part.second.as_ref().map(|_| Vec::new());
        }
        all.0.extend(part.first.iter().map(Cow::into_owned));
        match (&mut all.1, &part.second) {
            (None, None) => {}
            (Some(all), Some(part)) => all.extend(part.iter().map(Cow::into_owned)),
            _ => {
                return Err(Failure::usage(Said::new(
                    "some inputs have pairs of texts, others single ones",
                    "有的输入是成对的文本，有的是单段文本",
                )));
            }
        }
    }
    let (first, second) = all;
    Ok(Texts { first: first.into(), second: second.map(TextColumn::from) })
}

pub(super) fn options(arguments: &Arguments, path: &Path) -> SourceOptions {
    let column = |name: &Option<String>| {
        let name = name.as_ref()?;
        Some(name.parse().map_or_else(|_| Column::Name(name.clone()), Column::Index))
    };
    let is_plain = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("txt"));
    SourceOptions {
        kind: Some(SourceKind::Text),
        unlabelled: true,
        text: column(&arguments.column),
        text_pair: column(&arguments.pair_column),
        format: is_plain.then_some(TextFormat::Lines),
        ..SourceOptions::default()
    }
}

fn rows(predictor: &Predictor, data: Arc<Dataset>, bar: &mut Progress) -> Result<Vec<Vec<f32>>> {
    let outputs = predictor.outputs(data, bar)?;
    let width: usize = outputs.shape().iter().skip(1).product();
    Ok(outputs.to_f32_vec().chunks_exact(width.max(1)).map(<[f32]>::to_vec).collect())
}

/// Every label that is more likely to hold than not.
fn several(probabilities: Vec<f32>, labels: &[String]) -> Answer {
    let holding = labels.iter().zip(&probabilities).filter(|(_, p)| **p > 0.5).map(|(label, _)| label.as_str());
    let name = holding.collect::<Vec<_>>().join("|");
    let class = (0..probabilities.len()).max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b])).unwrap_or(0);
    Answer { class, name, probabilities }
}

fn values(values: Vec<f32>) -> Answer {
    let name = values.iter().map(f32::to_string).collect::<Vec<_>>().join(" ");
    Answer { class: 0, name, probabilities: Vec::new() }
}
