//! Random changes of images. Which draw gives what is said in [`retune_graph::ops::image`].

use retune_graph::ops::ImageAugment;
use retune_graph::ops::image::{Augmentation, FillMode};
use retune_graph::ops::resize::Interpolation;
use retune_tensor::Key;

use crate::kernels::Call;
use crate::kernels::random::ExampleKeys;

/// How many draws each image of an example has to itself.
const DRAWS_PER_IMAGE: usize = 8;

pub(crate) fn augment(op: &ImageAugment, mut call: Call<'_>) {
    let (x, keys, shape) = (call.input(0), ExampleKeys::new(&call, op.stream), call.input_shape(0));
    let (size, channels) = ([shape[1], shape[2]], shape[3]);
    let images_per_example = (shape[0] / call.batch.max(1)).max(1);
    let (source_len, image_len) = (shape[1..].iter().product::<usize>(), call.shape[1..].iter().product::<usize>());
    if image_len == 0 {
        return;
    }
    let op = *op;
    call.cpu.for_chunks(call.output(), image_len, |index, y| {
        let first = (index % images_per_example * DRAWS_PER_IMAGE) as u64;
        let draws = Draws { key: keys.of(index / images_per_example), first };
        let image = Image { values: &x[index * source_len..][..source_len], size, channels };
        change(&op.augmentation, image, draws, y);
    });
}

/// The random numbers of one image.
#[derive(Clone, Copy)]
struct Draws {
    key: Key,
    first: u64,
}

impl Draws {
    fn within(&self, draw: u64, (low, high): (f32, f32)) -> f64 {
        f64::from(low) + (f64::from(high) - f64::from(low)) * f64::from(self.key.uniform(self.first + draw))
    }

    fn coin(&self, draw: u64) -> bool {
        self.key.uniform(self.first + draw) < 0.5
    }

    fn below(&self, draw: u64, n: usize) -> usize {
        self.key.below(self.first + draw, n as u64) as usize
    }
}

/// One image `[height, width, channels]`.
#[derive(Clone, Copy)]
struct Image<'a> {
    values: &'a [f32],
    size: [usize; 2],
    channels: usize,
}

impl<'a> Image<'a> {
    /// `count` pixels side by side.
    fn pixels(&self, row: usize, column: usize, count: usize) -> &'a [f32] {
        &self.values[(row * self.size[1] + column) * self.channels..][..count * self.channels]
    }

    /// The pixel at a place that may be outside of the image; `None` where that has a constant.
    fn pixel(&self, row: f64, column: f64, fill: FillMode) -> Option<&'a [f32]> {
        Some(self.pixels(inside(row, self.size[0], fill)?, inside(column, self.size[1], fill)?, 1))
    }
}

/// The place inside of `0..size` that stands for place `i`, if there is one.
fn inside(i: f64, size: usize, fill: FillMode) -> Option<usize> {
    let (i, size) = (i as i64, size as i64);
    let place = match fill {
        FillMode::Constant(_) => i,
        FillMode::Nearest => i.clamp(0, size - 1),
        FillMode::Wrap => i.rem_euclid(size),
        FillMode::Reflect => {
            let place = i.rem_euclid(2 * size);
            if place < size { place } else { 2 * size - 1 - place }
        }
    };
    (0..size).contains(&place).then_some(place as usize)
}

