//! Lighter or darker images.

use super::{byte_range, check_range};
use crate::error::DataError;
use retune_tensor::Key;
use serde::{Deserialize, Serialize};

/// `x + δ · (high − low)`, kept within `[low, high]`; `δ` uniform in `[−max_delta, max_delta)`, one for the whole image
/// (Keras's `RandomBrightness`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Brightness {
    /// Largest change, as a share of the range of values, in `[0, 1]`.
    pub max_delta: f32,
    /// Lowest and highest value of a stored pixel. Default `[0, 255]`.
    #[serde(default = "byte_range")]
    pub value_range: [f32; 2],
}

impl Brightness {
    pub(crate) fn check(&self) -> Result<(), DataError> {
        if !(0.0..=1.0).contains(&self.max_delta) {
            return Err(DataError::setting("brightness max-delta", "a number in [0, 1]", self.max_delta));
        }
        check_range(self.value_range)
    }

    pub(crate) fn apply(&self, key: Key, pixels: &mut [f32]) {
        let [low, high] = self.value_range;
        let delta = self.max_delta * (2.0 * key.uniform(0) - 1.0) * (high - low);
        pixels.iter_mut().for_each(|x| *x = (*x + delta).clamp(low, high));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retune_tensor::Purpose;

    #[test]
    fn shifts_every_pixel_alike_and_stays_in_range() {
        let brightness = Brightness { max_delta: 0.2, value_range: [0.0, 255.0] };
        let (mut lowest, mut highest) = (f32::MAX, f32::MIN);
        for example in 0..1000 {
            let mut pixels = [0.0, 100.0, 130.0, 255.0];
            brightness.apply(Key::new(1).with(Purpose::Augment(0)).at(0, example), &mut pixels);
            assert!((pixels[2] - pixels[1] - 30.0).abs() < 1e-4);
            assert!(pixels.iter().all(|x| (0.0..=255.0).contains(x)));
            lowest = lowest.min(pixels[1]);
            highest = highest.max(pixels[1]);
        }
        assert!((49.0..50.0).contains(&lowest) && (150.0..=151.0).contains(&highest), "{lowest} {highest}");
        assert!(Brightness { max_delta: 2.0, value_range: [0.0, 1.0] }.check().is_err());
        assert!(Brightness { max_delta: 0.5, value_range: [1.0, 0.0] }.check().is_err());
    }
}
