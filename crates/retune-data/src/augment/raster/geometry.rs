//! Affine and projective maps of images.

use super::Raster;
use serde::{Deserialize, Serialize};

/// How pixels between pixels are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// The nearest pixel.
    #[default]
    Nearest,
    /// Linear in both axes, then cut to a whole number.
    Bilinear,
}

/// A map from the new image to the old one: `x' = a x + b y + c`, `y' = d x + e y + f` as `[a, b, c, d, e, f]`; pixels have their
/// centres at ½.
pub type AffineMap = [f64; 6];

/// A map from the new image to the old one: `x' = (a x + b y + c) / (g x + h y + 1)`, `y' = (d x + e y + f) / (g x + h y + 1)` as
/// `[a, …, h]`.
pub type ProjectiveMap = [f64; 8];

/// The map that turns by `degrees` clockwise about `center`, then scales by `scale`, shears by the angles `shear` along x and y, and
/// moves by `shift`, as torchvision's `affine`: it gives the inverse, from the new image to the old one.
pub fn affine_map(center: [f64; 2], degrees: f64, shift: [f64; 2], scale: f64, shear: [f64; 2]) -> AffineMap {
    let turn = degrees.to_radians();
    let [sx, sy] = shear.map(f64::to_radians);
    let a = (turn - sy).cos() / sy.cos();
    let b = -(turn - sy).cos() * sx.tan() / sy.cos() - turn.sin();
    let c = (turn - sy).sin() / sy.cos();
    let d = -(turn - sy).sin() * sx.tan() / sy.cos() + turn.cos();
    about(center, shift, [d / scale, -b / scale, -c / scale, a / scale])
}

/// The map that turns by `degrees` anticlockwise about the centre of an image of this size (Pillow's `rotate`).
pub fn rotation_map([height, width, _]: [usize; 3], degrees: f64) -> AffineMap {
    let round = |x: f64| (x * 1e15).round() / 1e15;
    let (sin, cos) = (-degrees.rem_euclid(360.0).to_radians()).sin_cos();
    about([width as f64 / 2.0, height as f64 / 2.0], [0.0; 2], [round(cos), round(sin), round(-sin), round(cos)])
}

/// The linear map `[a, b, d, e]` with a fixed point, after moving back by `shift`.
fn about([x, y]: [f64; 2], [right, down]: [f64; 2], [a, b, d, e]: [f64; 4]) -> AffineMap {
    let (from_x, from_y) = (-x - right, -y - down);
    [a, b, a * from_x + b * from_y + x, d, e, d * from_x + e * from_y + y]
}

/// The projective map that takes the points `new` to the points `old`; `None` where three of either lie on a line.
pub fn projective_map(old: [[f64; 2]; 4], new: [[f64; 2]; 4]) -> Option<ProjectiveMap> {
    let mut rows = [[0.0; 9]; 8];
    for (i, ([u, v], [x, y])) in old.into_iter().zip(new).enumerate() {
        rows[2 * i] = [x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y, u];
        rows[2 * i + 1] = [0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y, v];
    }
    // Gauss and Jordan, with the largest pivot of each column.
    for column in 0..8 {
        let largest = |a: &usize, b: &usize| rows[*a][column].abs().total_cmp(&rows[*b][column].abs());
        let pivot = (column..8).max_by(largest)?;
        rows.swap(column, pivot);
        let pivot = rows[column];
        if pivot[column].abs() < 1e-9 {
            return None;
        }
        for (i, row) in rows.iter_mut().enumerate() {
            let factor = row[column] / pivot[column];
            if i != column && factor != 0.0 {
                row.iter_mut().zip(pivot).for_each(|(x, p)| *x -= factor * p);
            }
        }
    }
    Some(std::array::from_fn(|i| rows[i][8] / rows[i][i]))
}

impl Raster {
    /// Moves every pixel by a map; what comes from outside is `fill`.
    pub fn affine(&mut self, map: &AffineMap, interpolation: Interpolation, fill: u8) {
        self.keep_old();
        let [height, width, channels] = self.shape;
        match (interpolation, channels) {
            (Interpolation::Nearest, 1) => nearest::<1>(&self.old, &mut self.pixels, [height, width], map, fill),
            (Interpolation::Nearest, _) => nearest::<3>(&self.old, &mut self.pixels, [height, width], map, fill),
            (Interpolation::Bilinear, _) => {
                let [a, b, c, d, e, f] = *map;
                self.bilinear(fill, |x, y| [a * x + b * y + c, d * x + e * y + f]);
            }
        }
    }

    /// Moves every pixel by a map, sampling linearly; what comes from outside is `fill`.
    pub fn perspective(&mut self, map: &ProjectiveMap, fill: u8) {
        self.keep_old();
        let [a, b, c, d, e, f, g, h] = *map;
        self.bilinear(fill, |x, y| {
            let scale = g * x + h * y + 1.0;
            [(a * x + b * y + c) / scale, (d * x + e * y + f) / scale]
        });
    }