fn change(augmentation: &Augmentation, image: Image<'_>, draws: Draws, y: &mut [f32]) {
    let ([height, width], channels) = (image.size, image.channels);
    match *augmentation {
        Augmentation::Flip { horizontal, vertical } => {
            let (mirror, upset) = (horizontal && draws.coin(0), vertical && draws.coin(1));
            for (row, y) in y.chunks_exact_mut(width * channels).enumerate() {
                let row = if upset { height - 1 - row } else { row };
                y.copy_from_slice(image.pixels(row, 0, width));
                if mirror {
                    for column in 0..width {
                        let to = (width - 1 - column) * channels;
                        y[to..to + channels].copy_from_slice(image.pixels(row, column, 1));
                    }
                }
            }
        }
        Augmentation::Affine { .. } => Map::new(augmentation, image.size, draws).resample(image, y),
        Augmentation::Contrast { factor, clip } => {
            let factor = draws.within(0, factor) as f32;
            for c in 0..channels {
                let sum: f64 = image.values.iter().skip(c).step_by(channels).map(|&x| f64::from(x)).sum();
                let mean = (sum / (height * width) as f64) as f32;
                let values = image.values.iter().skip(c).step_by(channels);
                for (y, x) in y.iter_mut().skip(c).step_by(channels).zip(values) {
                    *y = clipped((x - mean) * factor + mean, clip);
                }
            }
        }
        Augmentation::Brightness { delta, clip } => {
            let delta = draws.within(0, delta) as f32;
            y.iter_mut().zip(image.values).for_each(|(y, x)| *y = clipped(x + delta, clip));
        }
        Augmentation::Crop { size: [rows, columns] } => {
            let (top, left) = (draws.below(0, height - rows + 1), draws.below(1, width - columns + 1));
            for (row, y) in y.chunks_exact_mut(columns * channels).enumerate() {
                y.copy_from_slice(image.pixels(top + row, left, columns));
            }
        }
    }
}

fn clipped(x: f32, (low, high): (f32, f32)) -> f32 {
    x.max(low).min(high)
}

/// An affine map from places of the new image to places of the old one, both counted from the centre.
struct Map {
    centre: [f64; 2],
    shift: [f64; 2],
    zoom: [f64; 2],
    sine: f64,
    cosine: f64,
    fill: FillMode,
    interpolation: Interpolation,
}

impl Map {
    /// # Panics
    /// If the augmentation is no affine map.
    fn new(augmentation: &Augmentation, [height, width]: [usize; 2], draws: Draws) -> Map {
        let Augmentation::Affine { rotation, zoom_height, zoom_width, shift_height, shift_width, fill, interpolation } =
            *augmentation
        else {
            unreachable!("only affine maps resample")
        };
        let (sine, cosine) = (draws.within(0, rotation) * std::f64::consts::TAU).sin_cos();
        let zoom = 1.0 + draws.within(1, zoom_height);
        Map {
            centre: [(height as f64 - 1.0) / 2.0, (width as f64 - 1.0) / 2.0],
            shift: [draws.within(3, shift_height) * height as f64, draws.within(4, shift_width) * width as f64],
            zoom: [zoom, zoom_width.map_or(zoom, |range| 1.0 + draws.within(2, range))],
            sine,
            cosine,
            fill,
            interpolation,
        }
    }

    fn resample(&self, image: Image<'_>, y: &mut [f32]) {
        let ([_, width], channels) = (image.size, image.channels);
        for (place, y) in y.chunks_exact_mut(channels).enumerate() {
            let (row, column) = ((place / width) as f64, (place % width) as f64);
            let down = self.zoom[0] * (row - self.shift[0] - self.centre[0]);
            let right = self.zoom[1] * (column - self.shift[1] - self.centre[1]);
            let row = self.centre[0] + self.sine * right + self.cosine * down;
            let column = self.centre[1] + self.cosine * right - self.sine * down;
            self.sample(image, row, column, y);
        }
    }

    /// The image's value at a point between pixels.
    fn sample(&self, image: Image<'_>, row: f64, column: f64, y: &mut [f32]) {
        let constant = match self.fill {
            FillMode::Constant(value) => value,
            _ => 0.0,
        };
        match self.interpolation {
            Interpolation::Nearest => match image.pixel((row + 0.5).floor(), (column + 0.5).floor(), self.fill) {
                Some(pixel) => y.copy_from_slice(pixel),
                None => y.fill(constant),
            },
            Interpolation::Bilinear => {
                let (top, left) = (row.floor(), column.floor());
                let (down, right) = ((row - top) as f32, (column - left) as f32);
                y.fill(0.0);
                for (row, share) in [(top, 1.0 - down), (top + 1.0, down)] {
                    for (column, share) in [(left, share * (1.0 - right)), (left + 1.0, share * right)] {
                        match image.pixel(row, column, self.fill) {
                            Some(pixel) => y.iter_mut().zip(pixel).for_each(|(y, x)| *y += share * x),
                            None => y.iter_mut().for_each(|y| *y += share * constant),
                        }
                    }
                }
            }
        }
    }
}
