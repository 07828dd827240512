//! A model: its layers, weights and preprocessing.

use crate::cli::text::{self, Table};
use crate::cli::{Context, Result, models};
use retune::Model;
use retune::data::Preprocessing;
use retune::formats::keras::{KerasFile, Layout};
use retune::graph::ops::sequence::Pooling;
use retune::models::{LayerSummary, LoadReport, Task};
use retune::train::language::{Language, Said, fill};
use retune::train::said;
use retune::train::stored::Stored;
use serde_json::{Value, json};
use std::path::Path;

retune::train::texts! {
    struct Words {
        file: "file", "文件";
        format: "format", "格式";
        written_by: "{format}, written by Keras {version}", "{format}，由 Keras {version} 写入";
        parameters: "parameters", "参数";
        of_them_trainable: "{total}, {trainable} of them trainable", "{total} 个，其中可训练 {trainable} 个";
        task: "task", "任务";
        head: "head", "头";
        inputs: "inputs", "输入";
        any_texts: "texts of any number of tokens", "任意多词元的文本";
        texts: "texts of at most {most} tokens", "最多 {most} 个词元的文本";
        preprocessing: "preprocessing", "预处理";
        not_stored: "not stored in the file: give inputs as the model was trained on them", "文件中没有保存：请按模型训练时的方式给出输入";
        classes: "classes", "类别";
        note: "note", "注意";
        of_layer: "layer `{layer}`: {text}", "层 `{layer}`：{text}";
        layer: "layer", "层";
        output_shape: "output shape", "输出形状";
        trainable: "trainable", "可训练";
        yes: "yes", "是";
        no: "no", "否";
        values: "values", "值";
        in_tensors: "{values} in {tensors} tensors", "{tensors} 个张量，共 {values} 个值";
        tensor: "tensor", "张量";
        shape: "shape", "形状";
    }
}

pub fn inspect(context: &Context, path: &Path) -> Result {
    if path.is_dir() {
        return with_task(context, path, ("model folder", "模型文件夹"));
    }
    if !is_keras(path) {
        return with_task(context, path, ("weights named as in PyTorch", "按 PyTorch 命名的权重"));
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
    context.console.result(&description.text(context.language), || description.json());
    Ok(())
}

/// Whether a file is Keras's, by its name.
fn is_keras(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    matches!(extension.as_deref(), Some("keras" | "h5" | "hdf5" | "hdf"))
}

/// A folder as transformers writes it, or a file of weights alone whose architecture is recognized.
fn with_task(context: &Context, path: &Path, format: Named) -> Result {
    let (model, report) = models::load(context, path)?;
    let source = Source { path, format, writer: None };
    let preprocessing = Stored::of(&model)?.map(|stored| stored.preprocessing);
    let description = Description { source, layers: model.layers(), model, report, preprocessing };
    context.console.result(&description.text(context.language), || description.json());
    Ok(())
}

/// Labels that people are shown; programs get them all.
const SHOWN_LABELS: usize = 20;

/// What a model of a folder is for, in words, with so many of its labels at most.
fn task_text(task: &Task, most: usize) -> Said {
    let (count, mut labels) =
        (task.labels().len(), task.labels().iter().take(most).cloned().collect::<Vec<_>>().join(", "));
    if count > most {
        labels.push_str(", …");
    }
    match task {
        Task::Classification { .. } => said!("one of {count}: {labels}", "{count} 类之一：{labels}"),
        Task::MultiLabel { .. } => said!("any of {count}: {labels}", "{count} 类中的任意几个：{labels}"),
        Task::Regression { values } => Said::new(text::counted(*values, "number", "numbers"), format!("{values} 个数")),
        Task::TokenClassification { .. } => {
            said!("for each token one of {count}: {labels}", "每个词元 {count} 类之一：{labels}")
        }
        Task::Similarity { pooling, .. } => {
            let (english, chinese) = pooling_text(*pooling);
            Said::new(format!("similarity of texts, by {english} pooling"), format!("文本的相似度，{chinese}"))
        }
        Task::Embedding { pooling, .. } => {
            let (english, chinese) = pooling_text(*pooling);
            Said::new(format!("a vector for each text, by {english} pooling"), format!("每段文本一个向量，{chinese}"))
        }
    }
}

/// How the vectors of tokens become one.
fn pooling_text(pooling: Pooling) -> Named {
    match pooling {
        Pooling::Mean => ("mean", "平均池化"),
        Pooling::First => ("first", "首词元池化"),
        Pooling::Last => ("last", "末词元池化"),
    }
}

/// A name in English and Chinese.
type Named = (&'static str, &'static str);

/// Where a model comes from.
struct Source<'a> {
    path: &'a Path,
    format: Named,
    writer: Option<String>,
}

