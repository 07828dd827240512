//! Rescaling and normalization, fused into one pass from stored bytes to the network's floats.

use crate::error::DataError;
use retune_simd::{Level, multiversion};
use serde::{Deserialize, Serialize};

/// `x · scale + offset` (Keras's `Rescaling`). For pixels of 0–255 to 0–1: `scale = 1/255`, `offset = 0`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rescale {
    /// Factor.
    pub scale: f32,
    /// What is added after the factor. Default 0.
    #[serde(default)]
    pub offset: f32,
}

impl Rescale {
    pub(crate) fn check(&self) -> Result<(), DataError> {
        if self.scale.is_finite() && self.offset.is_finite() && self.scale != 0.0 {
            return Ok(());
        }
        Err(DataError::setting("rescale", "finite numbers and a scale that is not 0", format!("{self:?}")))
    }
}

/// `(x − mean[channel]) / std[channel]`, after rescaling. A single number serves every channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Normalize {
    /// Mean of each channel, in units of rescaled pixels.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel, in the same units.
    pub std: Vec<f32>,
}

impl Normalize {
    pub(crate) fn check(&self) -> Result<(), DataError> {
        if self.mean.is_empty() || self.mean.len() != self.std.len() {
            let found = format!("{} and {}", self.mean.len(), self.std.len());
            return Err(DataError::setting("normalize", "as many means as deviations, at least one", found));
        }
        if self.mean.iter().any(|m| !m.is_finite()) || self.std.iter().any(|s| !s.is_finite() || *s <= 0.0) {
            return Err(DataError::setting("normalize", "finite means and positive deviations", format!("{self:?}")));
        }
        Ok(())
    }
}

/// `x · scale[c] + offset[c]`, with channels last.
///
/// Both steps are folded in f64 and rounded once: `scale[c] = scale / std[c]`, `offset[c] = (offset − mean[c]) /
/// std[c]`. Without a [`Normalize`] they are exactly the numbers given.
#[derive(Debug, Clone)]
pub(crate) struct Affine {
    /// One value if all channels agree, else [`LANES`] times the channels, so that the inner loop sees no channel.
    scale: Vec<f32>,
    offset: Vec<f32>,
}

/// Pixels per round of the inner loop: enough that a round is whole vectors for any number of channels.
const LANES: usize = 16;

multiversion! {
    /// [`Affine::apply_u8`].
    fn apply_u8(affine: &Affine, pixels: &[u8], out: &mut [f32]) {
        if let ([scale], [offset]) = (&affine.scale[..], &affine.offset[..]) {
            pixels.iter().zip(out).for_each(|(&x, y)| *y = f32::from(x) * scale + offset);
            return;
        }
        let round = affine.scale.len();
        for (pixels, out) in pixels.chunks(round).zip(out.chunks_mut(round)) {
            for (((&x, y), scale), offset) in pixels.iter().zip(out).zip(&affine.scale).zip(&affine.offset) {
                *y = f32::from(x) * scale + offset;
            }
        }
    }
}

impl Affine {
    pub(crate) fn new(
        rescale: Option<&Rescale>,
        normalize: Option<&Normalize>,
        channels: usize,
    ) -> Result<Affine, DataError> {
        let (scale, offset) = rescale.map_or((1.0, 0.0), |r| (f64::from(r.scale), f64::from(r.offset)));
        let Some(Normalize { mean, std }) = normalize else {
            return Ok(Affine { scale: vec![scale as f32], offset: vec![offset as f32] });
        };
        if mean.len() != std.len() || (mean.len() != 1 && mean.len() != channels) {
            return Err(DataError::setting(
                "normalize",
                format!("1 or {channels} means and deviations, as the input has {channels} channels"),
                format!("{} and {}", mean.len(), std.len()),
            ));
        }
        let scales: Vec<f32> = std.iter().map(|&s| (scale / f64::from(s)) as f32).collect();
        let offsets: Vec<f32> =
            mean.iter().zip(std).map(|(&m, &s)| ((offset - f64::from(m)) / f64::from(s)) as f32).collect();
        let repeats = if mean.len() == 1 { 1 } else { LANES };
        Ok(Affine { scale: scales.repeat(repeats), offset: offsets.repeat(repeats) })
    }

    /// From bytes to prepared floats in one pass.
    pub(crate) fn apply_u8(&self, pixels: &[u8], out: &mut [f32]) {
        apply_u8(Level::detect(), self, pixels, out);
    }

    /// The same in place.
    pub(crate) fn apply_in_place(&self, values: &mut [f32]) {
        if let ([scale], [offset]) = (&self.scale[..], &self.offset[..]) {
            if (*scale, *offset) != (1.0, 0.0) {
                values.iter_mut().for_each(|x| *x = *x * scale + offset);
            }
            return;
        }
        for values in values.chunks_mut(self.scale.len()) {
            for ((x, scale), offset) in values.iter_mut().zip(&self.scale).zip(&self.offset) {
                *x = *x * scale + offset;
            }
        }
    }

    /// Back to what was prepared: `(x − offset) / scale`.
    pub(crate) fn undo_in_place(&self, values: &mut [f32]) {
        for values in values.chunks_mut(self.scale.len()) {
            for ((x, scale), offset) in values.iter_mut().zip(&self.scale).zip(&self.offset) {
                *x = (*x - offset) / scale;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_two_steps_at_every_length() {
        let rescale = Rescale { scale: 1.0 / 255.0, offset: 0.25 };
        let normalize = Normalize { mean: vec![0.485, 0.456, 0.406], std: vec![0.229, 0.224, 0.225] };
        let affine = Affine::new(Some(&rescale), Some(&normalize), 3).unwrap();
        for pixels in [1usize, 15, 16, 17, 100] {
            let bytes: Vec<u8> = (0..pixels * 3).map(|i| (i * 91 % 256) as u8).collect();
            let (mut out, mut in_place) =
                (vec![0.0; bytes.len()], bytes.iter().map(|&b| f32::from(b)).collect::<Vec<_>>());
            affine.apply_u8(&bytes, &mut out);
            affine.apply_in_place(&mut in_place);
            assert_eq!(out, in_place);
            for (i, (&byte, found)) in bytes.iter().zip(&out).enumerate() {
                let x = f64::from(byte) / 255.0 + 0.25;
                let expected = (x - f64::from(normalize.mean[i % 3])) / f64::from(normalize.std[i % 3]);
                assert!((f64::from(*found) - expected).abs() < 1e-5, "{i}: {found} {expected}");
            }
        }
    }

    #[test]
    fn rescaling_alone_is_exactly_as_written() {
        let affine = Affine::new(Some(&Rescale { scale: 1.0 / 127.5, offset: -1.0 }), None, 3).unwrap();
        let bytes: Vec<u8> = (0..=255).collect();
        let mut out = vec![0.0; 256];
        affine.apply_u8(&bytes, &mut out);
        assert!(bytes.iter().zip(&out).all(|(&b, &y)| y == f32::from(b) * (1.0 / 127.5) + -1.0));
    }

    #[test]
    fn lengths_must_agree() {
        let two = Normalize { mean: vec![0.0; 2], std: vec![1.0; 2] };
        assert!(Affine::new(None, Some(&two), 3).is_err());
        assert!(Normalize { mean: vec![0.0], std: vec![0.0] }.check().is_err());
        assert!(Normalize { mean: vec![], std: vec![] }.check().is_err());
        assert!(Rescale { scale: f32::NAN, offset: 0.0 }.check().is_err());
    }
}
