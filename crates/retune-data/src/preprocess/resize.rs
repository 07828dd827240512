//! Resizing images, with half-pixel centres: output pixel `i` of `n` samples the source of size `m` at
//! `(i + ½) · m / n − ½`.
//!
//! - [`Filter::Nearest`]: source pixel `⌊(i + ½) · m / n⌋`. Equals `tf.image.resize(method="nearest")`, PyTorch's
//!   `nearest-exact` and Pillow's `NEAREST`.
//! - [`Filter::Bilinear`] without antialiasing: the two nearest pixels of each axis by distance, edges repeated. Equals
//!   `tf.image.resize(method="bilinear")`, so Keras's `Resizing` and `image_dataset_from_directory`, and PyTorch's
//!   `interpolate(mode="bilinear", align_corners=False)`.
//! - [`Filter::Bilinear`] with antialiasing: where it shrinks, a triangle of half-width `m / n` around the sampled
//!   point, its weights normalized to sum 1. Equals `tf.image.resize(antialias=True)` and torchvision's
//!   `antialias=True`; Pillow's `BILINEAR` but for its rounding to 8 bits.
//! - [`Filter::Bicubic`]: Keys's cubic with `a = −½` (Cubic Convolution Interpolation for Digital Image Processing, 1981), pixels beyond
//!   the edge left out and the weights normalized to sum 1; with antialiasing it is stretched by `m / n` where it shrinks. Equals
//!   `tf.image.resize(method="bicubic")`, with antialiasing torchvision's `antialias=True` and Pillow's `BICUBIC` but for its rounding.
//!   Of 8-bit pixels what overshoots is cut to 0–255, as in Pillow.
//!
//! Results stay `f32` and are not rounded.

use super::Sample;
use crate::augment::CropBox;
use crate::error::DataError;
use retune_simd::{Level, multiversion};
use serde::{Deserialize, Serialize};

/// How pixels between pixels are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// The nearest pixel.
    Nearest,
    /// Linear in both axes.
    #[default]
    Bilinear,
    /// Cubic in both axes.
    Bicubic,
}

impl Filter {
    /// How far the filter reaches from its centre, in pixels; below that distance its weight is not 0.
    fn reach(self) -> f64 {
        if self == Filter::Bicubic { 2.0 } else { 1.0 }
    }

    /// The weight of a pixel at distance `x ≥ 0`.
    fn weight(self, x: f64) -> f64 {
        match self {
            Filter::Bicubic if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
            Filter::Bicubic if x < 2.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
            Filter::Bicubic => 0.0,
            Filter::Nearest | Filter::Bilinear => (1.0 - x).max(0.0),
        }
    }
}

/// What is done where the image's aspect ratio is not that of the size wanted.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Fit {
    /// The ratio is not kept.
    #[default]
    Stretch,
    /// The largest box of the wanted ratio is cut from the centre (Keras's `crop_to_aspect_ratio`), its sides then
    /// multiplied by `fraction` (timm's `crop_pct`; torchvision's "resize to 256, crop 224" is 0.875).
    CenterCrop {
        /// Share of the box's sides that is kept, in `(0, 1]`. Default 1.
        #[serde(default = "one")]
        fraction: f32,
    },
    /// As many pixels are added on both of two sides as give the wanted ratio, or one column or row less where their
    /// number is odd (Keras's `pad_to_aspect_ratio`).
    Pad {
        /// Value of the pixels around it, in the range of stored pixels. Default 0.
        #[serde(default)]
        value: f32,
    },
}

fn one() -> f32 {
    1.0
}

/// One size for all images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Resize {
    /// Rows wanted.
    pub height: usize,
    /// Columns wanted.
    pub width: usize,
    /// How pixels between pixels are made. Default `bilinear`.
    #[serde(default)]
    pub filter: Filter,
    /// Whether `bilinear` and `bicubic` average over all pixels where they shrink. Default false, as Keras.
    #[serde(default)]
    pub antialias: bool,
    /// What is done where the aspect ratio differs. Default `stretch`.
    #[serde(default)]
    pub fit: Fit,
}

/// Most pixels of a side that are made.
const MAX_SIDE: usize = 1 << 14;

