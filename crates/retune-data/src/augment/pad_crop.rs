//! Small shifts: padded on every side, then cut back to size at a random place (the usual augmentation of CIFAR-10).

use super::Fill;
use retune_tensor::Key;
use serde::{Deserialize, Serialize};

/// Pads every side by `padding` pixels and cuts the old size at an offset uniform in `0..=2·padding` of each axis.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PadCrop {
    /// Pixels added to each side.
    pub padding: u16,
    /// What the added pixels are. Default `reflect`.
    #[serde(default)]
    pub fill: Fill,
}

impl PadCrop {
    /// `outside` is the value of a constant fill.
    pub(crate) fn apply<T: Copy>(
        &self,
        key: Key,
        pixels: &mut [T],
        shape: [usize; 3],
        outside: T,
        scratch: &mut Vec<T>,
    ) {
        let [height, width, channels] = shape;
        let padding = self.padding as isize;
        let places = 2 * padding as u64 + 1;
        let (down, right) = (key.below(0, places) as isize - padding, key.below(1, places) as isize - padding);
        if (down, right) == (0, 0) {
            return;
        }
        scratch.clear();
        scratch.extend_from_slice(pixels);
        let row = width * channels;
        // Columns whose source lies inside the row are copied as one piece.
        let inside =
            (-right).clamp(0, width as isize) as usize..(width as isize - right).clamp(0, width as isize) as usize;
        for (y, out) in pixels.chunks_exact_mut(row).enumerate() {
            let Some(from) = self.fill.index(y as isize + down, height) else {
                out.fill(outside);
                continue;
            };
            let from = &scratch[from * row..(from + 1) * row];
            if !inside.is_empty() {
                let start = (inside.start as isize + right) as usize * channels;
                out[inside.start * channels..inside.end * channels]
                    .copy_from_slice(&from[start..start + inside.len() * channels]);
            }
            for x in (0..inside.start).chain(inside.end.max(inside.start)..width) {
                let pixel = &mut out[x * channels..(x + 1) * channels];
                match self.fill.index(x as isize + right, width) {
                    Some(x) => pixel.copy_from_slice(&from[x * channels..(x + 1) * channels]),
                    None => pixel.fill(outside),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retune_tensor::Purpose;

    /// Against building the padded image and cutting it, pixel by pixel.
    #[test]
    fn equals_padding_then_cutting() {
        let shape @ [height, width, channels] = [4usize, 5, 2];
        let source: Vec<f32> = (0..height * width * channels).map(|i| i as f32).collect();
        let mut offsets = std::collections::BTreeSet::new();
        for fill in [Fill::Reflect, Fill::Nearest, Fill::Constant { value: -1.0 }] {
            for (example, padding) in (0..300).flat_map(|e| [(e, 1u16), (e, 3), (e, 9)]) {
                let key = Key::new(3).with(Purpose::Augment(1)).at(0, example);
                let mut found = source.clone();
                PadCrop { padding, fill }.apply(key, &mut found, shape, fill.value(), &mut Vec::new());
                let places = 2 * u64::from(padding) + 1;
                let offset = |i| key.below(i, places) as isize - padding as isize;
                let (down, right) = (offset(0), offset(1));
                if padding == 1 {
                    offsets.insert((down, right));
                }
                for (i, &value) in found.iter().enumerate() {
                    let (y, x, c) = (i / channels / width, i / channels % width, i % channels);
                    let from = fill.index(y as isize + down, height).zip(fill.index(x as isize + right, width));
                    let expected = from.map_or(-1.0, |(y, x)| source[(y * width + x) * channels + c]);
                    assert_eq!(value, expected, "{fill:?} {padding} {down} {right} {i}");
                }
            }
        }
        assert_eq!(offsets.len(), 9, "every offset occurs");
    }
}
