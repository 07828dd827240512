//! Preprocessing: from stored pixels or features to what the network takes. It is stored with the saved model, so that
//! predicting on a file does the same as training did.
//!
//! The steps, in this order, each left out where it is not set:
//!
//! 1. [`color`]: the network's colour channels ([`Color`]);
//! 2. [`resize`]: one size for all images ([`Resize`]);
//! 3. augmentation, in training only (see [`augment`](crate::augment), some of which acts in place of 2 or after 4);
//! 4. [`normalize`]: `x = (pixel · scale + offset − mean[channel]) / std[channel]` ([`Rescale`], [`Normalize`]).
//!
//! Texts take none of these steps but `text` ([`TextSettings`]), tables of columns none but `table` ([`TableSchema`]).
//!
//! Images come out as `f32` `[height, width, channels]`.

pub mod color;
pub mod normalize;
pub mod resize;

pub use color::Color;
pub use normalize::{Normalize, Rescale};
pub use resize::{Filter, Fit, Resize};

use crate::augment::{CropBox, Raster};
use crate::decode::DecodedImage;
use crate::error::{DataError, shape_text};
use crate::table::TableSchema;
use crate::text::TextSettings;
use color::recolor;
use normalize::Affine;
use serde::{Deserialize, Serialize};

/// Values of an image as stored.
#[derive(Debug, Clone, Copy)]
pub enum Samples<'a> {
    /// 8-bit values.
    U8(&'a [u8]),
    /// Floats in any range.
    F32(&'a [f32]),
}

/// An image as stored: `[height, width, channels]`, row-major, channels last.
#[derive(Debug, Clone, Copy)]
pub struct ImageView<'a> {
    /// `[height, width, channels]`.
    pub shape: [usize; 3],
    /// Product of the shape many values.
    pub samples: Samples<'a>,
}

impl<'a> From<&'a DecodedImage> for ImageView<'a> {
    fn from(image: &'a DecodedImage) -> ImageView<'a> {
        ImageView { shape: [image.height, image.width, image.channels], samples: Samples::U8(&image.pixels) }
    }
}

/// How labels are given to the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetEncoding {
    /// As the labels are stored: class indices as integers, vectors as vectors.
    #[default]
    AsStored,
    /// Class indices (for sparse categorical cross-entropy); one-hot labels are turned into indices.
    Integer,
    /// A vector with a single 1 (for categorical cross-entropy); class indices are turned into vectors.
    OneHot,
    /// The class index as one `f32` of shape `[1]` (for a single sigmoid output, or to regress on the index).
    Value,
}

/// The type of the network's inputs where they are not images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeatureType {
    /// `f32`.
    #[default]
    Float,
    /// `i32`, for integers that a network looks up (tokens, categories). Not rescaled or normalized.
    Integer,
}

/// From what a source holds to what the network takes. The default changes nothing but the type.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Preprocessing {
    /// Colour channels the network takes. Default: image files as `rgb`, arrays as they are stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color: Option<Color>,
    /// One size for all images. Default: the stored size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resize: Option<Resize>,
    /// `x · scale + offset`. Default: pixels stay 0–255.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rescale: Option<Rescale>,
    /// `(x − mean) / std` per channel, after rescaling. Default: not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalize: Option<Normalize>,
    /// How texts become tokens. Default: the model's tokenizer as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<TextSettings>,
    /// What the columns of tables are, and their statistics. Default: inputs are no tables of columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<TableSchema>,
    /// Type of inputs that are not images. Default: `float`.
    pub features: FeatureType,
    /// How labels are given to the loss. Default: as stored.
    pub targets: TargetEncoding,
    /// The lowest and the highest score there may be; scores are given to the loss as `(score − low) / (high − low)`, from 0 to 1.
    /// Default: real values as they are stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score_range: Option<[f32; 2]>,
    /// Names of the classes in the order of the network's outputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_names: Option<Vec<String>>,
}

