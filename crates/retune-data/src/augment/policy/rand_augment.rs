//! RandAugment (Cubuk et al., *RandAugment: practical automated data augmentation with a reduced search space*, 2020).

use super::{BINS, OPERATIONS, Space};
use crate::augment::draws::Draws;
use crate::augment::raster::Raster;
use crate::error::DataError;
use serde::{Deserialize, Serialize};

/// `operations` changes one after the other, each any of 14, all of strength `magnitude`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct RandAugment {
    /// Changes per image. Default 2.
    pub operations: u8,
    /// Strength, 0 to 30. Default 9.
    pub magnitude: u8,
}

impl Default for RandAugment {
    fn default() -> RandAugment {
        RandAugment { operations: 2, magnitude: 9 }
    }
}

impl RandAugment {
    pub(crate) fn check(&self) -> Result<(), DataError> {
        if self.magnitude < BINS {
            return Ok(());
        }
        Err(DataError::setting("rand-augment magnitude", "a whole number from 0 to 30", self.magnitude))
    }

    pub(crate) fn apply(&self, draws: &mut Draws, image: &mut Raster) {
        let [height, width, _] = image.shape;
        let space = Space {
            shear: 0.3,
            translate: [width, height].map(|side| 150.0 / 331.0 * side as f64),
            degrees: 30.0,
            factor: 0.9,
            bits: [8, 4],
        };
        for _ in 0..self.operations {
            let operation = OPERATIONS[draws.below(OPERATIONS.len())];
            space.change(operation, f64::from(self.magnitude) / f64::from(BINS - 1), draws).apply(image);
        }
    }
}
