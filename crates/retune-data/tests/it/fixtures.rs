//! Small files of every kind.

use image::{DynamicImage, Rgb, RgbImage};
use std::path::Path;

/// Value of an image's byte by example and place: any rule that tells places apart.
pub fn pixel(example: usize, at: usize) -> u8 {
    (example * 57 + at * 31 + at / 7) as u8
}

/// `[height, width, 3]` of one example.
pub fn picture(example: usize, height: u32, width: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let at = ((y * width + x) * 3) as usize;
        Rgb([pixel(example, at), pixel(example, at + 1), pixel(example, at + 2)])
    })
}

pub fn save(picture: RgbImage, path: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    DynamicImage::ImageRgb8(picture).save(path).unwrap();
}

/// `counts[c]` PNG files in the class folder `names[c]`, 6×5 each; example numbers count on from class to class.
pub fn image_folder(root: &Path, names: &[&str], counts: &[usize]) {
    let mut example = 0;
    for (name, &count) in names.iter().zip(counts) {
        for i in 0..count {
            save(picture(example, 6, 5), &root.join(name).join(format!("{i:03}.png")));
            example += 1;
        }
    }
}

/// One CIFAR-10 image as three planes.
pub fn planes(example: usize) -> Vec<u8> {
    (0..3072).map(|at| pixel(example, at)).collect()
}

/// Records of CIFAR-10's binary version.
pub fn cifar_binary(labels: &[u8]) -> Vec<u8> {
    labels.iter().enumerate().flat_map(|(i, &label)| [vec![label], planes(i)].concat()).collect()
}

/// A batch of CIFAR-10's Python version, as Python 2 wrote it (protocol 2).
pub fn cifar_pickle(labels: &[u8], rows: usize) -> Vec<u8> {
    let pixels: Vec<u8> = (0..rows).flat_map(planes).collect();
    let mut bytes =
        b"\x80\x02}(U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01K"
            .to_vec();
    bytes.push(rows as u8);
    bytes.extend(b"M\x00\x0c\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T");
    bytes.extend((pixels.len() as u32).to_le_bytes());
    bytes.extend(pixels);
    bytes.extend(b"tbU\x06labels](");
    labels.iter().for_each(|&label| bytes.extend([b'K', label]));
    bytes.extend(b"eu.");
    bytes
}

/// An IDX file of unsigned bytes.
pub fn idx(shape: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, shape.len() as u8];
    shape.iter().for_each(|axis| bytes.extend(axis.to_be_bytes()));
    bytes.extend(values);
    bytes
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
