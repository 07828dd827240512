//! Random changes of images inside a network (Keras's `Random*` layers while training), keyed by example as in
//! [`super::random`].
//!
//! Image `r` of the `k` images of an example (`k` is 1 unless the batch axis is a multiple of the batch) has the numbers
//! from `8 · r` of the example's stream to itself. Draw `d` is `uniform(8 · r + d)`, or `below(8 · r + d, n)` for a whole
//! number; a range `(low, high)` gives `low + (high − low) · uniform`.
//!
//! | change | draws |
//! | --- | --- |
//! | flip | 0: left and right swapped if `uniform < ½`; 1: top and bottom likewise |
//! | affine | 0: rotation; 1: zoom of the height; 2: zoom of the width; 3: shift down; 4: shift right |
//! | contrast | 0: factor |
//! | brightness | 0: delta |
//! | crop | 0: first row, below `height − crop height + 1`; 1: first column likewise |
//!
//! A draw has its number whether or not the others are used.

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
    /// A rotation, zoom and shift about the image's centre in one resampling. With the centre
    /// `c = ((height − 1) / 2, (width − 1) / 2)`, shift `t` in pixels, zooms `z` and angle `a`, the output at `(y, x)` is the
    /// input at `c + (cos a · v + sin a · u, cos a · u − sin a · v)`, where
    /// `v = (1 + z_height) · (y − t_down − c_y)` and `u = (1 + z_width) · (x − t_right − c_x)`: the conventions of Keras's
    /// `RandomRotation`, `RandomZoom` and `RandomTranslation`. Pixels lie at whole coordinates; nearest takes
    /// `⌊coordinate + ½⌋`, and each pixel read outside the image is what `fill` says.
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
