//! Tables of text in every encoding and dialect, JSON of every form, and the same examples wherever they are kept.

use crate::fixtures::gzip;
use crate::tokenizers::tokenizer;
use encoding_rs::{GB18030, WINDOWS_1252};
use retune_data::sources::text::{TextEncoding, TextFormat};
use retune_data::sources::{Column, SourceKind, detect};
use retune_data::{
    Batch, Cursor, DataError, Dataset, LabelKind, LabelType, Loader, LoaderOptions, SourceOptions, Storage,
    TextEncoder, TextSettings, open,
};
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::{TempDir, tempdir};

fn file(name: &str, bytes: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn read(name: &str, bytes: impl AsRef<[u8]>, options: &SourceOptions) -> Result<Dataset, DataError> {
    let (_folder, path) = file(name, bytes);
    open(&path, options).map(|parts| parts.train)
}

fn texts(data: &Dataset) -> Vec<String> {
    data.texts().unwrap().first.iter().map(String::from).collect()
}

fn utf16(text: &str, mark: bool) -> Vec<u8> {
    let units = mark.then_some(0xFEFF).into_iter().chain(text.encode_utf16());
    units.flat_map(u16::to_le_bytes).collect()
}

#[test]
fn every_form_is_read_in_every_encoding() {
    let chinese =
        ["这个宾馆比较陈旧了，特价的房间也很一般。", "很快，好吃，味道足，量大", "太慢了，等了很久才送到，送错了"];
    let western = ["le café d'été, déjà vu", "ça, naïve à Besançon", "señor Müller bâtit"];
    for (rows, is_western) in [(chinese, false), (western, true)] {
        let json = |(row, text): (usize, &&str)| format!("{{\"label\": {}, \"text\": \"{text}\"}}", row % 2);
        let objects: Vec<String> = rows.iter().enumerate().map(json).collect();
        let csv = |(row, text): (usize, &&str)| format!("{},\"{text}\"\r\n", row % 2);
        let tsv = |(row, text): (usize, &&str)| format!("{}\t{text}\n", row % 2);
        let line = |(row, text): (usize, &&str)| format!("{} {text}\n", row % 2);
        let forms = [
            ("t.csv", format!("label,text\r\n{}", rows.iter().enumerate().map(csv).collect::<String>())),
            ("t.tsv", format!("label\ttext\n{}", rows.iter().enumerate().map(tsv).collect::<String>())),
            ("t.jsonl", objects.join("\n")),
            ("array.json", format!("[{}]", objects.join(",\n"))),
            ("object.json", format!("{{\"version\": 1,\n\"rows\": [{}]}}", objects.join(","))),
            ("t.txt", rows.iter().enumerate().map(line).collect::<String>()),
        ];
        for (name, text) in forms {
            let mut files = vec![
                (TextEncoding::Utf8, text.clone().into_bytes()),
                (TextEncoding::Utf8, [b"\xEF\xBB\xBF", text.as_bytes()].concat()),
                (TextEncoding::Utf16, utf16(&text, true)),
                (TextEncoding::Utf16, utf16(&text, false)),
            ];
            files.push(match is_western {
                true => (TextEncoding::Latin1, WINDOWS_1252.encode(&text).0.into_owned()),
                false => (TextEncoding::Gb18030, GB18030.encode(&text).0.into_owned()),
            });
            for (index, (encoding, bytes)) in files.into_iter().enumerate() {
                let kind = Some(SourceKind::Text);
                let found = SourceOptions { kind, labels: Some(LabelType::Class), ..SourceOptions::default() };
                let given = SourceOptions { encoding: Some(encoding), ..found.clone() };
                // Chinese in UTF-16 without a mark has no zeros to be found by.
                let is_hidden = index == 3 && !is_western;
                for options in [Some(&given), Some(&found).filter(|_| !is_hidden)].into_iter().flatten() {
                    let what = format!("{name} in {encoding} ({index}), given: {:?}", options.encoding);
                    let data = read(name, &bytes, options).unwrap_or_else(|error| panic!("{what}: {error}"));
                    assert_eq!(texts(&data), rows, "{what}");
                    assert_eq!(data.labels().class_of(1), Some(1), "{what}");
                    let packed = read(&format!("{name}.gz"), gzip(&bytes), options).unwrap();
                    assert_eq!(packed.content_hash().unwrap(), data.content_hash().unwrap(), "{what}");
                }
            }
        }
    }
}

#[test]
fn numbers_come_in_every_form() {
    let wanted = read("t.csv", "a;b;label\n1,5;2;0\n", &SourceOptions { delimiter: Some(';'), ..Default::default() });
    assert!(wanted.unwrap_err().to_string().contains("expected a number, found `1,5`"));
    let csv = "a,b,label\n1.5,2,x\n2.5,3,y\n3.5,4,x\n4.5,5,y\n";
    let reference = read("t.csv", csv, &SourceOptions::default()).unwrap();
    let lines = "{\"a\": 1.5, \"b\": 2, \"label\": \"x\"}\n{\"a\": 2.5, \"b\": 3, \"label\": \"y\"}\n\
                 {\"b\": 4, \"label\": \"x\", \"a\": 3.5}\n{\"a\": 4.5, \"b\": 5, \"label\": \"y\"}\n";
    for (name, bytes) in [
        ("t.csv", utf16(csv, true)),
        ("t.csv", csv.replace(',', "|").into_bytes()),
        ("t.tsv", csv.replace(',', "\t").into_bytes()),
        ("t.jsonl", lines.as_bytes().to_vec()),
        ("t.json", format!("[{}]", lines.trim().replace('\n', ",")).into_bytes()),
    ] {
        let (_folder, path) = file(name, bytes);
        assert_eq!(detect(&path).unwrap(), SourceKind::Csv, "{name}");
        let data = open(&path, &SourceOptions::default()).unwrap().train;
        assert_eq!(data.content_hash().unwrap(), reference.content_hash().unwrap(), "{name}");
    }
    let bad = "{\"a\": \"x\", \"label\": 0}\n{\"a\": null, \"label\": 0}\n{\"a\": 1e999, \"label\": 1}\n{\"a\": 1, \"label\": 1}\n\
               {\"a\": 2, \"label\": 0}\n{\"label\": 0}\n";
    let error = read("t.jsonl", bad, &SourceOptions::default()).unwrap_err();
    let DataError::BadExamples { bad, .. } = error else { panic!("{error}") };
    let reasons: Vec<&str> = bad.iter().map(|bad| bad.reason.as_str()).collect();
    assert_eq!(
        reasons[..2],
        ["field `a`: expected a number, found `x`", "field `a`: expected a number, found nothing"]
    );
    assert_eq!((reasons.len(), reasons[3]), (4, "field `a`: expected a number, found nothing"));
}

#[test]
fn bad_rows_are_listed_alike_in_every_form() {
    let listed = |name: &str, bytes: &[u8]| -> Vec<(u64, String, String)> {
        let options = SourceOptions { kind: Some(SourceKind::Text), ..SourceOptions::default() };
        let error = read(name, bytes, &options).unwrap_err();
        let DataError::BadExamples { bad, .. } = error else { panic!("{name}: {error}") };
        bad.into_iter().map(|bad| (bad.id, bad.place.rsplit(", ").next().unwrap().to_owned(), bad.reason)).collect()
    };
    let good = "0,好 b\n1,c d\n".repeat(20);
    let csv =
        [format!("label,text\n{good}").as_bytes(), b"0,\"open\n1,e f\n,g h\n1,\n2\n0,\xff\xfe\n1,last\n"].concat();
    let wanted = [
        (40, "line 42", "a quotation mark is never closed"),
        (42, "line 44", "column `label`: the label is missing"),
        (43, "line 45", "column `text`: the text is missing"),
        (44, "line 46", "expected 2 columns, found 1"),
        (45, "line 47", "expected utf-8, found bytes that are none"),
    ];
    let wanted = wanted.map(|(id, place, reason)| (id, place.to_owned(), reason.to_owned()));
    assert_eq!(listed("t.csv", &csv), wanted);
    let good = "{\"label\": 0, \"text\": \"好 b\"}\n{\"label\": 1, \"text\": \"c d\"}\n".repeat(20);
    let json =
        [good.as_bytes(), b"{\"label\": 0,\n{\"text\": \"a\"}\n{\"label\": 1}\n{\"label\": 1, \"text\": \"\xff\"}\n"]
            .concat();
    let found = listed("t.jsonl", &json);
    assert_eq!(
        found.iter().map(|(id, place, _)| (*id, place.as_str())).collect::<Vec<_>>(),
        [(40, "line 41"), (41, "line 42"), (42, "line 43"), (43, "line 44"),]
    );
    assert!(found[0].2.starts_with("no JSON"), "{found:?}");
    assert_eq!(found[1].2, "field `label`: the label is missing");
    assert_eq!(found[2].2, "field `text`: the text is missing");
    assert_eq!(found[3].2, "expected utf-8, found bytes that are none");
    let array =
        [b"[".as_slice(), good.trim().replace('\n', ",").as_bytes(), b",{\"label\": 1, \"text\": \"\xff\"}]"].concat();
    assert_eq!(listed("t.json", &array)[0].1, "element 41");
    let lines = ["0 好 b\n1 c d\n".repeat(20).as_bytes(), b"word\n0 \xff\xff\n"].concat();
    let found = listed("t.txt", &lines);
    assert_eq!((found[0].1.as_str(), found[1].1.as_str()), ("line 41", "line 42"));
    assert_eq!(found[1].2, "expected utf-8, found bytes that are none");
}

#[test]
fn several_labels_in_a_column_stand_between_separators() {
    let by = |separator| SourceOptions { label_separator: Some(separator), ..SourceOptions::default() };
    let data = read("t.csv", "text,label\na text,x;y\nmore text,\"y, z\"\nlast text,x\n", &by(';')).unwrap();
    assert_eq!(data.class_names().unwrap(), ["x", "y", "y, z"]);
    assert_eq!(
        (data.label_kind(), data.labels().row(0)),
        (LabelKind::MultiHot { classes: 3 }, Some(&[1.0f32, 1.0, 0.0][..]))
    );
}

#[test]
fn a_form_that_is_given_is_read_whatever_the_name() {
    let options = SourceOptions { format: Some(TextFormat::Jsonl), ..SourceOptions::default() };
    let data =
        read("t.data", "{\"text\": \"a b\", \"label\": 1}\n{\"text\": \"c d\", \"label\": 0}\n", &options).unwrap();
    assert_eq!(texts(&data), ["a b", "c d"]);
    let options =
        SourceOptions { text: Some(Column::Name("b".into())), delimiter: Some(':'), ..SourceOptions::default() };
    let data = read("t.csv", "a:b\n1:good, fine\n0:bad; poor\n", &options).unwrap();
    assert_eq!(texts(&data), ["good, fine", "bad; poor"]);
    assert!(data.description().contains("between `:`"), "{}", data.description());
}

/// A table of 300 texts of different lengths, with its texts in memory or on disk.
fn kept(storage: Storage, folder: &TempDir) -> Arc<Dataset> {
    let rows: String = (0..300)
        .map(|i| format!("{},the {}dog {}\n", i * i % 3, "lazy ".repeat(i * 7 % 11), "好吃".repeat(i % 5)))
        .collect();
    let path = folder.path().join("t.csv");
    std::fs::write(&path, format!("label,text\n{rows}")).unwrap();
    let options =
        SourceOptions { storage, spool_folder: Some(folder.path().join("spool")), ..SourceOptions::default() };
    let data = open(&path, &options).unwrap().train;
    assert_eq!(data.texts().unwrap().are_on_disk(), storage == Storage::Disk);
    Arc::new(data)
}

#[test]
fn batches_are_the_same_wherever_texts_are_kept() {
    let folder = tempdir().unwrap();
    let [memory, disk] = [Storage::Memory, Storage::Disk].map(|storage| kept(storage, &folder));
    assert_eq!(memory.content_hash().unwrap(), disk.content_hash().unwrap());
    assert!(disk.size_bytes() < memory.size_bytes());
    let settings = TextSettings { max_tokens: Some(20), ..TextSettings::default() };
    let encoder = Arc::new(TextEncoder::new(&tokenizer("wordpiece"), settings, None).unwrap());
    for (batch_tokens, bucket) in [(None, false), (Some(60), false), (Some(60), true), (None, true)] {
        for workers in [0, 1, 4] {
            let options = LoaderOptions {
                encoder: Some(encoder.clone()),
                batch_size: 8,
                batch_tokens,
                bucket,
                seed: 5,
                workers: Some(workers),
                ..LoaderOptions::default()
            };
            let [memory, disk] =
                [&memory, &disk].map(|data| Loader::new(data.clone(), data.ids(), options.clone()).unwrap());
            let all =
                |loader: &Loader, from: Cursor| -> Vec<Batch> { loader.batches(from, 2).map(Result::unwrap).collect() };
            let batches = all(&memory, Cursor::default());
            assert!(batches == all(&disk, Cursor::default()), "{batch_tokens:?} {bucket} {workers}");
            // From the middle of an epoch on, as a run that goes on.
            let middle = batches.len() / 3;
            assert!(batches[middle..] == all(&disk, batches[middle].cursor), "{batch_tokens:?} {bucket} {workers}");
            // As much is known of them before the first batch.
            let largest = disk.largest_batch();
            assert_eq!((largest, disk.token_statistics()), (memory.largest_batch(), memory.token_statistics()));
            assert_eq!(disk.augmentations(), Some(1), "what frozen layers give is kept of them too");
            assert_eq!(disk.keys(disk.ids(), 0).unwrap(), memory.keys(disk.ids(), 0).unwrap());
            assert!(batches.iter().all(|batch| batch.inputs.tokens().unwrap().tokens() <= largest.tokens));
            assert!(disk.token_bytes() < memory.token_bytes());
        }
    }
}

/// A tokenizer that knows words of the alphabet alone, and puts no marks around a text.
const LETTERS: &[u8] = br#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,
    "pre_tokenizer":{"type":"Split","pattern":{"Regex":"[^a-z]+"},"behavior":"Removed","invert":false},"post_processor":null,"decoder":null,
    "model":{"type":"WordLevel","vocab":{"a":0,"b":1,"c":2,"d":3},"unk_token":"a"}}"#;

