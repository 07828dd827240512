//! Colours changed at random.

use super::draws::Draws;
use super::raster::Raster;
use crate::error::DataError;
use serde::{Deserialize, Serialize};

/// Brightness, contrast, saturation and hue in a random order (torchvision's `ColorJitter`): the first three multiplied by factors
/// uniform in `[max(0, 1 − x), 1 + x]`, the hue turned by a share of the circle uniform in `[−x, x]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ColorJitter {
    /// Largest change of brightness, from 0. Default 0.
    pub brightness: f32,
    /// Largest change of contrast, from 0. Default 0.
    pub contrast: f32,
    /// Largest change of saturation, from 0. Default 0.
    pub saturation: f32,
    /// Largest turn of the hue, 0 to 0.5. Default 0.
    pub hue: f32,
    /// Share of images that are changed. Default 1.
    pub probability: f32,
}

impl Default for ColorJitter {
    fn default() -> ColorJitter {
        ColorJitter { brightness: 0.0, contrast: 0.0, saturation: 0.0, hue: 0.0, probability: 1.0 }
    }
}

impl ColorJitter {
    pub(crate) fn check(&self) -> Result<(), DataError> {
        super::check_probability("color-jitter probability", self.probability)?;
        let factors = [("brightness", self.brightness), ("contrast", self.contrast), ("saturation", self.saturation)];
        for (name, x) in factors {
            if !(0.0..=100.0).contains(&x) {
                return Err(DataError::setting(format!("color-jitter {name}"), "a number in [0, 100]", x));
            }
        }
        if !(0.0..=0.5).contains(&self.hue) {
            return Err(DataError::setting("color-jitter hue", "a number in [0, 0.5]", self.hue));
        }
        Ok(())
    }

    pub(crate) fn apply(&self, draws: &mut Draws, image: &mut Raster) {
        if !draws.happens(self.probability) {
            return;
        }
        let mut order = [0, 1, 2, 3];
        for i in (1..order.len()).rev() {
            order.swap(i, draws.below(i + 1));
        }
        let factors = [self.brightness, self.contrast, self.saturation]
            .map(|x| draws.between([(1.0 - x).max(0.0), 1.0 + x]) as f32);
        let turn = draws.between([-self.hue, self.hue]) as f32;
        for which in order {
            match which {
                0 if self.brightness > 0.0 => image.brightness(factors[0]),
                1 if self.contrast > 0.0 => image.contrast(factors[1]),
                2 if self.saturation > 0.0 => image.saturation(factors[2]),
                3 if self.hue > 0.0 => image.hue(turn),
                _ => {}
            }
        }
    }
}
