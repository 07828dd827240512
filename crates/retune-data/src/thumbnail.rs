//! Small pictures of examples, for people to look at.

use crate::dataset::{Dataset, Inputs};
use crate::decode::DecodedImage;
use crate::loader::numbers::copy_as_f32;
use image::{DynamicImage, GrayAlphaImage, GrayImage, ImageFormat, RgbImage, RgbaImage};
use retune_tensor::{Tensor, Values};
use std::io::Cursor;

/// A PNG of an example as it is stored, shrunk to at most `side` pixels in height and width.
///
/// 8-bit values stay as they are; of others the image's lowest becomes black and its highest white. `None` for what is no
/// picture: features, images of other than 1 to 4 channels, a file that cannot be read.
pub fn thumbnail(data: &Dataset, id: u64, side: u32) -> Option<Vec<u8>> {
    let image = match data.inputs() {
        Inputs::Features(_) | Inputs::Texts(_) | Inputs::Table(_) => None,
        Inputs::Images(images) => stored(images, usize::try_from(id).ok()?),
        Inputs::Encoded(images) => {
            let index = usize::try_from(id).ok().filter(|&index| index < images.len())?;
            images.decode(index).ok()
        }
    }?;
    let (width, height) = (u32::try_from(image.width).ok()?, u32::try_from(image.height).ok()?);
    let picture = match image.channels {
        1 => DynamicImage::ImageLuma8(GrayImage::from_raw(width, height, image.pixels)?),
        2 => DynamicImage::ImageLumaA8(GrayAlphaImage::from_raw(width, height, image.pixels)?),
        3 => DynamicImage::ImageRgb8(RgbImage::from_raw(width, height, image.pixels)?),
        4 => DynamicImage::ImageRgba8(RgbaImage::from_raw(width, height, image.pixels)?),
        _ => return None,
    };
    let picture = if width.max(height) > side { picture.thumbnail(side, side) } else { picture };
    let mut png = Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png).ok()?;
    Some(png.into_inner())
}

/// One of the images `[examples, height, width, channels]`.
fn stored(images: &Tensor, index: usize) -> Option<DecodedImage> {
    let &[examples, height, width, channels] = images.shape() else { return None };
    if index >= examples {
        return None;
    }
    let size = height * width * channels;
    let pixels = match images.values() {
        Values::U8(bytes) => bytes[index * size..(index + 1) * size].to_vec(),
        other => {
            let mut values = vec![0.0; size];
            copy_as_f32(other, index * size, &mut values);
            stretched(&values)
        }
    };
    Some(DecodedImage { height, width, channels, pixels })
}

/// Values from 0 for the lowest to 255 for the highest.
fn stretched(values: &[f32]) -> Vec<u8> {
    let (low, high) =
        values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &x| (low.min(x), high.max(x)));
    let factor = if high > low { 255.0 / (high - low) } else { 0.0 };
    values.iter().map(|x| ((x - low) * factor).round() as u8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::decode_image;
    use crate::labels::Labels;

    fn picture(images: Tensor, id: u64, side: u32) -> Option<DecodedImage> {
        let data = Dataset::new("test", Inputs::Images(images), Labels::None).unwrap();
        thumbnail(&data, id, side).map(|png| decode_image(&png).unwrap())
    }

    #[test]
    fn bytes_stay_and_other_values_are_stretched() {
        let bytes = Tensor::new([2, 1, 2, 3], (0u8..12).collect::<Vec<_>>()).unwrap();
        let second = DecodedImage { height: 1, width: 2, channels: 3, pixels: (6..12).collect() };
        assert_eq!(picture(bytes, 1, 8), Some(second));
        let floats = Tensor::new([1, 2, 2, 1], vec![-1.0f32, 0.0, 1.0, 3.0]).unwrap();
        assert_eq!(picture(floats, 0, 8).map(|p| p.pixels), Some(vec![0, 64, 128, 255]));
    }

    #[test]
    fn large_pictures_shrink_and_keep_their_ratio() {
        let wide = Tensor::new([1, 40, 100, 1], vec![200u8; 4000]).unwrap();
        let small = picture(wide, 0, 50).unwrap();
        assert_eq!((small.height, small.width, small.pixels[0]), (20, 50, 200));
    }

    #[test]
    fn what_is_no_picture_has_none() {
        assert_eq!(picture(Tensor::new([1, 1, 1, 5], vec![0u8; 5]).unwrap(), 0, 8), None);
        assert_eq!(picture(Tensor::new([1, 1, 1, 1], vec![0u8]).unwrap(), 1, 8), None);
        let features = Inputs::Features(Tensor::new([1, 4], vec![0u8; 4]).unwrap());
        assert_eq!(thumbnail(&Dataset::new("test", features, Labels::None).unwrap(), 0, 8), None);
    }
}
