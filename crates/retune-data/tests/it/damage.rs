//! Every kind of damage gives an error that names the place, or is set aside within the tolerance and reported.

use crate::fixtures::*;
use retune_data::{Cursor, DataError, Dataset, Loader, LoaderOptions, SourceOptions, open};
use retune_formats::{npy, npz};
use retune_tensor::Tensor;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::{TempDir, tempdir};

fn error(path: &Path) -> DataError {
    open(path, &SourceOptions::default()).map(|_| ()).unwrap_err()
}

fn tolerant(path: &Path, tolerance: usize) -> Result<Dataset, DataError> {
    open(path, &SourceOptions { tolerance, ..SourceOptions::default() }).map(|parts| parts.train)
}

fn written(name: &str, bytes: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let dir = tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (dir, path)
}

/// A folder of 10 images of which three cannot be used: empty, cut short, not an image.
fn damaged_folder() -> TempDir {
    let dir = tempdir().unwrap();
    image_folder(dir.path(), &["a", "b"], &[5, 5]);
    std::fs::write(dir.path().join("a/001.png"), b"").unwrap();
    std::fs::write(dir.path().join("a/003.png"), b"<html>404 not found</html>").unwrap();
    let jpeg = dir.path().join("b/jpeg.jpg");
    save(picture(0, 60, 50), &jpeg);
    let bytes = std::fs::read(&jpeg).unwrap();
    std::fs::write(&jpeg, &bytes[..bytes.len() - 200]).unwrap();
    dir
}

#[test]
fn unreadable_images_are_listed_before_training() {
    let dir = damaged_folder();
    let DataError::BadExamples { bad, tolerance: 2, total: 11, .. } = tolerant(dir.path(), 2).unwrap_err() else {
        panic!("three images are bad")
    };
    let reasons: Vec<_> = bad.iter().map(|b| (b.id, b.reason.as_str())).collect();
    assert_eq!(reasons[0], (1, "empty file"));
    assert!(reasons[1].0 == 3 && reasons[1].1.starts_with("not an image"), "{reasons:?}");
    assert!(reasons[2].0 == 10 && reasons[2].1.starts_with("file cut short"), "{reasons:?}");
    assert!(bad[0].place.ends_with("001.png"));
    let data = tolerant(dir.path(), 3).unwrap();
    assert_eq!((data.len(), data.excluded().count()), (8, 3));
    assert!(!data.ids().contains(&3) && data.content_hash().is_ok());
}

/// A PNG whose header is whole but whose pixels are not: found when it is decoded.
fn damaged_inside() -> TempDir {
    let dir = tempdir().unwrap();
    image_folder(dir.path(), &["a", "b"], &[8, 8]);
    for name in ["a/002.png", "b/005.png"] {
        let path = dir.path().join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = bytes.len() - 30;
        bytes[at] ^= 0x55;
        std::fs::write(&path, bytes).unwrap();
    }
    dir
}

#[test]
fn images_unreadable_on_the_way_are_an_error_or_skipped_and_reported() {
    let dir = damaged_inside();
    let data = Arc::new(tolerant(dir.path(), 0).unwrap());
    assert_eq!(data.verify().iter().map(|b| b.id).collect::<Vec<_>>(), [2, 13]);
    for workers in [0, 1, 4] {
        let load = |tolerance| {
            let options =
                LoaderOptions { batch_size: 4, workers: Some(workers), tolerance, ..LoaderOptions::default() };
            Loader::new(data.clone(), data.ids(), options).unwrap()
        };
        let strict = load(1);
        let results: Vec<_> = strict.epoch(0).collect();
        let order = strict.order(0);
        let later = order.iter().rposition(|id| [2, 13].contains(id)).unwrap() / 4;
        let earlier = order.iter().position(|id| [2, 13].contains(id)).unwrap() / 4;
        assert_ne!(earlier, later, "the seed puts them in two batches");
        assert_eq!(results.len(), later + 1, "the stream ends at the batch that has one too many");
        let error = results.last().unwrap().as_ref().unwrap_err();
        assert!(matches!(error, DataError::BadExamples { bad, tolerance: 1, .. } if bad.len() == 2), "{error}");
        assert!(error.to_string().contains("002.png"), "{error}");

        let tolerant = load(2);
        let ids: Vec<u64> = tolerant.batches(Default::default(), 2).flat_map(|b| b.unwrap().example_ids).collect();
        assert_eq!(ids.len(), 2 * 14);
        assert_eq!(tolerant.skipped().iter().map(|b| b.id).collect::<Vec<_>>(), [2, 13]);

        // What was skipped before a run stopped counts when it goes on.
        let resumed = load(1);
        let first = order.iter().find(|id| [2, 13].contains(id)).unwrap();
        resumed.restore_skipped(tolerant.skipped().into_iter().filter(|bad| bad.id == *first));
        let from = Cursor { epoch: 0, position: (earlier as u64 + 1) * 4 };
        assert_eq!(resumed.batches(from, 9).filter(Result::is_ok).count(), later - earlier - 1);
    }
}

