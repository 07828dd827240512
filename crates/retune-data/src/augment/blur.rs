//! Blurred images.

use super::draws::Draws;
use super::raster::Raster;
use crate::error::DataError;
use serde::{Deserialize, Serialize};

/// Gaussian blur of a standard deviation uniform in `sigma` (torchvision's `GaussianBlur`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Blur {
    /// Least and greatest standard deviation, in pixels. Default `[0.1, 2]`.
    pub sigma: [f32; 2],
    /// Side of the kernel in pixels, odd, at most 101. Default 9.
    pub kernel: u8,
    /// Share of images that are changed. Default 0.5.
    pub probability: f32,
}

impl Default for Blur {
    fn default() -> Blur {
        Blur { sigma: [0.1, 2.0], kernel: 9, probability: 0.5 }
    }
}

impl Blur {
    pub(crate) fn check(&self) -> Result<(), DataError> {
        super::check_probability("blur probability", self.probability)?;
        let [low, high] = self.sigma;
        if !(0.0 < low && low <= high && high.is_finite()) {
            let expected = "two numbers above 0, the lower first";
            return Err(DataError::setting("blur sigma", expected, format!("[{low}, {high}]")));
        }
        if self.kernel.is_multiple_of(2) || self.kernel > 101 {
            return Err(DataError::setting("blur kernel", "an odd number from 1 to 101", self.kernel));
        }
        Ok(())
    }

    pub(crate) fn apply(&self, draws: &mut Draws, image: &mut Raster) {
        if draws.happens(self.probability) {
            image.blur(usize::from(self.kernel), draws.between(self.sigma) as f32);
        }
    }
}
