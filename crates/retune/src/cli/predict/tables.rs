//! Labels or values of the rows of tables, by the columns that are stored with the model.

use super::{Arguments, Predictions, write};
use crate::cli::failure::Failure;
use crate::cli::progress::Progress;
use crate::cli::{Context, Result};
use retune::Model;
use retune::data::{SourceOptions, TableSchema, open};
use retune::train::predict::{Answer, Predictor};
use std::path::Path;
use std::sync::Arc;

/// Predicts on every row of the file that the arguments name.
pub(super) fn predict(context: &Context, arguments: &Arguments, model: Model, schema: &TableSchema) -> Result {
    let [path] = arguments.input.as_slice() else {
        return Err(
            Failure::usage(("one table is read at a time", "一次只读取一个表格")).hint("call `predict` for each")
        );
    };
    let options = SourceOptions { unlabelled: true, ..schema.source_options() };
    let data = Arc::new(open(path, &options)?.train);
    let items: Vec<String> = data.ids().into_iter().map(|id| item(path, &data.place(id))).collect();
    let predictor = Predictor::new(&context.cpu(), model)?;
    let names = predictor.preprocessing().class_names.clone();
    let is_real = schema.label.as_ref().is_some_and(|label| label.labels == retune::data::LabelType::Real);
    let mut bar = Progress::new(context.console, ("predicting", "预测")).bar_only();
    let answers = if is_real {
        let outputs = predictor.outputs(data, &mut bar)?;
        let width: usize = outputs.shape().iter().skip(1).product();
        outputs.to_f32_vec().chunks_exact(width.max(1)).map(values).collect()
    } else {
        predictor.classify(data, &mut bar)?
    };
    bar.finish();
    write(context, arguments, &Predictions { item: "row", value: "value", items, answers, names })
}

/// `line 7`, without the file's name, which is the same for all.
fn item(path: &Path, place: &str) -> String {
    place.strip_prefix(&format!("{}, ", path.display())).unwrap_or(place).to_owned()
}

fn values(values: &[f32]) -> Answer {
    let name = values.iter().map(f32::to_string).collect::<Vec<_>>().join(" ");
    Answer { class: 0, name, probabilities: Vec::new() }
}