#[test]
fn a_file_that_vanishes_is_named() {
    let dir = tempdir().unwrap();
    image_folder(dir.path(), &["a", "b"], &[2, 2]);
    let data = Arc::new(tolerant(dir.path(), 0).unwrap());
    std::fs::remove_file(dir.path().join("b/001.png")).unwrap();
    let loader = Loader::new(data.clone(), data.ids(), LoaderOptions::default()).unwrap();
    let error = loader.epoch(0).next().unwrap().unwrap_err().to_string();
    assert!(error.contains("001.png"), "{error}");
}

#[test]
fn images_of_several_sizes_need_a_resize() {
    let dir = tempdir().unwrap();
    image_folder(dir.path(), &["a", "b"], &[2, 2]);
    save(picture(0, 9, 9), &dir.path().join("b/large.png"));
    let data = Arc::new(tolerant(dir.path(), 0).unwrap());
    let error = Loader::new(data.clone(), data.ids(), LoaderOptions::default()).unwrap_err();
    assert!(matches!(error, DataError::WrongShape { .. }) && error.to_string().contains("resize"), "{error}");
}

#[test]
fn empty_and_unknown_classes() {
    let dir = tempdir().unwrap();
    image_folder(dir.path(), &["a", "b"], &[2, 2]);
    std::fs::create_dir(dir.path().join("empty")).unwrap();
    assert!(matches!(error(dir.path()), DataError::EmptyClass { class, .. } if class == "empty"));
    let parts = tempdir().unwrap();
    image_folder(&parts.path().join("train"), &["a", "b"], &[2, 2]);
    image_folder(&parts.path().join("test"), &["a", "c"], &[2, 2]);
    assert!(matches!(error(parts.path()), DataError::UnknownClass { class, .. } if class == "c"));
}

#[test]
fn paths_of_no_known_kind() {
    let dir = tempdir().unwrap();
    assert!(matches!(error(dir.path()), DataError::UnknownKind { found, .. } if found == "an empty folder"));
    save(picture(0, 3, 3), &dir.path().join("x.png"));
    let text = error(dir.path()).to_string();
    assert!(text.contains("no sub-folder per class") && text.contains("hint:"), "{text}");
    assert!(matches!(error(&dir.path().join("nothing")), DataError::Io { .. }));
    let (_dir, path) = written("model.bin", b"");
    assert!(matches!(error(&path), DataError::UnknownKind { .. }));
}

#[test]
fn damaged_cifar10() {
    let (_a, path) = written("data_batch_1.bin", &cifar_binary(&[1, 2])[..5000]);
    assert!(matches!(error(&path), DataError::Malformed { found, .. } if found == "5000 bytes"));
    let (_b, path) = written("data_batch_1.bin", cifar_binary(&[1, 10]));
    assert!(matches!(error(&path), DataError::LabelOutOfRange { label: 10, place, .. } if place.contains("record 1")));
    let (_c, path) = written("data_batch_1", cifar_pickle(&[1, 11], 2));
    assert!(matches!(error(&path), DataError::LabelOutOfRange { label: 11, .. }));
    let (_d, path) = written("data_batch_1", cifar_pickle(&[1, 2], 3));
    assert!(matches!(error(&path), DataError::CountMismatch { inputs: 3, labels: 2, .. }));
    let whole = cifar_pickle(&[1, 2], 2);
    let (_e, path) = written("data_batch_1", &whole[..whole.len() / 2]);
    assert!(matches!(error(&path), DataError::Format(_)));
    let (_f, path) = written("data_batch_1", b"\x80\x02cos\nsystem\nU\x04echo\x85R.");
    let text = error(&path).to_string();
    assert!(text.contains("os.system") && text.contains("not permitted"), "{text}");
}

