//! Images moved, scaled and sheared at random.

use super::draws::Draws;
use super::raster::geometry::affine_map;
use super::raster::{Interpolation, Raster};
use crate::error::DataError;
use serde::{Deserialize, Serialize};

/// A turn, a shift, a scale and a shear at once, each uniform in its range (torchvision's `RandomAffine`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Affine {
    /// Largest turn to either side, in degrees. Default 0.
    pub degrees: f32,
    /// Largest shift along x and y, as shares of width and height, 0 to 1; shifts are whole pixels. Default `[0, 0]`.
    pub translate: [f32; 2],
    /// Least and greatest factor of size. Default `[1, 1]`.
    pub scale: [f32; 2],
    /// Largest angles of shear to either side along x and y, in degrees, below 90. Default `[0, 0]`.
    pub shear: [f32; 2],
    /// How pixels between pixels are made. Default `nearest`.
    pub interpolation: Interpolation,
    /// Value of pixels from outside, 0 to 255. Default 0.
    pub fill: u8,
    /// Share of images that are changed. Default 1.
    pub probability: f32,
}

impl Default for Affine {
    fn default() -> Affine {
        Affine {
            degrees: 0.0,
            translate: [0.0; 2],
            scale: [1.0; 2],
            shear: [0.0; 2],
            interpolation: Interpolation::Nearest,
            fill: 0,
            probability: 1.0,
        }
    }
}

impl Affine {
    pub(crate) fn check(&self) -> Result<(), DataError> {
        super::check_probability("affine probability", self.probability)?;
        let pair = |[a, b]: [f32; 2]| format!("[{a}, {b}]");
        if !(0.0..=180.0).contains(&self.degrees) {
            return Err(DataError::setting("affine degrees", "a number in [0, 180]", self.degrees));
        }
        if !self.translate.iter().all(|share| (0.0..=1.0).contains(share)) {
            return Err(DataError::setting("affine translate", "two numbers in [0, 1]", pair(self.translate)));
        }
        if !(0.0 < self.scale[0] && self.scale[0] <= self.scale[1] && self.scale[1].is_finite()) {
            let expected = "two numbers above 0, the lower first";
            return Err(DataError::setting("affine scale", expected, pair(self.scale)));
        }
        if !self.shear.iter().all(|degrees| (0.0..90.0).contains(degrees)) {
            return Err(DataError::setting("affine shear", "two numbers in [0, 90)", pair(self.shear)));
        }
        Ok(())
    }

    pub(crate) fn apply(&self, draws: &mut Draws, image: &mut Raster) {
        if !draws.happens(self.probability) {
            return;
        }
        let mut either = |largest: f32| draws.between([-largest, largest]);
        let [height, width, _] = image.shape;
        let degrees = either(self.degrees);
        let shift =
            [either(self.translate[0] * width as f32).round(), either(self.translate[1] * height as f32).round()];
        let shear = self.shear.map(&mut either);
        let scale = draws.between(self.scale);
        let map = affine_map([width as f64 * 0.5, height as f64 * 0.5], degrees, shift, scale, shear);
        image.affine(&map, self.interpolation, self.fill);
    }
}
