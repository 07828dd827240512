//! Random changes of images. Which draw gives what is said in `retune_graph::ops::image`.

use retune_graph::ops::ImageAugment;
use retune_graph::ops::image::{Augmentation, FillMode};
use retune_graph::ops::resize::Interpolation;
use retune_tensor::Key;

use super::StepRandom;
use super::random::row_key;
use crate::array::Array;

/// How many draws each image of an example has to itself.
const DRAWS_PER_IMAGE: u64 = 8;

pub(super) fn augment(op: &ImageAugment, x: &Array, batch: usize, random: &StepRandom<'_>) -> Array {
    let [count, height, width, channels] = <[usize; 4]>::try_from(&x.shape[..]).expect("images have four axes");
    let mut shape = x.shape.clone();
    if let Augmentation::Crop { size: [h, w] } = op.augmentation {
        shape[1..3].copy_from_slice(&[h, w]);
    }
    let mut values = Vec::new();
    for row in 0..count {
        let (key, image_of_example) = row_key(op.stream, row, count, batch, random);
        let draws = Draws { key, first: image_of_example as u64 * DRAWS_PER_IMAGE };
        let image = Array::from_fn(&[height, width, channels], |i| x.at(&[row, i[0], i[1], i[2]]));
        values.extend(change(&op.augmentation, &image, draws).values);
    }
    Array::new(&shape, values)
}

/// The numbers of one image.
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
fn change(augmentation: &Augmentation, image: &Array, draws: Draws) -> Array {
    let [height, width, channels] = <[usize; 3]>::try_from(&image.shape[..]).expect("an image has three axes");
    match *augmentation {
        Augmentation::Flip { horizontal, vertical } => {
            let (mirror, upset) = (horizontal && draws.coin(0), vertical && draws.coin(1));
            Array::from_fn(&image.shape, |i| {
                let row = if upset { height - 1 - i[0] } else { i[0] };
                let column = if mirror { width - 1 - i[1] } else { i[1] };
                image.at(&[row, column, i[2]])
            })
        }
        Augmentation::Affine { rotation, zoom_height, zoom_width, shift_height, shift_width, fill, interpolation } => {
            let angle = draws.within(0, rotation) * std::f64::consts::TAU;
            let zoom_y = 1.0 + draws.within(1, zoom_height);
            let zoom_x = zoom_width.map_or(zoom_y, |range| 1.0 + draws.within(2, range));
            let shift_y = draws.within(3, shift_height) * height as f64;
            let shift_x = draws.within(4, shift_width) * width as f64;
            let (centre_y, centre_x) = ((height as f64 - 1.0) / 2.0, (width as f64 - 1.0) / 2.0);
            Array::from_fn(&image.shape, |i| {
                let y = zoom_y * (i[0] as f64 - shift_y - centre_y);
                let x = zoom_x * (i[1] as f64 - shift_x - centre_x);
                let source_y = centre_y + angle.sin() * x + angle.cos() * y;
                let source_x = centre_x + angle.cos() * x - angle.sin() * y;
                sample(image, source_y, source_x, i[2], fill, interpolation)
            })
        }
        Augmentation::Contrast { factor, clip } => {
            let factor = draws.within(0, factor);
            let mean = |c: usize| image.values.iter().skip(c).step_by(channels).sum::<f64>() / (height * width) as f64;
            let means: Vec<f64> = (0..channels).map(mean).collect();
            Array::from_fn(&image.shape, |i| clipped((image.at(i) - means[i[2]]) * factor + means[i[2]], clip))
        }
        Augmentation::Brightness { delta, clip } => {
            let delta = draws.within(0, delta);
            image.map(|x| clipped(x + delta, clip))
        }
        Augmentation::Crop { size: [h, w] } => {
            let (top, left) = (draws.below(0, height - h + 1), draws.below(1, width - w + 1));
            Array::from_fn(&[h, w, channels], |i| image.at(&[top + i[0], left + i[1], i[2]]))
        }
    }
}

