//! TrivialAugment in its wide space (Müller and Hutter, *TrivialAugment: tuning-free yet state-of-the-art data augmentation*, 2021).

use super::{BINS, OPERATIONS, Space};
use crate::augment::draws::Draws;
use crate::augment::raster::Raster;
use serde::{Deserialize, Serialize};

/// One change, any of 14, of any strength. It has no settings.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct TrivialAugment {}

impl TrivialAugment {
    pub(crate) fn apply(&self, draws: &mut Draws, image: &mut Raster) {
        let space = Space { shear: 0.99, translate: [32.0; 2], degrees: 135.0, factor: 0.99, bits: [8, 6] };
        let operation = OPERATIONS[draws.below(OPERATIONS.len())];
        let share = draws.below(usize::from(BINS)) as f64 / f64::from(BINS - 1);
        space.change(operation, share, draws).apply(image);
    }
}
