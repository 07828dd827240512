//! The random image layers: changes of images while training; in inference the identity
//! (of RandomCrop too, as in Keras 3).

use retune_graph::ops::ImageAugment;
use retune_graph::ops::image::{Augmentation, FillMode};
use retune_graph::ops::resize::Interpolation;

use super::super::calls::Arguments;
use super::super::fields::Fields;
use super::super::lowering::{Lowering, Value};
use super::Lower;
use super::resizing::{fit_crop, interpolation};
use crate::error::Result;

/// RandomFlip, RandomRotation, RandomZoom, RandomTranslation, RandomContrast, RandomBrightness, RandomCrop.
#[derive(Debug, Clone)]
pub(crate) struct RandomImage {
    augmentation: Augmentation,
}

fn fill(f: &Fields<'_>) -> Result<FillMode> {
    let value = f.number("fill_value", Some(0.0))?;
    Ok(match f.text("fill_mode", "reflect")? {
        "constant" => FillMode::Constant(value),
        "reflect" => FillMode::Reflect,
        "wrap" => FillMode::Wrap,
        "nearest" => FillMode::Nearest,
        _ => return Err(f.wrong("fill_mode", "`constant`, `reflect`, `wrap` or `nearest`")),
    })
}

/// Reads `value_range`, 0 to 255 by default.
fn value_range(f: &Fields<'_>) -> Result<(f32, f32)> {
    match f.get("value_range") {
        Some(_) => f.range("value_range"),
        None => Ok((0.0, 255.0)),
    }
}

impl RandomImage {
    pub(crate) fn read(f: &Fields<'_>) -> Result<RandomImage> {
        f.channels_last()?;
        let nothing = (0.0, 0.0);
        let affine = |rotation, zoom_height, zoom_width, shift_height, shift_width| -> Result<Augmentation> {
            let (fill, interpolation): (FillMode, Interpolation) = (fill(f)?, interpolation(f, "bilinear")?);
            Ok(Augmentation::Affine {
                rotation,
                zoom_height,
                zoom_width,
                shift_height,
                shift_width,
                fill,
                interpolation,
            })
        };
        let augmentation = match f.class {
            "RandomFlip" => {
                let mode = f.text("mode", "horizontal_and_vertical")?;
                let (horizontal, vertical) = match mode {
                    "horizontal" => (true, false),
                    "vertical" => (false, true),
                    "horizontal_and_vertical" => (true, true),
                    _ => return Err(f.wrong("mode", "`horizontal`, `vertical` or `horizontal_and_vertical`")),
                };
                Augmentation::Flip { horizontal, vertical }
            }
            "RandomRotation" => affine(f.range("factor")?, nothing, None, nothing, nothing)?,
            "RandomZoom" => {
                let width = f.get("width_factor").is_some().then(|| f.range("width_factor")).transpose()?;
                affine(nothing, f.range("height_factor")?, width, nothing, nothing)?
            }
            "RandomTranslation" => affine(nothing, nothing, None, f.range("height_factor")?, f.range("width_factor")?)?,
            "RandomContrast" => {
                // The description's range is how far the factor may lie below and above 1.
                let (below, above) = f.range("factor")?;
                let below = if f.get("factor").is_some_and(|factor| factor.is_number()) { above } else { below };
                Augmentation::Contrast { factor: (1.0 - below, 1.0 + above), clip: value_range(f)? }
            }
            "RandomBrightness" => {
                let (low, high) = f.range("factor")?;
                let clip = value_range(f)?;
                let span = clip.1 - clip.0;
                Augmentation::Brightness { delta: (low * span, high * span), clip }
            }
            _ => Augmentation::Crop { size: [f.size("height", None)?, f.size("width", None)?] },
        };
        Ok(RandomImage { augmentation })
    }
}

impl Lower for RandomImage {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let x = b.one_of_rank(arguments, 4, "[batch, height, width, channels]")?;
        let y = match self.augmentation {
            _ if !b.is_training() => x,
            Augmentation::Crop { size } if b.fixed(x, 1)? <= size[0] || b.fixed(x, 2)? <= size[1] => {
                fit_crop(b, x, size)?
            }
            augmentation => {
                let stream = b.stream();
                b.graph.push(ImageAugment { augmentation, stream }.into(), &[x])?
            }
        };
        Ok(vec![y.into()])
    }
}
