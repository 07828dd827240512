//! What is kept of an image, and whether two images are the same picture.
//!
//! The perceptual hash is that of the discrete cosine transform ("pHash", Zauner 2010): the image in grey at 32×32 pixels, of
//! whose transform the 8×8 lowest frequencies but the constant one give a bit each: above their median or not. It hardly changes
//! when a picture is stored again, resized, or made a little brighter; yet different pictures can share it, above all plain
//! ones. So whoever has like hashes is compared pixel by pixel, in colour, at 32×32.

use retune_data::decode::DecodedImage;

/// Side of the square that images are compared on.
const SIDE: usize = 32;
/// Frequencies of the hash in each direction.
const LOW: usize = 8;
/// Largest mean difference of colour values, of 255, between two stored forms of one picture, their mean brightness made equal.
const MOST_DIFFERENCE: f32 = 10.0;
/// Largest difference of mean brightness, of 255.
const MOST_BRIGHTNESS: f32 = 32.0;
/// Least correlation of their grey values.
const LEAST_CORRELATION: f32 = 0.95;
/// Spread of grey values (standard deviation, of 255) below which a picture is plain, and only its colour is compared.
const PLAIN: f32 = 3.0;
/// Largest ratio between the proportions of the two.
const MOST_STRETCH: f32 = 1.15;

/// An image at 32×32 pixels: red, green and blue of each, and what follows of them.
#[derive(Debug, Clone)]
pub struct Picture {
    /// Red, green, blue of each pixel, row by row.
    colours: Vec<f32>,
    grey: Vec<f32>,
    /// Width as a multiple of height.
    proportion: f32,
}

impl Picture {
    /// Shrinks (or enlarges) an image by the mean of what each pixel covers. Transparent places are white.
    pub fn new(image: &DecodedImage) -> Picture {
        let columns = Cover::new(image.width);
        let rows = Cover::new(image.height);
        let mut colours = vec![0.0f32; SIDE * SIDE * 3];
        let mut line = vec![0.0f32; SIDE * 3];
        for (y, pixels) in image.pixels.chunks_exact(image.width * image.channels).enumerate() {
            line.fill(0.0);
            for (x, pixel) in pixels.chunks_exact(image.channels).enumerate() {
                let colour = rgb(pixel);
                for (target, share) in columns.of(x) {
                    (0..3).for_each(|c| line[target * 3 + c] += share * colour[c]);
                }
            }
            for (target, share) in rows.of(y) {
                let row = &mut colours[target * SIDE * 3..(target + 1) * SIDE * 3];
                row.iter_mut().zip(&line).for_each(|(sum, value)| *sum += share * value);
            }
        }
        // The weights of Rec. 601, as for grey everywhere here.
        let grey = colours.chunks_exact(3).map(|c| 0.299 * c[0] + 0.587 * c[1] + 0.114 * c[2]).collect();
        Picture { colours, grey, proportion: image.width as f32 / image.height as f32 }
    }

    /// The perceptual hash, one bit for each of 63 frequencies.
    pub fn hash(&self) -> u64 {
        let cosines: [[f32; SIDE]; LOW] = std::array::from_fn(|k| {
            std::array::from_fn(|x| (std::f32::consts::PI / SIDE as f32 * (x as f32 + 0.5) * k as f32).cos())
        });
        let mut by_rows = [[0.0f32; SIDE]; LOW];
        for (k, cosine) in cosines.iter().enumerate() {
            for (y, row) in self.grey.chunks_exact(SIDE).enumerate() {
                by_rows[k][y] = row.iter().zip(cosine).map(|(value, c)| value * c).sum();
            }
        }
        let mut frequencies = [0.0f32; LOW * LOW];
        for (k, column) in by_rows.iter().enumerate() {
            for (l, cosine) in cosines.iter().enumerate() {
                frequencies[l * LOW + k] = column.iter().zip(cosine).map(|(value, c)| value * c).sum();
            }
        }
        let mut sorted = frequencies[1..].to_vec();
        sorted.sort_by(f32::total_cmp);
        let median = sorted[sorted.len() / 2];
        (1..LOW * LOW).filter(|&bit| frequencies[bit] > median).fold(0, |hash, bit| hash | 1 << bit)
    }

    /// Mean of the grey values, 0 to 255.
    pub fn brightness(&self) -> f32 {
        self.grey.iter().sum::<f32>() / self.grey.len() as f32
    }

    /// Standard deviation of the grey values.
    pub fn contrast(&self) -> f32 {
        let mean = self.brightness();
        (self.grey.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / self.grey.len() as f32).sqrt()
    }

    /// How alike two pictures are, 1 for the same pixels: `1 − d/255` of the mean difference `d` of colour values; `None` where they are
    /// not the same picture.
    pub fn similarity(&self, other: &Picture) -> Option<f32> {
        let stretch = self.proportion / other.proportion;
        let shift = self.brightness() - other.brightness();
        if stretch.max(1.0 / stretch) > MOST_STRETCH || shift.abs() > MOST_BRIGHTNESS {
            return None;
        }
        let mean = |shift: f32| {
            let differences = self.colours.iter().zip(&other.colours).map(|(a, b)| (a - b - shift).abs());
            differences.sum::<f32>() / self.colours.len() as f32
        };
        let (spread, other_spread) = (self.contrast(), other.contrast());
        let is_same = if spread < PLAIN || other_spread < PLAIN {
            mean(0.0) < PLAIN
        } else {
            let (a, b) = (self.brightness(), other.brightness());
            let product: f32 = self.grey.iter().zip(&other.grey).map(|(x, y)| (x - a) * (y - b)).sum();
            let correlation = product / (self.grey.len() as f32 * spread * other_spread);
            correlation >= LEAST_CORRELATION && mean(shift) <= MOST_DIFFERENCE
        };
        is_same.then(|| 1.0 - mean(0.0) / 255.0)
    }
}

