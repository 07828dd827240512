//! `kind = "table"` in `[model]`: checks, the model that suits the training part of a table, and rows made for rare classes.

use super::build::DataParts;
use super::document::{Located, Place};
use super::keys::Recipe;
use super::sections::value;
use super::settings::{AT_LEAST_1, Check, SHARE_BELOW_1, Settings};
use crate::error::TrainError;
use crate::language::Said;
use crate::said;
use crate::stored::Stored;
use retune_data::labels::LabelType;
use retune_data::table::{LabelColumn, smote};
use retune_data::{Dataset, LabelKind, Preprocessing, TableSchema};
use retune_models::Model;
use retune_models::keras::TableNetwork;
use std::sync::Arc;

/// Fewest and most bins of a number; between them one for so many training rows as follow.
const BINS: [usize; 2] = [4, 64];
/// Training rows of a bin.
const BIN_ROWS: usize = 50;
/// Units of the hidden layers.
const HIDDEN: [usize; 2] = [128, 64];
/// Share of their units that are dropped.
const DROPOUT: f64 = 0.1;
/// Numbers that stand for a category.
const EMBEDDING: usize = 8;

impl Check<'_> {
    /// Keys of models for tables.
    pub(super) fn table(&mut self, recipe: &Recipe) {
        fn place<T>(field: &Option<Located<T>>) -> Option<Place> {
            field.as_ref().map(|located| located.place.clone())
        }
        let model = &recipe.model;
        self.require("model.dropout", &model.dropout, SHARE_BELOW_1, |x| (0.0..1.0).contains(x));
        self.require("model.embedding", &model.embedding, AT_LEAST_1, |&n| n > 0);
        self.require("preprocess.bins", &recipe.preprocess.bins, ("0 to 1024", "0 到 1024"), |&n| n <= 1024);
        if let Some(Located { value, place }) = &model.hidden
            && value.contains(&0)
        {
            let message = ("every layer needs a unit at least", "每一层至少需要一个单元");
            self.document.problem(place.clone(), "model.hidden", message, None);
        }
        if let Some(Located { value, place }) = &recipe.augment.smote
            && let Err(error) = value.check()
        {
            self.document.problem(place.clone(), "augment.smote", Said::looked_up(error.to_string()), None);
        }
        let mut problem = |key: &str, place: Option<Place>, message: (&str, &str)| {
            if let Some(place) = place {
                self.document.problem(place, key, message, None);
            }
        };
        if model.kind.is_some() {
            for (key, place) in [
                ("model.path", place(&model.path)),
                ("model.layers", place(&model.layers)),
                ("model.head", place(&model.head)),
                ("model.input-shape", place(&model.input_shape)),
            ] {
                let message = (
                    "does not go with `kind = \"table\"`, which makes a new model",
                    "不能与 `kind = \"table\"` 并用：它会新建模型",
                );
                problem(key, place, message);
            }
        } else {
            for (key, place) in [
                ("model.hidden", place(&model.hidden)),
                ("model.dropout", place(&model.dropout)),
                ("model.embedding", place(&model.embedding)),
                ("preprocess.bins", place(&recipe.preprocess.bins)),
            ] {
                let message =
                    ("goes with `kind = \"table\"` in `[model]`", "要与 `[model]` 中的 `kind = \"table\"` 一起使用");
                problem(key, place, message);
            }
        }
    }
}

/// A new model for the table that the parts are of, with what its columns are.
///
/// # Errors
/// Data that are no table, or without labels.
pub(super) fn model(settings: &Settings, data: &DataParts) -> Result<Model, TrainError> {
    let recipe = settings.recipe();
    let (train, ids) = (&data.train.0, &data.train.1);
    let table = train.table().ok_or_else(|| {
        TrainError::unfit(
            said!("`{data}` is no table of columns", "`{data}` 不是由列组成的表格", data = train.description()),
            "give a `.csv` or `.tsv` file for `kind = \"table\"`",
        )
    })?;
    let bins = value(&recipe.preprocess.bins).unwrap_or((ids.len() / BIN_ROWS).clamp(BINS[0], BINS[1]));
    let mut schema = TableSchema::fit(train.description(), table, ids, bins)?;
    let (outputs, activation, rescaling) = match train.label_kind() {
        LabelKind::ClassIndex { classes } | LabelKind::OneHot { classes } => (classes, "softmax", None),
        LabelKind::MultiHot { classes } => (classes, "sigmoid", None),
        LabelKind::Real { shape } => (shape.iter().product(), "linear", Some(scale_of(train, ids))),
        LabelKind::None | LabelKind::WordClasses { .. } => {
            return Err(TrainError::unfit(
                said!("`{data}` has no labels of rows", "`{data}` 的行没有标签", data = train.description()),
                "name the column of labels with `label` in `[data]`",
            ));
        }
    };
    let labels = if rescaling.is_some() { LabelType::Real } else { LabelType::Class };
    schema.label = table.label().map(|name| LabelColumn { name: name.to_owned(), labels });
    let network = TableNetwork {
        numbers: schema.number_width(),
        categories: schema.category_width(),
        category_rows: schema.category_rows(),
        embedding: value(&recipe.model.embedding).unwrap_or(EMBEDDING),
        hidden: value(&recipe.model.hidden).unwrap_or_else(|| HIDDEN.to_vec()),
        dropout: value(&recipe.model.dropout).unwrap_or(DROPOUT),
        outputs,
        activation: activation.to_owned(),
        rescaling,
    };
    let mut model = network.build(settings.train().seed)?;
    let preprocessing = Preprocessing { table: Some(schema), ..Preprocessing::default() };
    Stored { preprocessing, ..Stored::default() }.put_into(&mut model)?;
    Ok(model)
}

/// Standard deviation and mean of the training values, as factor and offset of the network's outputs: its last layer then learns values
/// of size 1, whatever the unit of the labels.
fn scale_of(data: &Dataset, ids: &[u64]) -> [f64; 2] {
    let values = ids.iter().filter_map(|&id| data.labels().row(id as usize)).flatten().map(|&value| f64::from(value));
    let count = values.clone().count().max(1) as f64;
    let mean = values.clone().sum::<f64>() / count;
    let std = (values.map(|x| (x - mean) * (x - mean)).sum::<f64>() / count).sqrt();
    [if std > 0.0 { std } else { 1.0 }, mean]
}

/// The parts with rows made for rare classes of the training part, if the recipe asks for them, and what to tell of it.
///
/// # Errors
/// Data that are no table, or without classes.
pub(super) fn with_smote(settings: &Settings, mut data: DataParts) -> Result<(DataParts, Option<Said>), TrainError> {
    let recipe = settings.recipe();
    let Some(keys) = value(&recipe.augment.smote) else { return Ok((data, None)) };
    if recipe.data.sampling.is_some() {
        return Err(TrainError::unfit(
            (
                "`augment.smote` makes rows for rare classes, and `data.sampling` draws rows as often as asked for",
                "`augment.smote` 为稀有类别生成行，而 `data.sampling` 按要求的频率抽取行",
            ),
            "keep one of the two",
        ));
    }
    let (train, ids) = &data.train;
    let before = ids.len();
    let (more, ids) = smote(train, ids, &keys, settings.train().seed)?;
    let note = said!(
        "{made} rows are made for rare classes, beside {before} of the training part",
        "为稀有类别生成了 {made} 行，训练集原有 {before} 行",
        made = ids.len() - before
    );
    data.train = (Arc::new(more), ids);
    Ok((data, Some(note)))
}