impl Source<'_> {
    fn text(&self, language: Language) -> String {
        let format = Said::from(self.format);
        let values = |version| [("format", format.of(language)), ("version", version)];
        match &self.writer {
            Some(version) => fill(Words::of(language).written_by, &values(version)),
            None => format.of(language).to_owned(),
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
    fn text(&self, language: Language) -> String {
        let words = Words::of(language);
        let mut layers = Table::new(&[2]);
        layers.row([words.layer, words.output_shape, words.parameters, words.trainable]);
        for layer in &self.layers {
            let name = layer.path.rsplit('/').next().unwrap_or(&layer.path);
            let (parameters, trainable) = match layer.parameters {
                0 => (String::new(), ""),
                n if layer.trainable_parameters == 0 => (text::count(n), words.no),
                n => (text::count(n), words.yes),
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
        summary.row([words.file, &self.source.path.display().to_string()]);
        summary.row([words.format, &self.source.text(language)]);
        let counts = [("total", text::count(total)), ("trainable", text::count(trainable))];
        let counts = counts.each_ref().map(|(name, count)| (*name, count.as_str()));
        summary.row([words.parameters, &fill(words.of_them_trainable, &counts)]);
        if let Some(task) = self.model.task() {
            summary.row([words.task, task_text(task, SHOWN_LABELS).of(language)]);
        }
        if let Some(pooling) = self.model.pooling().filter(|_| self.model.task().is_some_and(|t| t.outputs().is_some()))
        {
            let (english, chinese) = pooling_text(pooling);
            let head = Said::new(format!("a product behind {english} pooling"), format!("{chinese}之后的一个线性层"));
            summary.row([words.head, head.of(language)]);
        }
        if self.model.tokenizer().is_some() {
            let texts = match self.model.max_tokens() {
                Some(most) => fill(words.texts, &[("most", &most.to_string())]),
                None => words.any_texts.to_owned(),
            };
            summary.row([words.inputs, &texts]);
        }
        match &self.preprocessing {
            None if self.model.tokenizer().is_some() => {}
            Some(preprocessing) => {
                summary.row([words.preprocessing, preprocessing_text(preprocessing).of(language)]);
            }
            None => summary.row([words.preprocessing, words.not_stored]),
        }
        if let Some(names) = self.preprocessing.as_ref().and_then(|p| p.class_names.as_ref()) {
            let colon = if language == Language::Chinese { "：" } else { ": " };
            summary.row([words.classes, &format!("{}{colon}{}", names.len(), names.join(", "))]);
        }
        for note in &self.report.notes {
            let text = Said::looked_up(&note.text);
            let text = text.of(language);
            match note.layer.as_str() {
                "" => summary.row([words.note, text]),
                layer => summary.row([words.note, &fill(words.of_layer, &[("layer", layer), ("text", text)])]),
            }
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
            "format": self.source.format.0,
            "keras_version": self.source.writer,
            "parameters": parameters,
            "trainable_parameters": trainable_parameters,
            "task": self.model.task().map(|task| task_text(task, usize::MAX)),
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
    let words = Words::of(context.language);
    let mut summary = Table::new(&[]);
    summary.row([words.file, &path.display().to_string()]);
    summary.row([words.format, &source.text(context.language)]);
    let counts = [("values", text::count(total)), ("tensors", text::count(tensors.len()))];
    let counts = counts.each_ref().map(|(name, count)| (*name, count.as_str()));
    summary.row([words.values, &fill(words.in_tensors, &counts)]);
    let mut table = Table::new(&[2]);
    table.row([words.tensor, words.shape, words.values]);
    for (name, tensor) in &tensors {
        table.row([name.clone(), format!("{:?}", tensor.shape()), text::count(tensor.len())]);
    }
    context.console.result(&format!("{}\n{}", summary.render(0), table.render(0).trim_end()), || {
        let tensor = |(name, tensor): &(String, &retune::Tensor)| json!({ "name": name, "shape": tensor.shape() });
        json!({
            "path": path,
            "format": source.format.0,
            "keras_version": source.writer,
            "values": total,
            "tensors": tensors.iter().map(tensor).collect::<Vec<_>>(),
        })
    });
}

fn format_name(layout: Layout) -> Named {
    match layout {
        Layout::LegacyModel => ("Keras HDF5 model", "Keras HDF5 模型"),
        Layout::LegacyWeights => ("Keras HDF5 weights by layer", "按层存放的 Keras HDF5 权重"),
        Layout::Archive => ("Keras archive", "Keras 归档"),
        Layout::Weights => ("Keras weights by path", "按路径存放的 Keras 权重"),
    }
}

/// Sizes of a shape, the batch as `null`.
fn shape_json(shape: &retune::graph::Shape) -> Value {
    shape.dims().iter().map(|dim| dim.fixed()).collect::<Vec<_>>().into()
}

/// The steps in the order in which they are taken.
fn preprocessing_text(preprocessing: &Preprocessing) -> Said {
    let mut steps = Vec::new();
    if let Some(color) = &preprocessing.color {
        let name = format!("{color:?}").to_lowercase();
        steps.push(said!("colour {name}", "颜色 {name}"));
    }
    if let Some(resize) = &preprocessing.resize {
        let (height, width) = (resize.height, resize.width);
        steps.push(said!("resize to {height}×{width}", "缩放到 {height}×{width}"));
    }
    if let Some(rescale) = &preprocessing.rescale {
        let (scale, offset) = (rescale.scale, rescale.offset);
        steps.push(match offset {
            0.0 => said!("multiply by {scale}", "乘以 {scale}"),
            _ => said!("multiply by {scale} and add {offset}", "乘以 {scale} 再加 {offset}"),
        });
    }
    if let Some(normalize) = &preprocessing.normalize {
        let (mean, std) = (&normalize.mean, &normalize.std);
        steps.push(said!(
            "subtract mean {mean:?}, divide by deviation {std:?}",
            "减去均值 {mean:?}，除以标准差 {std:?}"
        ));
    }
    if steps.is_empty() {
        return Said::new("none: inputs as they are stored", "无：输入保持原样");
    }
    Said::in_each(|language| {
        let steps: Vec<&str> = steps.iter().map(|step| step.of(language)).collect();
        steps.join(if language == Language::Chinese { "，然后" } else { ", then " })
    })
}
