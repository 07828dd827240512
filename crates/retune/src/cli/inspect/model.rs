//! A model: its layers, weights and preprocessing.

use crate::cli::text::{self, Table};
use crate::cli::{Context, Result, models};
use retune::Model;
use retune::data::Preprocessing;
use retune::formats::keras::{KerasFile, Layout};
use retune::models::{LayerSummary, LoadReport, Task};
use retune::train::stored::Stored;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;

pub fn inspect(context: &Context, path: &Path) -> Result {
    if path.is_dir() {
        return with_task(context, path, "model folder");
    }
    if !is_keras(path) {
        return with_task(context, path, "weights named as in PyTorch");
    }
    let file = KerasFile::read(path)?;
    if file.config.is_none() {
        weights_only(context, path, &file);
        return Ok(());
    }
    let source = Source { path, format: format_name(file.layout), writer: file.keras_version.clone() };
    let Some((model, report)) = Model::from_file(file).map_err(|error| crate::cli::in_file(path, error))? else {
        unreachable!("the file has a description")
    };
    let preprocessing = Stored::of(&model)?.map(|stored| stored.preprocessing);
    let description = Description { source, layers: model.layers(), model, report, preprocessing };
    context.console.result(&description.text(), || description.json());
    Ok(())
}

/// Whether a file is Keras's, by its name.
fn is_keras(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    matches!(extension.as_deref(), Some("keras" | "h5" | "hdf5" | "hdf"))
}

/// A folder as transformers writes it, or a file of weights alone whose architecture is recognized.
fn with_task(context: &Context, path: &Path, format: &'static str) -> Result {
    let (model, report) = models::load(context, path)?;
    let source = Source { path, format, writer: None };
    let preprocessing = Stored::of(&model)?.map(|stored| stored.preprocessing);
    let description = Description { source, layers: model.layers(), model, report, preprocessing };
    context.console.result(&description.text(), || description.json());
    Ok(())
}

/// What a model of a folder is for, in words.
fn task_text(task: &Task) -> String {
    match task {
        Task::Classification { labels } => format!("one of {}: {}", labels.len(), labels.join(", ")),
        Task::MultiLabel { labels } => format!("any of {}: {}", labels.len(), labels.join(", ")),
        Task::Regression { values } => text::counted(*values, "number", "numbers"),
        Task::TokenClassification { labels } => {
            format!("for each token one of {}: {}", labels.len(), labels.join(", "))
        }
        Task::Similarity { pooling, .. } => format!("similarity of texts, by {pooling:?} pooling").to_lowercase(),
        Task::Embedding { pooling, .. } => format!("a vector for each text, by {pooling:?} pooling").to_lowercase(),
    }
}

/// Where a model comes from.
struct Source<'a> {
    path: &'a Path,
    format: &'static str,
    writer: Option<String>,
}

impl Source<'_> {
    fn text(&self) -> String {
        match &self.writer {
            Some(version) => format!("{}, written by Keras {version}", self.format),
            None => self.format.to_owned(),
        }
    }
}

struct Description<'a> {
    source: Source<'a>,
    model: Model,
    layers: Vec<LayerSummary>,
    report: LoadReport,
    preprocessing: Option<Preprocessing>,
}

