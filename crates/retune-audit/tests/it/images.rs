//! Findings on images, stored in several ways.

use crate::support::{Folder, at, check};
use image::{DynamicImage, ImageFormat, RgbImage, imageops};
use retune_audit::{Kind, Severity};
use std::io::Cursor;

/// A picture of its own for each number.
pub fn picture(number: u32) -> RgbImage {
    let phase = number as f32;
    RgbImage::from_fn(48, 48, |x, y| {
        let (x, y) = (x as f32 / 48.0, y as f32 / 48.0);
        let wave = |a: f32, b: f32| {
            ((x * (3.0 + a) + phase * 1.7).sin() * (y * (4.0 + b) + phase * 2.3).cos() * 100.0 + 128.0) as u8
        };
        image::Rgb([wave(phase % 5.0, 1.0), wave(2.0, phase % 7.0), wave(phase % 3.0, 4.0)])
    })
}

pub fn stored(picture: RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(picture).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

#[test]
fn pictures_are_the_same_however_they_are_stored() {
    let folder = Folder::new();
    for number in 0..12 {
        let class = ["cat", "dog"][number as usize % 2];
        folder.write(&format!("data/train/{class}/{number}.png"), stored(picture(number), ImageFormat::Png));
    }
    // The same pixels in another format, the same picture with loss, the same smaller; all of other names.
    folder.write("data/train/dog/a.bmp", stored(picture(3), ImageFormat::Bmp));
    folder.write("data/test/cat/b.jpg", stored(picture(4), ImageFormat::Jpeg));
    let small = imageops::resize(&picture(6), 36, 36, imageops::FilterType::Triangle);
    folder.write("data/test/cat/c.png", stored(small, ImageFormat::Png));
    folder.write("data/test/dog/d.png", stored(picture(31), ImageFormat::Png));
    // The same pixels with another label.
    folder.write("data/train/dog/e.png", stored(picture(8), ImageFormat::Png));
    let checked = check(&folder.path("data"));
    let overlap = checked.finding(Kind::Overlap);
    assert!(
        overlap.title.english().starts_with("2 of the 3 images of test also stand in train"),
        "{:?}",
        overlap.title
    );
    let places: Vec<_> =
        overlap.examples.iter().map(|e| e.places.iter().map(|p| at(p).0).collect::<Vec<_>>()).collect();
    assert_eq!(places, [vec!["4.png", "b.jpg"], vec!["6.png", "c.png"]]);
    assert_eq!(checked.finding(Kind::ExactDuplicates).count, 2);
    assert_eq!(checked.finding(Kind::NearDuplicates).count, 2);
    let conflicts = checked.finding(Kind::Conflicts);
    assert_eq!(conflicts.count, 2);
    assert_eq!(conflicts.examples[0].places.iter().map(|p| at(p).0).collect::<Vec<_>>(), ["8.png", "e.png"]);
}

#[test]
fn broken_plain_and_tiny_images_are_named() {
    let folder = Folder::new();
    for number in 0..30 {
        let class = ["cat", "dog"][number as usize % 2];
        folder.write(&format!("data/{class}/{number}.png"), stored(picture(number), ImageFormat::Png));
    }
    let whole = stored(picture(50), ImageFormat::Png);
    // The header is whole: only decoding tells.
    folder.write("data/cat/cut.png", &whole[..whole.len() / 2]);
    folder.write("data/cat/page.jpg", "<html>404</html>");
    folder.write("data/dog/plain.png", stored(RgbImage::from_pixel(48, 48, image::Rgb([9, 9, 9])), ImageFormat::Png));
    folder
        .write("data/dog/tiny.png", stored(imageops::crop_imm(&picture(60), 0, 0, 6, 6).to_image(), ImageFormat::Png));
    let checked = check(&folder.path("data"));
    let broken = checked.finding(Kind::Unreadable);
    assert_eq!((broken.count, broken.severity), (2, Severity::Problem));
    let names: Vec<_> = broken.examples.iter().map(|e| at(&e.places[0]).0).collect();
    assert_eq!(names, ["cut.png", "page.jpg"]);
    let sizes = checked.finding(Kind::Sizes);
    assert_eq!((sizes.count, at(&sizes.examples[0].places[0]).0), (1, "tiny.png".to_owned()));
    let outliers = checked.finding(Kind::Outliers);
    assert!(outliers.examples.iter().any(|e| at(&e.places[0]).0 == "plain.png"), "{outliers:?}");
}

#[test]
fn different_pictures_are_no_duplicates() {
    let folder = Folder::new();
    for number in 0..60 {
        folder.write(&format!("data/{}/{number}.png", number % 3), stored(picture(number), ImageFormat::Png));
    }
    let checked = check(&folder.path("data"));
    for kind in [Kind::ExactDuplicates, Kind::NearDuplicates, Kind::Overlap, Kind::Conflicts] {
        assert_eq!(checked.find(kind), None);
    }
}