#[test]
fn damaged_archives() {
    let files = [("data_batch_1.bin", cifar_binary(&[1, 2])), ("test_batch.bin", cifar_binary(&[3]))];
    let whole = tar("cifar-10-batches-bin", &files);
    let refused = |tar: &[u8]| {
        let (_dir, path) = written("cifar-10-binary.tar.gz", gzip(tar));
        error(&path).to_string()
    };
    let changed = |at: usize, bytes: &[u8]| {
        let mut tar = whole.clone();
        tar[at..at + bytes.len()].copy_from_slice(bytes);
        tar
    };
    assert!(refused(&whole[..whole.len() / 2]).contains("bytes, found"), "cut inside a batch");
    assert!(refused(&whole[..700]).contains("entry 1"), "cut inside a header");
    assert!(refused(&changed(600, b"x")).contains("the header of a tar entry"), "a checksum that is wrong");
    assert!(refused(&tar("papers", &[("a.pdf", vec![1; 9])])).contains("without CIFAR-10 batches"));
    assert!(refused(&tar("c", &[("data_batch_1.bin", vec![1; 9])])).contains("a multiple of 3073 bytes"));
    let (_dir, path) = written("cifar-10-binary.tar.gz", &gzip(&whole)[..60]);
    assert!(error(&path).to_string().contains("fetch it again"));
    let (_dir, path) = written("cifar-10-binary.tar.gz", b"<html>404</html>");
    assert!(error(&path).to_string().contains("a whole .tar.gz"));

    // A batch that says that it has 8 GiB less a byte, with a right checksum, is refused before anything is read.
    let mut huge = whole.clone();
    huge[512 + 124..512 + 136].copy_from_slice(b"77777777777\0");
    huge[512 + 148..512 + 156].copy_from_slice(b"        ");
    let sum: u32 = huge[512..1024].iter().map(|&byte| u32::from(byte)).sum();
    huge[512 + 148..512 + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    assert!(refused(&huge).contains("expected at most 268435456 bytes, found 8589934591 bytes"));
}

#[test]
fn damaged_idx() {
    let images = |name: &str, bytes: &[u8]| {
        let (dir, path) = written(name, bytes);
        std::fs::write(dir.path().join("labels-idx1-ubyte"), idx(&[2], &[0, 1])).unwrap();
        (error(&path), dir).0
    };
    let whole = idx(&[2, 3, 3], &[0; 18]);
    let name = "images-idx3-ubyte";
    assert!(matches!(images(name, &whole[..30]), DataError::Malformed { found, .. } if found == "14 bytes"));
    assert!(
        matches!(images(name, &[&whole[..], &[0]].concat()), DataError::Malformed { found, .. } if found == "more")
    );
    assert!(matches!(images(name, b"PK\x03\x04"), DataError::Malformed { .. }));
    assert!(matches!(images(name, &idx(&[u32::MAX; 4], &[])), DataError::Malformed { .. }));
    assert!(matches!(images(name, &idx(&[1, 3, 3], &[0; 9])), DataError::CountMismatch { inputs: 1, labels: 2, .. }));
    let zipped = gzip(&whole);
    let cut = images("images-idx3-ubyte.gz", &zipped[..zipped.len() - 12]);
    assert!(matches!(cut, DataError::Malformed { .. }), "{cut}");
    let (_dir, path) = written(name, &whole);
    assert!(error(&path).to_string().contains("without a file of labels"));
}

#[test]
fn a_gzip_bomb_costs_no_more_than_its_header_claims() {
    let (dir, path) = written("images-idx3-ubyte.gz", gzip(&[idx(&[1, 2, 2], &[]), vec![0; 1 << 26]].concat()));
    std::fs::write(dir.path().join("labels-idx1-ubyte"), idx(&[1], &[0])).unwrap();
    assert!(matches!(error(&path), DataError::Malformed { found, .. } if found == "more"));
}

#[test]
fn damaged_arrays() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("data.npz");
    let x = Tensor::new([3, 2], vec![0f32, 1.0, f32::NAN, 3.0, 4.0, f32::INFINITY]).unwrap();
    let y = Tensor::new([3], vec![0i32, 1, 0]).unwrap();
    npz::write(&path, [("x", &x), ("y", &y)]).unwrap();
    assert!(matches!(error(&path), DataError::BadExamples { bad, .. } if bad.len() == 2 && bad[0].id == 1));
    assert_eq!(tolerant(&path, 2).unwrap().ids(), [0]);
    let short = Tensor::new([2], vec![0i32, 1]).unwrap();
    npz::write(&path, [("x", &x), ("y", &short)]).unwrap();
    assert!(matches!(error(&path), DataError::CountMismatch { inputs: 3, labels: 2, .. }));
    npz::write(&path, [("images", &x), ("y", &y)]).unwrap();
    assert!(matches!(error(&path), DataError::UnknownName { known, .. } if known == ["images", "y"]));
    let test = Tensor::new([3], vec![0i32, 1, 2]).unwrap();
    let fine = Tensor::zeros([3, 2]);
    npz::write(&path, [("x_train", &fine), ("y_train", &y), ("x_test", &fine), ("y_test", &test)]).unwrap();
    assert!(matches!(error(&path), DataError::LabelOutOfRange { label: 2, classes: 2, .. }));
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(matches!(error(&path), DataError::Format(_)));
    npy::write(dir.path().join("inputs.npy"), &fine).unwrap();
    assert!(error(&dir.path().join("inputs.npy")).to_string().contains("labels-path"));
}

