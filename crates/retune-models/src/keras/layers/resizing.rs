//! UpSampling1D/2D, Resizing, CenterCrop, and what RandomCrop does to small images.

use retune_graph::NodeId;
use retune_graph::ops::resize::Interpolation;

use super::super::calls::Arguments;
use super::super::fields::Fields;
use super::super::lowering::{Lowering, Value};
use super::Lower;
use super::convolution::{image_sizes, spatial};
use crate::error::Result;

/// Reads `interpolation`.
pub(crate) fn interpolation(f: &Fields<'_>, default: &'static str) -> Result<Interpolation> {
    match f.text("interpolation", default)? {
        "nearest" => Ok(Interpolation::Nearest),
        "bilinear" => Ok(Interpolation::Bilinear),
        other => Err(f.unsupported(format!("the interpolation `{other}`"), "use `nearest` or `bilinear`")),
    }
}

/// Enlarges by whole factors.
#[derive(Debug, Clone)]
pub(crate) struct UpSampling {
    rank: usize,
    factors: [usize; 2],
    interpolation: Interpolation,
}

impl UpSampling {
    pub(crate) fn read(f: &Fields<'_>, rank: usize) -> Result<UpSampling> {
        f.channels_last()?;
        Ok(UpSampling {
            rank,
            factors: spatial(f, "size", rank, Some(2))?,
            interpolation: interpolation(f, "nearest")?,
        })
    }
}

impl Lower for UpSampling {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let mut x = b.one_of_rank(arguments, self.rank + 2, "[batch, spatial axes…, channels]")?;
        if self.rank == 1 {
            x = b.expand(x, 1)?;
        }
        let [height, width, _] = image_sizes(b, x)?;
        let y = b.graph.resize(x, [height * self.factors[0], width * self.factors[1]], self.interpolation)?;
        let y = if self.rank == 1 { b.squeeze(y, 1)? } else { y };
        Ok(vec![y.into()])
    }
}

/// The image of a call; a single image in a batch of sequences and the like is refused.
fn image(b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<(NodeId, [usize; 2])> {
    let x = b.one_of_rank(arguments, 4, "[batch, height, width, channels]")?;
    let [height, width, _] = image_sizes(b, x)?;
    Ok((x, [height, width]))
}

/// The window of `size` in the middle; the odd pixel is left out behind.
fn center(b: &mut Lowering<'_>, x: NodeId, image: [usize; 2], size: [usize; 2]) -> Result<NodeId> {
    let x = b.graph.slice(x, 1, (image[0] - size[0]) / 2, size[0])?;
    Ok(b.graph.slice(x, 2, (image[1] - size[1]) / 2, size[1])?)
}

/// The largest centred window with the aspect ratio of `size`, resized to `size` (Keras's `smart_resize`).
fn crop_and_resize(
    b: &mut Lowering<'_>,
    x: NodeId,
    image: [usize; 2],
    size: [usize; 2],
    interpolation: Interpolation,
) -> Result<NodeId> {
    let crop =
        [(image[1] * size[0] / size[1]).min(image[0]).max(1), (image[0] * size[1] / size[0]).min(image[1]).max(1)];
    let x = center(b, x, image, crop)?;
    Ok(b.graph.resize(x, size, interpolation)?)
}

/// To a fixed height and width.
#[derive(Debug, Clone)]
pub(crate) struct Resizing {
    size: [usize; 2],
    interpolation: Interpolation,
    fit: Fit,
    fill_value: f32,
}

/// What becomes of images of another aspect ratio.
#[derive(Debug, Clone, Copy)]
enum Fit {
    Stretch,
    Crop,
    Pad,
}

impl Resizing {
    pub(crate) fn read(f: &Fields<'_>) -> Result<Resizing> {
        f.channels_last()?;
        if f.flag("antialias", false)? {
            return Err(f.unsupported("antialiasing", "resize without it"));
        }
        let fit = match (f.flag("crop_to_aspect_ratio", false)?, f.flag("pad_to_aspect_ratio", false)?) {
            (true, _) => Fit::Crop,
            (_, true) => Fit::Pad,
            _ => Fit::Stretch,
        };
        if f.text("fill_mode", "constant")? != "constant" {
            return Err(f.wrong("fill_mode", "`constant`"));
        }
        let size = [f.size("height", None)?, f.size("width", None)?];
        let fill_value = f.number("fill_value", Some(0.0))?;
        Ok(Resizing { size, interpolation: interpolation(f, "bilinear")?, fit, fill_value })
    }
}

impl Lower for Resizing {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let (x, image) = image(b, arguments)?;
        let [height, width] = self.size;
        let y = match self.fit {
            Fit::Stretch => b.graph.resize(x, self.size, self.interpolation)?,
            Fit::Crop => crop_and_resize(b, x, image, self.size, self.interpolation)?,
            Fit::Pad => {
                let padded = [(image[1] * height / width).max(image[0]), (image[0] * width / height).max(image[1])];
                let around = |axis: usize| {
                    let total = padded[axis] - image[axis];
                    (total / 2, total - total / 2)
                };
                let shifted = b.graph.affine(x, 1.0, -self.fill_value)?;
                let padded = b.graph.pad(shifted, &[(0, 0), around(0), around(1), (0, 0)])?;
                let x = b.graph.affine(padded, 1.0, self.fill_value)?;
                b.graph.resize(x, self.size, self.interpolation)?
            }
        };
        Ok(vec![y.into()])
    }
}

/// The window of a fixed size in the middle; smaller images are enlarged to it.
#[derive(Debug, Clone)]
pub(crate) struct CenterCrop {
    size: [usize; 2],
}

impl CenterCrop {
    pub(crate) fn read(f: &Fields<'_>) -> Result<CenterCrop> {
        f.channels_last()?;
        Ok(CenterCrop { size: [f.size("height", None)?, f.size("width", None)?] })
    }
}

impl Lower for CenterCrop {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let (x, image) = image(b, arguments)?;
        let fits = self.size[0] <= image[0] && self.size[1] <= image[1];
        let y = if fits {
            center(b, x, image, self.size)?
        } else {
            crop_and_resize(b, x, image, self.size, Interpolation::Bilinear)?
        };
        Ok(vec![y.into()])
    }
}

/// What RandomCrop does while training to images that are not larger than its window: the largest centred window of the
/// same aspect ratio says where to start; what lies in the image from there is resized to the window's size.
pub(crate) fn fit_crop(b: &mut Lowering<'_>, x: NodeId, size: [usize; 2]) -> Result<NodeId> {
    let [height, width, _] = image_sizes(b, x)?;
    let crop = [(width * size[0] / size[1]).min(height).max(1), (height * size[1] / size[0]).min(width).max(1)];
    let start = [(height - crop[0]) / 2, (width - crop[1]) / 2];
    let x = b.graph.slice(x, 1, start[0], size[0].min(height - start[0]))?;
    let x = b.graph.slice(x, 2, start[1], size[1].min(width - start[1]))?;
    Ok(b.graph.resize(x, size, Interpolation::Bilinear)?)
}
