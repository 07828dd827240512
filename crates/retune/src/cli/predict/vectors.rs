//! Vectors of single texts: as an array, or with the texts as JSON lines.

use super::{Arguments, wrote};
use crate::cli::failure::Failure;
use crate::cli::progress::Progress;
use crate::cli::{Context, Result};
use retune::data::Dataset;
use retune::data::dataset::Texts;
use retune::formats::atomic::write_bytes_atomic;
use retune::formats::npy;
use retune::train::predict::Predictor;
use retune::train::said;
use retune::{Model, Tensor};
use serde_json::json;
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

/// Forms of files of vectors.
enum Form {
    /// `[texts, width]`.
    Array,
    /// `{"text": …, "embedding": […]}` a line.
    Lines,
}

impl Form {
    fn of(path: &Path) -> Result<Form> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("npy") => Ok(Form::Array),
            Some("jsonl") => Ok(Form::Lines),
            _ => Err(Failure::usage(said!(
                "the model gives a vector for each text, which `{path}` cannot hold",
                "模型为每段文本给出一个向量，`{path}` 无法存放",
                path = path.display()
            ))
            .hint("name a file with `.npy` or `.jsonl` at its end")),
        }
    }
}

/// Gives the vector of each text.
pub(super) fn predict(context: &Context, arguments: &Arguments, model: Model, texts: Texts) -> Result {
    let output = arguments.output.as_deref().map(|path| Ok::<_, Failure>((path, Form::of(path)?))).transpose()?;
    let names: Vec<String> = texts.first.iter().map(Cow::into_owned).collect();
    let data = Arc::new(Dataset::from_texts("texts to predict on", texts)?);
    let mut bar = Progress::new(context.console, ("predicting", "预测")).bar_only();
    let vectors = Predictor::new(&context.cpu(), model)?.outputs(data, &mut bar)?;
    bar.finish();
    match output {
        None => context.console.result(lines(&names, &vectors).trim_end(), || {
            let rows = rows(&vectors);
            let items = names.iter().zip(rows).map(|(text, row)| json!({ "text": text, "embedding": row }));
            json!({ "shape": vectors.shape(), "embeddings": items.collect::<Vec<_>>() })
        }),
        Some((path, form)) => {
            match form {
                Form::Array => npy::write(path, &vectors)?,
                Form::Lines => write_bytes_atomic(path, lines(&names, &vectors).as_bytes())
                    .map_err(|e| Failure::cannot_write(path, e))?,
            }
            let text = format!("{} {:?}", wrote(path).of(context.language), vectors.shape());
            context.console.result(&text, || json!({ "output": path, "shape": vectors.shape() }));
        }
    }
    Ok(())
}

fn rows(vectors: &Tensor) -> impl Iterator<Item = &[f32]> {
    let width = vectors.shape().iter().skip(1).product::<usize>().max(1);
    vectors.as_f32().unwrap_or(&[]).chunks_exact(width)
}

fn lines(texts: &[String], vectors: &Tensor) -> String {
    let line = |(text, row): (&String, &[f32])| format!("{}\n", json!({ "text": text, "embedding": row }));
    texts.iter().zip(rows(vectors)).map(line).collect()
}