/// Buffers that preprocessing needs on the way, kept from image to image.
#[derive(Debug, Default)]
pub struct Scratch {
    bytes: Vec<u8>,
    floats: Vec<f32>,
    row: Vec<f32>,
}

impl Preprocessing {
    /// These settings, and what they leave open as in `base`: a recipe over what is stored with its model.
    pub fn over(self, base: Preprocessing) -> Preprocessing {
        Preprocessing {
            color: self.color.or(base.color),
            resize: self.resize.or(base.resize),
            rescale: self.rescale.or(base.rescale),
            normalize: self.normalize.or(base.normalize),
            text: self.text.or(base.text),
            table: self.table.or(base.table),
            ..self
        }
    }

    /// Checks every setting on its own.
    ///
    /// # Errors
    /// The first setting that is outside what it may be.
    pub fn check(&self) -> Result<(), DataError> {
        if let Some(resize) = &self.resize {
            resize.check()?;
        }
        if let Some(rescale) = &self.rescale {
            rescale.check()?;
        }
        if let Some(normalize) = &self.normalize {
            normalize.check()?;
        }
        if let Some(text) = &self.text {
            text.check()?;
        }
        if let Some([low, high]) = self.score_range
            && !(low.is_finite() && high.is_finite() && low < high)
        {
            let expected = "two finite numbers, the lower one first";
            return Err(DataError::setting("score-range", expected, format!("{low} and {high}")));
        }
        if self.features == FeatureType::Integer && (self.rescale.is_some() || self.normalize.is_some()) {
            return Err(DataError::setting("features", "`float` where `rescale` or `normalize` is set", "integer"));
        }
        Ok(())
    }

    /// Shape `[height, width, channels]` that a stored image of such a shape has afterwards.
    pub fn image_shape(&self, stored: [usize; 3]) -> [usize; 3] {
        let [height, width, channels] = stored;
        let (height, width) = self.resize.as_ref().map_or((height, width), |r| (r.height, r.width));
        [height, width, self.color.map_or(channels, Color::channels)]
    }

    /// Prepares one image: colour, size, then scale. `out` takes the product of [`image_shape`](Self::image_shape)
    /// many values, `[height, width, channels]`.
    ///
    /// # Errors
    /// An image of 2 or more than 4 channels where another colour is asked for, or `mean`/`std` of another length than
    /// channels, or `out` of another length.
    pub fn apply_image(&self, image: ImageView<'_>, scratch: &mut Scratch, out: &mut [f32]) -> Result<(), DataError> {
        let shape = self.image_shape(image.shape);
        check_length("prepared image", shape.iter().product(), out.len())?;
        let affine = self.affine(shape[2])?;
        match image.samples {
            Samples::U8(bytes) if self.keeps_pixels(image.shape) => affine.apply_u8(bytes, out),
            _ => {
                self.pixels(image, scratch, out)?;
                affine.apply_in_place(out);
            }
        }
        Ok(())
    }

    /// Prepares the features of one example, or of several: the last axis, of size `channels`, has the means and
    /// deviations.
    ///
    /// # Errors
    /// `mean`/`std` of another length than `channels`.
    pub fn apply_features(&self, features: &mut [f32], channels: usize) -> Result<(), DataError> {
        self.affine(channels)?.apply_in_place(features);
        Ok(())
    }

    /// Rescaling and normalization as one `x · scale[c] + offset[c]`.
    pub(crate) fn affine(&self, channels: usize) -> Result<Affine, DataError> {
        Affine::new(self.rescale.as_ref(), self.normalize.as_ref(), channels)
    }

    /// Whether colour and size of a stored image are already those wanted.
    pub(crate) fn keeps_pixels(&self, stored: [usize; 3]) -> bool {
        self.color.is_none_or(|color| color.keeps(stored[2]))
            && self.resize.as_ref().is_none_or(|r| r.keeps([stored[0], stored[1]]))
    }

