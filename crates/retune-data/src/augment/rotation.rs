//! Small turns about the centre.

use super::Fill;
use crate::error::DataError;
use retune_tensor::Key;
use serde::{Deserialize, Serialize};

/// Turns an image about its centre by an angle uniform in `[−max_degrees, max_degrees)`, sampling bilinearly.
///
/// Output pixel `(y, x)`, counted from the centre `((height − 1)/2, (width − 1)/2)`, takes the source at
/// `(y·cos θ + x·sin θ, x·cos θ − y·sin θ)`: positive angles turn anticlockwise as seen on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rotation {
    /// Largest angle in degrees, up to 180.
    pub max_degrees: f32,
    /// What stands outside the image. Default `reflect`.
    #[serde(default)]
    pub fill: Fill,
}

impl Rotation {
    pub(crate) fn check(&self) -> Result<(), DataError> {
        if !(0.0..=180.0).contains(&self.max_degrees) {
            return Err(DataError::setting("rotation max-degrees", "a number in [0, 180]", self.max_degrees));
        }
        self.fill.check()
    }

    pub(crate) fn apply(&self, key: Key, pixels: &mut [f32], shape: [usize; 3], scratch: &mut Vec<f32>) {
        let degrees = self.max_degrees * (2.0 * key.uniform(0) - 1.0);
        rotate(pixels, shape, degrees, self.fill, scratch);
    }
}

/// Turns an image of `[height, width, channels]` by `degrees`, anticlockwise.
pub fn rotate(pixels: &mut [f32], shape: [usize; 3], degrees: f32, fill: Fill, scratch: &mut Vec<f32>) {
    let [height, width, channels] = shape;
    let (sin, cos) = f64::from(degrees).to_radians().sin_cos();
    let (sin, cos) = (sin as f32, cos as f32);
    let (middle_y, middle_x) = ((height as f32 - 1.0) / 2.0, (width as f32 - 1.0) / 2.0);
    scratch.clear();
    scratch.extend_from_slice(pixels);
    for y in 0..height {
        for x in 0..width {
            let (down, right) = (y as f32 - middle_y, x as f32 - middle_x);
            let from_y = down * cos + right * sin + middle_y;
            let from_x = right * cos - down * sin + middle_x;
            let (top, left) = (from_y.floor(), from_x.floor());
            let (share_y, share_x) = (from_y - top, from_x - left);
            let pixel = &mut pixels[(y * width + x) * channels..][..channels];
            pixel.fill(0.0);
            let corners = [
                (0, 0, (1.0 - share_y) * (1.0 - share_x)),
                (0, 1, (1.0 - share_y) * share_x),
                (1, 0, share_y * (1.0 - share_x)),
                (1, 1, share_y * share_x),
            ];
            for (below, beside, weight) in corners {
                let from_y = fill.index(top as isize + below, height);
                match from_y.zip(fill.index(left as isize + beside, width)) {
                    Some((y, x)) => {
                        let from = &scratch[(y * width + x) * channels..][..channels];
                        pixel.iter_mut().zip(from).for_each(|(sum, value)| *sum += weight * value);
                    }
                    None => pixel.iter_mut().for_each(|sum| *sum += weight * fill.value()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turned(source: &[f32], shape: [usize; 3], degrees: f32, fill: Fill) -> Vec<f32> {
        let mut pixels = source.to_vec();
        rotate(&mut pixels, shape, degrees, fill, &mut Vec::new());
        pixels
    }

    fn close(found: &[f32], expected: &[f32]) {
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4), "{found:?} {expected:?}");
    }

    #[test]
    fn quarter_and_half_turns_move_pixels() {
        let source = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];
        close(&turned(&source, [3, 3, 1], 0.0, Fill::Reflect), &source);
        close(&turned(&source, [3, 3, 1], 90.0, Fill::Reflect), &[3.0, 6.0, 9.0, 2.0, 5.0, 8.0, 1.0, 4.0, 7.0]);
        close(&turned(&source, [3, 3, 1], -90.0, Fill::Reflect), &[7.0, 4.0, 1.0, 8.0, 5.0, 2.0, 9.0, 6.0, 3.0]);
        close(&turned(&source, [3, 3, 1], 180.0, Fill::Reflect), &[9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]);
    }

    #[test]
    fn a_slope_turns_as_a_slope() {
        // Bilinear sampling is exact for pixels linear in their place, wherever no pixel outside is touched.
        let (size, degrees) = (21usize, 17.0f32);
        let source: Vec<f32> = (0..size * size).map(|i| 3.0 * (i / size) as f32 + 2.0 * (i % size) as f32).collect();
        let found = turned(&source, [size, size, 1], degrees, Fill::Constant { value: 0.0 });
        let (sin, cos) = degrees.to_radians().sin_cos();
        for y in 6..15 {
            for x in 6..15 {
                let (down, right) = (y as f32 - 10.0, x as f32 - 10.0);
                let expected = 3.0 * (down * cos + right * sin + 10.0) + 2.0 * (right * cos - down * sin + 10.0);
                assert!((found[y * size + x] - expected).abs() < 1e-3);
            }
        }
    }

    #[test]
    fn outside_is_filled() {
        let white = [1.0; 16];
        close(&turned(&white, [4, 4, 1], 45.0, Fill::Reflect), &white);
        close(&turned(&white, [4, 4, 1], 45.0, Fill::Nearest), &white);
        let corners = turned(&white, [4, 4, 1], 45.0, Fill::Constant { value: -1.0 });
        assert!(corners[0] < 1.0 && (corners[5] - 1.0).abs() < 1e-6);
        assert!(Rotation { max_degrees: 181.0, fill: Fill::Reflect }.check().is_err());
    }
}
