//! One value from one value, by a table per channel.

use super::{Raster, blend};
use crate::preprocess::Sample;

type Table = [u8; 256];

fn table(of: impl Fn(u8) -> u8) -> Table {
    std::array::from_fn(|x| of(x as u8))
}

impl Raster {
    fn map(&mut self, table: &Table) {
        self.pixels.iter_mut().for_each(|x| *x = table[usize::from(*x)]);
    }

    /// How often each value stands in a channel.
    fn histogram(&self, channel: usize) -> [u32; 256] {
        let mut counts = [0; 256];
        self.pixels.iter().skip(channel).step_by(self.shape[2]).for_each(|&x| counts[usize::from(x)] += 1);
        counts
    }

    /// Maps each channel by a table that is made of its histogram; `None` leaves it alone.
    fn map_by_histogram(&mut self, make: impl Fn(&[u32; 256]) -> Option<Table>) {
        let channels = self.shape[2];
        for channel in 0..channels {
            if let Some(table) = make(&self.histogram(channel)) {
                self.pixels.iter_mut().skip(channel).step_by(channels).for_each(|x| *x = table[usize::from(*x)]);
            }
        }
    }

    /// `factor · x`.
    pub fn brightness(&mut self, factor: f32) {
        self.map(&table(|x| blend(0, x, factor)));
    }

    /// `m + factor · (x − m)`, m the mean brightness of the image, rounded.
    pub fn contrast(&mut self, factor: f32) {
        let sum: u64 = if self.is_grey() {
            self.pixels.iter().map(|&x| u64::from(x)).sum()
        } else {
            self.pixels.chunks_exact(3).map(|p| u64::from(u8::luma(p[0], p[1], p[2]))).sum()
        };
        let count = (self.shape[0] * self.shape[1]).max(1) as u64;
        let mean = ((2 * sum + count) / (2 * count)) as u8;
        self.map(&table(|x| blend(mean, x, factor)));
    }

    /// `255 − x`.
    pub fn invert(&mut self) {
        self.pixels.iter_mut().for_each(|x| *x = !*x);
    }

    /// `255 − x` from `threshold` on.
    pub fn solarize(&mut self, threshold: f32) {
        self.map(&table(|x| if f32::from(x) < threshold { x } else { !x }));
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
