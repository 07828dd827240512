//! Augmentation: random changes to training examples.
//!
//! Each is a pure function of (seed, epoch, example): its random numbers come from
//! `Key::new(seed).with(Purpose::Augment(i)).at(epoch, example)`, `i` its place in the list. So neither batch size, nor
//! threads, nor resuming changes a pixel.
//!
//! Where in [preprocessing](crate::preprocess) they act, in this order ([`Stage`]):
//!
//! 1. in place of the resizing: [`random_resized_crop`];
//! 2. on pixels of 8 bits, grey or red, green, blue, as torchvision does on images of Pillow:
//!    - [`affine`], [`perspective`]: moved, turned, sheared, seen from another side;
//!    - [`policy`]: RandAugment, TrivialAugment, AutoAugment, AugMix;
//!    - [`color_jitter`], [`blur`];
//!    - [`sometimes`]: one [`change`] of a given strength, such as grey, to a share of the images;
//! 3. on pixels as floats in their stored range, as Keras does:
//!    - [`rotation`]: turned by a small angle;
//!    - [`brightness`], [`contrast`]: lighter or darker, more or less contrast;
//! 4. on normalized values: [`noise`], also of tables of numbers, and [`erasing`];
//! 5. on whole batches: [`mixing`], mixup and CutMix.
//!
//! Texts are changed before they are cut into tokens, see [`text`].
//!
//! [`flip`] and [`pad_crop`] act on bytes and floats alike. Once resized images go through stage 2, or are cropped, their values are
//! rounded to 8 bits. [`raster`] holds what changes an image without chance, `draws` the random numbers.

pub mod affine;
pub mod blur;
pub mod brightness;
pub mod change;
pub mod color_jitter;
pub mod contrast;
pub(crate) mod draws;
pub mod erasing;
pub mod flip;
pub mod mixing;
pub mod noise;
pub mod pad_crop;
pub mod perspective;
pub mod policy;
pub mod random_resized_crop;
pub mod raster;
pub mod rotation;
pub mod sometimes;
pub mod text;

pub use affine::Affine;
pub use blur::Blur;
pub use brightness::Brightness;
pub use change::Change;
pub use color_jitter::ColorJitter;
pub use contrast::Contrast;
pub use erasing::{ErasedWith, Erasing};
pub use flip::{HorizontalFlip, VerticalFlip};
pub use mixing::Mixing;
pub use noise::Noise;
pub use pad_crop::PadCrop;
pub use perspective::Perspective;
pub use policy::Policy;
pub use random_resized_crop::{CropBox, RandomResizedCrop};
pub use raster::Raster;
pub use rotation::Rotation;
pub use sometimes::Sometimes;
pub use text::{TextAugmentation, TextAugmenter};

use crate::error::DataError;
use draws::Draws;
use policy::PolicyScratch;
use retune_tensor::{Key, Purpose};
use serde::{Deserialize, Serialize};

/// One augmentation with its settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum Augmentation {
    /// A random part, resized.
    RandomResizedCrop(RandomResizedCrop),
    /// Mirrored left to right.
    HorizontalFlip(HorizontalFlip),
    /// Mirrored top to bottom.
    VerticalFlip(VerticalFlip),
    /// Padded on every side, then cut at a random place.
    PadCrop(PadCrop),
    /// Turned, moved, scaled and sheared.
    Affine(Affine),
    /// Seen from another side.
    Perspective(Perspective),
    /// A random sequence of changes.
    Policy {
        /// Which, and its settings.
        policy: Policy,
    },
    /// Other colours.
    ColorJitter(ColorJitter),
    /// Blurred.
    Blur(Blur),
    /// One change of a given strength.
    Sometimes(Sometimes),
    /// Turned about the centre.
    Rotation(Rotation),
    /// Lighter or darker.
    Brightness(Brightness),
    /// More or less contrast.
    Contrast(Contrast),
    /// With noise.
    Noise(Noise),
    /// A part covered.
    Erasing(Erasing),
}

/// Where an augmentation acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// In place of the resizing.
    Crop,
    /// On pixels of 8 bits.
    Bytes,
    /// On pixels as floats, in their stored range.
    Floats,
    /// On normalized values.
    Normalized,
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

