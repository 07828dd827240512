//! A random part of an image, resized to the size that the network takes: the usual augmentation of photos.

use super::draws::Draws;
use crate::error::DataError;
use crate::preprocess::{Filter, Fit, Resize};
use retune_tensor::Key;
use serde::{Deserialize, Serialize};

/// A box of a random share of the area (uniform in `scale`) and a random ratio of width to height (its logarithm uniform in that of
/// `ratio`) at a random place, resized bilinearly with antialiasing (torchvision's `RandomResizedCrop`). It takes the place of
/// `resize`, whose size and filter it takes. Where ten such boxes do not fit into the image, the largest box of a ratio within `ratio`
/// is cut from its centre.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct RandomResizedCrop {
    /// Least and greatest share of the area, in `(0, 1]`. Default `[0.08, 1]`.
    pub scale: [f32; 2],
    /// Least and greatest width for a height of 1. Default `[3/4, 4/3]`.
    pub ratio: [f32; 2],
}

impl Default for RandomResizedCrop {
    fn default() -> RandomResizedCrop {
        RandomResizedCrop { scale: [0.08, 1.0], ratio: [3.0 / 4.0, 4.0 / 3.0] }
    }
}

/// A box inside an image, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CropBox {
    /// First row.
    pub top: usize,
    /// First column.
    pub left: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl RandomResizedCrop {
    pub(crate) fn check(&self) -> Result<(), DataError> {
        check_scale("random-resized-crop scale", self.scale)?;
        check_ratio("random-resized-crop ratio", self.ratio)
    }

    /// The box that is cut from an image of this `[height, width]`.
    pub fn crop_box(&self, key: Key, [height, width]: [usize; 2]) -> CropBox {
        let mut draws = Draws::new(key);
        let area = (height * width) as f64;
        for _ in 0..10 {
            let share = draws.between(self.scale);
            let ratio = draws.between(self.ratio.map(f32::ln)).exp();
            let box_width = (area * share * ratio).sqrt().round() as usize;
            let box_height = (area * share / ratio).sqrt().round() as usize;
            if (1..=width).contains(&box_width) && (1..=height).contains(&box_height) {
                let (top, left) = (draws.below(height - box_height + 1), draws.below(width - box_width + 1));
                return CropBox { top, left, height: box_height, width: box_width };
            }
        }
        let [least, greatest] = self.ratio.map(f64::from);
        let ratio = width as f64 / height as f64;
        let of = |side: usize, factor: f64, most: usize| ((side as f64 * factor).round() as usize).clamp(1, most);
        let (box_height, box_width) = if ratio < least {
            (of(width, 1.0 / least, height), width)
        } else if ratio > greatest {
            (height, of(height, greatest, width))
        } else {
            (height, width)
        };
        let (top, left) = ((height - box_height) / 2, (width - box_width) / 2);
        CropBox { top, left, height: box_height, width: box_width }
    }

    /// How the box is resized: as `resize` says, with antialiasing and without keeping the ratio.
    pub(crate) fn resize(self, resize: Option<&Resize>, [height, width]: [usize; 2]) -> Resize {
        let filter = resize.map_or(Filter::Bilinear, |resize| resize.filter);
        Resize { height, width, filter, antialias: true, fit: Fit::Stretch }
    }
}

/// Two shares of an area, the lower first.
pub(crate) fn check_scale(name: &str, [low, high]: [f32; 2]) -> Result<(), DataError> {
    if 0.0 < low && low <= high && high <= 1.0 {
        return Ok(());
    }
    Err(DataError::setting(name, "two numbers in (0, 1], the lower first", format!("[{low}, {high}]")))
}

/// Two ratios of width to height, the lower first.
pub(crate) fn check_ratio(name: &str, [low, high]: [f32; 2]) -> Result<(), DataError> {
    if 0.0 < low && low <= high && high.is_finite() {
        return Ok(());
    }
    Err(DataError::setting(name, "two numbers above 0, the lower first", format!("[{low}, {high}]")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use retune_tensor::Purpose;

    #[test]
    fn boxes_have_the_area_and_ratio_asked_for_and_reach_everywhere() {
        let crop = RandomResizedCrop { scale: [0.2, 0.6], ratio: [0.5, 2.0] };
        let (mut shares, mut lefts) = (Vec::new(), Vec::new());
        for example in 0..2000 {
            let found = crop.crop_box(Key::new(0).with(Purpose::Augment(0)).at(0, example), [300, 400]);
            assert!(found.top + found.height <= 300 && found.left + found.width <= 400, "{found:?}");
            let ratio = found.width as f64 / found.height as f64;
            assert!((0.49..2.02).contains(&ratio), "{found:?}");
            shares.push((found.width * found.height) as f64 / 120_000.0);
            lefts.push(found.left);
        }
        let mean = shares.iter().sum::<f64>() / 2000.0;
        assert!(shares.iter().all(|s| (0.195..0.605).contains(s)) && (mean - 0.4).abs() < 0.02, "{mean}");
        assert!(lefts.iter().any(|&l| l < 5) && lefts.iter().any(|&l| l > 150));
    }

    /// Pillow rounds to 8 bits between the axes.
    #[test]
    fn resized_boxes_are_torchvisions() {
        use crate::preprocess::{ImageView, Preprocessing, Samples, Scratch};
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/torch_augment/cases.safetensors");
        let goldens = retune_formats::safetensors::SafetensorsFile::read(path).unwrap().tensors;
        let stored = |name: &str| {
            let retune_tensor::Values::U8(pixels) = goldens[name].values() else { panic!("{name}") };
            pixels
        };
        let shape = goldens["image"].shape().try_into().unwrap();
        let mut checked = 0;
        for (name, numbers) in goldens.keys().filter_map(|name| Some((name, name.strip_prefix("crop/")?))) {
            let numbers: Vec<usize> = numbers.split(',').map(|n| n.parse().unwrap()).collect();
            let [top, left, height, width, size] = numbers[..] else { panic!("{name}") };
            let resize = RandomResizedCrop::default().resize(None, [size, size]);
            let preprocessing = Preprocessing { resize: Some(resize), ..Preprocessing::default() };
            let view = ImageView { shape, samples: Samples::U8(stored("image")) };
            let crop = Some((CropBox { top, left, height, width }, resize));
            let mut found = crate::augment::Raster::default();
            preprocessing.raster(view, crop, &mut Scratch::default(), &mut found).unwrap();
            assert_eq!(found.shape, [size, size, 3]);
            assert!(found.pixels.iter().zip(stored(name)).all(|(a, b)| a.abs_diff(*b) <= 1), "{name}");
            checked += 1;
        }
        assert_eq!(checked, 2);
    }

    #[test]
    fn what_never_fits_is_cut_from_the_centre() {
        let crop = RandomResizedCrop { scale: [1.0, 1.0], ratio: [0.75, 4.0 / 3.0] };
        let found = crop.crop_box(Key::new(0), [100, 1000]);
        assert_eq!(found, CropBox { top: 0, left: 433, height: 100, width: 133 });
        let found = crop.crop_box(Key::new(0), [1000, 100]);
        assert_eq!(found, CropBox { top: 433, left: 0, height: 133, width: 100 });
        for (scale, ratio) in [([0.0, 1.0], [1.0; 2]), ([0.5, 0.2], [1.0; 2]), ([0.5, 1.0], [2.0, 1.0])] {
            assert!(RandomResizedCrop { scale, ratio }.check().is_err());
        }
    }
}
