//! Random changes of images inside a network (Keras's `Random*` layers while training), keyed by example as in
//! [`super::random`].

use super::conv2d::spatial;
use super::resize::Interpolation;
use super::{Operand, Operation, exactly, require, require_f32};
use crate::error::{GraphError, Rule};
use crate::grad::Backward;
use crate::shape::{DType, Shape};

/// What stands outside the image after a geometric change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FillMode {
    /// One value.
    Constant(f32),
    /// Mirrored with the border pixel repeated: `d c b a | a b c d | d c b a`.
    Reflect,
    /// Repeated: `a b c d | a b c d | a b c d`.
    Wrap,
    /// The border pixel: `a a a a | a b c d | d d d d`.
    Nearest,
}

/// One kind of random change. A range `(low, high)` is drawn from uniformly for each example.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Augmentation {
    /// Mirrors left–right and top–bottom, each with probability ½.
    Flip {
        /// Whether left and right may be swapped.
        horizontal: bool,
        /// Whether top and bottom may be swapped.
        vertical: bool,
    },
    /// A rotation, zoom and shift about the image's centre in one resampling.
    Affine {
        /// Rotation as a share of a full turn, positive counter-clockwise.
        rotation: (f32, f32),
        /// Zoom of the height: 0.2 shows 20 % more of it (zooms out), negative zooms in.
        zoom_height: (f32, f32),
        /// Zoom of the width; `None` keeps the aspect ratio by using the height's.
        zoom_width: Option<(f32, f32)>,
        /// Shift down as a share of the height.
        shift_height: (f32, f32),
        /// Shift right as a share of the width.
        shift_width: (f32, f32),
        /// What stands outside.
        fill: FillMode,
        /// How values between pixels are taken.
        interpolation: Interpolation,
    },
    /// `(x − mean) · factor + mean`, mean per image and channel.
    Contrast {
        /// Range of the factor.
        factor: (f32, f32),
        /// Values are clipped to this range.
        clip: (f32, f32),
    },
    /// `x + delta`.
    Brightness {
        /// Range of what is added, in the image's own units.
        delta: (f32, f32),
        /// Values are clipped to this range.
        clip: (f32, f32),
    },
    /// A window of this height and width at a random place.
    Crop {
        /// Height and width.
        size: [usize; 2],
    },
}

/// Changes each image `[batch, height, width, channels]` at random.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImageAugment {
    /// The kind of change.
    pub augmentation: Augmentation,
    /// Number of the stream, one per use.
    pub stream: u32,
}

impl Operation for ImageAugment {
    fn name(&self) -> &'static str {
        "image_augment"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [x] = exactly(inputs)?;
        require_f32(inputs)?;
        let [height, width] = spatial(x.shape)?;
        match self.augmentation {
            Augmentation::Crop { size: [h, w] } => {
                require(h <= height && w <= width, || format!("a {h}×{w} window must fit into {height}×{width}"))?;
                Ok((x.shape.with(1, h.into()).with(2, w.into()), DType::F32))
            }
            _ => Ok((x.shape.clone(), DType::F32)),
        }
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        Err(b.refuse("put random image layers before every trainable layer"))
    }
}
