//! Labels of words, and the entities that they mark: a JSON object a line for each text.

use super::{Arguments, texts};
use crate::cli::failure::Failure;
use crate::cli::progress::Progress;
use crate::cli::{Context, Result};
use retune::Model;
use retune::data::{Dataset, LabelType, SourceOptions, open, words};
use retune::formats::atomic::write_bytes_atomic;
use retune::train::language::Said;
use retune::train::predict::{LabelledText, Predictor};
use retune::train::said;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

/// Labels the words of all texts that the arguments name.
pub(super) fn predict(context: &Context, arguments: &Arguments, model: Model) -> Result {
    if !arguments.text_pair.is_empty() || arguments.pair_column.is_some() {
        return Err(Failure::usage(Said::new(
            "the model labels the words of single texts, not of pairs",
            "该模型为单段文本的词给出标签，不接受成对的文本",
        )));
    }
    let mut all: Vec<Vec<String>> = arguments.text.iter().map(|text| cut(text)).collect();
    for path in &arguments.input {
        all.extend(read(arguments, path)?);
    }
    let data = Arc::new(Dataset::from_words("texts to predict on", &all)?);
    let labels = model.task().map(|task| task.labels().to_vec()).unwrap_or_default();
    let mut bar = Progress::new(context.console, ("predicting", "预测")).bar_only();
    let found = Predictor::new(&context.cpu(), model)?.label_words(data, &mut bar)?;
    bar.finish();
    let objects: Vec<Value> = all.iter().zip(&found).map(|(words, found)| object(words, found, &labels)).collect();
    let lines: String = objects.iter().map(|object| format!("{object}\n")).collect();
    match &arguments.output {
        None => context.console.result(lines.trim_end(), || json!({ "predictions": objects })),
        Some(path) => {
            write_bytes_atomic(path, lines.as_bytes()).map_err(|e| Failure::cannot_write(path, e))?;
            let said = said!(
                "wrote `{path}`, {lines} lines",
                "已写入 `{path}`，共 {lines} 行",
                path = path.display(),
                lines = objects.len()
            );
            context.console.result(said.of(context.language), || json!({ "output": path, "predictions": objects }));
        }
    }
    Ok(())
}

/// The texts of a file by their words: as the file tells them apart, or cut here.
fn read(arguments: &Arguments, path: &Path) -> Result<Vec<Vec<String>>> {
    let options = texts::options(arguments, path);
    let as_words = SourceOptions { labels: Some(LabelType::WordClass), ..options.clone() };
    let is_table =
        path.extension().is_some_and(|extension| ["csv", "tsv"].iter().any(|e| extension.eq_ignore_ascii_case(e)));
    // Objects of JSON may have a list of words or a text.
    let data = match open(path, &as_words) {
        Ok(parts) if !is_table => parts.train,
        _ => open(path, &options)?.train,
    };
    let text = |id: u64| match data.words_of(id) {
        Some(words) => words,
        None => cut(&data.texts().and_then(|texts| texts.get(id as usize)).unwrap_or_default().0),
    };
    Ok(data.ids().into_iter().map(text).collect())
}

fn cut(text: &str) -> Vec<String> {
    words::split(text).into_iter().map(str::to_owned).collect()
}

/// `{"tokens": […], "tags": […], "entities": [{"type": …, "start": …, "end": …, "text": …, "score": …}]}`; `end` is the word after
/// the last one. A word of which the network saw nothing has `null` for a tag.
fn object(words: &[String], found: &LabelledText, labels: &[String]) -> Value {
    let tags: Vec<Option<&str>> =
        found.labels.iter().map(|label| label.and_then(|label| labels.get(label)).map(String::as_str)).collect();
    let entities = found.entities.iter().map(|entity| {
        json!({
            "type": entity.name,
            "start": entity.start,
            "end": entity.end,
            "text": words[entity.start..entity.end].join(" "),
            "score": entity.score,
        })
    });
    json!({ "tokens": words, "tags": tags, "entities": entities.collect::<Vec<_>>() })
}