/// A share of examples.
pub(crate) fn check_probability(name: &str, probability: f32) -> Result<(), DataError> {
    if (0.0..=1.0).contains(&probability) {
        return Ok(());
    }
    Err(DataError::setting(name, "a number in [0, 1]", probability))
}

impl Augmentation {
    /// Checks the settings.
    ///
    /// # Errors
    /// A setting that is outside what it may be.
    pub fn check(&self) -> Result<(), DataError> {
        match self {
            Augmentation::RandomResizedCrop(a) => a.check(),
            Augmentation::HorizontalFlip(a) => a.check(),
            Augmentation::VerticalFlip(a) => a.check(),
            Augmentation::PadCrop(a) => a.fill.check(),
            Augmentation::Affine(a) => a.check(),
            Augmentation::Perspective(a) => a.check(),
            Augmentation::Policy { policy } => policy.check(),
            Augmentation::ColorJitter(a) => a.check(),
            Augmentation::Blur(a) => a.check(),
            Augmentation::Sometimes(a) => a.check(),
            Augmentation::Rotation(a) => a.check(),
            Augmentation::Brightness(a) => a.check(),
            Augmentation::Contrast(a) => a.check(),
            Augmentation::Noise(a) => a.check(),
            Augmentation::Erasing(a) => a.check(),
        }
    }

    /// Where it acts; `None` where bytes and floats are alike to it.
    pub fn stage(&self) -> Option<Stage> {
        match self {
            Augmentation::HorizontalFlip(_) | Augmentation::VerticalFlip(_) | Augmentation::PadCrop(_) => None,
            Augmentation::RandomResizedCrop(_) => Some(Stage::Crop),
            Augmentation::Affine(_)
            | Augmentation::Perspective(_)
            | Augmentation::Policy { .. }
            | Augmentation::ColorJitter(_)
            | Augmentation::Blur(_)
            | Augmentation::Sometimes(_) => Some(Stage::Bytes),
            Augmentation::Rotation(_) | Augmentation::Brightness(_) | Augmentation::Contrast(_) => Some(Stage::Floats),
            Augmentation::Noise(_) | Augmentation::Erasing(_) => Some(Stage::Normalized),
        }
    }

    fn apply_to_bytes(&self, key: Key, image: &mut Raster, scratch: &mut PolicyScratch) {
        let shape = image.shape;
        let draws = &mut Draws::new(key);
        match self {
            Augmentation::HorizontalFlip(a) => a.apply(key, &mut image.pixels, shape),
            Augmentation::VerticalFlip(a) => a.apply(key, &mut image.pixels, shape),
            Augmentation::PadCrop(a) => {
                let (pixels, old) = image.with_scratch();
                a.apply(key, pixels, shape, a.fill.value() as u8, old);
            }
            Augmentation::Affine(a) => a.apply(draws, image),
            Augmentation::Perspective(a) => a.apply(draws, image),
            Augmentation::Policy { policy } => policy.apply(draws, image, scratch),
            Augmentation::ColorJitter(a) => a.apply(draws, image),
            Augmentation::Blur(a) => a.apply(draws, image),
            Augmentation::Sometimes(a) => a.apply(draws, image),
            Augmentation::RandomResizedCrop(_)
            | Augmentation::Rotation(_)
            | Augmentation::Brightness(_)
            | Augmentation::Contrast(_)
            | Augmentation::Noise(_)
            | Augmentation::Erasing(_) => {}
        }
    }

    fn apply_to_floats(&self, key: Key, pixels: &mut [f32], shape: [usize; 3], scratch: &mut Vec<f32>) {
        match self {
            Augmentation::HorizontalFlip(a) => a.apply(key, pixels, shape),
            Augmentation::VerticalFlip(a) => a.apply(key, pixels, shape),
            Augmentation::PadCrop(a) => a.apply(key, pixels, shape, a.fill.value(), scratch),
            Augmentation::Rotation(a) => a.apply(key, pixels, shape, scratch),
            Augmentation::Brightness(a) => a.apply(key, pixels),
            Augmentation::Contrast(a) => a.apply(key, pixels, shape),
            Augmentation::RandomResizedCrop(_)
            | Augmentation::Affine(_)
            | Augmentation::Perspective(_)
            | Augmentation::Policy { .. }
            | Augmentation::ColorJitter(_)
            | Augmentation::Blur(_)
            | Augmentation::Sometimes(_)
            | Augmentation::Noise(_)
            | Augmentation::Erasing(_) => {}
        }
    }
}

