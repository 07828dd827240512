//! `retune predict`: labels and probabilities of images, of texts ([`texts`]) and of rows of tables ([`tables`]), labels of words with entities ([`words`]), similarities of
//! pairs of texts, vectors of single ones ([`vectors`]), or the network's raw outputs for arrays.

mod tables;
mod texts;
mod vectors;
mod words;

use crate::cli::failure::Failure;
use crate::cli::progress::Progress;
use crate::cli::text::{Table, count, counted};
use crate::cli::{Context, Result, models, paths};
use retune::data::Dataset;
use retune::data::preprocess::{Color, Resize};
use retune::data::sources::images_of;
use retune::formats::atomic::write_bytes_atomic;
use retune::formats::npy;
use retune::models::{Mode, ModelError, Task};
use retune::train::language::{Language, Said, phrases};
use retune::train::predict::{Answer, Predictor};
use retune::train::said;
use retune::train::stored::Stored;
use retune::train::views::Views;
use retune::{Inference, Model, Tensor};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Examples that go through the network together.
const BATCH: usize = 32;
/// Classes that are shown of each image, the most likely first.
const SHOWN: usize = 3;

/// Predict with a model.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The model: a file, a folder, or `hf://org/name`
    #[arg(long, value_name = "MODEL")]
    model: PathBuf,
    /// Image files, or folders of them with the folders in these; a table as .csv or .tsv; texts as .txt (one a line), .csv, .tsv or .jsonl; words as .conll; or one .npy file of network inputs
    #[arg(long, value_name = "FILE", required_unless_present = "text", num_args = 1..)]
    input: Vec<PathBuf>,
    /// A text; may be given several times
    #[arg(long, value_name = "TEXT", conflicts_with = "input")]
    text: Vec<String>,
    /// The second text of a pair, one for each `--text`
    #[arg(long, value_name = "TEXT", requires = "text")]
    text_pair: Vec<String>,
    /// The column or field of the texts, by name or number [default: `text`, `sentence` and the like, or the longest]
    #[arg(long, value_name = "NAME", requires = "input")]
    column: Option<String>,
    /// The column or field of the second texts
    #[arg(long, value_name = "NAME", requires = "input")]
    pair_column: Option<String>,
    /// Look at each image several times and take the mean of the probabilities: `mirrored` (also left to right), `flipped` (also top
    /// to bottom, and both)
    #[arg(long, value_name = "VIEWS")]
    test_time_augmentation: Option<Views>,
    /// Where to write: .npy for arrays, .csv for images and texts, .npy or .jsonl for vectors of texts, .jsonl for labels of words [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace OUTPUT if it exists
    #[arg(long)]
    force: bool,
}

/// Predicts.
pub fn run(context: &Context, arguments: &Arguments) -> Result {
    arguments.input.iter().try_for_each(|path| paths::must_exist(path))?;
    if let Some(output) = &arguments.output {
        paths::must_not_exist(output, arguments.force)?;
    }
    let (model, _) = models::load(context, &arguments.model)?;
    let is_array = |path: &PathBuf| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy"));
    let shows_images =
        arguments.text.is_empty() && !arguments.input.iter().any(is_array) && model.tokenizer().is_none();
    if arguments.test_time_augmentation.is_some() && !shows_images {
        return Err(Failure::usage(Said::new(
            "`--test-time-augmentation` is for images",
            "`--test-time-augmentation` 只用于图像",
        )));
    }
    let table = Stored::of(&model)?.and_then(|stored| stored.preprocessing.table);
    if let (Some(schema), [_, ..]) = (&table, arguments.input.as_slice())
        && !arguments.input.iter().any(is_array)
    {
        return tables::predict(context, arguments, model, schema);
    }
    match arguments.input.as_slice() {
        [array] if is_array(array) => predict_array(context, arguments, &model, array),
        _ if matches!(model.task(), Some(Task::TokenClassification { .. })) => {
            words::predict(context, arguments, model)
        }
        _ if model.tokenizer().is_some() => texts::predict(context, arguments, model),
        [] => Err(Failure::new(Said::new("the model takes no texts", "该模型不接受文本"))
            .hint("texts go to a model folder with a `tokenizer.json`")),
        files if files.iter().any(is_array) => {
            Err(Failure::usage(Said::new("one `.npy` file is read at a time", "一次只读取一个 `.npy` 文件"))
                .hint("stack the arrays, or call `predict` for each"))
        }
        files => predict_images(context, arguments, model, files),
    }
}