fn clipped(x: f64, (low, high): (f32, f32)) -> f64 {
    x.max(f64::from(low)).min(f64::from(high))
}

/// The image's value at a point between pixels.
fn sample(image: &Array, y: f64, x: f64, c: usize, fill: FillMode, interpolation: Interpolation) -> f64 {
    match interpolation {
        Interpolation::Nearest => pixel(image, (y + 0.5).floor(), (x + 0.5).floor(), c, fill),
        Interpolation::Bilinear => {
            let (low_y, low_x) = (y.floor(), x.floor());
            let (part_y, part_x) = (y - low_y, x - low_x);
            (1.0 - part_y) * (1.0 - part_x) * pixel(image, low_y, low_x, c, fill)
                + (1.0 - part_y) * part_x * pixel(image, low_y, low_x + 1.0, c, fill)
                + part_y * (1.0 - part_x) * pixel(image, low_y + 1.0, low_x, c, fill)
                + part_y * part_x * pixel(image, low_y + 1.0, low_x + 1.0, c, fill)
        }
    }
}

/// The pixel at a whole place, which may be outside the image.
fn pixel(image: &Array, y: f64, x: f64, c: usize, fill: FillMode) -> f64 {
    match (inside(y, image.shape[0], fill), inside(x, image.shape[1], fill)) {
        (Some(y), Some(x)) => image.at(&[y, x, c]),
        _ => match fill {
            FillMode::Constant(value) => f64::from(value),
            other => unreachable!("{other:?} finds a pixel for every place"),
        },
    }
}

/// The place inside `0..size` that stands for place `i`, if there is one.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn places(fill: FillMode) -> Vec<Option<usize>> {
        (-5..8).map(|i| inside(f64::from(i), 3, fill)).collect()
    }

    #[test]
    fn what_stands_outside() {
        let some = |places: [usize; 13]| places.map(Some).to_vec();
        assert_eq!(places(FillMode::Nearest), some([0, 0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2, 2]));
        assert_eq!(places(FillMode::Wrap), some([1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1]));
        assert_eq!(places(FillMode::Reflect), some([1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1]));
        assert_eq!(places(FillMode::Constant(0.0))[4..9], [None, Some(0), Some(1), Some(2), None]);
    }

    fn affine(rotation: f32, zoom: f32, shift: (f32, f32)) -> Vec<f64> {
        let augmentation = Augmentation::Affine {
            rotation: (rotation, rotation),
            zoom_height: (zoom, zoom),
            zoom_width: None,
            shift_height: (shift.0, shift.0),
            shift_width: (shift.1, shift.1),
            fill: FillMode::Constant(-1.0),
            interpolation: Interpolation::Bilinear,
        };
        let image = Array::from_fn(&[3, 3, 1], |i| (3 * i[0] + i[1]) as f64);
        let changed = change(&augmentation, &image, Draws { key: Key::new(0), first: 0 });
        changed.values.iter().map(|x| (x * 1e6).round() / 1e6).collect()
    }

    #[test]
    fn directions_of_affine_maps() {
        assert_eq!(affine(0.0, 0.0, (0.0, 0.0)), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        // A quarter turn counter-clockwise takes the right edge to the top.
        assert_eq!(affine(0.25, 0.0, (0.0, 0.0))[3..6], [1.0, 4.0, 7.0]);
        // A third down: the first row comes from outside.
        assert_eq!(affine(0.0, 0.0, (1.0 / 3.0, 0.0))[3..6], [0.0, 1.0, 2.0]);
        assert_eq!(affine(0.0, 0.0, (0.0, 1.0 / 3.0))[3..6], [-1.0, 3.0, 4.0]);
        // Zooming in by half: neighbours of the centre are half a pixel away.
        assert_eq!(affine(0.0, -0.5, (0.0, 0.0))[3..6], [3.5, 4.0, 4.5]);
    }
}
