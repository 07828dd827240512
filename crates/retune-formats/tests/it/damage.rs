//! Every reader on truncated and altered files: an error or a value, never a panic, an endless loop or a huge
//! allocation.

use std::time::{Duration, Instant};

use retune_formats::keras::KerasFile;
use retune_formats::pickle::{numpy, parse};
use retune_formats::safetensors::SafetensorsFile;
use retune_formats::torch::TorchFile;
use retune_formats::{FormatError, Limits, npy, npz};
use retune_tensor::{Key, Purpose};

use crate::bytes;

/// Far more than the slowest altered file takes, far less than a loop that does not end.
const LONGEST: Duration = Duration::from_secs(10);

/// A function that reads a file's bytes and drops what they contain.
type Reader = fn(&[u8], &Limits) -> Result<(), FormatError>;

fn keras(bytes: &[u8], limits: &Limits) -> Result<(), FormatError> {
    KerasFile::from_bytes(bytes.to_vec(), limits).map(drop)
}

fn pickled(bytes: &[u8], limits: &Limits) -> Result<(), FormatError> {
    let pickle = parse(bytes, numpy::GLOBALS, limits)?;
    match pickle.root().get("data") {
        Some(data) => Ok(numpy::array(data).map(drop)?),
        None => Ok(()),
    }
}

/// Each kind of file with the reader for it.
fn files() -> Vec<(&'static str, Vec<u8>, Reader)> {
    let keras_files =
        ["model.h5", "weights_only.h5", "model.keras", "model.weights.h5", "parts.h5", "cycle.h5", "user_block.h5"];
    let mut files: Vec<(&str, Vec<u8>, Reader)> =
        keras_files.into_iter().map(|name| (name, bytes(name), keras as Reader)).collect();
    files.push(("numbers.npz", bytes("numbers.npz"), |bytes, limits| npz::from_bytes(bytes, limits).map(drop)));
    for name in ["fortran.npy", "version2.npy", "scalar.npy"] {
        files.push((name, bytes(name), |bytes, limits| npy::from_bytes(bytes, limits).map(drop)));
    }
    for name in ["batch_p0.pickle", "batch_p2.pickle", "batch_p5.pickle", "batch_py2.pickle"] {
        files.push((name, bytes(name), pickled));
    }
    files.push(("safetensors", safetensors_file(), |bytes, limits| {
        SafetensorsFile::from_bytes(bytes, limits).map(drop)
    }));
    for name in ["views_zip.pth", "views_legacy.pth", "training_zip.pth", "training_legacy.th", "script.pt"] {
        files.push((name, crate::torch::golden_bytes(name), torch));
    }
    files
}

fn torch(bytes: &[u8], limits: &Limits) -> Result<(), FormatError> {
    let file = TorchFile::from_bytes(bytes.to_vec(), limits)?;
    file.infos().try_for_each(|(name, _)| file.tensor(name).map(drop))
}

fn safetensors_file() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let tensors = npz::from_bytes(&bytes("numbers.npz"), &Limits::default()).unwrap();
    SafetensorsFile { tensors, ..SafetensorsFile::default() }.write(&path).unwrap();
    std::fs::read(path).unwrap()
}

fn small() -> Limits {
    Limits { max_objects: 20_000, ..Limits::default() }
}

/// Reads altered bytes within [`LONGEST`]; whether they are read without an error does not matter.
fn survive(name: &str, what: &str, bytes: &[u8], read: Reader) -> Result<(), FormatError> {
    let start = Instant::now();
    let result = read(bytes, &small());
    assert!(start.elapsed() < LONGEST, "{name}, {what}: took {:?}", start.elapsed());
    result
}

#[test]
fn truncated_anywhere() {
    for (name, bytes, read) in files() {
        // Every length of a short file, 400 lengths of a long one, and the last 64.
        let step = (bytes.len() / 400).max(1);
        for length in (0..bytes.len()).step_by(step).chain(bytes.len().saturating_sub(64)..bytes.len()) {
            let result = survive(name, &format!("cut to {length} bytes"), &bytes[..length], read);
            assert!(result.is_err(), "{name} cut to {length} bytes is read");
        }
    }
}

#[test]
fn altered_bytes() {
    for (index, (name, original, read)) in files().into_iter().enumerate() {
        let mut random = Random { key: Key::new(7).with(Purpose::Init(index as u32)), next: 0 };
        for round in 0..1500 {
            let mut bytes = original.clone();
            for _ in 0..1 + random.below(4) {
                let at = random.below(bytes.len());
                match random.below(5) {
                    0 => bytes[at] = random.below(256) as u8,
                    1 => bytes[at] ^= 1 << random.below(8),
                    2 => bytes[at] = 0xff,
                    3 => {
                        // Sizes and addresses are often 8 bytes.
                        let end = bytes.len().min(at + 8);
                        bytes[at..end].fill([0, 0xff, 0x7f][random.below(3)]);
                    }
                    _ => {
                        let from = random.below(bytes.len());
                        let length = random.below(64).min(bytes.len() - from.max(at));
                        bytes.copy_within(from..from + length, at);
                    }
                }
            }
            let _ = survive(name, &format!("round {round}"), &bytes, read);
        }
    }
}

#[test]
fn altered_headers() {
    // The first 512 bytes of a binary file and the last 300 decide most: every byte takes a few values.
    for (name, original, read) in files() {
        let tail = original.len().saturating_sub(300).max(512);
        for at in (0..original.len().min(512)).chain(tail..original.len()) {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bytes = original.clone();
                bytes[at] = value;
                let _ = survive(name, &format!("byte {at} = {value}"), &bytes, read);
            }
        }
    }
}

/// Numbers that are the same in every run.
struct Random {
    key: Key,
    next: u64,
}

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.next += 1;
        self.key.below(self.next, bound as u64) as usize
    }
}
