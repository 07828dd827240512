//! Colour channels: their number and order.

use super::Sample;
use crate::error::DataError;
use serde::{Deserialize, Serialize};

/// Colour channels that a network takes.
///
/// Stored images have 1 channel (grey), 2 (grey, alpha), 3 (red, green, blue) or 4 (with alpha). Alpha is dropped; grey
/// fills each of three channels; three become grey as `0.299 R + 0.587 G + 0.114 B` (ITU-R BT.601), for 8-bit images
/// rounded to 8 bits exactly as Pillow's `convert("L")` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Color {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red (networks that came from Caffe or were fed by OpenCV).
    Bgr,
    /// One channel of brightness.
    Grey,
}

impl Color {
    /// Number of channels.
    pub fn channels(self) -> usize {
        match self {
            Color::Rgb | Color::Bgr => 3,
            Color::Grey => 1,
        }
    }

    /// Whether a stored image of so many channels is already of this colour.
    pub(crate) fn keeps(self, channels: usize) -> bool {
        matches!((self, channels), (Color::Rgb, 3) | (Color::Grey, 1))
    }
}

/// The samples in the colour asked for: the stored ones where they already are, else built in `buffer`.
pub(crate) fn recolor<'a, S: Sample>(
    samples: &'a [S],
    channels: usize,
    color: Option<Color>,
    buffer: &'a mut Vec<S>,
) -> Result<(&'a [S], usize), DataError> {
    let Some(color) = color.filter(|c| !c.keeps(channels)) else { return Ok((samples, channels)) };
    if !(1..=4).contains(&channels) {
        return Err(DataError::WrongShape {
            place: "image".into(),
            expected: "1 to 4 channels".into(),
            found: format!("{channels} channels"),
            hint: "leave `color` out to keep the stored channels; arrays with channels first need `layout = \"channels-first\"`",
        });
    }
    let colored = channels >= 3;
    let pixels = samples.chunks_exact(channels);
    buffer.clear();
    match (color, colored) {
        (Color::Grey, true) => buffer.extend(pixels.map(|p| S::luma(p[0], p[1], p[2]))),
        (Color::Grey, false) => buffer.extend(pixels.map(|p| p[0])),
        (Color::Rgb, true) => buffer.extend(pixels.flat_map(|p| [p[0], p[1], p[2]])),
        (Color::Bgr, true) => buffer.extend(pixels.flat_map(|p| [p[2], p[1], p[0]])),
        (Color::Rgb | Color::Bgr, false) => buffer.extend(pixels.flat_map(|p| [p[0]; 3])),
    }
    Ok((buffer, color.channels()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convert(pixels: &[u8], channels: usize, color: Color) -> Vec<u8> {
        recolor(pixels, channels, Some(color), &mut Vec::new()).unwrap().0.to_vec()
    }

    #[test]
    fn channels_are_reordered_copied_and_dropped() {
        assert_eq!(convert(&[1, 2, 3, 4, 5, 6], 3, Color::Bgr), [3, 2, 1, 6, 5, 4]);
        assert_eq!(convert(&[1, 2, 3, 255], 4, Color::Rgb), [1, 2, 3]);
        assert_eq!(convert(&[1, 2, 3, 255], 4, Color::Bgr), [3, 2, 1]);
        assert_eq!(convert(&[7, 9], 1, Color::Rgb), [7, 7, 7, 9, 9, 9]);
        assert_eq!(convert(&[7, 255], 2, Color::Grey), [7]);
        assert_eq!(convert(&[7, 9], 1, Color::Grey), [7, 9]);
        assert!(recolor(&[1u8; 5], 5, Some(Color::Rgb), &mut Vec::new()).is_err());
        assert_eq!(recolor(&[1u8; 5], 5, None, &mut Vec::new()).unwrap().1, 5);
    }

    /// Values of `Image.new("RGB", (1, 1), rgb).convert("L")` of Pillow 13.0.
    #[test]
    fn grey_is_pillows() {
        for (rgb, grey) in
            [([255, 255, 255], 255), ([255, 0, 0], 76), ([0, 255, 0], 150), ([0, 0, 255], 29), ([12, 200, 77], 130)]
        {
            assert_eq!(convert(&rgb, 3, Color::Grey), [grey]);
        }
    }
}