impl Description<'_> {
    fn text(&self) -> String {
        let mut layers = Table::new(&[2]);
        layers.row(["layer", "output shape", "parameters", "trainable"]);
        for layer in &self.layers {
            let name = layer.path.rsplit('/').next().unwrap_or(&layer.path);
            let (parameters, trainable) = match layer.parameters {
                0 => (String::new(), ""),
                n if layer.trainable_parameters == 0 => (text::count(n), "no"),
                n => (text::count(n), "yes"),
            };
            layers.row([
                format!("{}{name} ({})", "  ".repeat(layer.depth), layer.class),
                layer.shape.as_ref().map_or_else(String::new, text::shape),
                parameters,
                trainable.to_owned(),
            ]);
        }
        let (total, trainable) = self.parameters();
        let mut summary = Table::new(&[]);
        summary.row(["file".to_owned(), self.source.path.display().to_string()]);
        summary.row(["format".to_owned(), self.source.text()]);
        summary.row([
            "parameters".to_owned(),
            format!("{}, {} of them trainable", text::count(total), text::count(trainable)),
        ]);
        if let Some(task) = self.model.task() {
            summary.row(["task".to_owned(), task_text(task)]);
        }
        if let Some(pooling) = self.model.pooling().filter(|_| self.model.task().is_some_and(|t| t.outputs().is_some()))
        {
            summary.row(["head".to_owned(), format!("a product behind {pooling:?} pooling").to_lowercase()]);
        }
        if self.model.tokenizer().is_some() {
            let most = self.model.max_tokens().map_or("any number of".to_owned(), |most| format!("at most {most}"));
            summary.row(["inputs".to_owned(), format!("texts of {most} tokens")]);
        }
        match &self.preprocessing {
            None if self.model.tokenizer().is_some() => {}
            Some(preprocessing) => summary.row(["preprocessing".to_owned(), preprocessing_text(preprocessing)]),
            None => {
                summary.row(["preprocessing", "not stored in the file: give inputs as the model was trained on them"])
            }
        }
        if let Some(names) = self.preprocessing.as_ref().and_then(|p| p.class_names.as_ref()) {
            summary.row(["classes".to_owned(), format!("{}: {}", names.len(), names.join(", "))]);
        }
        for note in &self.report.notes {
            let text = match note.layer.as_str() {
                "" => note.text.clone(),
                layer => format!("layer `{layer}`: {}", note.text),
            };
            summary.row(["note".to_owned(), text]);
        }
        format!("{}\n{}", summary.render(0), layers.render(0).trim_end())
    }

    fn parameters(&self) -> (usize, usize) {
        let count = |trainable: bool| {
            self.model.weights.iter().filter(|w| w.trainable || !trainable).map(|w| w.value.len()).sum::<usize>()
        };
        (count(false), count(true))
    }

    fn json(&self) -> Value {
        let (parameters, trainable_parameters) = self.parameters();
        let layer = |layer: &LayerSummary| {
            json!({
                "path": layer.path,
                "class": layer.class,
                "output_shape": layer.shape.as_ref().map(shape_json),
                "parameters": layer.parameters,
                "trainable_parameters": layer.trainable_parameters,
                "trainable": layer.trainable,
                "depth": layer.depth,
            })
        };
        json!({
            "path": self.source.path,
            "format": self.source.format,
            "keras_version": self.source.writer,
            "parameters": parameters,
            "trainable_parameters": trainable_parameters,
            "task": self.model.task().map(task_text),
            "max_tokens": self.model.max_tokens(),
            "layers": self.layers.iter().map(layer).collect::<Vec<_>>(),
            "preprocessing": self.preprocessing,
            "notes": self.report.notes.iter().map(|n| json!({ "layer": n.layer, "text": n.text })).collect::<Vec<_>>(),
        })
    }
}

/// A file that holds weights without the network that they belong to.
fn weights_only(context: &Context, path: &Path, file: &KerasFile) {
    let source = Source { path, format: format_name(file.layout), writer: file.keras_version.clone() };
    let tensors: Vec<_> = file.weights.tensors().collect();
    let total: usize = tensors.iter().map(|(_, tensor)| tensor.len()).sum();
    let mut summary = Table::new(&[]);
    summary.row(["file".to_owned(), path.display().to_string()]);
    summary.row(["format".to_owned(), source.text()]);
    summary.row(["values".to_owned(), format!("{} in {} tensors", text::count(total), text::count(tensors.len()))]);
    let mut table = Table::new(&[2]);
    table.row(["tensor", "shape", "values"]);
    for (name, tensor) in &tensors {
        table.row([name.clone(), format!("{:?}", tensor.shape()), text::count(tensor.len())]);
    }
    context.console.result(&format!("{}\n{}", summary.render(0), table.render(0).trim_end()), || {
        let tensor = |(name, tensor): &(String, &retune::Tensor)| json!({ "name": name, "shape": tensor.shape() });
        json!({
            "path": path,
            "format": source.format,
            "keras_version": source.writer,
            "values": total,
            "tensors": tensors.iter().map(tensor).collect::<Vec<_>>(),
        })
    });
}

fn format_name(layout: Layout) -> &'static str {
    match layout {
        Layout::LegacyModel => "Keras HDF5 model",
        Layout::LegacyWeights => "Keras HDF5 weights by layer",
        Layout::Archive => "Keras archive",
        Layout::Weights => "Keras weights by path",
    }
}

/// Sizes of a shape, the batch as `null`.
fn shape_json(shape: &retune::graph::Shape) -> Value {
    shape.dims().iter().map(|dim| dim.fixed()).collect::<Vec<_>>().into()
}

/// The steps in the order in which they are taken.
fn preprocessing_text(preprocessing: &Preprocessing) -> String {
    let mut steps = Vec::new();
    if let Some(color) = &preprocessing.color {
        steps.push(format!("colour {color:?}").to_lowercase());
    }
    if let Some(resize) = &preprocessing.resize {
        steps.push(format!("resize to {}×{}", resize.height, resize.width));
    }
    if let Some(rescale) = &preprocessing.rescale {
        let mut text = format!("multiply by {}", rescale.scale);
        if rescale.offset != 0.0 {
            let _ = write!(text, " and add {}", rescale.offset);
        }
        steps.push(text);
    }
    if let Some(normalize) = &preprocessing.normalize {
        steps.push(format!("subtract mean {:?}, divide by deviation {:?}", normalize.mean, normalize.std));
    }
    if steps.is_empty() { "none: inputs as they are stored".to_owned() } else { steps.join(", then ") }
}
