//! Images in every form that they come in are what Pillow makes of them (see `tests/data/make.py`).

use retune_data::Dataset;
use retune_data::decode::{DecodedImage, decode_image, image_header};
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/images")
}

fn decoded(path: &Path) -> (Vec<u8>, DecodedImage) {
    let bytes = std::fs::read(path).unwrap();
    let image = decode_image(&bytes).unwrap_or_else(|reason| panic!("{}: {reason}", path.display()));
    (bytes, image)
}

/// Steps of 255 that a form may differ by: where it is lossy, decoders round differently; inks are turned into colours by different formulas.
fn tolerance(name: &str) -> u8 {
    match name {
        "lossy.webp" => 3,
        name if name.ends_with(".jpg") => 3,
        _ => 0,
    }
}

fn without_alpha(image: DecodedImage) -> DecodedImage {
    assert!(image.channels == 4 && image.pixels.chunks(4).all(|pixel| pixel[3] == 255));
    let pixels = image.pixels.chunks(4).flat_map(|pixel| &pixel[..3]).copied().collect();
    DecodedImage { channels: 3, pixels, ..image }
}

#[test]
fn every_form_gives_the_pixels_of_pillow() {
    let mut names: Vec<String> = Vec::new();
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let wanted = folder().join(format!("{name}.png"));
        if !wanted.exists() {
            continue;
        }
        let ((bytes, found), (_, wanted)) = (decoded(&path), decoded(&wanted));
        let header = image_header(&bytes).unwrap();
        assert_eq!((header.height, header.width), (found.height, found.width), "{name}");
        // Frames of a GIF have an alpha channel here, whether it is used or not.
        let found = if name.ends_with(".gif") { without_alpha(found) } else { found };
        let shape = |image: &DecodedImage| [image.height, image.width, image.channels];
        if shape(&found) != shape(&wanted) {
            wrong.push(format!("{name}: expected {:?}, found {:?}", shape(&wanted), shape(&found)));
            continue;
        }
        let worst = found.pixels.iter().zip(&wanted.pixels).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        if worst > tolerance(&name) {
            wrong.push(format!("{name}: differs by {worst}"));
        }
        names.push(name);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(names.len(), 35, "{names:?}");
}

#[test]
fn turned_images_are_upright_wherever_they_are_read() {
    let paths: Vec<PathBuf> = (1..=8).map(|n| folder().join(format!("orientation-{n}.jpg"))).collect();
    let upright = decoded(&paths[0]).1;
    for path in &paths {
        let sizes = |image: &DecodedImage| (image.height.min(image.width), image.height.max(image.width));
        assert_eq!(sizes(&decoded(path).1), sizes(&upright), "{}", path.display());
    }
    let data = Dataset::from_image_files(vec![paths[5].clone()]).unwrap();
    assert!(data.verify().is_empty());
}
