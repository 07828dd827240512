//! One value from one value, by a formula or by a table per channel.

use super::{Raster, blend, map};
use crate::preprocess::Sample;
use retune_simd::{Level, multiversion};

type Table = [u8; 256];

fn table(of: impl Fn(u8) -> u8) -> Table {
    std::array::from_fn(|x| of(x as u8))
}

multiversion! {
    /// The sum of the brightness of all pixels.
    fn sum_of_luma(pixels: &[[u8; 3]]) -> u64 {
        // A row of sums of 32 bits holds more pixels than an image has in one.
        pixels.chunks(1 << 16).map(|some| u64::from(some.iter().map(|p| u32::from(u8::luma(p[0], p[1], p[2]))).sum::<u32>())).sum()
    }
}

impl Raster {
    fn map(&mut self, of: impl Fn(u8) -> u8) {
        map(Level::detect(), of, &mut self.pixels);
    }

    /// Maps each channel by a table that is made of how often each value stands in it; `None` leaves it alone.
    fn map_by_histogram(&mut self, make: impl Fn(&[u32; 256]) -> Option<Table>) {
        match self.shape[2] {
            1 => map_by_histogram::<1>(&mut self.pixels, make),
            _ => map_by_histogram::<3>(&mut self.pixels, make),
        }
    }

    /// `factor · x`.
    pub fn brightness(&mut self, factor: f32) {
        self.map(|x| blend(0, x, factor));
    }

    /// `m + factor · (x − m)`, m the mean brightness of the image, rounded.
    pub fn contrast(&mut self, factor: f32) {
        let sum: u64 = if self.is_grey() {
            self.pixels.iter().map(|&x| u64::from(x)).sum()
        } else {
            sum_of_luma(Level::detect(), self.pixels.as_chunks::<3>().0)
        };
        let count = (self.shape[0] * self.shape[1]).max(1) as u64;
        let mean = ((2 * sum + count) / (2 * count)) as u8;
        self.map(|x| blend(mean, x, factor));
    }

    /// `255 − x`.
    pub fn invert(&mut self) {
        self.pixels.iter_mut().for_each(|x| *x = !*x);
    }

    /// `255 − x` from `threshold` on.
    pub fn solarize(&mut self, threshold: f32) {
        self.map(|x| if f32::from(x) < threshold { x } else { !x });
    }

    /// The upper `bits` of each value, 0 to 8.
    pub fn posterize(&mut self, bits: u32) {
        let mask = (0xff00u32 >> bits.min(8)) as u8;
        self.pixels.iter_mut().for_each(|x| *x &= mask);
    }

    /// Stretches the values of each channel to 0–255.
    pub fn auto_contrast(&mut self) {
        self.map_by_histogram(|counts| {
            let low = counts.iter().position(|&n| n > 0)?;
            let high = counts.iter().rposition(|&n| n > 0)?;
            let scale = 255.0 / high.checked_sub(low).filter(|&span| span > 0)? as f64;
            let offset = -(low as f64) * scale;
            Some(table(|x| (f64::from(x) * scale + offset) as u8))
        });
    }

    /// Makes the values of each channel about equally frequent.
    pub fn equalize(&mut self) {
        self.map_by_histogram(|counts| {
            let last = counts.iter().rposition(|&n| n > 0)?;
            let step = (counts.iter().sum::<u32>() - counts[last]) / 255;
            if step == 0 {
                return None;
            }
            let mut before = step / 2;
            Some(std::array::from_fn(|x| {
                let level = before / step;
                before += counts[x];
                level.min(255) as u8
            }))
        });
    }
}

fn map_by_histogram<const C: usize>(pixels: &mut [u8], make: impl Fn(&[u32; 256]) -> Option<Table>) {
    let (pixels, _) = pixels.as_chunks_mut::<C>();
    let mut counts = [[0u32; 256]; C];
    for pixel in &*pixels {
        for c in 0..C {
            counts[c][usize::from(pixel[c])] += 1;
        }
    }
    let tables = counts.map(|counts| make(&counts).unwrap_or_else(|| table(|x| x)));
    for pixel in pixels {
        for c in 0..C {
            pixel[c] = tables[c][usize::from(pixel[c])];
        }
    }
}
