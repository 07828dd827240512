//! Image files to pixels: JPEG, PNG, BMP, GIF (first frame), WebP, TIFF.

use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::Path;

/// Endings of the file names taken for images, in lower case.
pub const IMAGE_EXTENSIONS: &[&str] = &["jpg", "jpeg", "png", "bmp", "gif", "webp", "tif", "tiff"];

/// Longest side of an image that is decoded.
const MAX_SIDE: u32 = 1 << 16;
/// Memory that decoding one image may take.
const MAX_DECODED_BYTES: u64 = 1 << 30;
/// Largest image file that is read.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// A decoded image: `[height, width, channels]`, 8 bits each, channels last.
///
/// Channels are 1 (grey), 2 (grey, alpha), 3 (red, green, blue) or 4 (with alpha). Images of 16 bits or of floats are
/// reduced to 8, those of inks (CMYK) turned into red, green and blue. They are turned and mirrored as their EXIF data say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodedImage {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Values per pixel.
    pub channels: usize,
    /// Row-major values, `height · width · channels` of them.
    pub pixels: Vec<u8>,
}

/// Counted up whenever [`decode_image`] gives other pixels for the same bytes, so that what was made of the old ones is made anew.
pub const VERSION: u32 = 2;

/// Size of an image, read from its header, as it is after turning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageHeader {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

/// Whether a file's name ends as an image's does.
pub fn is_image_name(path: &Path) -> bool {
    path.extension()
        .and_then(|e| e.to_str())
        .is_some_and(|e| IMAGE_EXTENSIONS.contains(&e.to_ascii_lowercase().as_str()))
}

/// Reads a whole image file; the reason in words where it cannot.
pub fn read_image_file(path: &Path) -> Result<Vec<u8>, String> {
    let size = std::fs::metadata(path).map_err(|e| e.to_string())?.len();
    if size > MAX_FILE_BYTES {
        return Err(format!("file of {size} bytes, at most {MAX_FILE_BYTES} are read"));
    }
    std::fs::read(path).map_err(|e| e.to_string())
}

/// The size noted in an image file's header, without decoding it; the reason in words where there is none.
pub fn image_header(bytes: &[u8]) -> Result<ImageHeader, String> {
    let mut decoder = reader(bytes)?.into_decoder().map_err(|e| reason(&e))?;
    let (width, height) = match is_on_its_side(orientation(&mut decoder)) {
        true => (decoder.dimensions().1, decoder.dimensions().0),
        false => decoder.dimensions(),
    };
    if width == 0 || height == 0 || width > MAX_SIDE || height > MAX_SIDE {
        return Err(format!("size {width}×{height} outside 1..={MAX_SIDE}"));
    }
    Ok(ImageHeader { height: height as usize, width: width as usize })
}

/// How much of a file is read to find its header.
const HEADER_BYTES: u64 = 1 << 16;
/// How much of a file's end is searched for a JPEG's end marker.
const TAIL_BYTES: u64 = 1 << 12;

/// Checks what can be known of an image file without decoding it: that it can be read, has a header, and (JPEG) an end.
/// Reads no more than the beginning and the end of most files.
pub(crate) fn check_image_file(path: &Path) -> Result<ImageHeader, String> {
    let io = |e: std::io::Error| e.to_string();
    let mut file = File::open(path).map_err(io)?;
    let size = file.metadata().map_err(io)?.len();
    let mut bytes = Vec::new();
    file.by_ref().take(HEADER_BYTES).read_to_end(&mut bytes).map_err(io)?;
    let whole = bytes.len() as u64 >= size;
    let header = match image_header(&bytes) {
        Err(_) if !whole => {
            bytes = read_image_file(path)?;
            image_header(&bytes)?
        }
        header => header?,
    };
    if bytes.starts_with(&[0xff, 0xd8]) {
        let complete = if bytes.len() as u64 >= size {
            jpeg_is_complete(&bytes)
        } else {
            file.seek(SeekFrom::Start(size.saturating_sub(TAIL_BYTES))).map_err(io)?;
            let mut tail = Vec::new();
            file.take(TAIL_BYTES).read_to_end(&mut tail).map_err(io)?;
            tail.windows(2).any(|w| w == [0xff, 0xd9]) || jpeg_is_complete(&read_image_file(path)?)
        };
        if !complete {
            return Err(CUT_SHORT.into());
        }
    }
    Ok(header)
}

/// The same of an encoded image in memory.
pub(crate) fn check_image_bytes(bytes: &[u8]) -> Result<ImageHeader, String> {
    let header = image_header(bytes)?;
    if bytes.starts_with(&[0xff, 0xd8]) && !jpeg_is_complete(bytes) {
        return Err(CUT_SHORT.into());
    }
    Ok(header)
}

const CUT_SHORT: &str = "file cut short: a JPEG without its end marker";

