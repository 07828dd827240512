//! One change of a given strength to a share of the images.

use super::change::Change;
use super::draws::Draws;
use super::raster::Raster;
use crate::error::DataError;
use serde::{Deserialize, Serialize};

/// A change that is done to a share of the images, such as grey to a tenth (torchvision's `RandomGrayscale`, `RandomSolarize`, …).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Sometimes {
    /// Share of images that are changed.
    pub probability: f32,
    /// What is done to them.
    pub change: Change,
}

impl Sometimes {
    pub(crate) fn check(&self) -> Result<(), DataError> {
        super::check_probability("probability", self.probability)?;
        self.change.check()
    }

    pub(crate) fn apply(&self, draws: &mut Draws, image: &mut Raster) {
        if draws.happens(self.probability) {
            self.change.apply(image);
        }
    }
}
