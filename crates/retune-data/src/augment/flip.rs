//! Mirrored images.

use crate::error::DataError;
use retune_tensor::Key;
use serde::{Deserialize, Serialize};

/// Mirrors an image left to right.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HorizontalFlip {
    /// Share of images that are mirrored. Default 0.5.
    #[serde(default = "half")]
    pub probability: f32,
}

/// Mirrors an image top to bottom.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct VerticalFlip {
    /// Share of images that are mirrored. Default 0.5.
    #[serde(default = "half")]
    pub probability: f32,
}

fn half() -> f32 {
    0.5
}

impl HorizontalFlip {
    pub(crate) fn check(&self) -> Result<(), DataError> {
        super::check_probability("flip probability", self.probability)
    }

    pub(crate) fn apply<T>(&self, key: Key, pixels: &mut [T], [_, width, channels]: [usize; 3]) {
        if key.uniform(0) >= self.probability {
            return;
        }
        for row in pixels.chunks_exact_mut(width * channels) {
            match channels {
                1 => row.reverse(),
                3 => row.as_chunks_mut::<3>().0.reverse(),
                _ => {
                    row.reverse();
                    row.chunks_exact_mut(channels).for_each(<[T]>::reverse);
                }
            }
        }
    }
}

impl VerticalFlip {
    pub(crate) fn check(&self) -> Result<(), DataError> {
        super::check_probability("flip probability", self.probability)
    }

    pub(crate) fn apply<T>(&self, key: Key, pixels: &mut [T], [height, width, channels]: [usize; 3]) {
        if key.uniform(0) >= self.probability {
            return;
        }
        let row = width * channels;
        let (upper, lower) = pixels.split_at_mut((height - height / 2) * row);
        for (above, below) in upper.chunks_exact_mut(row).zip(lower.chunks_exact_mut(row).rev()) {
            above.swap_with_slice(below);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retune_tensor::Purpose;

    fn key() -> Key {
        Key::new(0).with(Purpose::Augment(0))
    }

    #[test]
    fn mirrors_pixels_and_keeps_channels() {
        let mut pixels = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0];
        HorizontalFlip { probability: 1.0 }.apply(key(), &mut pixels, [2, 3, 2]);
        assert_eq!(pixels, [5.0, 6.0, 3.0, 4.0, 1.0, 2.0, 11.0, 12.0, 9.0, 10.0, 7.0, 8.0]);
        let mut column = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        VerticalFlip { probability: 1.0 }.apply(key(), &mut column, [3, 1, 2]);
        assert_eq!(column, [5.0, 6.0, 3.0, 4.0, 1.0, 2.0]);
        VerticalFlip { probability: 0.0 }.apply(key(), &mut column, [3, 1, 2]);
        assert_eq!(column, [5.0, 6.0, 3.0, 4.0, 1.0, 2.0]);
    }

    #[test]
    fn flips_the_share_asked_for() {
        let flipped = (0..4000)
            .filter(|&example| {
                let mut pixels = [0.0, 1.0];
                HorizontalFlip { probability: 0.3 }.apply(key().at(0, example), &mut pixels, [1, 2, 1]);
                pixels[0] == 1.0
            })
            .count();
        // Three standard deviations of a binomial of 4000 and 0.3 are 87.
        assert!((1200 - 87..=1200 + 87).contains(&flipped), "{flipped}");
        assert!(HorizontalFlip { probability: 1.5 }.check().is_err());
        assert!(VerticalFlip { probability: f32::NAN }.check().is_err());
    }
}
