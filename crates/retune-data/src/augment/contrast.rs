//! More or less contrast.

use super::{byte_range, check_range};
use crate::error::DataError;
use retune_tensor::Key;
use serde::{Deserialize, Serialize};

/// `(x − mean[c]) · f + mean[c]`, kept within the range of values; `mean[c]` is taken over the image's pixels, `f`
/// uniform in `[1 − max_change, 1 + max_change)` (Keras's `RandomContrast`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Contrast {
    /// Largest change of the factor, in `[0, 1]`.
    pub max_change: f32,
    /// Lowest and highest value of a stored pixel. Default `[0, 255]`.
    #[serde(default = "byte_range")]
    pub value_range: [f32; 2],
}

impl Contrast {
    pub(crate) fn check(&self) -> Result<(), DataError> {
        if !(0.0..=1.0).contains(&self.max_change) {
            return Err(DataError::setting("contrast max-change", "a number in [0, 1]", self.max_change));
        }
        check_range(self.value_range)
    }

    pub(crate) fn apply(&self, key: Key, pixels: &mut [f32], [height, width, channels]: [usize; 3]) {
        let [low, high] = self.value_range;
        let factor = 1.0 + self.max_change * (2.0 * key.uniform(0) - 1.0);
        for channel in 0..channels {
            let sum: f64 = pixels[channel..].iter().step_by(channels).map(|&x| f64::from(x)).sum();
            let mean = (sum / (height * width) as f64) as f32;
            for x in pixels[channel..].iter_mut().step_by(channels) {
                *x = ((*x - mean) * factor + mean).clamp(low, high);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retune_tensor::Purpose;

    #[test]
    fn scales_about_the_mean_of_each_channel() {
        let contrast = Contrast { max_change: 0.5, value_range: [0.0, 255.0] };
        let mut factors = std::collections::BTreeSet::new();
        for example in 0..100 {
            let mut pixels = [90.0, 10.0, 110.0, 30.0];
            contrast.apply(Key::new(1).with(Purpose::Augment(0)).at(0, example), &mut pixels, [1, 2, 2]);
            let factor = (pixels[2] - pixels[0]) / 20.0;
            assert!((0.5..=1.5).contains(&factor));
            assert!((pixels[0] + pixels[2] - 200.0).abs() < 1e-3 && (pixels[1] + pixels[3] - 40.0).abs() < 1e-3);
            assert!(((pixels[3] - pixels[1]) / 20.0 - factor).abs() < 1e-5);
            factors.insert((factor * 10.0) as i32);
        }
        assert!(factors.len() >= 9, "{factors:?}");
        assert!(Contrast { max_change: -0.1, value_range: [0.0, 1.0] }.check().is_err());
    }
}
