//! Copies of files without some of their rows: in every form the rest is the same, to the byte where lines or elements are rows, to the bit
//! of every value in columns.

use crate::columnar::REVIEWS;
use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_ipc::{CompressionType, root_as_message};
use arrow_select::concat::concat_batches;
use arrow_select::filter::filter_record_batch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use retune_data::DataError;
use retune_data::sources::rewrite::{Fate, columns, elements, lines};
use retune_data::sources::text::TextEncoding;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use tempfile::tempdir;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tables").join(name)
}

/// All rows of a file as one batch.
fn rows(path: &Path) -> RecordBatch {
    let open = || File::open(path).unwrap();
    let batches: Vec<RecordBatch> = match path.extension().unwrap().to_str().unwrap() {
        "parquet" => {
            ParquetRecordBatchReaderBuilder::try_new(open()).unwrap().build().unwrap().map(Result::unwrap).collect()
        }
        "feather" => FileReader::try_new(open(), None).unwrap().map(Result::unwrap).collect(),
        _ => StreamReader::try_new(open(), None).unwrap().map(Result::unwrap).collect(),
    };
    concat_batches(&batches[0].schema(), &batches).unwrap()
}

fn metadata(path: &Path) -> ParquetMetaData {
    SerializedFileReader::new(File::open(path).unwrap()).unwrap().metadata().clone()
}

/// How the first batch of an Arrow file or stream is packed.
fn codec(path: &Path) -> Option<CompressionType> {
    let bytes = std::fs::read(path).unwrap();
    let mut at = if bytes.starts_with(b"ARROW1") { 8 } else { 0 };
    loop {
        let length = i32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
        let message = root_as_message(&bytes[at + 8..at + 8 + length]).unwrap();
        if let Some(batch) = message.header_as_record_batch() {
            return batch.compression().map(|compression| compression.codec());
        }
        at += 8 + length + message.bodyLength() as usize;
    }
}

/// Fates of so many rows, some of them dropped.
fn fates(count: usize, dropped: &[usize]) -> Vec<Fate> {
    (0..count).map(|row| if dropped.contains(&row) { Fate::Dropped } else { Fate::Copied }).collect()
}

#[test]
fn columns_keep_schema_metadata_packing_and_every_value() {
    let folder = tempdir().unwrap();
    let others = ["kinds.parquet", "pairs.parquet", "numbers.parquet", "words.parquet", "images.parquet"];
    for name in REVIEWS.into_iter().chain(others) {
        let (source, target) = (file(name), folder.path().join(name));
        let all = rows(&source);
        for dropped in [vec![], vec![0], vec![1, all.num_rows() - 1]] {
            let mut fates = fates(all.num_rows(), &dropped);
            columns(&source, &target, &mut fates, &|_| None).unwrap();
            let kept = fates.iter().map(|fate| Some(*fate != Fate::Dropped)).collect();
            // Schemas hold their metadata, and are compared with it.
            assert_eq!(rows(&target), filter_record_batch(&all, &kept).unwrap(), "{name} without {dropped:?}");
        }
        if name.ends_with("parquet") {
            let (old, new) = (metadata(&source), metadata(&target));
            assert_eq!(
                new.file_metadata().key_value_metadata(),
                old.file_metadata().key_value_metadata(),
                "{name}: class names and all other keys"
            );
            assert_eq!(new.file_metadata().schema(), old.file_metadata().schema(), "{name}");
            for (old, new) in old.row_group(0).columns().iter().zip(new.row_group(0).columns()) {
                assert_eq!(new.compression(), old.compression(), "{name}");
                assert_eq!(new.dictionary_page_offset().is_some(), old.dictionary_page_offset().is_some(), "{name}");
            }
        } else {
            assert_eq!(codec(&target), codec(&source), "{name}");
        }
    }
}

#[test]
fn row_groups_and_batches_may_become_empty() {
    let folder = tempdir().unwrap();
    for name in ["reviews-none.parquet", "reviews-stream.arrow", "reviews.feather"] {
        let target = folder.path().join(name);
        columns(&file(name), &target, &mut fates(6, &[0, 1, 2, 3, 4, 5]), &|_| None).unwrap();
        let error = retune_data::open(&target, &Default::default()).unwrap_err();
        assert!(matches!(error, DataError::NoExamples { .. }), "{error}");
    }
}