/// The network's raw outputs for an array of prepared inputs.
fn predict_array(context: &Context, arguments: &Arguments, model: &Model, input: &Path) -> Result {
    let array = npy::read(input)?;
    let examples = *array.shape().first().ok_or_else(|| {
        Failure::new(Said::new(
            format!("`{}` holds a single number; the first axis must count the examples", input.display()),
            format!("`{}` 中只有一个数；第一个轴应为样本数", input.display()),
        ))
    })?;
    let cpu = context.cpu();
    let mut inference = match Inference::new(&cpu, model) {
        Err(error) if matches!(*error, ModelError::UnknownSize { .. }) => {
            let shape = array.shape()[1..].iter().copied().map(Some).collect();
            Inference::with_shapes(&cpu, model, Some(&[shape]))?
        }
        inference => inference?,
    };
    let [given] = inference.inputs() else {
        return Err(Failure::new(Said::new(
            format!("the model has {} inputs, one array has one", inference.inputs().len()),
            format!("模型有 {} 个输入，而一个数组只是一个输入", inference.inputs().len()),
        )));
    };
    let expected = given.shape.clone();
    let fits = expected.rank() == array.shape().len()
        && expected.dims().iter().zip(array.shape()).skip(1).all(|(dim, size)| dim.fixed() == Some(*size));
    if !fits {
        return Err(Failure::new(said!(
            "`{array}`: the model takes {expected}, the array is {found:?}",
            "`{array}`：模型接受 {expected}，而数组为 {found:?}",
            array = input.display(),
            expected = crate::cli::text::shape(&expected),
            found = array.shape()
        )));
    }
    let array = match given.dtype {
        retune::graph::DType::I32 => integers(array),
        retune::graph::DType::F32 => array.into_f32(),
    };
    let outputs = inference.predict_batches(&[array], BATCH)?;
    let Some(path) = &arguments.output else {
        let [first] = outputs.as_slice() else { return Err(several_outputs(outputs.len())) };
        let values = first.to_f32_vec();
        let width = values.len() / examples.max(1);
        let rows: Vec<&[f32]> = values.chunks(width.max(1)).collect();
        let text: Vec<String> =
            rows.iter().map(|row| row.iter().map(f32::to_string).collect::<Vec<_>>().join(" ")).collect();
        context.console.result(&text.join("\n"), || json!({ "shape": first.shape(), "outputs": rows }));
        return Ok(());
    };
    let written = match outputs.as_slice() {
        [output] => {
            npy::write(path, output)?;
            vec![path.clone()]
        }
        outputs => {
            // One file per output: y.npy, y.1.npy, …
            let name = |index: usize| match index {
                0 => path.clone(),
                n => path.with_extension(format!("{n}.npy")),
            };
            outputs.iter().enumerate().try_for_each(|(index, output)| npy::write(name(index), output))?;
            (0..outputs.len()).map(name).collect()
        }
    };
    let shapes: Vec<&[usize]> = outputs.iter().map(Tensor::shape).collect();
    let text: Vec<String> = written
        .iter()
        .zip(&shapes)
        .map(|(path, shape)| format!("{} {shape:?}", wrote(path).of(context.language)))
        .collect();
    context.console.result(&text.join("\n"), || json!({ "outputs": written, "shapes": shapes }));
    Ok(())
}

fn several_outputs(count: usize) -> Failure {
    Failure::new(Said::new(format!("the model has {count} outputs"), format!("模型有 {count} 个输出")))
        .hint("name a file for them with `--output y.npy`")
}

fn integers(array: Tensor) -> Tensor {
    let shape = array.shape().to_vec();
    let values: Vec<i32> = array.to_f32_vec().into_iter().map(|value| value as i32).collect();
    Tensor::new(shape, values).expect("as many values as before")
}

/// Labels and probabilities of images, prepared as the model was trained on them.
fn predict_images(context: &Context, arguments: &Arguments, model: Model, inputs: &[PathBuf]) -> Result {
    let files = image_files(inputs)?;
    if Stored::of(&model)?.is_none() {
        let model = arguments.model.display();
        let problem = Said::new(
            format!("`{model}` does not say how images are prepared for it"),
            format!("`{model}` 没有说明图像应如何准备"),
        );
        return Err(Failure::new(problem).hint(
            "models saved by `retune fit` do; for others, give prepared inputs as `.npy`, or fine-tune the model first",
        ));
    }
    let views = arguments.test_time_augmentation.unwrap_or_default();
    let predictor = sized_to_network(Predictor::new(&context.cpu(), model)?).with_views(views);
    let names = predictor.preprocessing().class_names.clone();
    let mut bar = Progress::new(context.console, ("predicting", "预测")).bar_only();
    let answers = predictor.classify(Arc::new(Dataset::from_image_files(files.clone())?), &mut bar)?;
    bar.finish();
    let items = files.iter().map(|file| file.display().to_string()).collect();
    write(context, arguments, &Predictions { item: "file", value: "value", items, answers, names })
}

/// A file was written.
fn wrote(path: &Path) -> Said {
    said!("wrote `{path}`", "已写入 `{path}`", path = path.display())
}

