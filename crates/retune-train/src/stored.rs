//! What travels with a saved model, so that `predict` does the same to a file as training did: the entry `retune` of the model's
//! file, as JSON.

use crate::calibration::Calibration;
use crate::error::TrainError;
use crate::said;
use retune_data::Preprocessing;
use retune_models::Model;
use serde::{Deserialize, Serialize};

/// The entry.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Stored {
    /// From stored values to what the network takes, with the names of the classes.
    pub preprocessing: Preprocessing,
    /// The loss that the model was trained with.
    pub loss: Option<String>,
    /// Temperature and thresholds of the model's answers.
    #[serde(skip_serializing_if = "Calibration::is_empty")]
    pub calibration: Calibration,
}

impl Stored {
    /// The entry of a model, if it has one.
    ///
    /// # Errors
    /// An entry that does not have this form.
    pub fn of(model: &Model) -> Result<Option<Stored>, TrainError> {
        let Some(metadata) = &model.metadata else { return Ok(None) };
        serde_json::from_value(metadata.clone()).map(Some).map_err(|error| {
            TrainError::unfit(
                said!(
                    "the preprocessing stored in the model cannot be read: {error}",
                    "无法读取模型中保存的预处理：{error}"
                ),
                "say in the recipe's `[preprocess]` how inputs are prepared",
            )
        })
    }

    /// Puts the entry into a model.
    ///
    /// # Errors
    /// Never, unless a number is not finite.
    pub fn put_into(&self, model: &mut Model) -> Result<(), TrainError> {
        let entry = serde_json::to_value(self).map_err(|error| {
            TrainError::unfit(
                said!("the preprocessing cannot be stored: {error}", "无法保存预处理：{error}"),
                "check its numbers",
            )
        })?;
        model.metadata = Some(entry);
        Ok(())
    }
}
