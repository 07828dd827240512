//! Policies: random sequences of [changes](super::Change), each of a random or given strength.
//!
//! - [`rand_augment`], [`trivial_augment`]: of all changes alike;
//! - [`auto_augment`]: pairs that a search found good for a data set;
//! - [`aug_mix`]: a weighted mean of several sequences.
//!
//! Names and strengths are torchvision's: strengths are counted in bins from none to the strongest of a [`Space`], and half of those
//! that have a direction are turned around.

pub mod aug_mix;
pub mod auto_augment;
pub mod rand_augment;
pub mod trivial_augment;

pub use aug_mix::AugMix;
pub use auto_augment::AutoAugment;
pub use rand_augment::RandAugment;
pub use trivial_augment::TrivialAugment;

use super::change::Change;
use super::draws::Draws;
use super::raster::Raster;
use crate::error::DataError;
use serde::{Deserialize, Serialize};

/// A policy with its settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum Policy {
    /// A number of changes of one strength.
    RandAugment(RandAugment),
    /// One change of any strength.
    TrivialAugment(TrivialAugment),
    /// One of 25 pairs.
    AutoAugment(AutoAugment),
    /// Several sequences mixed.
    AugMix(AugMix),
}

impl Policy {
    pub(crate) fn check(&self) -> Result<(), DataError> {
        match self {
            Policy::RandAugment(p) => p.check(),
            Policy::TrivialAugment(_) | Policy::AutoAugment(_) => Ok(()),
            Policy::AugMix(p) => p.check(),
        }
    }

    pub(crate) fn apply(&self, draws: &mut Draws, image: &mut Raster, scratch: &mut PolicyScratch) {
        match self {
            Policy::RandAugment(p) => p.apply(draws, image),
            Policy::TrivialAugment(p) => p.apply(draws, image),
            Policy::AutoAugment(p) => p.apply(draws, image),
            Policy::AugMix(p) => p.apply(draws, image, scratch),
        }
    }
}

/// Memory that policies need on the way.
#[derive(Debug, Default)]
pub struct PolicyScratch {
    chain: Raster,
    sums: Vec<f32>,
}

/// A change without its strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Identity,
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
    Rotate,
    Brightness,
    Color,
    Contrast,
    Sharpness,
    Posterize,
    Solarize,
    AutoContrast,
    Equalize,
    Invert,
}

/// How strong the strongest changes are.
#[derive(Debug, Clone, Copy)]
struct Space {
    shear: f64,
    /// In pixels, along x and y.
    translate: [f64; 2],
    degrees: f64,
    /// Largest change of a factor.
    factor: f64,
    /// Bits of the weakest posterization, and how many fewer the strongest has.
    bits: [u32; 2],
}

impl Space {
    /// The change at `share`, 0 to 1, of the greatest strength.
    fn change(&self, operation: Operation, share: f64, draws: &mut Draws) -> Change {
        let mut signed = |strength: f64| if draws.below(2) == 1 { -strength } else { strength };
        match operation {
            Operation::Identity => Change::Identity,
            Operation::ShearX => Change::ShearX(signed(self.shear * share)),
            Operation::ShearY => Change::ShearY(signed(self.shear * share)),
            Operation::TranslateX => Change::TranslateX(signed(self.translate[0] * share)),
            Operation::TranslateY => Change::TranslateY(signed(self.translate[1] * share)),
            Operation::Rotate => Change::Rotate(signed(self.degrees * share)),
            Operation::Brightness => Change::Brightness(1.0 + signed(self.factor * share)),
            Operation::Color => Change::Color(1.0 + signed(self.factor * share)),
            Operation::Contrast => Change::Contrast(1.0 + signed(self.factor * share)),
            Operation::Sharpness => Change::Sharpness(1.0 + signed(self.factor * share)),
            Operation::Posterize => {
                let [weakest, fewer] = self.bits;
                Change::Posterize(weakest - (f64::from(fewer) * share).round() as u32)
            }
            Operation::Solarize => Change::Solarize(255.0 * (1.0 - share)),
            Operation::AutoContrast => Change::AutoContrast,
            Operation::Equalize => Change::Equalize,
            Operation::Invert => Change::Invert,
        }
    }
}

/// The changes of RandAugment and TrivialAugment.
const OPERATIONS: [Operation; 14] = [
    Operation::Identity,
    Operation::ShearX,
    Operation::ShearY,
    Operation::TranslateX,
    Operation::TranslateY,
    Operation::Rotate,
    Operation::Brightness,
    Operation::Color,
    Operation::Contrast,
    Operation::Sharpness,
    Operation::Posterize,
    Operation::Solarize,
    Operation::AutoContrast,
    Operation::Equalize,
];

/// Bins of RandAugment and TrivialAugment.
const BINS: u8 = 31;