/// Writes predictions to the file named, or to standard output.
fn write(context: &Context, arguments: &Arguments, predictions: &Predictions) -> Result {
    match &arguments.output {
        Some(path) => {
            write_bytes_atomic(path, predictions.csv().as_bytes()).map_err(|e| Failure::cannot_write(path, e))?;
            let (file, rows) = (path.display(), predictions.items.len());
            let said = Said::new(
                format!("wrote `{file}`, {}", counted(rows, "row", "rows")),
                format!("已写入 `{file}`，共 {} 行", count(rows)),
            );
            context
                .console
                .result(said.of(context.language), || json!({ "output": path, "predictions": predictions.json() }));
        }
        None => context
            .console
            .result(predictions.table(context.language).trim_end(), || json!({ "predictions": predictions.json() })),
    }
    Ok(())
}

/// Images of any size are brought to the network's, where training had no need to: all of its images had that size.
fn sized_to_network(predictor: Predictor) -> Predictor {
    let mut preprocessing = predictor.preprocessing().clone();
    let network = predictor.model().build(Mode::Inference, None).ok();
    let input = network.as_ref().and_then(|network| network.inputs.first());
    let sizes: Vec<usize> =
        input.iter().flat_map(|input| input.shape.dims()).skip(1).filter_map(|dim| dim.fixed()).collect();
    if let &[height, width, channels] = sizes.as_slice() {
        preprocessing.resize.get_or_insert(Resize::to(height, width));
        if channels == 1 {
            preprocessing.color.get_or_insert(Color::Grey);
        }
    }
    predictor.with_preprocessing(preprocessing)
}

/// The files named, and the images of the folders named and of their folders, in the order of their names.
fn image_files(inputs: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for input in inputs {
        if !input.is_dir() {
            files.push(input.clone());
            continue;
        }
        let images = images_of(input)?;
        if images.is_empty() {
            return Err(Failure::new(Said::new(
                format!("`{}` holds no images", input.display()),
                format!("`{}` 中没有图像", input.display()),
            )));
        }
        files.extend(images);
    }
    Ok(files)
}

/// What is predicted of each item.
struct Predictions {
    /// What an item is called in files: `file` or `text`.
    item: &'static str,
    /// What a number that is predicted is called: `value` or `similarity`.
    value: &'static str,
    items: Vec<String>,
    answers: Vec<Answer>,
    names: Option<Vec<String>>,
}

impl Predictions {
    fn rows(&self) -> impl Iterator<Item = (&str, &Answer)> {
        self.items.iter().map(String::as_str).zip(&self.answers)
    }

    fn name(&self, class: usize) -> String {
        self.names.as_ref().and_then(|names| names.get(class).cloned()).unwrap_or_else(|| class.to_string())
    }

    fn table(&self, language: Language) -> String {
        let mut table = Table::new(&[]);
        for (item, answer) in self.rows() {
            // Rows are told apart by their places, which are words.
            let item = match language {
                Language::Chinese if self.item == "row" => phrases::chinese(item),
                _ => shortened(item),
            };
            if answer.probabilities.is_empty() {
                table.row([item, answer.name.clone()]);
                continue;
            }
            let mut ranked: Vec<(usize, f32)> = answer.probabilities.iter().copied().enumerate().collect();
            ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
            let shown = ranked.iter().take(SHOWN).map(|&(class, p)| format!("{} {:.1} %", self.name(class), 100.0 * p));
            table.row(std::iter::once(item).chain(shown));
        }
        table.render(0)
    }

    fn csv(&self) -> String {
        let has_probabilities = self.answers.iter().any(|answer| !answer.probabilities.is_empty());
        let columns = if has_probabilities { "label,probability" } else { self.value };
        let mut text = format!("{},{columns}\n", self.item);
        for (item, answer) in self.rows() {
            text.push_str(&format!("{},{}", quoted(item), quoted(&answer.name)));
            text.extend(answer.probabilities.get(answer.class).map(|probability| format!(",{probability}")));
            text.push('\n');
        }
        text
    }

    fn json(&self) -> Vec<Value> {
        self.rows()
            .map(|(item, answer)| {
                if answer.probabilities.is_empty() {
                    return json!({ self.item: item, self.value: answer.name });
                }
                let named = answer.probabilities.iter().enumerate().map(|(class, p)| (self.name(class), (*p).into()));
                let probabilities: serde_json::Map<String, Value> = named.collect();
                json!({ self.item: item, "label": answer.name, "probabilities": probabilities })
            })
            .collect()
    }
}

/// Most characters of an item in a table.
const SHOWN_CHARACTERS: usize = 80;

/// The beginning of an item, on one line.
fn shortened(item: &str) -> String {
    let item = item.replace(['\n', '\t', '\r'], " ");
    match item.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}…", &item[..end]),
        None => item,
    }
}

/// A field of a CSV file, in quotes where it needs them.
fn quoted(field: &str) -> String {
    if field.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}