impl Resize {
    /// Bilinear without antialiasing, stretched: what Keras does by default.
    pub fn to(height: usize, width: usize) -> Resize {
        Resize { height, width, filter: Filter::Bilinear, antialias: false, fit: Fit::Stretch }
    }

    pub(crate) fn check(&self) -> Result<(), DataError> {
        if !(1..=MAX_SIDE).contains(&self.height) || !(1..=MAX_SIDE).contains(&self.width) {
            let found = format!("{}×{}", self.height, self.width);
            return Err(DataError::setting("resize", format!("height and width of 1 to {MAX_SIDE}"), found));
        }
        match self.fit {
            Fit::CenterCrop { fraction } if !(fraction > 0.0 && fraction <= 1.0) => {
                Err(DataError::setting("resize fraction", "a number in (0, 1]", fraction))
            }
            Fit::Pad { value } if !value.is_finite() => {
                Err(DataError::setting("resize value", "a finite number", value))
            }
            _ => Ok(()),
        }
    }

    /// Whether an image of this `[height, width]` comes out unchanged.
    pub(crate) fn keeps(&self, size: [usize; 2]) -> bool {
        let whole = !matches!(self.fit, Fit::CenterCrop { fraction } if fraction < 1.0);
        whole && size == [self.height, self.width]
    }

    /// Resizes `source` of `[height, width, channels]` into `out` of `[self.height, self.width, channels]`.
    pub(crate) fn apply<S: Sample>(&self, source: &[S], shape: [usize; 3], row: &mut Vec<f32>, out: &mut [f32]) {
        let [height, width, _] = shape;
        // The sides that, with the other one whole, have the wanted ratio.
        let ratio_height = (width * self.height) / self.width;
        let ratio_width = (height * self.width) / self.height;
        let (window_height, window_width, fill) = match self.fit {
            Fit::Stretch => (height, width, 0.0),
            Fit::CenterCrop { fraction } => {
                let shrink = |side: usize| ((side as f64 * f64::from(fraction)).round() as usize).max(1);
                (shrink(ratio_height.clamp(1, height)), shrink(ratio_width.clamp(1, width)), 0.0)
            }
            Fit::Pad { value } => {
                let padded = |side: usize, ratio_side: usize| side + ratio_side.saturating_sub(side) / 2 * 2;
                (padded(height, ratio_height), padded(width, ratio_width), value)
            }
        };
        let window = Window {
            top: center(height, window_height),
            left: center(width, window_width),
            height: window_height,
            width: window_width,
            fill,
        };
        self.resample(source, shape, window, row, out);
    }

    /// Resizes a box of `source` that lies inside it, without regard to the ratio.
    pub(crate) fn apply_box<S: Sample>(
        &self,
        source: &[S],
        shape: [usize; 3],
        cut: CropBox,
        row: &mut Vec<f32>,
        out: &mut [f32],
    ) {
        let CropBox { top, left, height, width } = cut;
        let window = Window { top: top as isize, left: left as isize, height, width, fill: 0.0 };
        self.resample(source, shape, window, row, out);
    }

    /// Samples a window of `source`. Each output row is first made at the window's full width, then sampled along it.
    fn resample<S: Sample>(
        &self,
        source: &[S],
        shape: [usize; 3],
        window: Window,
        row: &mut Vec<f32>,
        out: &mut [f32],
    ) {
        let [height, width, channels] = shape;
        let across = Taps::new(window.width, self.width, self.filter, self.antialias);
        let down = Taps::new(window.height, self.height, self.filter, self.antialias);
        // Columns of the window that lie in the image, and where they begin there. Those beside it stay `fill`.
        let (inside, from) = match usize::try_from(window.left) {
            Ok(left) => (0..window.width, left),
            Err(_) => (window.left.unsigned_abs()..window.left.unsigned_abs() + width, 0),
        };
        row.clear();
        row.resize(window.width * channels, window.fill);
        // Pixels of three channels are read four values at a time.
        row.push(0.0);
        let level = Level::detect();
        for (y, out) in out.chunks_exact_mut(self.width * channels).enumerate() {
            let (first, weights) = down.of(y);
            let sums = &mut row[inside.start * channels..inside.end * channels];
            let line = |j: usize| {
                let y = usize::try_from(window.top + (first + j) as isize).ok().filter(|&y| y < height)?;
                Some(&source[(y * width + from) * channels..][..(inside.end - inside.start) * channels])
            };
            if let (&[upper_weight, lower_weight], Some(upper), Some(lower)) =
                (weights, line(0), line(weights.len() - 1))
            {
                between(level, [upper_weight, lower_weight], upper, lower, sums);
            } else {
                sums.fill(0.0);
                for (j, &weight) in weights.iter().enumerate() {
                    match line(j) {
                        Some(source) => add(level, weight, source, sums),
                        None => sums.iter_mut().for_each(|sum| *sum += weight * window.fill),
                    }
                }
            }
            match channels {
                3 => across.sample_three(level, row, out),
                _ => across.sample_any(row, out, channels),
            }
            if let (Filter::Bicubic, Some((low, high))) = (self.filter, S::RANGE) {
                out.iter_mut().for_each(|value| *value = value.clamp(low, high));
            }
        }
    }
}

