//! Images seen from another side.

use super::draws::Draws;
use super::raster::Raster;
use super::raster::geometry::projective_map;
use crate::error::DataError;
use serde::{Deserialize, Serialize};

/// Each corner is moved inwards by a whole number of pixels, uniform from 0 to `distortion` times half of the side, and the image
/// drawn linearly between them (torchvision's `RandomPerspective`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Perspective {
    /// How far corners move, 0 to 1. Default 0.5.
    pub distortion: f32,
    /// Value of pixels from outside, 0 to 255. Default 0.
    pub fill: u8,
    /// Share of images that are changed. Default 0.5.
    pub probability: f32,
}

impl Default for Perspective {
    fn default() -> Perspective {
        Perspective { distortion: 0.5, fill: 0, probability: 0.5 }
    }
}

impl Perspective {
    pub(crate) fn check(&self) -> Result<(), DataError> {
        super::check_probability("perspective probability", self.probability)?;
        if (0.0..=1.0).contains(&self.distortion) {
            return Ok(());
        }
        Err(DataError::setting("perspective distortion", "a number in [0, 1]", self.distortion))
    }

    pub(crate) fn apply(&self, draws: &mut Draws, image: &mut Raster) {
        if !draws.happens(self.probability) {
            return;
        }
        let [height, width, _] = image.shape;
        let most = |side: usize| (f64::from(self.distortion) * (side / 2) as f64) as usize;
        let [right, bottom] = [width, height].map(|side| side as f64 - 1.0);
        let old = [[0.0, 0.0], [right, 0.0], [right, bottom], [0.0, bottom]];
        let new = old.map(|[x, y]| {
            let mut inwards = |side: usize| draws.below(most(side) + 1) as f64;
            let (dx, dy) = (inwards(width), inwards(height));
            [if x > 0.0 { x - dx } else { dx }, if y > 0.0 { y - dy } else { dy }]
        });
        // Corners fall together only in images of one row or column, which look alike from every side.
        if let Some(map) = projective_map(old, new) {
            image.perspective(&map, self.fill);
        }
    }
}