#[test]
fn texts_in_columns_and_in_lists_are_repaired() {
    let folder = tempdir().unwrap();
    let better = |text: &str| text.contains("good").then(|| text.replace("good", "better"));
    for name in ["reviews-zstd.parquet", "reviews.feather", "reviews-stream.arrow"] {
        let target = folder.path().join(name);
        let mut fates = fates(6, &[2, 3]);
        (fates[0], fates[5]) = (Fate::Repaired, Fate::Repaired);
        columns(&file(name), &target, &mut fates, &better).unwrap();
        assert_eq!(
            (fates[0], fates[5]),
            (Fate::Copied, Fate::Repaired),
            "{name}: the first one holds nothing to repair"
        );
        let options = retune_data::SourceOptions { tolerance: 9, ..Default::default() };
        let data = retune_data::open(&target, &options).unwrap().train;
        let texts: Vec<_> = (0..4).map(|index| data.texts().unwrap().get(index).unwrap().0.into_owned()).collect();
        assert_eq!(texts[..3], ["a fine film", "很快，好吃", "dull and long"]);
        assert_eq!(rows(&target).column_by_name("text").unwrap().len(), 4);
        assert!(format!("{:?}", rows(&target)).contains("\"better\""), "{name}");
    }
    let target = folder.path().join("words.parquet");
    let mut fates = vec![Fate::Repaired, Fate::Repaired];
    columns(&file("words.parquet"), &target, &mut fates, &|word| (word == "left").then(|| "right".to_owned())).unwrap();
    assert_eq!(fates, [Fate::Repaired, Fate::Copied]);
    let data = retune_data::open(&target, &Default::default()).unwrap().train;
    assert_eq!(
        (data.words_of(0).unwrap(), data.words_of(1).unwrap()),
        (["Angela", "right", "."].map(str::to_owned).to_vec(), vec!["Paris".to_owned()])
    );
}

#[test]
fn other_numbers_of_rows_are_told() {
    let folder = tempdir().unwrap();
    let target = folder.path().join("new");
    for name in ["reviews-none.parquet", "reviews.feather", "reviews-stream.arrow"] {
        for count in [5, 7] {
            let result = columns(&file(name), &target, &mut fates(count, &[1]), &|_| None);
            assert!(matches!(result, Err(DataError::Changed { .. })), "{name}: {result:?}");
        }
    }
}

/// Whatever byte is damaged: an error or a copy, no panic that gets out.
#[test]
fn damaged_columns_are_met() {
    let folder = tempdir().unwrap();
    let (source, target) = (folder.path().join("old"), folder.path().join("new"));
    let mut outcomes = [0, 0];
    for name in ["reviews-snappy.parquet", "reviews-stream.arrow", "reviews.feather"] {
        let bytes = std::fs::read(file(name)).unwrap();
        for at in (0..bytes.len()).step_by(11) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x41;
            std::fs::write(&source, damaged).unwrap();
            let copied = columns(&source, &target, &mut fates(6, &[1]), &|_| None);
            outcomes[usize::from(copied.is_ok())] += 1;
        }
    }
    assert!(outcomes.iter().all(|&count| count > 30), "{outcomes:?}");
}

fn copied_elements(bytes: &[u8], encoding: Option<TextEncoding>, fates: &mut [Fate]) -> Result<Vec<u8>, DataError> {
    let folder = tempdir().unwrap();
    let (source, target) = (folder.path().join("a.json"), folder.path().join("b.json"));
    std::fs::write(&source, bytes).unwrap();
    elements(&source, &target, encoding, fates, &|text| text.contains("bad").then(|| text.replace("bad", "fine")))?;
    Ok(std::fs::read(target).unwrap())
}

