//! Augmentation: random changes to training images, on pixel values in their stored range, before rescaling.
//!
//! Each is a pure function of (seed, epoch, example): its random numbers come from
//! `Key::new(seed).with(Purpose::Augment(i)).at(epoch, example)`, `i` its place in the list. So neither batch size, nor
//! threads, nor resuming changes a pixel.
//!
//! - [`flip`]: mirrored, left to right or top to bottom;
//! - [`pad_crop`]: shifted by a few pixels;
//! - [`rotation`]: turned by a small angle;
//! - [`brightness`], [`contrast`]: lighter or darker, more or less contrast.

pub mod brightness;
pub mod contrast;
pub mod flip;
pub mod pad_crop;
pub mod rotation;

pub use brightness::Brightness;
pub use contrast::Contrast;
pub use flip::{HorizontalFlip, VerticalFlip};
pub use pad_crop::PadCrop;
pub use rotation::Rotation;

use crate::error::DataError;
use retune_tensor::{Key, Purpose};
use serde::{Deserialize, Serialize};

/// One augmentation with its settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum Augmentation {
    /// Mirrored left to right.
    HorizontalFlip(HorizontalFlip),
    /// Mirrored top to bottom.
    VerticalFlip(VerticalFlip),
    /// Padded on every side, then cut at a random place.
    PadCrop(PadCrop),
    /// Turned about the centre.
    Rotation(Rotation),
    /// Lighter or darker.
    Brightness(Brightness),
    /// More or less contrast.
    Contrast(Contrast),
}

/// What stands outside the image.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Fill {
    /// The image mirrored, the edge pixel not repeated: `d c b | a b c d | c b a` (numpy's `reflect`).
    #[default]
    Reflect,
    /// The edge pixel repeated (numpy's `edge`).
    Nearest,
    /// One value.
    Constant {
        /// The value, in the range of stored pixels. Default 0.
        #[serde(default)]
        value: f32,
    },
}

impl Fill {
    /// The pixel of an axis of size `n` that stands at `i`; `None` for the constant.
    #[inline]
    pub(crate) fn index(self, i: isize, n: usize) -> Option<usize> {
        if (0..n as isize).contains(&i) {
            return Some(i as usize);
        }
        match self {
            Fill::Constant { .. } => None,
            Fill::Nearest => Some(i.clamp(0, n as isize - 1) as usize),
            Fill::Reflect if n == 1 => Some(0),
            Fill::Reflect => {
                let period = 2 * (n as isize - 1);
                let i = i.rem_euclid(period);
                Some(if i < n as isize { i } else { period - i } as usize)
            }
        }
    }

    pub(crate) fn value(self) -> f32 {
        if let Fill::Constant { value } = self { value } else { 0.0 }
    }

    fn check(self) -> Result<(), DataError> {
        if self.value().is_finite() {
            return Ok(());
        }
        Err(DataError::setting("fill value", "a finite number", self.value()))
    }
}

/// The lowest and highest value of a pixel, which changed pixels are kept within.
pub(crate) fn check_range([low, high]: [f32; 2]) -> Result<(), DataError> {
    if low.is_finite() && high.is_finite() && low < high {
        return Ok(());
    }
    Err(DataError::setting("value-range", "two finite numbers, the lower first", format!("[{low}, {high}]")))
}

/// Pixels of 8 bits.
pub(crate) fn byte_range() -> [f32; 2] {
    [0.0, 255.0]
}

impl Augmentation {
    /// Checks the settings.
    ///
    /// # Errors
    /// A setting that is outside what it may be.
    pub fn check(&self) -> Result<(), DataError> {
        match self {
            Augmentation::HorizontalFlip(a) => a.check(),
            Augmentation::VerticalFlip(a) => a.check(),
            Augmentation::PadCrop(a) => a.fill.check(),
            Augmentation::Rotation(a) => a.check(),
            Augmentation::Brightness(a) => a.check(),
            Augmentation::Contrast(a) => a.check(),
        }
    }