/// Checks every augmentation of a list, and that their [stages](Stage) follow one another.
///
/// # Errors
/// A setting that is outside what it may be; an augmentation that stands after one of a later stage; a crop that is not the first.
pub fn check_list(list: &[Augmentation]) -> Result<(), DataError> {
    list.iter().try_for_each(Augmentation::check)?;
    let stages: Vec<Stage> = list.iter().filter_map(Augmentation::stage).collect();
    let crops = list.iter().skip(1).any(|a| a.stage() == Some(Stage::Crop));
    if crops || !stages.is_sorted() {
        let expected = "a crop first, then what acts on bytes, on floats, on normalized values";
        return Err(DataError::setting("augment", expected, "another order"));
    }
    Ok(())
}

/// Whether a list takes images of 8 bits.
pub fn takes_bytes(list: &[Augmentation]) -> bool {
    list.iter().any(|a| matches!(a.stage(), Some(Stage::Crop | Stage::Bytes)))
}

/// Which random numbers an example is changed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawn {
    /// The run's seed.
    pub seed: u64,
    /// The epoch.
    pub epoch: u64,
    /// The example's id.
    pub example: u64,
}

impl Drawn {
    /// The key of augmentation number `i`.
    pub fn key(self, i: usize) -> Key {
        Key::new(self.seed).with(Purpose::Augment(i as u32)).at(self.epoch, self.example)
    }
}

/// Memory that augmentation needs on the way, kept from image to image.
#[derive(Debug, Default)]
pub struct AugmentScratch {
    pub(crate) raster: Raster,
    pub(crate) floats: Vec<f32>,
    policy: PolicyScratch,
}

/// Applies what acts on bytes, up to the first augmentation that does not, to the image in `scratch`. Gives how many were gone through;
/// [`augment_floats`] goes on there.
pub(crate) fn augment_bytes(list: &[Augmentation], drawn: Drawn, scratch: &mut AugmentScratch) -> usize {
    let done = list.iter().position(|a| a.stage() >= Some(Stage::Floats)).unwrap_or(list.len());
    for (i, augmentation) in list[..done].iter().enumerate() {
        augmentation.apply_to_bytes(drawn.key(i), &mut scratch.raster, &mut scratch.policy);
    }
    done
}

/// Applies the augmentations from place `from` on, in order, to one image of `[height, width, channels]`, as far as they act on pixels
/// as floats. `scratch` is used where the old pixels are still needed.
pub fn augment_floats(
    list: &[Augmentation],
    from: usize,
    drawn: Drawn,
    pixels: &mut [f32],
    shape: [usize; 3],
    scratch: &mut Vec<f32>,
) {
    for (i, augmentation) in list.iter().enumerate().skip(from) {
        augmentation.apply_to_floats(drawn.key(i), pixels, shape, scratch);
    }
}

/// Applies what acts on normalized values.
pub(crate) fn augment_normalized(list: &[Augmentation], drawn: Drawn, values: &mut [f32], shape: [usize; 3]) {
    for (i, augmentation) in list.iter().enumerate() {
        match augmentation {
            Augmentation::Noise(noise) => noise.apply(drawn.key(i), values),
            Augmentation::Erasing(erasing) => erasing.apply(drawn.key(i), values, shape),
            _ => {}
        }
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
            augment_floats(&list, 0, Drawn { seed, epoch, example }, &mut pixels, [8, 8, 3], &mut vec![9.0; 7]);
            pixels
        };
        let first = run(1, 2, 3);
        assert_eq!(first, run(1, 2, 3));
        for other in [run(2, 2, 3), run(1, 3, 3), run(1, 2, 4)] {
            assert_ne!(first, other);
        }
    }
}