#[test]
fn texts_on_disk_without_tokens_are_removed_before_the_first_batch() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("t.csv");
    std::fs::write(&path, "label,text\n0,a b\n1,…\n0,c d\n").unwrap();
    let options =
        SourceOptions { storage: Storage::Disk, spool_folder: Some(folder.path().into()), ..Default::default() };
    let data = Arc::new(open(&path, &options).unwrap().train);
    let settings = TextSettings { max_tokens: Some(9), ..TextSettings::default() };
    let encoder = Arc::new(TextEncoder::new(LETTERS, settings, None).unwrap());
    let load = |tolerance| {
        let encoder = Some(encoder.clone());
        let options = LoaderOptions { encoder, tolerance, ..LoaderOptions::sequential(3, Default::default()) };
        Loader::new(data.clone(), data.ids(), options)
    };
    let loader = load(1).unwrap();
    assert_eq!((loader.len(), loader.ids(), loader.skipped()[0].id), (2, &[0, 2][..], 1));
    assert_eq!(loader.epoch(0).next().unwrap().unwrap().example_ids, [0, 2]);
    assert!(matches!(load(0), Err(DataError::BadExamples { .. })));
}

#[test]
fn of_very_many_texts_on_disk_a_sample_is_measured() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("t.csv");
    let text = |i: usize| if i == 66_000 { "…".to_owned() } else { ["a", " b", " c d"][..1 + i % 3].concat() };
    let rows: String = (0..70_000).map(|i| format!("{},{}\n", i % 2, text(i))).collect();
    std::fs::write(&path, format!("label,text\n{rows}")).unwrap();
    let options =
        SourceOptions { storage: Storage::Disk, spool_folder: Some(folder.path().into()), ..Default::default() };
    let data = Arc::new(open(&path, &options).unwrap().train);
    let encoder = Some(Arc::new(TextEncoder::new(LETTERS, TextSettings::default(), None).unwrap()));
    let load = |bucket| {
        let options = LoaderOptions { encoder: encoder.clone(), tolerance: 1, bucket, ..LoaderOptions::default() };
        Loader::new(data.clone(), data.ids(), options).unwrap()
    };
    // Batches of like length need the lengths of all.
    let [some, all] = [false, true].map(load);
    assert_eq!((some.estimates_tokens(), all.estimates_tokens()), (true, false));
    assert_eq!(some.skipped(), all.skipped());
    assert_eq!(some.skipped()[0].id, 66_000);
    let [sampled, whole] = [&some, &all].map(|loader| loader.token_statistics().unwrap());
    assert_eq!((sampled.examples, sampled.most), (70_000, whole.most));
    assert!((sampled.mean - whole.mean).abs() < 0.05, "{} and {}", sampled.mean, whole.mean);
    assert!(sampled.tokens.abs_diff(whole.tokens) < whole.tokens / 40, "{} and {}", sampled.tokens, whole.tokens);
    assert_eq!(some.largest_batch(), all.largest_batch());
    let batch = some.epoch(0).next().unwrap().unwrap();
    assert_eq!(batch.example_ids.len(), 32);
}