    /// Changes one image of `[height, width, channels]` in place. `scratch` is used where the old pixels are still
    /// needed.
    pub fn apply(&self, key: Key, pixels: &mut [f32], shape: [usize; 3], scratch: &mut Vec<f32>) {
        match self {
            Augmentation::HorizontalFlip(a) => a.apply(key, pixels, shape),
            Augmentation::VerticalFlip(a) => a.apply(key, pixels, shape),
            Augmentation::PadCrop(a) => a.apply(key, pixels, shape, scratch),
            Augmentation::Rotation(a) => a.apply(key, pixels, shape, scratch),
            Augmentation::Brightness(a) => a.apply(key, pixels),
            Augmentation::Contrast(a) => a.apply(key, pixels, shape),
        }
    }
}

/// Applies a list of augmentations, in order, to one image of one epoch.
pub fn augment(
    list: &[Augmentation],
    seed: u64,
    epoch: u64,
    example: u64,
    pixels: &mut [f32],
    shape: [usize; 3],
    scratch: &mut Vec<f32>,
) {
    for (i, augmentation) in list.iter().enumerate() {
        let key = Key::new(seed).with(Purpose::Augment(i as u32)).at(epoch, example);
        augmentation.apply(key, pixels, shape, scratch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `numpy.pad([0, 1, 2], 5, mode)`.
    #[test]
    fn fills_are_numpys() {
        let at = |fill: Fill| (-5..8).map(|i| fill.index(i, 3)).collect::<Vec<_>>();
        let some = |v: [usize; 13]| v.map(Some).to_vec();
        assert_eq!(at(Fill::Reflect), some([1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1]));
        assert_eq!(at(Fill::Nearest), some([0, 0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2, 2]));
        assert_eq!(at(Fill::Constant { value: 1.0 }).iter().flatten().count(), 3);
        assert_eq!(Fill::Reflect.index(-7, 1), Some(0));
    }

    #[test]
    fn reads_as_in_a_recipe() {
        let text = r#"[{"kind":"horizontal-flip"},{"kind":"pad-crop","padding":4},
            {"kind":"pad-crop","padding":4,"fill":{"constant":{"value":3.0}}},
            {"kind":"rotation","max-degrees":15.0},{"kind":"brightness","max-delta":0.2},{"kind":"contrast","max-change":0.2}]"#;
        let list: Vec<Augmentation> = serde_json::from_str(text).unwrap();
        assert_eq!(list[0], Augmentation::HorizontalFlip(HorizontalFlip { probability: 0.5 }));
        assert_eq!(list[1], Augmentation::PadCrop(PadCrop { padding: 4, fill: Fill::Reflect }));
        assert!(list.iter().all(|a| a.check().is_ok()));
        assert_eq!(serde_json::from_str::<Vec<Augmentation>>(&serde_json::to_string(&list).unwrap()).unwrap(), list);
        assert!(serde_json::from_str::<Augmentation>(r#"{"kind":"rotation","max-degrees":1.0,"degree":2}"#).is_err());
    }

    #[test]
    fn depends_on_seed_epoch_and_example_alone() {
        let list: Vec<Augmentation> = serde_json::from_str(
            r#"[{"kind":"pad-crop","padding":2},{"kind":"rotation","max-degrees":30.0},{"kind":"brightness","max-delta":0.3}]"#,
        )
        .unwrap();
        let run = |seed, epoch, example| {
            let mut pixels: Vec<f32> = (0..8 * 8 * 3).map(|i| i as f32).collect();
            augment(&list, seed, epoch, example, &mut pixels, [8, 8, 3], &mut vec![9.0; 7]);
            pixels
        };
        let first = run(1, 2, 3);
        assert_eq!(first, run(1, 2, 3));
        for other in [run(2, 2, 3), run(1, 3, 3), run(1, 2, 4)] {
            assert_ne!(first, other);
        }
    }
}