    /// Colour and size only, rounded to 8 bits; blue, green, red as red, green, blue. A `crop` takes the place of the resizing.
    pub(crate) fn raster(
        &self,
        image: ImageView<'_>,
        crop: Option<(CropBox, Resize)>,
        s: &mut Scratch,
        out: &mut Raster,
    ) -> Result<(), DataError> {
        let [height, width, channels] = image.shape;
        let Samples::U8(samples) = image.samples else {
            return Err(DataError::setting("augment", "images of 8 bits", "images of floats"));
        };
        check_length("image", image.shape.iter().product(), samples.len())?;
        let color = self.color.map(|color| if color == Color::Bgr { Color::Rgb } else { color });
        let (samples, channels) = recolor(samples, channels, color, &mut s.bytes)?;
        let [out_height, out_width, _] = self.image_shape(image.shape);
        let wanted = [out_height, out_width, channels];
        let resize = self.resize.as_ref().filter(|resize| !resize.keeps([height, width]));
        if crop.is_none() && resize.is_none() {
            out.refill(wanted, samples.iter().copied());
            return Ok(());
        }
        s.floats.resize(wanted.iter().product(), 0.0);
        match (crop, resize) {
            (Some((cut, resize)), _) => {
                resize.apply_box(samples, [height, width, channels], cut, &mut s.row, &mut s.floats);
            }
            (None, Some(resize)) => resize.apply(samples, [height, width, channels], &mut s.row, &mut s.floats),
            (None, None) => {}
        }
        out.refill_rounded(wanted, &s.floats);
        Ok(())
    }

    /// Colour and size only: pixel values in their stored range, as `f32`.
    pub(crate) fn pixels(&self, image: ImageView<'_>, s: &mut Scratch, out: &mut [f32]) -> Result<(), DataError> {
        let [height, width, channels] = image.shape;
        let count = image.shape.iter().product();
        match image.samples {
            Samples::U8(samples) => {
                check_length("image", count, samples.len())?;
                let (samples, channels) = recolor(samples, channels, self.color, &mut s.bytes)?;
                match &self.resize {
                    Some(resize) if !resize.keeps([height, width]) => {
                        resize.apply(samples, [height, width, channels], &mut s.row, out);
                    }
                    _ => samples.iter().zip(out).for_each(|(&byte, out)| *out = f32::from(byte)),
                }
            }
            Samples::F32(samples) => {
                check_length("image", count, samples.len())?;
                let (samples, channels) = recolor(samples, channels, self.color, &mut s.floats)?;
                match &self.resize {
                    Some(resize) if !resize.keeps([height, width]) => {
                        resize.apply(samples, [height, width, channels], &mut s.row, out);
                    }
                    _ => out.copy_from_slice(samples),
                }
            }
        }
        Ok(())
    }
}

fn check_length(what: &str, expected: usize, found: usize) -> Result<(), DataError> {
    if expected == found {
        return Ok(());
    }
    Err(DataError::WrongShape {
        place: what.to_owned(),
        expected: format!("{expected} values"),
        found: shape_text(&[found]),
        hint: "shape and values must agree",
    })
}

/// A type that pixels are stored in.
pub(crate) trait Sample: Copy + Default {
    /// The least and the greatest value, where there are such.
    const RANGE: Option<(f32, f32)>;
    fn to_f32(self) -> f32;
    /// Brightness by ITU-R BT.601.
    fn luma(red: Self, green: Self, blue: Self) -> Self;
}

impl Sample for u8 {
    const RANGE: Option<(f32, f32)> = Some((0.0, 255.0));

    fn to_f32(self) -> f32 {
        f32::from(self)
    }
    fn luma(red: u8, green: u8, blue: u8) -> u8 {
        ((u32::from(red) * 19595 + u32::from(green) * 38470 + u32::from(blue) * 7471 + 0x8000) >> 16) as u8
    }
}

impl Sample for f32 {
    const RANGE: Option<(f32, f32)> = None;

