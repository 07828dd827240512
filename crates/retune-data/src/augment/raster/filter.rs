//! Sharpness and blur.

use super::{Raster, blend};
use retune_simd::{Level, multiversion};

multiversion! {
    /// [`Raster::sharpness`] of one row: `around[i]` are its nine neighbours in their order, itself in the middle, as slices of one length.
    fn sharpen(factor: f32, around: [&[u8]; 9], out: &mut [u8]) {
        let [a, b, c, d, e, f, g, h, i] = around.map(|row| &row[..out.len()]);
        let wide = |x: u8| u16::from(x);
        for (j, x) in out.iter_mut().enumerate() {
            let beside = wide(a[j]) + wide(b[j]) + wide(c[j]) + wide(d[j]) + wide(f[j]) + wide(g[j]) + wide(h[j]) + wide(i[j]);
            // 13 is odd, so no sum lies between two levels.
            *x = blend(((beside + 5 * wide(e[j]) + 6) / 13) as u8, e[j], factor);
        }
    }
}

impl Raster {
    /// `s + factor · (x − s)`, s the image smoothed by `[1 1 1; 1 5 1; 1 1 1] / 13`, whose outermost pixels are left as they are.
    pub fn sharpness(&mut self, factor: f32) {
        let [height, width, channels] = self.shape;
        if height < 3 || width < 3 {
            return;
        }
        self.keep_old();
        let (row, level) = (width * channels, Level::detect());
        for y in 1..height - 1 {
            let rows: [&[u8]; 3] = std::array::from_fn(|i| &self.old[(y + i - 1) * row..(y + i) * row]);
            let out = &mut self.pixels[y * row + channels..(y + 1) * row - channels];
            // Columns to the left, at the same place, and to the right, as slices of one length.
            let at = |line: usize, column: usize| &rows[line][column * channels..][..out.len()];
            let [a, b, c] = [at(0, 0), at(0, 1), at(0, 2)];
            let [d, e, f] = [at(1, 0), at(1, 1), at(1, 2)];
            let [g, h, i] = [at(2, 0), at(2, 1), at(2, 2)];
            sharpen(level, factor, [a, b, c, d, e, f, g, h, i], out);
        }
    }

    /// Gaussian blur of standard deviation `sigma` in pixels by a kernel of `size` pixels (odd), borders mirrored, results rounded:
    /// torchvision's `gaussian_blur`, which sums both axes at once; so a value may differ by 1.
    pub fn blur(&mut self, size: usize, sigma: f32) {
        let [height, width, channels] = self.shape;
        let reach = size / 2;
        let weights: Vec<f32> = {
            let raw: Vec<f64> = (0..=2 * reach)
                .map(|i| (-0.5 * ((i as f64 - reach as f64) / f64::from(sigma)).powi(2)).exp())
                .collect();
            let sum: f64 = raw.iter().sum();
            raw.iter().map(|w| (w / sum) as f32).collect()
        };
        self.keep_old();
        let row = width * channels;
        let (mut sums, mut padded) = (vec![0.0f32; row], vec![0.0f32; row + 2 * reach * channels]);
        for y in 0..height {
            sums.fill(0.0);
            for (i, &weight) in weights.iter().enumerate() {
                let from = mirrored(y as isize + i as isize - reach as isize, height);
                let line = &self.old[from * row..(from + 1) * row];
                sums.iter_mut().zip(line).for_each(|(sum, &x)| *sum += weight * f32::from(x));
            }
            padded[reach * channels..][..row].copy_from_slice(&sums);
            for x in (0..reach).chain(reach + width..2 * reach + width) {
                let from = mirrored(x as isize - reach as isize, width);
                for c in 0..channels {
                    padded[x * channels + c] = sums[from * channels + c];
                }
            }
            sums.fill(0.5);
            for (i, &weight) in weights.iter().enumerate() {
                let line = &padded[i * channels..][..row];
                sums.iter_mut().zip(line).for_each(|(sum, &x)| *sum += weight * x);
            }
            self.pixels[y * row..(y + 1) * row].iter_mut().zip(&sums).for_each(|(out, &sum)| *out = sum as u8);
        }
    }
}

/// The place of `i` in `0..n`, mirrored at the ends without repeating them.
fn mirrored(i: isize, n: usize) -> usize {
    super::super::Fill::Reflect.index(i, n).unwrap_or(0)
}
