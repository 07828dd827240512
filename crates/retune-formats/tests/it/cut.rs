//! Keras files cut short, as by a copy or download that broke off: none may be read as if it merely held less.

use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};

use retune_formats::keras::KerasFile;
use retune_formats::{FormatError, Limits, Problem};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use crate::data;

const WEIGHTS: &str = "model.weights.h5";

/// Every file with one of these extensions among the test files of this crate and the models that Keras 2 and 3 saved.
fn files(extensions: &[&str]) -> Vec<PathBuf> {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/keras_legacy");
    let folders = std::fs::read_dir(models).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    folders
        .chain([data("")])
        .flat_map(|folder| std::fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extensions.iter().any(|e| *e == extension)))
        .collect()
}

/// 5, 10, … 95 % of `length`, and all but one byte.
fn cuts(length: usize) -> impl Iterator<Item = usize> {
    (1..20).map(move |twentieths| length * twentieths / 20).chain([length - 1])
}

fn read(bytes: Vec<u8>) -> Result<KerasFile, FormatError> {
    KerasFile::from_bytes(bytes, &Limits::default())
}

fn assert_truncated(error: &FormatError, place: &str, whole: usize, cut: usize, what: &str) {
    assert_eq!(error.place, place, "{what}: {error}");
    let Problem::Truncated { needed, available } = error.problem else { panic!("{what}: {error}") };
    assert_eq!((needed, available), (whole as u64, cut as u64), "{what}");
    assert!(error.to_string().contains("hint: the copy or download was probably cut short"), "{error}");
}

#[test]
fn hdf5_files() {
    let files = files(&["h5"]);
    assert!(files.len() > 50, "{}", files.len());
    for path in files {
        let whole = std::fs::read(&path).unwrap();
        // Some files of this crate are broken on purpose; those that Keras saved are read.
        if !path.starts_with(data("")) {
            read(whole.clone()).unwrap();
        }
        for cut in cuts(whole.len()) {
            let what = format!("{}, {cut} of {} bytes", path.display(), whole.len());
            let error = read(whole[..cut].to_vec()).err().unwrap_or_else(|| panic!("{what} are read"));
            // Behind a user block the cut may be in or before the superblock, which then says nothing.
            if whole.starts_with(b"\x89HDF") {
                assert_truncated(&error, "superblock", whole.len(), cut, &what);
            }
        }
    }
}

#[test]
fn weights_in_archives() {
    let files = files(&["keras"]);
    assert!(files.len() > 20, "{}", files.len());
    for path in files {
        let archive = std::fs::read(&path).unwrap();
        for cut in cuts(archive.len()) {
            assert!(read(archive[..cut].to_vec()).is_err(), "{}, {cut} of {} bytes", path.display(), archive.len());
        }
        let members = unpack(archive);
        read(pack(&members)).unwrap();
        let (_, whole) = members.iter().find(|(name, _)| name == WEIGHTS).unwrap();
        for cut in cuts(whole.len()) {
            let what = format!("{}, {cut} of {} bytes of the weights", path.display(), whole.len());
            let mut members = members.clone();
            members.iter_mut().filter(|(name, _)| name == WEIGHTS).for_each(|(_, data)| data.truncate(cut));
            let error = read(pack(&members)).err().unwrap_or_else(|| panic!("{what} are read"));
            assert_truncated(&error, &format!("{WEIGHTS}/superblock"), whole.len(), cut, &what);
        }
    }
}

fn unpack(archive: Vec<u8>) -> Vec<(String, Vec<u8>)> {
    let mut archive = ZipArchive::new(Cursor::new(archive)).unwrap();
    let count = archive.len();
    let read = |index| {
        let mut member = archive.by_index(index).unwrap();
        let mut data = Vec::new();
        member.read_to_end(&mut data).unwrap();
        (member.name().unwrap().into_owned(), data)
    };
    (0..count).map(read).collect()
}

fn pack(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, data) in members {
        zip.start_file(name.as_str(), SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored))
            .unwrap();
        zip.write_all(data).unwrap();
    }
    zip.finish().unwrap().into_inner()
}
