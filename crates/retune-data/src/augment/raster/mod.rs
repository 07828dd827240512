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
use retune_simd::{Level, multiversion};

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

    /// Takes the whole numbers nearest to these values, cut to 0–255, as pixels, keeping the memory.
    pub(crate) fn refill_rounded(&mut self, shape: [usize; 3], values: &[f32]) {
        self.shape = shape;
        self.pixels.resize(values.len(), 0);
        round(Level::detect(), values, &mut self.pixels);
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

multiversion! {
    /// The whole numbers nearest to `values`, cut to 0–255; halves go up.
    fn round(values: &[f32], out: &mut [u8]) {
        for (out, &x) in out.iter_mut().zip(values) {
            *out = whole(x + 0.5);
        }
    }

    /// `x = of(x)` for every value.
    fn map[F: Fn(u8) -> u8](of: F, pixels: &mut [u8]) {
        for x in pixels {
            *x = of(*x);
        }
    }

    /// `pixel = of(pixel)` for every pixel of three channels.
    fn map_colors[F: Fn([u8; 3]) -> [u8; 3]](of: F, pixels: &mut [[u8; 3]]) {
        for pixel in pixels {
            *pixel = of(*pixel);
        }
    }
}

/// `from + factor · (to − from)` in 32 bits, cut to 0–255 and then to a whole number (Pillow's `Image.blend`).
#[inline(always)]
fn blend(from: u8, to: u8, factor: f32) -> u8 {
    whole(f32::from(from) + factor * (f32::from(to) - f32::from(from)))
}

/// `x as u8`: cut to 0–255, then to a whole number; for many values at a time, which the compiler does not do with the cast.
#[inline(always)]
fn whole(x: f32) -> u8 {
    // Numbers of this size have no fractions: adding it rounds to the nearest whole number, which is left in the lowest bits.
    const WHOLE: f32 = (1 << 23) as f32;
    let x = x.clamp(0.0, 255.0);
    let nearest = (x + WHOLE) - WHOLE;
    let below = if nearest > x { nearest - 1.0 } else { nearest };
    ((below + WHOLE).to_bits() & 0xff) as u8
}

#[cfg(test)]
mod tests {
    use super::whole;

    #[test]
    fn whole_numbers_are_those_of_the_cast() {
        let eighths = (-80..2200).map(|n| n as f32 / 8.0);
        let beside = (0..257).flat_map(|n| [(n as f32).next_down(), (n as f32).next_up()]);
        for x in eighths.chain(beside).chain([f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 1e30]) {
            assert_eq!(whole(x), x as u8, "{x}");
        }
    }
}
