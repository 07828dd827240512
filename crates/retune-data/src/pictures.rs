//! Pictures of examples as training sees them, for people to look at.

use crate::decode::DecodedImage;
use crate::error::DataError;
use crate::loader::{Batch, Loader};
use crate::preprocess::Color;
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};
use std::io::Cursor;

/// The images of a batch, scaling and normalization undone, cut to 0–255 and rounded, red, green and blue. Of images of floats the lowest
/// value of the batch becomes black and its highest white.
///
/// `None` for what is no picture: features, texts, images of other than 1 or 3 channels.
pub fn pictures(loader: &Loader, batch: &Batch) -> Option<Vec<DecodedImage>> {
    let preprocessing = loader.preprocessing();
    let input = batch.inputs.dense().first()?;
    let &[_, height, width, channels @ (1 | 3)] = input.shape() else { return None };
    let mut values = input.as_f32()?.to_vec();
    preprocessing.affine(channels).ok()?.undo_in_place(&mut values);
    if !loader.data().has_images_of_bytes() {
        let (low, high) = values.iter().fold((f32::MAX, f32::MIN), |(low, high), &x| (low.min(x), high.max(x)));
        let factor = if high > low { 255.0 / (high - low) } else { 0.0 };
        values.iter_mut().for_each(|x| *x = (*x - low) * factor);
    }
    let pixels: Vec<u8> = values.into_iter().map(|x| (x + 0.5) as u8).collect();
    let picture = |pixels: &[u8]| {
        let mut pixels = pixels.to_vec();
        if preprocessing.color == Some(Color::Bgr) && channels == 3 {
            pixels.as_chunks_mut::<3>().0.iter_mut().for_each(|pixel| pixel.swap(0, 2));
        }
        DecodedImage { height, width, channels, pixels }
    };
    Some(pixels.chunks_exact((height * width * channels).max(1)).map(picture).collect())
}

/// Pictures in rows, of one size and number of channels, a light line of `gap` pixels around each.
///
/// # Errors
/// Pictures of different shapes.
pub fn grid(rows: &[Vec<DecodedImage>], gap: usize) -> Result<DecodedImage, DataError> {
    const LINE: u8 = 224;
    let Some(first) = rows.iter().flatten().next() else {
        return Err(DataError::NoExamples { place: "a grid of pictures".into() });
    };
    let shape = [first.height, first.width, first.channels];
    if let Some(other) = rows.iter().flatten().find(|p| [p.height, p.width, p.channels] != shape) {
        let found = format!("{:?} and {:?}", shape, [other.height, other.width, other.channels]);
        return Err(DataError::setting("pictures", "pictures of one shape", found));
    }
    let [height, width, channels] = shape;
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let (all_rows, all_columns) = (rows.len() * (height + gap) + gap, columns * (width + gap) + gap);
    let mut pixels = vec![LINE; all_rows * all_columns * channels];
    for (i, row) in rows.iter().enumerate() {
        for (j, picture) in row.iter().enumerate() {
            for (y, line) in picture.pixels.chunks_exact((width * channels).max(1)).enumerate() {
                let start = (i * (height + gap) + gap + y) * all_columns + j * (width + gap) + gap;
                pixels[start * channels..][..line.len()].copy_from_slice(line);
            }
        }
    }
    Ok(DecodedImage { height: all_rows, width: all_columns, channels, pixels })
}

/// A picture of 1 or 3 channels as a PNG file; `None` for others.
pub fn png(picture: &DecodedImage) -> Option<Vec<u8>> {
    let (width, height) = (u32::try_from(picture.width).ok()?, u32::try_from(picture.height).ok()?);
    let image = match picture.channels {
        1 => DynamicImage::ImageLuma8(GrayImage::from_raw(width, height, picture.pixels.clone())?),
        3 => DynamicImage::ImageRgb8(RgbImage::from_raw(width, height, picture.pixels.clone())?),
        _ => return None,
    };
    let mut file = Cursor::new(Vec::new());
    image.write_to(&mut file, ImageFormat::Png).ok()?;
    Some(file.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preprocess::{Normalize, Preprocessing, Rescale};
    use crate::{Dataset, Inputs, Labels, LoaderOptions};
    use retune_tensor::Tensor;
    use std::sync::Arc;

    #[test]
    fn normalization_is_undone() {
        let bytes: Vec<u8> = (0..2 * 3 * 4 * 3).map(|i| (i * 7 % 256) as u8).collect();
        let inputs = Inputs::Images(Tensor::new([2, 3, 4, 3], bytes.clone()).unwrap());
        let data = Arc::new(Dataset::new("made", inputs, Labels::None).unwrap());
        for color in [Color::Rgb, Color::Bgr] {
            let preprocessing = Preprocessing {
                color: Some(color),
                rescale: Some(Rescale { scale: 1.0 / 255.0, offset: 0.0 }),
                normalize: Some(Normalize { mean: vec![0.4, 0.5, 0.6], std: vec![0.2, 0.3, 0.25] }),
                ..Preprocessing::default()
            };
            let options = LoaderOptions { preprocessing, ..LoaderOptions::default() };
            let loader = Loader::new(data.clone(), data.ids(), options).unwrap();
            let batch = loader.batch_of(&[1, 0], 4).unwrap();
            let found = pictures(&loader, &batch).unwrap();
            assert_eq!([&found[1].pixels[..], &found[0].pixels[..]].concat(), bytes);
        }
    }

    #[test]
    fn grids_have_lines_between_pictures() {
        let picture = |value| DecodedImage { height: 1, width: 2, channels: 1, pixels: vec![value; 2] };
        let found = grid(&[vec![picture(1), picture(2)], vec![picture(3)]], 1).unwrap();
        assert_eq!((found.height, found.width), (5, 7));
        assert_eq!(found.pixels[7..14], [224, 1, 1, 224, 2, 2, 224]);
        assert_eq!(found.pixels[21..28], [224, 3, 3, 224, 224, 224, 224]);
        assert!(grid(&[], 1).is_err());
        let other = DecodedImage { height: 2, width: 1, channels: 1, pixels: vec![0; 2] };
        assert!(grid(&[vec![picture(1), other]], 1).is_err());
        assert!(png(&found).unwrap().starts_with(b"\x89PNG"));
    }
}