#[test]
fn damaged_tables() {
    let text = "a,b,label\n1,2,x\n3,4\n5,nan,y\n6,,x\n7,eight,y\n9,10,\n11,12,y\n";
    let (_dir, path) = written("t.csv", text);
    let DataError::BadExamples { bad, total: 7, .. } = error(&path) else { panic!("five rows are bad") };
    let reasons: Vec<_> = bad.iter().map(|b| (b.id, b.reason.as_str())).collect();
    let expected = [
        (1, "expected 3 columns, found 2"),
        (2, "column `b`: expected a finite number, found NaN"),
        (3, "column `b`: expected a number, found nothing"),
        (4, "column `b`: expected a number, found `eight`"),
        (5, "column `label`: the label is missing"),
    ];
    assert_eq!(reasons, expected);
    assert!(bad[1].place.ends_with("line 4"), "{}", bad[1].place);
    let data = tolerant(&path, 5).unwrap();
    assert_eq!((data.ids(), data.class_count()), (vec![0, 6], Some(2)));

    let (_dir, path) = written("t.csv", "name,v,label\nAnn,1,0\nBob,2,1\n");
    let text = error(&path).to_string();
    assert!(text.contains("column `name`") && text.contains("`Ann`") && text.contains("drop-columns"), "{text}");
    let (_dir, path) = written("t.csv", "");
    assert!(matches!(error(&path), DataError::NoExamples { .. }));
    let (_dir, path) = written("t.csv", b"a,b\n\xff\xfe,1\n");
    let DataError::BadExamples { bad, .. } = error(&path) else { panic!("bytes that are none") };
    assert!(bad[0].place.ends_with("line 2"), "{}", bad[0]);
    let (_dir, path) = written("t.csv", "a,b\n1,2\n");
    let options: SourceOptions = serde_json::from_str(r#"{"label":"c"}"#).unwrap();
    assert!(matches!(open(&path, &options), Err(DataError::UnknownName { known, .. }) if known == ["a", "b"]));
    let options: SourceOptions = serde_json::from_str(r#"{"label":7}"#).unwrap();
    assert!(matches!(open(&path, &options), Err(DataError::UnknownName { name, .. }) if name == "7"));
    let (_dir, path) = written("t.csv", "1,0\n2,1\n3,5\n4,1\n5,0\n6,1\n");
    let options: SourceOptions = serde_json::from_str(r#"{"classes":3}"#).unwrap();
    assert!(matches!(open(&path, &options), Err(DataError::LabelOutOfRange { label: 5, classes: 3, .. })));
}