    fn to_f32(self) -> f32 {
        self
    }
    fn luma(red: f32, green: f32, blue: f32) -> f32 {
        0.299 * red + 0.587 * green + 0.114 * blue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_changes_what_it_names_alone() {
        let normalize = Some(Normalize { mean: vec![0.5; 3], std: vec![0.25; 3] });
        let stored = Preprocessing { resize: Some(Resize::to(224, 224)), normalize, ..Preprocessing::default() };
        let recipe = Preprocessing { resize: Some(Resize::to(32, 32)), ..Preprocessing::default() };
        let both = recipe.clone().over(stored.clone());
        assert_eq!((both.resize, both.normalize), (recipe.resize, stored.normalize));
    }

    #[test]
    fn survives_being_stored() {
        let preprocessing = Preprocessing {
            color: Some(Color::Bgr),
            resize: Some(Resize { fit: Fit::CenterCrop { fraction: 0.875 }, ..Resize::to(224, 200) }),
            rescale: Some(Rescale { scale: 1.0 / 255.0, offset: -0.1 }),
            normalize: Some(Normalize { mean: vec![0.485, 0.456, 0.406], std: vec![0.229, 0.224, 0.225] }),
            targets: TargetEncoding::OneHot,
            class_names: Some(vec!["猫".into(), "dog".into()]),
            ..Preprocessing::default()
        };
        let text = serde_json::to_string(&preprocessing).unwrap();
        assert!(text.contains("center-crop") && text.contains("class-names"), "{text}");
        assert_eq!(serde_json::from_str::<Preprocessing>(&text).unwrap(), preprocessing);
        assert_eq!(serde_json::from_str::<Preprocessing>("{}").unwrap(), Preprocessing::default());
        assert!(serde_json::from_str::<Preprocessing>(r#"{"rescle": 1}"#).is_err());
    }

    #[test]
    fn steps_follow_one_another() {
        let pixels = [10u8, 20, 30, 40, 50, 60];
        let image = ImageView { shape: [1, 2, 3], samples: Samples::U8(&pixels) };
        let preprocessing = Preprocessing {
            color: Some(Color::Bgr),
            rescale: Some(Rescale { scale: 0.1, offset: 1.0 }),
            normalize: Some(Normalize { mean: vec![1.0, 2.0, 3.0], std: vec![1.0, 1.0, 2.0] }),
            ..Preprocessing::default()
        };
        let mut out = [0.0; 6];
        preprocessing.apply_image(image, &mut Scratch::default(), &mut out).unwrap();
        for (found, expected) in out.iter().zip([3.0, 1.0, -0.5, 6.0, 4.0, 1.0]) {
            assert!((found - expected).abs() < 1e-5, "{out:?}");
        }
        assert!(preprocessing.apply_image(image, &mut Scratch::default(), &mut [0.0; 5]).is_err());
    }

    #[test]
    fn bytes_and_floats_of_equal_value_give_the_same() {
        let bytes: Vec<u8> = (0..5 * 7 * 3).map(|i| (i * 37 % 256) as u8).collect();
        let floats: Vec<f32> = bytes.iter().map(|&b| f32::from(b)).collect();
        for fit in [Fit::Stretch, Fit::CenterCrop { fraction: 1.0 }, Fit::Pad { value: 9.0 }] {
            let p = Preprocessing { resize: Some(Resize { fit, ..Resize::to(4, 4) }), ..Preprocessing::default() };
            let mut outs = [[0.0f32; 48]; 2];
            for (out, samples) in outs.iter_mut().zip([Samples::U8(&bytes), Samples::F32(&floats)]) {
                p.apply_image(ImageView { shape: [5, 7, 3], samples }, &mut Scratch::default(), out).unwrap();
            }
            assert_eq!(outs[0], outs[1]);
        }
    }

    #[test]
    fn settings_are_checked() {
        let zero = Preprocessing { resize: Some(Resize::to(0, 4)), ..Preprocessing::default() };
        assert!(zero.check().is_err());
        let integers = Preprocessing {
            features: FeatureType::Integer,
            rescale: Some(Rescale { scale: 2.0, offset: 0.0 }),
            ..Preprocessing::default()
        };
        assert!(integers.check().is_err());
    }
}
