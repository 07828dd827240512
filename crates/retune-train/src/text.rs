//! Models with a task: a head for the data's labels, and the tokenizer that belongs to a model of texts.

use crate::error::TrainError;
use retune_data::{Dataset, LabelKind, Preprocessing, TextEncoder};
use retune_models::{Model, Task};
use std::sync::Arc;

/// The tokenizer of a model for data that are texts, with the settings of `preprocessing`, which gets those that it leaves open;
/// `None` for other data.
///
/// # Errors
/// A model without tokenizer, one that cannot be read, or settings that do not fit the model.
pub fn encoder_for(
    model: &Model,
    data: &Dataset,
    preprocessing: &mut Preprocessing,
) -> Result<Option<Arc<TextEncoder>>, TrainError> {
    if data.texts().is_none() {
        return Ok(None);
    }
    let bytes = model.tokenizer().ok_or_else(|| {
        TrainError::unfit(
            format!("`{}` holds texts, but the model has no tokenizer", data.description()),
            "put the `tokenizer.json` that belongs to the model into its folder",
        )
    })?;
    let mut settings = preprocessing.text.clone().unwrap_or_default();
    let encoder = TextEncoder::new(bytes, settings.clone(), model.max_tokens())?;
    settings.max_tokens = encoder.max_tokens();
    preprocessing.text = Some(settings);
    Ok(Some(Arc::new(encoder)))
}

/// The model with a head for the labels of the data, where it is one with a task: its own one where that has the same labels,
/// else a new one drawn from `seed`. Models of Keras have layers instead.
///
/// A head of as many labels as the data is kept where the data's have no names (class numbers): they are taken for the model's.
///
/// # Errors
/// A model that takes no other head.
pub fn for_data(model: Model, data: &Dataset, seed: u64) -> Result<Model, TrainError> {
    let Some(task) = model.task() else { return Ok(model) };
    let numbered = |classes: usize| match data.class_names() {
        Some(names) => names.to_vec(),
        None if task.labels().len() == classes => task.labels().to_vec(),
        None => (0..classes).map(|class| class.to_string()).collect(),
    };
    let wanted = match data.label_kind() {
        LabelKind::ClassIndex { classes } | LabelKind::OneHot { classes } => {
            Task::Classification { labels: numbered(classes) }
        }
        LabelKind::MultiHot { classes } => Task::MultiLabel { labels: numbered(classes) },
        LabelKind::Real { shape } => Task::Regression { values: shape.iter().product() },
        LabelKind::None => return Ok(model),
    };
    if wanted == *task { Ok(model) } else { Ok(model.with_task(wanted, seed)?) }
}

/// The names of the model's labels, where all of the data's are among them but in another order: classes are then to be numbered
/// as the model does it, so that its head can be kept.
pub fn label_order(model: &Model, data: &Dataset) -> Option<Vec<String>> {
    let (known, found) = (model.task()?.labels(), data.class_names()?);
    data.texts()?;
    let is_known = !known.is_empty() && found.iter().all(|name| known.contains(name));
    (is_known && found != known).then(|| known.to_vec())
}