multiversion! {
    /// `sums = weights[0] · upper + weights[1] · lower`.
    fn between[S: Sample](weights: [f32; 2], upper: &[S], lower: &[S], sums: &mut [f32]) {
        for ((sum, &upper), &lower) in sums.iter_mut().zip(upper).zip(lower) {
            *sum = weights[0] * upper.to_f32() + weights[1] * lower.to_f32();
        }
    }

    /// `sums += weight · row`.
    fn add[S: Sample](weight: f32, row: &[S], sums: &mut [f32]) {
        for (sum, &sample) in sums.iter_mut().zip(row) {
            *sum += weight * sample.to_f32();
        }
    }

    /// Samples one row of pixels of three channels, behind which one more value stands: each pixel is read with the first value of the
    /// next, four at a time.
    fn sample_three[const N: usize](first: &[usize], weights: &[[f32; N]], row: &[f32], out: &mut [f32]) {
        for ((pixel, &first), weights) in out.as_chunks_mut::<3>().0.iter_mut().zip(first).zip(weights) {
            let from = &row[3 * first..][..3 * N + 1];
            let mut sum = [0.0f32; 4];
            for j in 0..N {
                for c in 0..4 {
                    sum[c] += weights[j] * from[3 * j + c];
                }
            }
            *pixel = [sum[0], sum[1], sum[2]];
        }
    }
}

/// A box of the source, which may reach beyond it; pixels outside are `fill`.
struct Window {
    top: isize,
    left: isize,
    height: usize,
    width: usize,
    fill: f32,
}

/// Where a box of size `inner` begins so that it and a box of size `outer` have one centre; rounded towards 0.
fn center(outer: usize, inner: usize) -> isize {
    (outer as isize - inner as isize) / 2
}

/// For each output pixel of one axis, the source pixels it is made of and their weights.
struct Taps {
    first: Vec<usize>,
    weights: Vec<f32>,
    per_pixel: usize,
}

impl Taps {
    fn new(from: usize, to: usize, filter: Filter, antialias: bool) -> Taps {
        let ratio = from as f64 / to as f64;
        let scale = if antialias { ratio.max(1.0) } else { 1.0 };
        let reach = filter.reach() * scale;
        // The filter is not 0 in an open interval of length `2 · reach`, which holds at most this many pixels.
        let per_pixel = match filter {
            Filter::Nearest => 1,
            Filter::Bilinear | Filter::Bicubic => ((2.0 * reach).ceil() as usize).min(from),
        };
        let mut taps = Taps { first: Vec::with_capacity(to), weights: vec![0.0; to * per_pixel], per_pixel };
        for (i, weights) in taps.weights.chunks_exact_mut(per_pixel).enumerate() {
            let center = (i as f64 + 0.5) * ratio;
            if filter == Filter::Nearest {
                taps.first.push((center as usize).min(from - 1));
                weights[0] = 1.0;
                continue;
            }
            let at = center - 0.5;
            let first = ((at - reach).floor() + 1.0).max(0.0) as usize;
            let first = first.min(from - per_pixel);
            let weight = |j: usize| filter.weight(((first + j) as f64 - at).abs() / scale);
            let sum: f64 = (0..per_pixel).map(weight).sum();
            weights.iter_mut().enumerate().for_each(|(j, w)| *w = (weight(j) / sum) as f32);
            taps.first.push(first);
        }
        taps
    }

