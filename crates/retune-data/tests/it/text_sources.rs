//! Texts in every form that they come in, and what is wrong with them.

use crate::fixtures::gzip;
use encoding_rs::GB18030;
use retune_data::sources::text::{TextEncoding, TextFormat};
use retune_data::sources::{Column, detect};
use retune_data::{DataError, Dataset, LabelKind, LabelType, Parts, SourceKind, SourceOptions, open};
use std::path::{Path, PathBuf};
use tempfile::{TempDir, tempdir};

fn file(name: &str, bytes: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn options() -> SourceOptions {
    SourceOptions { kind: Some(SourceKind::Text), ..SourceOptions::default() }
}

fn read(name: &str, bytes: impl AsRef<[u8]>, options: &SourceOptions) -> Result<Dataset, DataError> {
    let (_folder, path) = file(name, bytes);
    open(&path, options).map(|parts| parts.train)
}

fn texts(data: &Dataset) -> Vec<String> {
    data.texts().unwrap().first.iter().map(String::from).collect()
}

/// Names or numbers of the classes of all usable examples.
fn classes(data: &Dataset) -> Vec<String> {
    data.ids().iter().map(|&id| data.class_name(data.labels().class_of(id as usize).unwrap())).collect()
}

fn named(name: &str) -> Option<Column> {
    Some(Column::Name(name.into()))
}

#[test]
fn columns_are_found_by_name_or_by_length() {
    for (name, contents) in [
        ("header.tsv", "label\ttext_a\n1\tvery good\n0\tquite bad indeed\n1\tfine\n1\tnice\n"),
        ("no_header.tsv", "very good\t1\nquite bad indeed\t0\nfine\t1\nnice\t1\n"),
        ("label_first.csv", "1,very good\n0,quite bad indeed\n1,fine\n1,nice\n"),
        ("named.csv", "id,review,label\n77,very good,1\n78,quite bad indeed,0\n79,fine,1\n80,nice,1\n"),
        ("semicolons.csv", "very good;1\nquite bad indeed;0\nfine;1\nnice;1\n"),
    ] {
        let data = read(name, contents, &options()).unwrap();
        assert_eq!(texts(&data), ["very good", "quite bad indeed", "fine", "nice"], "{name}");
        assert_eq!(classes(&data), ["1", "0", "1", "1"], "{name}: {}", data.description());
    }
    let by = |text: Column, label: Column| SourceOptions { text: Some(text), label: Some(label), ..options() };
    let contents = "a,b,c\nx1,longer text,spam\nx2,another,ham\n";
    let data = read("t.csv", contents, &by(Column::Name("a".into()), Column::Index(2))).unwrap();
    assert_eq!(
        (texts(&data), classes(&data)),
        (vec!["x1".into(), "x2".into()], vec!["spam".to_owned(), "ham".to_owned()])
    );
    assert_eq!(data.class_names().unwrap(), ["ham", "spam"]);
    let error = read("t.csv", contents, &by(Column::Name("d".into()), Column::Index(2))).unwrap_err();
    assert!(matches!(&error, DataError::UnknownName { known, .. } if known == &["a", "b", "c"]), "{error}");
}

#[test]
fn tables_of_texts_are_told_from_tables_of_numbers() {
    let kind = |name: &str, contents: &str| {
        let (_folder, path) = file(name, contents);
        detect(&path).ok()
    };
    let text = Some(SourceKind::Text);
    assert_eq!(kind("sst.tsv", "a stirring , funny film\t1\nquite , quite bad\t0\n"), text);
    assert_eq!(kind("sms.tsv", "ham\tgo until jurong\nspam\tfree entry\n"), text);
    assert_eq!(kind("sts.csv", "A man dances.,A man sings.,4.5\nA child rides.,A boy rides.,3\n"), text);
    assert_eq!(kind("waimai.csv", "label,review\n1,很快，好吃，味道足\n0,等了很久才送到\n"), text);
    assert_eq!(kind("TREC.all", "0 How far is it ?\n1 Who was it ?\n"), text);
    let table = Some(SourceKind::Csv);
    assert_eq!(kind("iris.csv", "5.1,3.5,Iris setosa alba\n4.9,3.0,Iris setosa alba\n"), table);
    assert_eq!(
        kind("titanic.csv", "age,fare,name\n22,7.25,\"Braund, Mr. Owen\"\n38,71.3,\"Cumings, Mrs. John\"\n"),
        table
    );
    assert_eq!(kind("one.csv", "height,kind\n1.5,tall\n0.5,short\n"), table);
    assert_eq!(kind("unknown.bin", "\u{1}\u{2} \u{3}\n"), None);
    assert_eq!(kind("words", "one\ntwo\n"), None);
}

#[test]
fn pairs_have_real_values() {
    let contents = "A man is dancing.,A man wearing a hat is dancing.,4.75\nA child rides.,\"A child, riding.\",3.8\n";
    let wanted =
        SourceOptions { text: Some(Column::Index(0)), text_pair: Some(Column::Index(1)), ..SourceOptions::default() };
    let data = read("sts.csv", contents, &wanted).unwrap();
    assert_eq!(data.texts().unwrap().get(1), Some(("A child rides.".into(), Some("A child, riding.".into()))));
    assert_eq!(data.label_kind(), LabelKind::Real { shape: vec![1] });
    assert_eq!(data.labels().row(0), Some(&[4.75f32][..]));
    let found = read("sts.csv", contents, &options()).unwrap();
    assert_eq!(found.texts(), data.texts(), "found without being named");
    let named = "sentence1\tsentence2\tscore\na b\tc d\t0.5\ne f\tg h\t1.5\n";
    let data = read("sts.tsv", named, &options()).unwrap();
    assert_eq!(data.texts().unwrap().get(0), Some(("a b".into(), Some("c d".into()))));
}

#[test]
fn quotation_marks_between_tabs_quote_only_where_all_of_them_do() {
    let stray = "ham\tHe said \"ok\"\nspam\t\"Free\" entry\nham\t\"unclosed\nham\tlast\n";
    let data = read("sms.tsv", stray, &options()).unwrap();
    assert_eq!(texts(&data), ["He said \"ok\"", "\"Free\" entry", "\"unclosed", "last"]);
    let quoted = "ham\t\"He said \"\"ok\"\"\"\nspam\t\"Free entry\"\nham\tplain\nham\tlast\n";
    let data = read("sms.tsv", quoted, &options()).unwrap();
    assert_eq!(texts(&data), ["He said \"ok\"", "Free entry", "plain", "last"]);
    let lines = "label,text\n1,\"two\nlines\"\n0,one\n1,x\n0,y\n";
    assert_eq!(texts(&read("t.csv", lines, &options()).unwrap())[0], "two\nlines");
}

#[test]
fn labels_stand_before_texts_in_lines() {
    let trec =
        b"0 How did serfdom develop ?\n1 What films featured caf\xE9 ?\n\n5 How far ?\n0 Why ?\n1 a\n1 b\n5 c\n0 d\n";
    let wanted = SourceOptions { format: Some(TextFormat::LabelText), ..SourceOptions::default() };
    let data = read("TREC.train.all", trec, &wanted).unwrap();
    assert_eq!(texts(&data)[..3], ["How did serfdom develop ?", "What films featured café ?", "How far ?"]);
    assert_eq!(classes(&data)[..4], ["0", "1", "5", "0"]);
    assert_eq!(data.class_names().unwrap(), ["0", "1", "5"], "numbers with gaps are names");
    assert!(data.description().contains("latin-1"), "{}", data.description());
    assert_eq!(detect(Path::new("no such file.txt")).unwrap(), SourceKind::Text);
    let alone = SourceOptions { unlabelled: true, ..options() };
    let data = read("new.txt", "first text\r\n\r\nsecond, text\r\n", &alone).unwrap();
    assert_eq!((texts(&data), data.label_kind()), (vec!["first text".into(), "second, text".into()], LabelKind::None));
}

#[test]
fn json_lines_have_named_fields() {
    let lines = "{\"label\": 110, \"sentence\": \"如果发生战争\", \"id\": 1}\n\
                 {\"label\": 116, \"sentence\": \"现实中的\", \"id\": 2}\n{\"label\": 110, \"sentence\": \"x\", \"id\": 3}\n\
                 {\"label\": 110, \"sentence\": \"y\", \"id\": 3}\n";
    for (name, contents) in [
        ("train.json", lines.to_owned()),
        ("train.jsonl", lines.to_owned()),
        ("array.json", format!("[{}]", lines.trim().replace('\n', ","))),
    ] {
        let data = read(name, contents, &SourceOptions::default()).unwrap();
        assert_eq!(
            (texts(&data)[0].as_str(), &classes(&data)[..2]),
            ("如果发生战争", &["110".to_owned(), "116".into()][..])
        );
    }
    let data = read("packed.jsonl.gz", gzip(lines.as_bytes()), &options()).unwrap();
    assert_eq!(data.len(), 4);
    let other = SourceOptions { text: named("body"), label: named("tag"), text_pair: named("title"), ..options() };
    let data = read(
        "t.jsonl",
        "{\"body\":\"b\",\"tag\":true,\"title\":\"t\"}\n{\"body\":\"c\",\"tag\":false,\"title\":\"u\"}",
        &other,
    );
    let data = data.unwrap();
    assert_eq!(
        (data.texts().unwrap().get(0), &classes(&data)[0]),
        (Some(("b".into(), Some("t".into()))), &"true".to_owned())
    );
    let error = read("t.jsonl", "{\"body\":\"b\"}\n", &options()).unwrap_err();
    assert!(matches!(&error, DataError::UnknownName { known, .. } if known == &["body"]), "{error}");
    assert!(matches!(read("t.jsonl", "not json\n", &options()), Err(DataError::Malformed { .. })));
}

#[test]
fn several_labels_become_zeros_and_ones() {
    let multi = SourceOptions { labels: Some(LabelType::MultiHot), ..options() };
    let data = read("t.csv", "text,label\none,sad|angry\ntwo,angry\nthree,happy\n", &multi).unwrap();
    assert_eq!(data.class_names().unwrap(), ["angry", "happy", "sad"]);
    assert_eq!(data.labels().row(0), Some(&[1.0f32, 0.0, 1.0][..]));
    let names =
        "{\"text\":\"a\",\"label\":[\"x\",\"y\"]}\n{\"text\":\"b\",\"label\":[]}\n{\"text\":\"c\",\"label\":[\"y\"]}\n";
    let data = read("t.jsonl", names, &options()).unwrap();
    assert_eq!(
        (data.label_kind(), data.labels().row(1)),
        (LabelKind::MultiHot { classes: 2 }, Some(&[0.0f32, 0.0][..]))
    );
    let numbers = "{\"text\":\"a\",\"label\":[0,1,1]}\n{\"text\":\"b\",\"label\":[1,0,0]}\n";
    let data = read("t.jsonl", numbers, &options()).unwrap();
    assert_eq!(data.label_kind(), LabelKind::MultiHot { classes: 3 });
    let mixed = "{\"text\":\"a\",\"label\":[0,1]}\n{\"text\":\"b\",\"label\":1}\n";
    assert!(matches!(read("t.jsonl", mixed, &options()), Err(DataError::Setting { .. })));
}

#[test]
fn bad_rows_are_listed_with_line_and_reason() {
    let tsv = "label\ttext\n1\tgood\n0\n1\t\n\tno label\n0\tbad\tmore\n0\tfine\n1\tx\n0\ty\n1\tz\n0\tw\n";
    let DataError::BadExamples { bad, total, .. } = read("t.tsv", tsv, &options()).unwrap_err() else {
        panic!("bad rows are an error")
    };
    assert_eq!(total, 10);
    let found: Vec<(u64, &str, &str)> =
        bad.iter().map(|b| (b.id, b.place.rsplit(", ").next().unwrap(), b.reason.as_str())).collect();
    assert_eq!(
        found,
        [
            (1, "line 3", "expected 2 columns, found 1"),
            (2, "line 4", "column `text`: the text is missing"),
            (3, "line 5", "column `label`: the label is missing"),
            (4, "line 6", "expected 2 columns, found 3"),
        ]
    );
    let tolerant = |tolerance| SourceOptions { tolerance, ..options() };
    let data = read("t.tsv", tsv, &tolerant(4)).unwrap();
    assert_eq!((data.len(), data.excluded().count(), data.ids()), (6, 4, vec![0, 5, 6, 7, 8, 9]));
    assert!(read("t.tsv", tsv, &tolerant(3)).is_err());

    let json = "{\"text\":\"a\",\"label\":1}\n{\"text\":2,\"label\":1}\n[1]\n{\"text\":\"b\"}\n{\"text\":\" \",\"label\":0}\nx\n\
                {\"text\":\"c\",\"label\":0}\n{\"text\":\"d\",\"label\":0}\n";
    let data = read("t.jsonl", json, &tolerant(5)).unwrap();
    let reasons: Vec<&str> = data.excluded().map(|bad| bad.reason.as_str()).collect();
    assert_eq!(
        reasons[..4],
        [
            "field `text`: expected a text, found a number",
            "expected an object, found an array",
            "field `label`: the label is missing",
            "field `text`: the text is empty",
        ]
    );
    assert!(reasons[4].starts_with("no JSON:"), "{}", reasons[4]);

    let data = read("t.txt", "1 good\nword\n0 bad\n0 bad\n", &tolerant(1)).unwrap();
    assert!(data.excluded().next().unwrap().reason.contains("found one word"));
    let real = SourceOptions { labels: Some(LabelType::Real), ..tolerant(1) };
    let data = read("t.csv", "a b,1.5\nc d,high\ne f,2\n", &real).unwrap();
    assert_eq!(
        (data.len(), &data.excluded().next().unwrap().reason[..]),
        (2, "label: expected a finite number, found `high`")
    );
}

#[test]
fn lines_with_broken_bytes_are_bad_rows() {
    let mut bytes = "label\ttext\n".to_owned().into_bytes();
    (0..30).for_each(|i| bytes.extend(format!("{}\t很快，好吃\n", i % 2).bytes()));
    bytes.extend(b"1\tbroken \xE9\xE9\n");
    let data = read("t.tsv", &bytes, &SourceOptions { tolerance: 1, ..options() }).unwrap();
    let bad: Vec<_> = data.excluded().collect();
    assert_eq!((bad.len(), bad[0].id, bad[0].reason.as_str()), (1, 30, "expected utf-8, found bytes that are none"));
    assert!(bad[0].place.ends_with("line 32"), "{}", bad[0].place);
    let gbk = GB18030.encode("label,text\n1,很快好吃\n0,太慢了\n1,好\n0,差\n").0.into_owned();
    for encoding in [None, Some(TextEncoding::Gb18030)] {
        let data = read("t.csv", &gbk, &SourceOptions { encoding, ..SourceOptions::default() });
        let data = match encoding {
            None => read("t.csv", &gbk, &options()).unwrap(),
            Some(_) => data.unwrap(),
        };
        assert_eq!(texts(&data)[0], "很快好吃");
        assert!(data.description().contains("gb18030"));
    }
}

#[test]
fn parts_share_their_classes() {
    let folder = tempdir().unwrap();
    let write = |name: &str, contents: &str| std::fs::write(folder.path().join(name), contents).unwrap();
    write("train.tsv", "label\ttext\nham\ta b\nspam\tc d\neggs\te f\nham\tg h\n");
    write("dev.tsv", "label\ttext\nspam\ti j\nspam\tk l\n");
    let Parts { train, validation, test } = open(folder.path(), &options()).unwrap();
    assert_eq!(train.class_names().unwrap(), ["eggs", "ham", "spam"]);
    let validation = validation.unwrap();
    assert_eq!((classes(&validation), test.is_none()), (vec!["spam".to_owned(); 2], true));
    assert_eq!(validation.class_names(), train.class_names());
    write("test.tsv", "label\ttext\nbacon\ti j\n");
    assert!(matches!(open(folder.path(), &options()), Err(DataError::UnknownClass { .. })));
    // A source of its own, told apart by `like`.
    let other = read("other.csv", "text,label\nx y,spam\n", &options().like(&train)).unwrap();
    assert_eq!(classes(&other), ["spam"]);
}

#[test]
fn folders_hold_a_text_a_file() {
    let folder = tempdir().unwrap();
    for (part, class, name, text) in [
        ("train", "neg", "0.txt", "awful\nfilm"),
        ("train", "pos", "0.txt", "great"),
        ("train", "pos", "1.txt", ""),
        ("test", "pos", "7.txt", "good"),
    ] {
        std::fs::create_dir_all(folder.path().join(part).join(class)).unwrap();
        std::fs::write(folder.path().join(part).join(class).join(name), text).unwrap();
    }
    assert_eq!(detect(folder.path()).unwrap(), SourceKind::Text);
    assert!(open(folder.path(), &SourceOptions::default()).is_err(), "one is empty");
    let parts = open(folder.path(), &SourceOptions { tolerance: 1, ..SourceOptions::default() }).unwrap();
    assert_eq!(
        (texts(&parts.train), classes(&parts.train)),
        (vec!["awful\nfilm".into(), "great".into(), String::new()], vec!["neg".into(), "pos".to_owned()])
    );
    assert_eq!(classes(&parts.test.unwrap()), ["pos"]);
    let bad = parts.train.excluded().next().unwrap();
    assert!(bad.place.ends_with("1.txt") && bad.reason == "the file holds no text", "{bad}");
}

#[test]
fn hashes_follow_texts_and_labels() {
    let hash = |contents: &str| read("t.tsv", contents, &options()).unwrap().content_hash().unwrap();
    let first = hash("a b\t1\nc d\t0\ne\t1\nf\t0\n");
    assert_eq!(first, hash("a b\t1\nc d\t0\ne\t1\nf\t0\n"));
    assert_ne!(first, hash("a b\t1\nc e\t0\ne\t1\nf\t0\n"));
    assert_ne!(first, hash("a b\t0\nc d\t0\ne\t1\nf\t1\n"));
}
