//! Changes of images beside those of torchvision on images of Pillow (`tests/golden/torch_augment`).

use retune_data::augment::raster::Interpolation;
use retune_data::augment::raster::geometry::{affine_map, projective_map};
use retune_data::augment::{Change, Raster};
use retune_formats::safetensors::SafetensorsFile;
use retune_tensor::Values;
use std::path::Path;

fn goldens() -> Vec<(String, Raster)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/torch_augment/cases.safetensors");
    let file = SafetensorsFile::read(path).unwrap();
    let raster = |name: &str| {
        let tensor = &file.tensors[name];
        let shape: [usize; 3] = tensor.shape().try_into().unwrap();
        let Values::U8(pixels) = tensor.values() else { panic!("{name} is not of 8 bits") };
        Raster::new(shape, pixels.clone())
    };
    file.tensors.keys().map(|name| (name.clone(), raster(name))).collect()
}

/// The largest difference, and the share of values that differ.
fn difference(a: &Raster, b: &Raster) -> (u8, f64) {
    assert_eq!(a.shape, b.shape);
    let differences = || a.pixels.iter().zip(&b.pixels).map(|(a, b)| a.abs_diff(*b));
    (differences().max().unwrap(), differences().filter(|&d| d > 0).count() as f64 / a.pixels.len() as f64)
}

#[test]
fn changes_are_torchvisions() {
    let goldens = goldens();
    let stored = |name: &str| goldens.iter().find(|(n, _)| n == name).unwrap().1.clone();
    let (image, dull) = (stored("image"), stored("dull"));
    let [height, width, _] = image.shape;
    let mut checked = 0;
    for (name, expected) in &goldens {
        let Some((kind, strength)) = name.split_once('/') else { continue };
        let number = strength.parse::<f64>().unwrap_or(f64::NAN);
        let mut found = if kind.ends_with("-dull") { dull.clone() } else { image.clone() };
        let change = match kind {
            "brightness" => Change::Brightness(number),
            "contrast" => Change::Contrast(number),
            "saturation" => Change::Color(number),
            "sharpness" => Change::Sharpness(number),
            "grey" => Change::Grey,
            "invert" => Change::Invert,
            "auto-contrast" | "auto-contrast-dull" => Change::AutoContrast,
            "equalize" | "equalize-dull" => Change::Equalize,
            "posterize" => Change::Posterize(number as u32),
            "solarize" => Change::Solarize(number),
            "shear-x" => Change::ShearX(number),
            "shear-y" => Change::ShearY(number),
            "translate-x" => Change::TranslateX(number),
            "translate-y" => Change::TranslateY(number),
            "rotate" => Change::Rotate(number),
            _ => Change::Identity,
        };
        change.apply(&mut found);
        let center = [width as f64 / 2.0, height as f64 / 2.0];
        let affine = |interpolation, image: &mut Raster| {
            image.affine(&affine_map(center, 17.0, [2.0, -3.0], 1.3, [5.0, -8.0]), interpolation, 9);
        };
        let [right, bottom] = [width as f64 - 1.0, height as f64 - 1.0];
        // A sum that lies between two levels may be rounded to the other one.
        let mut tolerance = (0, 0.0);
        match kind {
            "hue" => found.hue(number as f32),
            "affine-nearest" => affine(Interpolation::Nearest, &mut found),
            "affine-bilinear" => affine(Interpolation::Bilinear, &mut found),
            "blur" => {
                found.blur(7, number as f32);
                tolerance = (1, 0.002);
            }
            "perspective" => {
                let old = [[0.0, 0.0], [right, 0.0], [right, bottom], [0.0, bottom]];
                let new = [[2.0, 1.0], [right - 3.0, 3.0], [right - 1.0, bottom - 5.0], [5.0, bottom - 2.0]];
                found.perspective(&projective_map(old, new).unwrap(), 9);
                // One pixel whose place is the image's edge, to rounding, may be inside or outside.
                tolerance = (255, 0.001);
            }
            // Beside the code of crops.
            "crop" => continue,
            _ => {}
        }
        let (largest, share) = difference(&found, expected);
        assert!(largest <= tolerance.0 && share <= tolerance.1, "{name}: {largest} levels, {share} of all");
        checked += 1;
    }
    assert_eq!(checked, 56);
}