    /// Samples one row of pixels of three channels, behind which one more value stands.
    fn sample_three(&self, level: Level, row: &[f32], out: &mut [f32]) {
        match self.per_pixel {
            2 => sample_three(level, &self.first, self.weights.as_chunks::<2>().0, row, out),
            3 => sample_three(level, &self.first, self.weights.as_chunks::<3>().0, row, out),
            4 => sample_three(level, &self.first, self.weights.as_chunks::<4>().0, row, out),
            _ => self.sample_any(row, out, 3),
        }
    }

    /// Samples one row of pixels of so many channels.
    fn sample_any(&self, row: &[f32], out: &mut [f32], channels: usize) {
        for (i, pixel) in out.chunks_exact_mut(channels).enumerate() {
            let (first, weights) = self.of(i);
            pixel.fill(0.0);
            for (from, &weight) in row[first * channels..].chunks_exact(channels).zip(weights) {
                pixel.iter_mut().zip(from).for_each(|(sum, &value)| *sum += weight * value);
            }
        }
    }

    fn of(&self, i: usize) -> (usize, &[f32]) {
        (self.first[i], &self.weights[i * self.per_pixel..(i + 1) * self.per_pixel])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resize(resize: &Resize, height: usize, width: usize) -> Vec<f32> {
        let source: Vec<u8> = (0..height * width).map(|i| (i * i * 7 % 251) as u8).collect();
        let mut out = vec![0.0; resize.height * resize.width];
        resize.apply(&source, [height, width, 1], &mut Vec::new(), &mut out);
        out
    }

    #[test]
    fn equal_size_changes_nothing() {
        for filter in [Filter::Nearest, Filter::Bilinear, Filter::Bicubic] {
            for antialias in [false, true] {
                let same = resize(&Resize { filter, antialias, ..Resize::to(5, 4) }, 5, 4);
                assert!(same.iter().enumerate().all(|(i, &v)| v == (i * i * 7 % 251) as f32), "{same:?}");
            }
        }
    }

    #[test]
    fn a_constant_image_stays_constant() {
        for (height, width) in [(1, 1), (2, 9), (13, 3), (40, 40)] {
            for antialias in [false, true] {
                let to = Resize { antialias, ..Resize::to(7, 5) };
                let mut out = vec![0.0; 7 * 5 * 3];
                to.apply(&vec![77u8; height * width * 3], [height, width, 3], &mut Vec::new(), &mut out);
                assert!(out.iter().all(|v| (v - 77.0).abs() < 1e-4), "{height}×{width} {out:?}");
            }
        }
    }

    /// Values of TensorFlow 2.21 (`tf.image.resize`, Keras 3.15's `Resizing`) on the image of [`resize`]. Pillow 13.0 gives
    /// the same for `nearest(3, 4)` and `antialias(3, 4)` (images of mode `F`).
    #[test]
    fn equals_tensorflow() {
        let nearest = |height, width| Resize { filter: Filter::Nearest, ..Resize::to(height, width) };
        let antialias = |height, width| Resize { antialias: true, ..Resize::to(height, width) };
        let bicubic =
            |height, width, antialias| Resize { filter: Filter::Bicubic, antialias, ..Resize::to(height, width) };
        let crop = |height, width| Resize { fit: Fit::CenterCrop { fraction: 1.0 }, ..Resize::to(height, width) };
        let pad = |height, width| Resize { fit: Fit::Pad { value: 9.0 }, ..Resize::to(height, width) };
        let cases: [(Resize, [usize; 2], &[f32]); 14] = [
            (nearest(3, 4), [5, 7], &[0., 28., 112., 1., 117., 35., 9., 39., 217., 25., 140., 60.]),
            (
                nearest(5, 7),
                [3, 4],
                &[
                    0., 0., 7., 28., 28., 63., 63., 0., 0., 7., 28., 28., 63., 63., 112., 112., 175., 1., 1., 92., 92.,
                    197., 197., 65., 198., 198., 94., 94., 197., 197., 65., 198., 198., 94., 94.,
                ],
            ),
            (
                Resize::to(3, 4),
                [5, 7],
                &[45.5417, 48.7917, 106.25, 81.9583, 99., 32.5, 9.75, 30.75, 150.1667, 87.125, 130.5833, 92.2917],
            ),
            (
                Resize::to(4, 5),
                [3, 2],
                &[
                    0., 0.7, 3.5, 6.3, 7., 17.5, 19.95, 29.75, 39.55, 42., 59.5, 64.05, 82.25, 100.45, 105., 112.,
                    118.3, 143.5, 168.7, 175.,
                ],
            ),
            (
                antialias(3, 4),
                [5, 7],
                &[
                    60.6395, 74.3314, 108.4114, 89.0408, 104.1958, 77.0889, 53.1689, 69.0317, 137.2041, 107.3714,
                    128.72, 104.6871,
                ],
            ),
            (antialias(2, 4), [9, 3], &[30.9437, 79.368, 113.5616, 122.1267, 38.2113, 71.5475, 98.2412, 109.3943]),
            (
                bicubic(3, 4, true),
                [5, 7],
                &[
                    58.1522, 74.0492, 111.7132, 85.8354, 108.8212, 79.1884, 45.5187, 70.7844, 138.4117, 103.7746,
                    132.088, 104.4588,
                ],
            ),
            (bicubic(2, 4, true), [9, 3], &[26.6915, 79.7941, 119.1422, 120.068, 36.2312, 71.1917, 102.9393, 111.5708]),
            (
                bicubic(3, 4, false),
                [5, 7],
                &[
                    38.1389, 43.6788, 109.2997, 78.9551, 102.9308, 31.7344, 8.9844, 32.2411, 159.6991, 79.775,
                    136.4723, 88.8149,
                ],
            ),
            // Below 0 in TensorFlow, whose values are not cut: −8.6414, −9.2567, −1.574.
            (
                bicubic(5, 6, false),
                [3, 4],
                &[
                    0., 0., 0., 23.9774, 48.4311, 62.8372, 33.1901, 55.7896, 64.8576, 13.8132, 39.6522, 77.2731,
                    107.849, 151.8824, 156.5968, 17.4557, 38.9412, 97.9959, 176.1893, 142.4942, 109.9967, 126.8233,
                    111.0968, 92.4231, 213.0874, 125.184, 68.4169, 199.2063, 159.2102, 86.3282,
                ],
            ),
            (crop(3, 3), [5, 7], &[60.3333, 108., 114., 57.6667, 15., 14.3333, 105., 139.3333, 132.]),
            (crop(2, 3), [6, 4], &[175., 131.5, 111.3333, 33.1667, 148., 77.]),
            (pad(3, 3), [5, 7], &[6.1111, 45., 81., 85., 15., 24.3333, 101.8889, 137.0001, 57.6667]),
            (pad(2, 3), [6, 4], &[9., 88., 9., 9., 12., 9.]),
        ];
        for (settings, [height, width], expected) in cases {
            let found = resize(&settings, height, width);
            assert_eq!(found.len(), expected.len());
            // Without antialiasing TensorFlow takes cubic weights from a table of 1,024.
            let is_coarse = settings.filter == Filter::Bicubic && !settings.antialias;
            let tolerance = if is_coarse { 0.1 } else { 2e-3 };
            for (a, b) in found.iter().zip(expected) {
                assert!((a - b).abs() < tolerance, "{settings:?} of {height}×{width}: {found:?}");
            }
        }
    }

    #[test]
    fn a_fraction_cuts_the_centre() {
        let cut = Resize { fit: Fit::CenterCrop { fraction: 0.5 }, ..Resize::to(2, 2) };
        assert!(!cut.keeps([2, 2]));
        assert_eq!(resize(&cut, 4, 4), [5usize, 6, 9, 10].map(|i| (i * i * 7 % 251) as f32));
        assert!(Resize { fit: Fit::CenterCrop { fraction: 0.0 }, ..Resize::to(2, 2) }.check().is_err());
        assert!(Resize { fit: Fit::Pad { value: f32::NAN }, ..Resize::to(2, 2) }.check().is_err());
    }
}