#[test]
fn arrays_keep_what_stands_around_their_elements() {
    use Fate::{Copied as C, Dropped as D, Repaired as R};
    let text = "\u{feff}{\"version\": [1, 2], \"data\": [\n  {\"a\": \"],é\"},\n  {\"a\": 1e0} ,\n  {\"a\": \"bad\"}\n], \"by\": [[]]}\n";
    let copied = |fates: &[Fate]| {
        let mut fates = fates.to_vec();
        String::from_utf8(copied_elements(text.as_bytes(), None, &mut fates).unwrap()).unwrap()
    };
    assert_eq!(copied(&[C, C, C]), text);
    assert_eq!(copied(&[C, C, R]), text.replace("bad", "fine"));
    assert_eq!(copied(&[D, C, C]), text.replace("{\"a\": \"],é\"},\n  ", ""));
    assert_eq!(copied(&[C, D, C]), text.replace("\n  {\"a\": 1e0} ,", ""));
    assert_eq!(copied(&[C, C, D]), text.replace(",\n  {\"a\": \"bad\"}", ""));
    assert_eq!(copied(&[D, D, D]), "\u{feff}{\"version\": [1, 2], \"data\": [\n  \n], \"by\": [[]]}\n");
    for count in [2, 4] {
        let error = copied_elements(text.as_bytes(), None, &mut fates(count, &[])).unwrap_err();
        assert!(matches!(error, DataError::Changed { .. }), "{error}");
    }
}

#[test]
fn arrays_in_other_encodings_are_cut_at_their_characters() {
    // In GB18030 the second byte of `乗` is that of a backslash, of `乚` that of a bracket.
    let text = "[{\"a\": \"乗\"}, {\"a\": \"[俓\"}, {\"a\": \"]乚\"}]";
    let kept = "[{\"a\": \"乗\"}, {\"a\": \"]乚\"}]";
    let gb = |text: &str| encoding_rs::GB18030.encode(text).0.into_owned();
    assert!(gb(text).windows(2).any(|pair| pair[0] > 0x80 && pair[1] == b'\\'), "what this test is about");
    let dropped = || fates(3, &[1]);
    assert_eq!(copied_elements(&gb(text), Some(TextEncoding::Gb18030), &mut dropped()).unwrap(), gb(kept));
    for (mark, is_little) in [([0xff, 0xfe], true), ([0xfe, 0xff], false)] {
        let wide = |text: &str| -> Vec<u8> {
            let units = text.encode_utf16().flat_map(|u| if is_little { u.to_le_bytes() } else { u.to_be_bytes() });
            mark.into_iter().chain(units).collect()
        };
        assert_eq!(copied_elements(&wide(text), None, &mut dropped()).unwrap(), wide(kept));
    }
}

#[test]
fn an_array_that_ends_early_is_closed_where_its_end_is_dropped() {
    let copied = |text: &str, dropped: &[usize]| {
        let mut fates = fates(3, dropped);
        String::from_utf8(copied_elements(text.as_bytes(), None, &mut fates).unwrap()).unwrap()
    };
    let text = "{\"d\": [{\"a\": 1}, {\"a\": 2}, {\"a\": \"";
    assert_eq!(copied(text, &[2]), "{\"d\": [{\"a\": 1}, {\"a\": 2}]}");
    assert_eq!(copied(text, &[0]), "{\"d\": [{\"a\": 2}, {\"a\": \"");
}

#[test]
fn lines_are_copied_with_their_header_and_their_ends() {
    let folder = tempdir().unwrap();
    let (source, target) = (folder.path().join("a.csv"), folder.path().join("b.csv"));
    std::fs::write(&source, "a,b\r\n1,\"x\n\ny\"\r\n2,bad\n3,z").unwrap();
    let ranges = [2..5, 5..6, 6..7];
    let of = |index: usize| -> Option<Range<u64>> { ranges.get(index).cloned() };
    let copied = |fates: &mut [Fate]| {
        lines(&source, &target, None, &of, fates, &|text| text.contains("bad").then(|| text.replace("bad", "fine")))?;
        Ok::<_, DataError>(std::fs::read_to_string(&target).unwrap())
    };
    assert_eq!(copied(&mut fates(3, &[0])).unwrap(), "a,b\r\n2,bad\n3,z");
    assert_eq!(copied(&mut [Fate::Copied, Fate::Repaired, Fate::Dropped]).unwrap(), "a,b\r\n1,\"x\n\ny\"\r\n2,fine\n");
    assert!(matches!(copied(&mut fates(2, &[])), Err(DataError::Changed { .. })), "a row more than there were");
    assert!(matches!(copied(&mut fates(4, &[])), Err(DataError::Changed { .. })), "a row less");
}