    /// Samples the old pixels linearly where `place` says.
    fn bilinear(&mut self, fill: u8, place: impl Fn(f64, f64) -> [f64; 2]) {
        let [height, width, _] = self.shape;
        let size = [height, width];
        match self.shape[2] {
            1 => bilinear::<1>(&self.old, &mut self.pixels, size, fill, place),
            _ => bilinear::<3>(&self.old, &mut self.pixels, size, fill, place),
        }
    }
}

/// Places are counted in 65,536ths of a pixel, as Pillow does: which of two pixels is the nearest is decided alike.
fn nearest<const C: usize>(old: &[u8], new: &mut [u8], [height, width]: [usize; 2], map: &AffineMap, fill: u8) {
    let fixed = |x: f64| (x * 65536.0 + 0.5).floor() as i64;
    let [a, b, c, d, e, f] = *map;
    let [across_x, across_y, down_x, down_y] = [a, d, b, e].map(fixed);
    let (mut first_x, mut first_y) = (fixed(c + 0.5 * (a + b)), fixed(f + 0.5 * (d + e)));
    let (old, _) = old.as_chunks::<C>();
    for row in new.as_chunks_mut::<C>().0.chunks_exact_mut(width) {
        if (across_x, across_y) == (1 << 16, 0) {
            let line = usize::try_from(first_y >> 16).ok().filter(|&line| line < height);
            moved(line.map(|line| &old[line * width..][..width]), first_x >> 16, row, [fill; C]);
        } else {
            let (mut x, mut y) = (first_x, first_y);
            for pixel in row {
                // A negative place becomes a huge one.
                let (column, line) = ((x >> 16) as usize, (y >> 16) as usize);
                *pixel = if column < width && line < height { old[line * width + column] } else { [fill; C] };
                x += across_x;
                y += across_y;
            }
        }
        first_x += down_x;
        first_y += down_y;
    }
}

/// A row of neighbouring pixels of `old`, of which the first is in column `from`; `fill` where there is none.
fn moved<const C: usize>(old: Option<&[[u8; C]]>, from: i64, row: &mut [[u8; C]], fill: [u8; C]) {
    let width = row.len() as i64;
    // The pixels of the new row that exist in the old one.
    let (start, end) = ((-from).clamp(0, width), (width - from).clamp(0, width));
    match old.filter(|_| start < end) {
        None => row.fill(fill),
        Some(old) => {
            row[..start as usize].fill(fill);
            row[end as usize..].fill(fill);
            row[start as usize..end as usize].copy_from_slice(&old[(start + from) as usize..(end + from) as usize]);
        }
    }
}

fn bilinear<const C: usize>(
    old: &[u8],
    new: &mut [u8],
    [height, width]: [usize; 2],
    fill: u8,
    place: impl Fn(f64, f64) -> [f64; 2],
) {
    let (old, _) = old.as_chunks::<C>();
    for (y, row) in new.as_chunks_mut::<C>().0.chunks_exact_mut(width).enumerate() {
        for (x, pixel) in row.iter_mut().enumerate() {
            let [from_x, from_y] = place(x as f64 + 0.5, y as f64 + 0.5);
            if !(0.0..width as f64).contains(&from_x) || !(0.0..height as f64).contains(&from_y) {
                *pixel = [fill; C];
                continue;
            }
            let (from_x, from_y) = (from_x - 0.5, from_y - 0.5);
            let (left, top) = (from_x.floor(), from_y.floor());
            let (right_share, lower_share) = (from_x - left, from_y - top);
            let column = |i: isize| (left as isize + i).clamp(0, width as isize - 1) as usize;
            let line = |i: isize| (top as isize + i).clamp(0, height as isize - 1) as usize;
            let between = |a: f64, b: f64, share: f64| a + (b - a) * share;
            let along = |y: usize, c: usize| {
                let [a, b] = [column(0), column(1)].map(|x| f64::from(old[y * width + x][c]));
                between(a, b, right_share)
            };
            let (upper, lower) = (line(0), line(1));
            *pixel = std::array::from_fn(|c| between(along(upper, c), along(lower, c), lower_share) as u8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_moved_are_those_of_single_pixels() {
        let old: Vec<u8> = (0..4 * 5 * 3).collect();
        let by_pixel = |x: i64, y: i64| match (usize::try_from(x), usize::try_from(y)) {
            (Ok(x), Ok(y)) if x < 5 && y < 4 => [0, 1, 2].map(|c| old[(y * 5 + x) * 3 + c]),
            _ => [9; 3],
        };
        for (shear, right, down) in
            [(0.0, 0.0, 0.0), (0.7, 1.0, -2.0), (-1.3, -7.0, 1.0), (0.0, 2.0, 9.0), (0.4, 0.3, 0.6)]
        {
            let mut new = vec![0; old.len()];
            nearest::<3>(&old, &mut new, [4, 5], &[1.0, shear, right, 0.0, 1.0, down], 9);
            for (i, pixel) in new.as_chunks::<3>().0.iter().enumerate() {
                let (x, y) = ((i % 5) as f64 + 0.5, (i / 5) as f64 + 0.5);
                let (from_x, from_y) = ((x + shear * y + right).floor(), (y + down).floor());
                assert_eq!(*pixel, by_pixel(from_x as i64, from_y as i64), "{shear} {right} {down}, pixel {i}");
            }
        }
    }
}
