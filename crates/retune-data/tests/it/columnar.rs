//! Parquet and Arrow as the Hugging Face Hub has them (files by pyarrow, see `tests/data/make.py`), whole and damaged.

use crate::fixtures::{picture, save};
use arrow_ipc::MetadataVersion;
use arrow_ipc::reader::FileReader;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions};
use retune_data::sources::{Column, SourceKind, detect};
use retune_data::{DataError, Dataset, ImageSource, Inputs, LabelKind, LabelType, SourceOptions, Storage, open};
use std::path::{Path, PathBuf};
use tempfile::tempdir;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tables").join(name)
}

fn read(name: &str, options: SourceOptions) -> Result<Dataset, DataError> {
    open(&file(name), &options).map(|parts| parts.train)
}

fn tolerant(tolerance: usize) -> SourceOptions {
    SourceOptions { tolerance, ..SourceOptions::default() }
}

fn named(name: &str) -> Option<Column> {
    Some(Column::Name(name.into()))
}

pub const REVIEWS: [&str; 9] = [
    "reviews-none.parquet",
    "reviews-snappy.parquet",
    "reviews-zstd.parquet",
    "reviews-lz4.parquet",
    "reviews-gzip.parquet",
    "reviews.feather",
    "reviews-zstd.feather",
    "reviews-plain.feather",
    "reviews-stream.arrow",
];