/// The colour of a pixel of 1 to 4 channels.
fn rgb(pixel: &[u8]) -> [f32; 3] {
    let over_white = |value: u8, alpha: u8| {
        let alpha = f32::from(alpha) / 255.0;
        f32::from(value) * alpha + 255.0 * (1.0 - alpha)
    };
    match *pixel {
        [grey] => [f32::from(grey); 3],
        [grey, alpha] => [over_white(grey, alpha); 3],
        [r, g, b, alpha] => [over_white(r, alpha), over_white(g, alpha), over_white(b, alpha)],
        [r, g, b, ..] => [f32::from(r), f32::from(g), f32::from(b)],
        [] => [0.0; 3],
    }
}

/// Which of the 32 target places a source place covers, and by which share of the target.
struct Cover {
    size: usize,
}

impl Cover {
    fn new(size: usize) -> Cover {
        Cover { size }
    }

    fn of(&self, source: usize) -> impl Iterator<Item = (usize, f32)> + use<> {
        let scale = SIDE as f32 / self.size as f32;
        let (low, high) = (source as f32 * scale, (source + 1) as f32 * scale);
        let last = (high.ceil() as usize).clamp(low as usize + 1, SIDE);
        (low as usize..last)
            .map(move |target| (target, (high.min(target as f32 + 1.0) - low.max(target as f32)).max(0.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(width: usize, height: usize, colour: impl Fn(f32, f32) -> [f32; 3]) -> DecodedImage {
        let at = |i: usize| ((i % width) as f32 / width as f32, (i / width) as f32 / height as f32);
        let pixels = (0..width * height).flat_map(|i| colour(at(i).0, at(i).1).map(|v| v.clamp(0.0, 255.0) as u8));
        DecodedImage { width, height, channels: 3, pixels: pixels.collect() }
    }

    fn scene(x: f32, y: f32) -> [f32; 3] {
        let wave = ((x * 9.0).sin() + (y * 7.0 + x * 3.0).cos()) * 55.0 + 120.0;
        [wave, 255.0 - wave, wave * 0.5 + y * 80.0]
    }

    fn other(x: f32, y: f32) -> [f32; 3] {
        let wave = ((y * 11.0 + 2.0).sin() + (x * 5.0).cos()) * 55.0 + 120.0;
        [wave, wave, 255.0 - wave]
    }

    #[test]
    fn a_resized_brightened_or_noisy_picture_is_the_same() {
        let first = Picture::new(&image(64, 64, scene));
        let noise = |x: f32, y: f32| scene(x, y).map(|v| v + ((x * 977.0).sin() * (y * 1313.0).cos()) * 8.0);
        for changed in [
            image(48, 48, scene),
            image(224, 224, scene),
            image(64, 64, |x, y| scene(x, y).map(|v| v + 12.0)),
            image(64, 64, noise),
        ] {
            let second = Picture::new(&changed);
            let bits = (first.hash() ^ second.hash()).count_ones();
            assert!(bits <= super::super::hamming::DISTANCE, "{bits} bits");
            assert!(first.similarity(&second).unwrap() > 0.9);
        }
        assert_eq!(first.similarity(&first), Some(1.0));
    }

    #[test]
    fn another_picture_is_another() {
        let first = Picture::new(&image(64, 64, scene));
        for changed in [
            image(64, 64, other),
            image(64, 64, |x, y| scene(1.0 - x, y)),
            image(64, 64, |x, y| scene(x, y).map(|v| 255.0 - v)),
            image(64, 64, |x, y| {
                let [r, g, b] = scene(x, y);
                [b, r, g]
            }),
            image(128, 64, scene),
        ] {
            assert_eq!(first.similarity(&Picture::new(&changed)), None);
        }
    }

    #[test]
    fn plain_pictures_are_told_by_their_colour() {
        let [black, dark, grey] = [0.0, 1.0, 60.0].map(|v| Picture::new(&image(8, 8, |_, _| [v; 3])));
        assert!(black.similarity(&dark).is_some());
        assert_eq!(black.similarity(&grey), None);
        let red = Picture::new(&image(8, 8, |_, _| [200.0, 0.0, 0.0]));
        let blue = Picture::new(&image(8, 8, |_, _| [0.0, 0.0, 200.0]));
        assert_eq!(red.similarity(&blue), None);
    }

    #[test]
    fn sizes_are_covered_whole() {
        for size in [1, 7, 31, 32, 33, 64, 100] {
            let mut sums = [0.0f32; SIDE];
            let cover = Cover::new(size);
            (0..size).flat_map(|source| cover.of(source)).for_each(|(target, share)| sums[target] += share);
            assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-3), "{size}: {sums:?}");
        }
    }

    #[test]
    fn transparent_places_are_white() {
        assert_eq!((rgb(&[9, 0]), rgb(&[1, 2, 3, 0])), ([255.0; 3], [255.0; 3]));
        assert_eq!((rgb(&[7]), rgb(&[1, 2, 3, 255])), ([7.0; 3], [1.0, 2.0, 3.0]));
    }
}
