//! [`Raster`], an image of 8 bits, and what changes it by given numbers: no chance is at work here.
//!
//! Each operation gives what Pillow gives, so also torchvision on images of Pillow, to the level unless its file says otherwise.
//!
//! - [`tone`]: one value from one value: brightness, contrast, solarize, posterize, equalize, autocontrast;
//! - [`color`]: saturation, hue, grey;
//! - [`filter`]: sharpness, blur;
//! - [`geometry`]: affine and projective maps.

pub mod color;
pub mod filter;
pub mod geometry;
pub mod tone;

pub use geometry::Interpolation;

/// An image of 8 bits, `[height, width, channels]`, of 1 (grey) or 3 channels (red, green, blue).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Raster {
    /// `[height, width, channels]`.
    pub shape: [usize; 3],
    /// Row-major, the product of the shape many.
    pub pixels: Vec<u8>,
    /// The old pixels, where new ones are made of them.
    old: Vec<u8>,
}

impl Raster {
    /// An image of these pixels.
    pub fn new(shape: [usize; 3], pixels: Vec<u8>) -> Raster {
        debug_assert_eq!(shape.iter().product::<usize>(), pixels.len());
        Raster { shape, pixels, old: Vec::new() }
    }

    /// Takes other pixels, keeping the memory.
    pub(crate) fn refill(&mut self, shape: [usize; 3], pixels: impl IntoIterator<Item = u8>) {
        self.shape = shape;
        self.pixels.clear();
        self.pixels.extend(pixels);
    }

    /// Copies another image into this one, keeping the memory.
    pub(crate) fn copy_from(&mut self, other: &Raster) {
        self.shape = other.shape;
        self.pixels.clone_from(&other.pixels);
    }

    /// Puts the pixels aside, to be read while new ones are written in their place.
    fn keep_old(&mut self) {
        self.old.clear();
        self.old.extend_from_slice(&self.pixels);
    }

    /// The pixels, and memory for old ones.
    pub(crate) fn with_scratch(&mut self) -> (&mut Vec<u8>, &mut Vec<u8>) {
        (&mut self.pixels, &mut self.old)
    }

    fn is_grey(&self) -> bool {
        self.shape[2] == 1
    }
}

/// `from + factor · (to − from)` in 32 bits, cut to 0–255 and then to a whole number (Pillow's `Image.blend`).
#[inline(always)]
fn blend(from: u8, to: u8, factor: f32) -> u8 {
    // The cast cuts to 0–255, too.
    (f32::from(from) + factor * (f32::from(to) - f32::from(from))) as u8
}
