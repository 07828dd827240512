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

/// A batch of CIFAR-10's Python version, byte for byte as Python 2's `cPickle` wrote the original ones (protocol 2): the entries
/// in its dictionary's order, short strings, each string and list put into the memo, lists appended to by the thousand.
pub fn cifar_pickle(labels: &[u8], rows: usize) -> Vec<u8> {
    let mut pickle = Pickle { bytes: b"\x80\x02}".to_vec(), memo: 0 };
    pickle.put();
    pickle.bytes.push(b'(');
    pickle.string("batch_label");
    pickle.string("training batch 1 of 5");
    pickle.string("labels");
    pickle.list(labels.len(), |pickle, i| pickle.bytes.extend([b'K', labels[i]]));
    pickle.string("data");
    pickle.bytes.extend(b"cnumpy.core.multiarray\n_reconstruct\n");
    pickle.put();
    pickle.bytes.extend(b"cnumpy\nndarray\n");
    pickle.put();
    pickle.bytes.extend(b"K\x00\x85U\x01b\x87R");
    pickle.put();
    pickle.bytes.extend(b"(K\x01M");
    pickle.bytes.extend((rows as u16).to_le_bytes());
    pickle.bytes.extend(b"M\x00\x0c\x86cnumpy\ndtype\n");
    pickle.put();
    pickle.bytes.extend(b"U\x02u1K\x00K\x01\x87R");
    pickle.put();
    pickle.bytes.extend(b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T");
    pickle.bytes.extend((rows as u32 * 3072).to_le_bytes());
    (0..rows).for_each(|row| pickle.bytes.extend(planes(row)));
    pickle.bytes.extend(b"tb");
    pickle.string("filenames");
    pickle.list(rows, |pickle, i| pickle.string(&format!("leptodactylus_pentadactylus_s_{i:06}.png")));
    pickle.bytes.extend(b"u.");
    pickle.bytes
}

/// `batches.meta` as Python 2's `cPickle` wrote it.
pub fn cifar_meta() -> Vec<u8> {
    const NAMES: [&str; 10] =
        ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
    let mut pickle = Pickle { bytes: b"\x80\x02}".to_vec(), memo: 0 };
    pickle.put();
    pickle.bytes.push(b'(');
    pickle.string("num_cases_per_batch");
    pickle.bytes.extend(b"M\x10'");
    pickle.string("label_names");
    pickle.list(NAMES.len(), |pickle, i| pickle.string(NAMES[i]));
    pickle.string("num_vis");
    pickle.bytes.extend(b"M\x00\x0cu.");
    pickle.bytes
}

struct Pickle {
    bytes: Vec<u8>,
    memo: u32,
}

impl Pickle {
    fn put(&mut self) {
        self.memo += 1;
        match u8::try_from(self.memo) {
            Ok(memo) => self.bytes.extend([b'q', memo]),
            Err(_) => {
                self.bytes.push(b'r');
                self.bytes.extend(self.memo.to_le_bytes());
            }
        }
    }

    fn string(&mut self, text: &str) {
        self.bytes.extend([b'U', text.len() as u8]);
        self.bytes.extend(text.as_bytes());
        self.put();
    }

    fn list(&mut self, count: usize, each: impl Fn(&mut Pickle, usize)) {
        self.bytes.push(b']');
        self.put();
        for start in (0..count).step_by(1000) {
            self.bytes.push(b'(');
            (start..count.min(start + 1000)).for_each(|i| each(self, i));
            self.bytes.push(b'e');
        }
    }
}

/// A `.tar` of files below a folder, with headers as GNU tar writes them.
pub fn tar(folder: &str, files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let entry = |name: String, kind: u8, contents: &[u8]| {
        let mut header = vec![0; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..108].copy_from_slice(b"0000644\0");
        header[124..136].copy_from_slice(format!("{:011o}\0", contents.len()).as_bytes());
        header[148..156].copy_from_slice(b"        ");
        header[156] = kind;
        header[257..265].copy_from_slice(b"ustar  \0");
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        header.extend(contents);
        header.resize(header.len().next_multiple_of(512), 0);
        header
    };
    let mut bytes = entry(format!("{folder}/"), b'5', &[]);
    files.iter().for_each(|(name, contents)| bytes.extend(entry(format!("{folder}/{name}"), b'0', contents)));
    bytes.resize(bytes.len() + 1024, 0);
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