#[test]
fn texts_and_named_classes_in_every_packing() {
    for name in REVIEWS {
        assert_eq!(detect(&file(name)).unwrap(), SourceKind::Text, "{name}");
        let data = read(name, tolerant(3)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(data.ids(), [0, 1, 4], "{name}");
        assert_eq!(data.class_names().unwrap(), ["neg", "pos"], "{name}");
        let texts: Vec<String> = data.texts().unwrap().first.iter().map(String::from).collect();
        assert_eq!((texts[1].as_str(), texts[4].as_str()), ("很快，好吃", "dull and long"), "{name}");
        let classes: Vec<Option<usize>> = [0, 1, 4].map(|id| data.labels().class_of(id)).to_vec();
        assert_eq!(classes, [Some(1), Some(1), Some(0)], "{name}");
        let bad: Vec<(u64, &str)> = data.excluded().map(|bad| (bad.id, bad.reason.as_str())).collect();
        let wanted = [
            (2, "column `text`: the text is missing"),
            (3, "column `text`: the text is empty"),
            (5, "column `label`: the label is missing"),
        ];
        assert_eq!(bad, wanted, "{name}");
        assert!(data.place(4).ends_with(&format!("{name}, row 5")), "{}", data.place(4));
    }
    assert!(matches!(read("reviews.feather", tolerant(2)), Err(DataError::BadExamples { total: 6, .. })));
}

#[test]
fn labels_of_every_kind() {
    let by = |label: &str| SourceOptions { label: named(label), text: named("text"), ..SourceOptions::default() };
    let classes = |label: &str| {
        let data = read("kinds.parquet", by(label)).unwrap_or_else(|error| panic!("{label}: {error}"));
        (0..4).map(|id| data.class_name(data.labels().class_of(id).unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(classes("dictionary"), ["x", "y", "x", "x"]);
    assert_eq!(classes("truth"), ["true", "false", "true", "true"]);
    let several = |label: &str, names: &[&str], rows: [&[f32]; 4]| {
        let data = read("kinds.parquet", by(label)).unwrap_or_else(|error| panic!("{label}: {error}"));
        assert_eq!(data.label_kind(), LabelKind::MultiHot { classes: names.len() }, "{label}");
        assert_eq!((0..names.len()).map(|class| data.class_name(class)).collect::<Vec<_>>(), names, "{label}");
        for (id, row) in rows.into_iter().enumerate() {
            assert_eq!(data.labels().row(id), Some(row), "{label}, row {id}");
        }
    };
    several("names", &["a", "b", "c"], [&[1., 1., 0.], &[0.; 3], &[0., 1., 0.], &[0., 0., 1.]]);
    several("numbers", &["0", "1", "2"], [&[1., 0., 0.], &[0., 1., 1.], &[0.; 3], &[0., 1., 0.]]);
    several("vector", &["0", "1", "2"], [&[0., 1., 1.], &[1., 0., 0.], &[0.; 3], &[1.; 3]]);
    several("tags", &["joy", "anger", "fear"], [&[1., 0., 1.], &[0., 1., 0.], &[0.; 3], &[0., 0., 1.]]);
    let scores = read("kinds.parquet", SourceOptions { tolerance: 2, ..by("float") }).unwrap();
    assert_eq!(
        (scores.label_kind(), scores.labels().row(0)),
        (LabelKind::Real { shape: vec![1] }, Some(&[0.1f32][..]))
    );
    assert_eq!(scores.ids(), [0, 1], "NaN and null are missing");
    let error = read("kinds.parquet", by("when")).unwrap_err().to_string();
    assert!(error.contains("column `when`: a date is no label"), "{error}");
    let error = read("kinds.parquet", by("whence")).unwrap_err();
    assert!(matches!(&error, DataError::UnknownName { known, .. } if known.len() == 9), "{error}");
}

#[test]
fn pairs_numbers_and_words() {
    let pairs = read("pairs.parquet", SourceOptions::default()).unwrap();
    assert_eq!(pairs.texts().unwrap().get(3), Some(("g h".into(), Some("l".into()))));
    assert_eq!(pairs.labels().row(1), Some(&[1.25f32][..]));
    assert_eq!(detect(&file("numbers.parquet")).unwrap(), SourceKind::Csv);
    let numbers = read("numbers.parquet", tolerant(1)).unwrap();
    assert_eq!((numbers.ids(), numbers.first_values(3, 9)), (vec![0, 1, 3], vec![4.5, 4.0]));
    assert_eq!(numbers.excluded().next().unwrap().reason, "column `a`: expected a number, found nothing");
    let words = read("words.parquet", SourceOptions::default()).unwrap();
    assert_eq!(words.label_kind(), LabelKind::WordClasses { classes: 3 });
    assert_eq!(words.words_of(0).unwrap(), ["Angela", "left", "."]);
    assert_eq!((words.class_name(2), words.labels().word_classes(1)), ("B-LOC".to_owned(), Some(&[2][..])));
}

#[test]
fn a_stream_in_a_file_begins_where_its_writer_aligned_it() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("a.arrow");
    let mut reader = FileReader::try_new(std::fs::File::open(file("reviews-plain.feather")).unwrap(), None).unwrap();
    let batch = reader.next().unwrap().unwrap();
    for alignment in [8, 16, 32, 64] {
        let options = IpcWriteOptions::try_new(alignment, false, MetadataVersion::V5).unwrap();
        let out = std::fs::File::create(&path).unwrap();
        let mut writer = FileWriter::try_new_with_options(out, &batch.schema(), options).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
        assert_eq!(open(&path, &tolerant(3)).unwrap().train.ids(), [0, 1, 4], "aligned to {alignment} bytes");
    }
}

#[test]
fn images_stand_in_the_table() {
    let path = file("images.parquet");
    assert_eq!(detect(&path).unwrap(), SourceKind::ImageTable);
    for storage in [Storage::Memory, Storage::Disk] {
        let folder = tempdir().unwrap();
        let options = SourceOptions { storage, spool_folder: Some(folder.path().into()), ..tolerant(2) };
        let data = open(&path, &options).unwrap().train;
        assert_eq!((data.ids(), data.class_names().unwrap()), (vec![0, 1, 2], &["cat".into(), "dog".into()][..]));
        let Inputs::Encoded(images) = data.inputs() else { panic!("encoded") };
        let ImageSource::Column(bytes) = &images.source else { panic!("of the table") };
        assert_eq!((bytes.is_on_disk(), images.size), (storage == Storage::Disk, Some([6, 5])));
        let image = images.decode(2).unwrap();
        assert_eq!((image.height, image.width, image.channels), (6, 5, 3));
        assert_eq!(image.pixels[..6], [80, 40, 120, 91, 40, 120]);
        let bad: Vec<(u64, bool)> = data.excluded().map(|bad| (bad.id, bad.reason.contains("not an image"))).collect();
        assert_eq!(bad, [(3, true), (4, false)]);
        assert!(data.verify().is_empty() && data.content_hash().is_ok());
    }
}

#[test]
fn parts_are_told_by_names_and_numbers() {
    let folder = tempdir().unwrap();
    let put = |name: &str, source: &str| {
        let to = folder.path().join(name);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(file(source), to).unwrap();
    };
    put("data/train-00000-of-00002.parquet", "reviews-snappy.parquet");
    put("data/train-00001-of-00002.parquet", "reviews-zstd.parquet");
    put("data/validation-00000-of-00001.parquet", "reviews-none.parquet");
    put("data/test-00000-of-00001.parquet", "reviews-lz4.parquet");
    std::fs::write(folder.path().join("README.md"), "# A card").unwrap();
    let parts = open(folder.path(), &tolerant(6)).unwrap();
    assert_eq!(parts.train.ids(), [0, 1, 4, 6, 7, 10]);
    assert_eq!((parts.validation.unwrap().len(), parts.test.unwrap().len()), (3, 3));
    let place = parts.train.place(10);
    assert!(place.ends_with("train-00001-of-00002.parquet, row 5"), "{place}");
    std::fs::remove_file(folder.path().join("data/train-00000-of-00002.parquet")).unwrap();
    let error = open(folder.path(), &tolerant(9)).unwrap_err().to_string();
    assert!(error.contains("number 00000"), "{error}");
    let other = tempdir().unwrap();
    std::fs::copy(file("reviews.feather"), other.path().join("train.feather")).unwrap();
    std::fs::copy(file("reviews-none.parquet"), other.path().join("test.parquet")).unwrap();
    let parts = open(other.path(), &tolerant(3)).unwrap();
    assert_eq!((parts.train.len(), parts.test.unwrap().len()), (3, 3));
}

#[test]
fn a_folder_of_images_with_metadata_is_a_table() {
    let root = tempdir().unwrap();
    for part in ["train", "test"] {
        let folder = root.path().join(part);
        std::fs::create_dir(&folder).unwrap();
        for name in ["1.png", "2.png"] {
            save(picture(3, 6, 5), &folder.join(name));
        }
        let rows = "{\"file_name\": \"1.png\", \"label\": \"a\"}\n{\"file_name\": \"2.png\", \"label\": \"b\"}\n\
                    {\"file_name\": \"3.png\", \"label\": \"a\"}\n";
        std::fs::write(folder.join("metadata.jsonl"), rows).unwrap();
    }
    assert_eq!(detect(root.path()).unwrap(), SourceKind::ImageTable);
    let parts = open(root.path(), &tolerant(1)).unwrap();
    assert_eq!((parts.train.ids(), parts.test.unwrap().class_count()), (vec![0, 1], Some(2)));
    let bad = parts.train.excluded().next().unwrap();
    assert!(bad.place.ends_with("metadata.jsonl, line 3") && bad.reason.starts_with("`3.png`: "), "{bad}");
    let multi = SourceOptions { label: named("tags"), ..tolerant(0) };
    let table = root.path().join("train/labels.csv");
    std::fs::write(&table, "tags;photo\nx|y;1.png\ny;2.png\n").unwrap();
    let data = open(&table, &SourceOptions { label_separator: Some('|'), ..multi.clone() }).unwrap().train;
    assert_eq!(
        (data.label_kind(), data.labels().row(0)),
        (LabelKind::MultiHot { classes: 2 }, Some(&[1.0f32, 1.0][..]))
    );
    std::fs::write(&table, "tags,photo\n1.5,1.png\n7,2.png\n").unwrap();
    let scores = open(&table, &SourceOptions { labels: Some(LabelType::Real), ..multi }).unwrap().train;
    assert_eq!(scores.labels().row(1), Some(&[7.0f32][..]));
    let missing = SourceOptions { image: named("picture"), ..tolerant(0) };
    assert!(matches!(open(&table, &missing), Err(DataError::UnknownName { .. })));
}

/// Whatever bytes are damaged: an error or other values, and no panic that gets out, no end of the process, no absurd memory.
#[test]
fn damage_of_every_byte_is_met() {
    let folder = tempdir().unwrap();
    let mut outcomes = [0, 0];
    let names =
        ["reviews-snappy.parquet", "images.parquet", "reviews.feather", "reviews-zstd.feather", "reviews-stream.arrow"];
    for name in names {
        let bytes = std::fs::read(file(name)).unwrap();
        let path = folder.path().join(name);
        let mut try_open = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let read = open(&path, &SourceOptions { tolerance: usize::MAX, ..SourceOptions::default() });
            outcomes[usize::from(read.is_ok())] += 1;
        };
        for at in 0..bytes.len() {
            for damage in [0xff, bytes[at] ^ 0x01] {
                let mut damaged = bytes.clone();
                damaged[at] = damage;
                try_open(&damaged);
            }
            if at % 4 == 0 {
                try_open(&bytes[..at]);
            }
        }
        for at in (0..bytes.len().saturating_sub(8)).step_by(4) {
            let mut damaged = bytes.clone();
            damaged[at..at + 8].copy_from_slice(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
            try_open(&damaged);
        }
    }
    assert!(outcomes.iter().all(|&count| count > 1000), "{outcomes:?}");
}
