//! Models of texts: the tokenizer that belongs to them.

use crate::error::TrainError;
use crate::said;
use retune_data::{Dataset, Preprocessing, TextEncoder};
use retune_models::Model;
use std::sync::Arc;

/// The tokenizer of a model for data that are texts, with the settings of `preprocessing`, which gets those that it leaves open;
/// `None` for other data. The texts of pairs are a sequence each where the model takes them so.
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
            said!(
                "`{data}` holds texts, but the model has no tokenizer",
                "`{data}` 中是文本，而模型没有分词器",
                data = data.description()
            ),
            "put the `tokenizer.json` that belongs to the model into its folder",
        )
    })?;
    let mut settings = preprocessing.text.clone().unwrap_or_default();
    let encoder = TextEncoder::new(bytes, settings.clone(), model.max_tokens())?;
    settings.max_tokens = encoder.max_tokens();
    let encoder = encoder.with_virtual_tokens(model.virtual_tokens());
    preprocessing.text = Some(settings);
    let is_apart = model.task().is_some_and(|task| task.sequences() > 1);
    let encoder = match data.words() {
        Some(_) => encoder.of_words()?,
        None if is_apart => encoder.apart(),
        None => encoder,
    };
    Ok(Some(Arc::new(encoder)))
}
