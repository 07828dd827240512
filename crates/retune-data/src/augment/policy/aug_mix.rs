//! AugMix (Hendrycks et al., *AugMix: a simple data processing method to improve robustness and uncertainty*, 2020), without its
//! consistency loss.

use super::{Operation, PolicyScratch, Space};
use crate::augment::draws::Draws;
use crate::augment::raster::Raster;
use crate::error::DataError;
use serde::{Deserialize, Serialize};

/// `m₀ · x + m₁ · Σ wᵢ · chainᵢ(x)`, cut to whole numbers: m and w drawn from Dirichlet distributions of `alpha`, each chain a sequence
/// of random changes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct AugMix {
    /// Greatest strength, 1 to 10. Default 3.
    pub severity: u8,
    /// Chains, 1 to 8. Default 3.
    pub width: u8,
    /// Changes in a chain; 0 draws 1 to 3 for each. Default 0.
    pub depth: u8,
    /// Parameter of the Dirichlet distributions. Default 1.
    pub alpha: f32,
}

impl Default for AugMix {
    fn default() -> AugMix {
        AugMix { severity: 3, width: 3, depth: 0, alpha: 1.0 }
    }
}

/// Strengths are counted in so many bins.
const BINS: u8 = 10;
const MAX_WIDTH: usize = 8;

const OPERATIONS: [Operation; 13] = [
    Operation::ShearX,
    Operation::ShearY,
    Operation::TranslateX,
    Operation::TranslateY,
    Operation::Rotate,
    Operation::Posterize,
    Operation::Solarize,
    Operation::AutoContrast,
    Operation::Equalize,
    Operation::Brightness,
    Operation::Color,
    Operation::Contrast,
    Operation::Sharpness,
];

impl AugMix {
    pub(crate) fn check(&self) -> Result<(), DataError> {
        if !(1..=BINS).contains(&self.severity) {
            return Err(DataError::setting("aug-mix severity", "a whole number from 1 to 10", self.severity));
        }
        if !(1..=MAX_WIDTH).contains(&usize::from(self.width)) {
            return Err(DataError::setting("aug-mix width", "a whole number from 1 to 8", self.width));
        }
        if !(self.alpha > 0.0 && self.alpha.is_finite()) {
            return Err(DataError::setting("aug-mix alpha", "a number above 0", self.alpha));
        }
        Ok(())
    }

    pub(crate) fn apply(&self, draws: &mut Draws, image: &mut Raster, scratch: &mut PolicyScratch) {
        let [height, width, _] = image.shape;
        let space = Space {
            shear: 0.3,
            translate: [width as f64 / 3.0, height as f64 / 3.0],
            degrees: 30.0,
            factor: 0.9,
            bits: [4, 4],
        };
        let alpha = f64::from(self.alpha);
        let [own, mixed] = draws.shares::<2>(alpha);
        let mut weights = [0.0; MAX_WIDTH];
        let weights = &mut weights[..usize::from(self.width)];
        weights.fill_with(|| draws.gamma(alpha));
        let sum: f64 = weights.iter().sum();
        let PolicyScratch { chain, sums } = scratch;
        sums.clear();
        sums.extend(image.pixels.iter().map(|&x| own as f32 * f32::from(x)));
        for weight in weights.iter() {
            let share = if sum > 0.0 { weight / sum } else { 1.0 / f64::from(self.width) };
            chain.copy_from(image);
            let depth = if self.depth == 0 { 1 + draws.below(3) } else { usize::from(self.depth) };
            for _ in 0..depth {
                let operation = OPERATIONS[draws.below(OPERATIONS.len())];
                let strength = draws.below(usize::from(self.severity)) as f64 / f64::from(BINS - 1);
                space.change(operation, strength, draws).apply(chain);
            }
            let weight = (mixed * share) as f32;
            sums.iter_mut().zip(&chain.pixels).for_each(|(sum, &x)| *sum += weight * f32::from(x));
        }
        image.pixels.iter_mut().zip(sums).for_each(|(x, sum)| *x = *sum as u8);
    }
}