/// Decodes an encoded image; JPEG may differ from libjpeg by a few steps of 255 where colours are stored at half size.
///
/// # Errors
/// The reason in words where it is damaged, cut short, or of no known format.
pub fn decode_image(bytes: &[u8]) -> Result<DecodedImage, String> {
    let reader = reader(bytes)?;
    if reader.format() == Some(ImageFormat::Jpeg) && !jpeg_is_complete(bytes) {
        return Err(CUT_SHORT.into());
    }
    let mut decoder = reader.into_decoder().map_err(|e| reason(&e))?;
    if decoder.total_bytes() > MAX_DECODED_BYTES {
        return Err(format!("{} bytes of pixels, at most {MAX_DECODED_BYTES} are decoded", decoder.total_bytes()));
    }
    let orientation = orientation(&mut decoder);
    let mut image = DynamicImage::from_decoder(decoder).map_err(|e| reason(&e))?;
    image.apply_orientation(orientation);
    let (width, height) = (image.width() as usize, image.height() as usize);
    if width == 0 || height == 0 {
        return Err("image without pixels".into());
    }
    let (channels, pixels) = match image.color() {
        ColorType::L8 | ColorType::L16 => (1, image.into_luma8().into_raw()),
        ColorType::La8 | ColorType::La16 => (2, image.into_luma_alpha8().into_raw()),
        ColorType::Rgba8 | ColorType::Rgba16 | ColorType::Rgba32F => (4, image.into_rgba8().into_raw()),
        _ => (3, image.into_rgb8().into_raw()),
    };
    Ok(DecodedImage { height, width, channels, pixels })
}

/// What EXIF data say; upright where they are damaged.
fn orientation(decoder: &mut impl ImageDecoder) -> Orientation {
    decoder.orientation().unwrap_or(Orientation::NoTransforms)
}

/// Whether turning exchanges height and width.
fn is_on_its_side(orientation: Orientation) -> bool {
    match orientation {
        Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH => {
            true
        }
        Orientation::NoTransforms
        | Orientation::Rotate180
        | Orientation::FlipHorizontal
        | Orientation::FlipVertical => false,
    }
}

fn reader(bytes: &[u8]) -> Result<ImageReader<Cursor<&[u8]>>, String> {
    if bytes.is_empty() {
        return Err("empty file".into());
    }
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| e.to_string())?;
    if reader.format().is_none() {
        return Err(format!("not an image of a known format (begins with {:02x?})", &bytes[..bytes.len().min(4)]));
    }
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);
    Ok(reader)
}

fn reason(error: &ImageError) -> String {
    error.to_string().trim_end_matches('.').replace('\n', " ")
}

/// Whether the end marker stands after the start of the first scan.
///
/// The decoder fills what is missing from a cut file with grey and says nothing, so it must be looked for here.
/// Segments before the scan are stepped over by their length, as a thumbnail inside one has an end marker of its own;
/// inside the scan a byte `ff` of image data is always followed by `00`.
fn jpeg_is_complete(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(&[0xff, marker]) = bytes.get(at..at + 2) {
        match marker {
            0xff => at += 1,
            0xd9 => return true,
            0x01 | 0xd0..=0xd8 => at += 2,
            _ => {
                let Some(&[high, low]) = bytes.get(at + 2..at + 4) else { return false };
                at += 2 + usize::from(u16::from_be_bytes([high, low]));
                if marker == 0xda {
                    return bytes.get(at..).is_some_and(|scan| scan.windows(2).rev().any(|w| w == [0xff, 0xd9]));
                }
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::DynamicImage;

    fn encoded(image: DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn gradient() -> DynamicImage {
        DynamicImage::ImageRgb8(image::RgbImage::from_fn(16, 9, |x, y| image::Rgb([x as u8 * 9, y as u8 * 20, 77])))
    }

    #[test]
    fn lossless_formats_give_the_pixels_back() {
        for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP] {
            let decoded = decode_image(&encoded(gradient(), format)).unwrap();
            assert_eq!((decoded.height, decoded.width, decoded.channels), (9, 16, 3), "{format:?}");
            assert_eq!(decoded.pixels, gradient().into_rgb8().into_raw(), "{format:?}");
        }
        let grey = decode_image(&encoded(gradient().grayscale(), ImageFormat::Png)).unwrap();
        assert_eq!(grey.channels, 1);
        let deep =
            decode_image(&encoded(DynamicImage::ImageLuma16(gradient().into_luma16()), ImageFormat::Png)).unwrap();
        assert_eq!((deep.channels, deep.pixels.len()), (1, 16 * 9));
    }

    #[test]
    fn jpeg_and_gif_are_close() {
        let exact = gradient().into_rgb8().into_raw();
        for format in [ImageFormat::Jpeg, ImageFormat::Gif] {
            let decoded = decode_image(&encoded(gradient(), format)).unwrap();
            let rgb: Vec<u8> = decoded.pixels.chunks_exact(decoded.channels).flat_map(|p| [p[0], p[1], p[2]]).collect();
            let worst = exact.iter().zip(&rgb).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
            assert!(worst < 40, "{format:?} {worst}");
        }
    }

    #[test]
    fn damage_is_an_error_whatever_the_format() {
        let noise = DynamicImage::ImageRgb8(image::RgbImage::from_fn(64, 64, |x, y| {
            image::Rgb([(x * y) as u8, (x * 7 + y * 13) as u8, (x ^ y) as u8])
        }));
        for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Gif, ImageFormat::WebP] {
            let whole = encoded(noise.clone(), format);
            assert_eq!(image_header(&whole), Ok(ImageHeader { height: 64, width: 64 }));
            assert!(decode_image(&whole).is_ok(), "{format:?}");
            assert!(decode_image(&whole[..whole.len() * 2 / 3]).is_err(), "{format:?} cut short");
        }
        assert_eq!(decode_image(b""), Err("empty file".into()));
        assert!(decode_image(b"<html>404</html>").unwrap_err().contains("not an image"));
        assert!(image_header(b"\xff\xd8\xff").is_err());
    }

    #[test]
    fn absurd_sizes_are_refused_before_memory_is_taken() {
        let mut png = encoded(gradient(), ImageFormat::Png);
        png[16..24].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]);
        assert!(decode_image(&png).is_err());
    }
}
