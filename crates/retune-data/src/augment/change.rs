//! [`Change`]: one change of an image by a given strength, as policies and recipes name it.

use super::raster::geometry::{affine_map, rotation_map};
use super::raster::{Interpolation, Raster};
use crate::error::DataError;
use serde::{Deserialize, Serialize};

/// One change of an image, with its strength. Pixels from outside are black.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "change", content = "strength")]
#[non_exhaustive]
pub enum Change {
    /// None.
    Identity,
    /// Each row is moved by so many pixels per row from the top.
    ShearX(f64),
    /// Each column is moved by so many pixels per column from the left.
    ShearY(f64),
    /// Moved to the right by so many pixels.
    TranslateX(f64),
    /// Moved down by so many pixels.
    TranslateY(f64),
    /// Turned anticlockwise, in degrees.
    Rotate(f64),
    /// Factor of brightness.
    Brightness(f64),
    /// Factor of saturation.
    Color(f64),
    /// Factor of contrast.
    Contrast(f64),
    /// Factor of sharpness.
    Sharpness(f64),
    /// Bits that are left, 0 to 8.
    Posterize(u32),
    /// Values that are inverted begin here.
    Solarize(f64),
    /// Values are stretched to 0–255.
    AutoContrast,
    /// Values become about equally frequent.
    Equalize,
    /// Values are inverted.
    Invert,
    /// Brightness alone.
    Grey,
}

impl Change {
    /// Checks the strength.
    pub(crate) fn check(self) -> Result<(), DataError> {
        let refuse = |name: &str, expected: &str, found: f64| Err(DataError::setting(name, expected, found));
        match self {
            Change::Posterize(bits) if bits > 8 => refuse("posterize bits", "0 to 8", f64::from(bits)),
            Change::Solarize(from) if !(0.0..=256.0).contains(&from) => {
                refuse("solarize threshold", "a number in [0, 256]", from)
            }
            Change::Brightness(factor)
            | Change::Color(factor)
            | Change::Contrast(factor)
            | Change::Sharpness(factor)
                if !(0.0..=100.0).contains(&factor) =>
            {
                refuse("factor", "a number in [0, 100]", factor)
            }
            Change::ShearX(by) | Change::ShearY(by) | Change::TranslateX(by) | Change::TranslateY(by)
                if !by.is_finite() =>
            {
                refuse("strength", "a finite number", by)
            }
            Change::Rotate(degrees) if !degrees.is_finite() => refuse("degrees", "a finite number", degrees),
            _ => Ok(()),
        }
    }

    /// Changes an image.
    pub fn apply(self, image: &mut Raster) {
        let move_by = |image: &mut Raster, center: [f64; 2], shift: [f64; 2], shear: [f64; 2]| {
            image.affine(&affine_map(center, 0.0, shift, 1.0, shear), Interpolation::Nearest, 0);
        };
        let center = [image.shape[1] as f64 * 0.5, image.shape[0] as f64 * 0.5];
        match self {
            Change::Identity => {}
            Change::ShearX(by) => move_by(image, [0.0; 2], [0.0; 2], [by.atan().to_degrees(), 0.0]),
            Change::ShearY(by) => move_by(image, [0.0; 2], [0.0; 2], [0.0, by.atan().to_degrees()]),
            Change::TranslateX(by) => move_by(image, center, [by.trunc(), 0.0], [0.0; 2]),
            Change::TranslateY(by) => move_by(image, center, [0.0, by.trunc()], [0.0; 2]),
            Change::Rotate(degrees) => image.affine(&rotation_map(image.shape, degrees), Interpolation::Nearest, 0),
            Change::Brightness(factor) => image.brightness(factor as f32),
            Change::Color(factor) => image.saturation(factor as f32),
            Change::Contrast(factor) => image.contrast(factor as f32),
            Change::Sharpness(factor) => image.sharpness(factor as f32),
            Change::Posterize(bits) => image.posterize(bits),
            Change::Solarize(from) => image.solarize(from as f32),
            Change::AutoContrast => image.auto_contrast(),
            Change::Equalize => image.equalize(),
            Change::Invert => image.invert(),
            Change::Grey => image.grey(),
        }
    }
}
