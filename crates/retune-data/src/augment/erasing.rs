//! A part of the image covered.

use super::draws::Draws;
use super::random_resized_crop::{check_ratio, check_scale};
use crate::error::DataError;
use retune_tensor::Key;
use serde::{Deserialize, Serialize};

/// A box at a random place is overwritten, after normalization, so that 0 is the mean where images are normalized (Zhong et al.,
/// *Random erasing data augmentation*, 2020; torchvision's `RandomErasing`): of a share of the area uniform in `scale` and a ratio of
/// height to width whose logarithm is uniform in that of `ratio`. Where ten boxes do not fit, nothing is erased.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Erasing {
    /// Share of images that are changed. Default 0.25.
    pub probability: f32,
    /// Least and greatest share of the area. Default `[0.02, 1/3]`.
    pub scale: [f32; 2],
    /// Least and greatest height for a width of 1. Default `[0.3, 3.3]`.
    pub ratio: [f32; 2],
    /// What the box is filled with. Default `zero`.
    pub with: ErasedWith,
}

/// What an erased box is filled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErasedWith {
    /// Zeros.
    #[default]
    Zero,
    /// Standard normal noise, for each value.
    Noise,
}

impl Default for Erasing {
    fn default() -> Erasing {
        Erasing { probability: 0.25, scale: [0.02, 1.0 / 3.0], ratio: [0.3, 3.3], with: ErasedWith::Zero }
    }
}

impl Erasing {
    pub(crate) fn check(&self) -> Result<(), DataError> {
        super::check_probability("erasing probability", self.probability)?;
        check_scale("erasing scale", self.scale)?;
        check_ratio("erasing ratio", self.ratio)
    }

    pub(crate) fn apply(&self, key: Key, values: &mut [f32], [height, width, channels]: [usize; 3]) {
        let mut draws = Draws::new(key);
        if !draws.happens(self.probability) {
            return;
        }
        for _ in 0..10 {
            let area = (height * width) as f64 * draws.between(self.scale);
            let ratio = draws.between(self.ratio.map(f32::ln)).exp();
            let (rows, columns) = ((area * ratio).sqrt().round() as usize, (area / ratio).sqrt().round() as usize);
            if rows == 0 || columns == 0 || rows >= height || columns >= width {
                continue;
            }
            let (top, left) = (draws.below(height - rows + 1), draws.below(width - columns + 1));
            for y in top..top + rows {
                let line = &mut values[(y * width + left) * channels..][..columns * channels];
                match self.with {
                    ErasedWith::Zero => line.fill(0.0),
                    ErasedWith::Noise => line.fill_with(|| draws.normal() as f32),
                }
            }
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retune_tensor::Purpose;

    #[test]
    fn a_box_of_the_area_asked_for_is_erased_in_the_share_asked_for() {
        let erasing = Erasing { probability: 0.4, scale: [0.1, 0.2], ..Erasing::default() };
        let (mut changed, mut noisy) = (0, 0);
        for example in 0..2000 {
            let key = Key::new(2).with(Purpose::Augment(7)).at(0, example);
            let mut values = vec![5.0; 40 * 50 * 3];
            erasing.apply(key, &mut values, [40, 50, 3]);
            let erased = values.iter().filter(|&&x| x == 0.0).count() as f64 / 6000.0;
            assert!(erased == 0.0 || (0.09..0.22).contains(&erased), "{erased}");
            changed += usize::from(erased > 0.0);
            let mut values = vec![5.0; 40 * 50 * 3];
            Erasing { with: ErasedWith::Noise, ..erasing }.apply(key, &mut values, [40, 50, 3]);
            noisy += usize::from(values.iter().any(|&x| x != 5.0));
        }
        // Three standard deviations of a binomial of 2000 and 0.4 are 66.
        assert!((734..=866).contains(&changed) && changed == noisy, "{changed} {noisy}");
    }
}
