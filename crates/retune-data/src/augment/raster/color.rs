//! Saturation, hue, grey. Grey images stay as they are.

use super::{Raster, blend, map_colors};
use crate::preprocess::Sample;
use retune_simd::Level;

impl Raster {
    /// `l + factor · (x − l)`, l the pixel's brightness.
    pub fn saturation(&mut self, factor: f32) {
        if self.is_grey() {
            return;
        }
        let blended = |[red, green, blue]: [u8; 3]| {
            let luma = u8::luma(red, green, blue);
            [blend(luma, red, factor), blend(luma, green, factor), blend(luma, blue, factor)]
        };
        map_colors(Level::detect(), blended, self.pixels.as_chunks_mut::<3>().0);
    }

    /// Each pixel's brightness in all channels.
    pub fn grey(&mut self) {
        if self.is_grey() {
            return;
        }
        self.pixels.as_chunks_mut::<3>().0.iter_mut().for_each(|p| *p = [u8::luma(p[0], p[1], p[2]); 3]);
    }

    /// Turns the hue by `turn` of the colour circle, −½ to ½, through HSV of 8 bits each.
    pub fn hue(&mut self, turn: f32) {
        if self.is_grey() {
            return;
        }
        let shift = (f64::from(turn) * 255.0) as i32 as u8;
        for pixel in self.pixels.as_chunks_mut::<3>().0 {
            let [hue, saturation, value] = to_hsv(*pixel);
            *pixel = to_rgb([hue.wrapping_add(shift), saturation, value]);
        }
    }
}

/// Hue, saturation and value, in the precisions that Pillow computes them in.
fn to_hsv([red, green, blue]: [u8; 3]) -> [u8; 3] {
    let high = red.max(green).max(blue);
    let low = red.min(green).min(blue);
    if high == low {
        return [0, 0, high];
    }
    let span = f32::from(high - low);
    let [r, g, b] = [red, green, blue].map(|x| f32::from(high - x) / span);
    let sixths = if red == high {
        b - g
    } else if green == high {
        (2.0 + f64::from(r) - f64::from(b)) as f32
    } else {
        (4.0 + f64::from(g) - f64::from(r)) as f32
    };
    let hue = ((f64::from(sixths) / 6.0 + 1.0) % 1.0) as f32;
    let saturation = span / f32::from(high);
    [(f64::from(hue) * 255.0) as u8, (f64::from(saturation) * 255.0) as u8, high]
}

fn to_rgb([hue, saturation, value]: [u8; 3]) -> [u8; 3] {
    if saturation == 0 {
        return [value; 3];
    }
    let sixths = f64::from(hue) * 6.0 / 255.0;
    let sector = sixths.floor();
    let within = f64::from((sixths - sector) as f32);
    let saturation = f64::from((f64::from(saturation) / 255.0) as f32);
    let level = |share: f64| (f64::from(value) * (1.0 - share)).round() as u8;
    let (low, falling, rising) = (level(saturation), level(saturation * within), level(saturation * (1.0 - within)));
    match sector as u8 % 6 {
        0 => [value, rising, low],
        1 => [falling, value, low],
        2 => [low, value, rising],
        3 => [low, falling, value],
        4 => [rising, low, value],
        _ => [value, low, falling],
    }
}
