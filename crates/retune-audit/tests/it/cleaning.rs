//! The new data set: what is left out, byte for byte what is not, and never a change of the original.

use crate::images::{picture, stored};
use crate::support::{Folder, check_sources};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use image::ImageFormat;
use retune_audit::clean::{Choices, Plan, check, clean};
use retune_audit::findings::Remedy;
use retune_audit::{AuditError, Kind, Rule, Sources};
use retune_data::{Parts, SourceOptions, open};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Cleans `data` into `new`, the log into `log`; gives the lines of the log.
fn cleaned(folder: &Folder, data: &str, new: &str, rules: &[Rule]) -> Result<Vec<Value>, AuditError> {
    run(folder, &Sources { data: folder.path(data), ..Sources::default() }, new, rules, false)
}

fn run(
    folder: &Folder,
    sources: &Sources,
    new: &str,
    rules: &[Rule],
    with_test: bool,
) -> Result<Vec<Value>, AuditError> {
    let choices = Choices { drop: rules, with_test, ..Choices::default() };
    written(folder, sources, new, &choices)
}

fn written(folder: &Folder, sources: &Sources, new: &str, choices: &Choices<'_>) -> Result<Vec<Value>, AuditError> {
    let before = contents(&sources.data);
    let checked = check_sources(sources);
    let plan = Plan::new(&checked.collection, &checked.facts, choices);
    let log = folder.path(&format!("{new}.log"));
    let result = clean(&checked.collection, sources, &plan, &folder.path(new), &log);
    assert_eq!(contents(&sources.data), before, "the original is never changed");
    result?;
    let text = std::fs::read_to_string(log).unwrap();
    Ok(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// All files below a path.
fn contents(path: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    if path.is_file() {
        return BTreeMap::from([(PathBuf::new(), std::fs::read(path).unwrap())]);
    }
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        all.extend(
            contents(&entry.path()).into_iter().map(|(name, bytes)| (Path::new(&entry.file_name()).join(name), bytes)),
        );
    }
    all
}

#[test]
fn rows_of_a_table_are_copied_as_they_stand() {
    let folder = Folder::new();
    let kept = "id,text,label\r\n1,\"Quoted, with \"\"marks\"\"\",x\r\n2,\"over\nlines\",y\r\n";
    let data = format!(
        "{kept}3,\"over\nlines\",y\r\n\r\n4,again Something,y\r\n5,AGAIN something,x\r\n6,,x\r\n7, last one ,x"
    );
    folder.write("a.csv", &data);
    let log = cleaned(&folder, "a.csv", "b.csv", &Rule::DEFAULT).unwrap();
    assert_eq!(folder.read("b.csv"), format!("{kept}7, last one ,x"));
    let rules: Vec<&str> = log.iter().map(|line| line["rule"].as_str().unwrap()).collect();
    assert_eq!(rules, ["exact-duplicates", "conflicts", "conflicts", "empty"]);
    assert_eq!((&log[0]["action"], &log[0]["row"], &log[0]["kept"]["row"]), (&"dropped".into(), &5.into(), &3.into()));
    assert!(log[0]["file"].as_str().unwrap().ends_with("a.csv") && log[0]["reason"] == "repeats an earlier one");
}

#[test]
fn overlap_leaves_the_later_part_whole() {
    let folder = Folder::new();
    folder.write("data/train.tsv", "text\tlabel\none text\tx\ntwo texts\ty\nthree texts\tx\nfour texts\tx\n");
    folder.write("data/dev.tsv", "text\tlabel\nTWO  texts\ty\nfive texts\tx\nsix texts\ty\n");
    folder.write("data/test.tsv", "text\tlabel\nThree texts\tx\nfive texts\tx\nfive texts\tx\n\tx\n");
    folder.write("data/README.md", "not part of it");
    let log = cleaned(&folder, "data", "new", &Rule::DEFAULT).unwrap();
    assert_eq!(folder.read("new/train.tsv"), "text\tlabel\none text\tx\nfour texts\tx\n");
    assert_eq!(folder.read("new/dev.tsv"), "text\tlabel\nTWO  texts\ty\nsix texts\ty\n");
    assert_eq!(folder.read("new/test.tsv"), folder.read("data/test.tsv"));
    assert_eq!(log.len(), 3);
    assert!(log.iter().all(|line| line["rule"] == "overlap"), "{log:?}");
    assert_eq!((&log[0]["kept"]["split"], &log[2]["kept"]["split"]), (&"validation".into(), &"test".into()));

    let sources = Sources { data: folder.path("data"), ..Sources::default() };
    run(&folder, &sources, "with-test", &Rule::DEFAULT, true).unwrap();
    assert_eq!(folder.read("with-test/test.tsv"), "text\tlabel\nThree texts\tx\nfive texts\tx\n");
}

#[test]
fn sources_of_their_own_become_files_of_one_folder() {
    let folder = Folder::new();
    let sources = Sources {
        data: folder.write("a/mine.train", "1 who was it\n2 where was it\n1 who was it\n"),
        test: Some(folder.write("b/mine.test", "2 where was it\n")),
        ..Sources::default()
    };
    run(&folder, &sources, "new", &Rule::DEFAULT, false).unwrap();
    assert_eq!(
        (folder.read("new/mine.train"), folder.read("new/mine.test")),
        ("1 who was it\n".into(), "2 where was it\n".into())
    );
}

#[test]
fn a_majority_decides_a_contradiction_and_a_tie_drops_all() {
    let folder = Folder::new();
    folder.write(
        "a.tsv",
        "text\tlabel\nsame text\tx\nSame text\tx\nsame TEXT\ty\nother text\tx\nOTHER text\ty\nfine text\ty\n",
    );
    cleaned(&folder, "a.tsv", "b.tsv", &[Rule::Conflicts]).unwrap();
    assert_eq!(folder.read("b.tsv"), "text\tlabel\nsame text\tx\nSame text\tx\nfine text\ty\n");
}

#[test]
fn near_duplicates_go_only_when_asked_for() {
    let folder = Folder::new();
    let (a, b) = (
        "the hotel was clean and the staff were friendly to us every day",
        "the hotel was clean and the staff were friendly to us every night",
    );
    let other = "something completely different stands in this row";
    folder.write("a.tsv", format!("text\tlabel\n{a}\tx\n{other}\ty\n{a}!\tx\n{b}\tx\n"));
    assert!(cleaned(&folder, "a.tsv", "b.tsv", &Rule::DEFAULT).unwrap().is_empty());
    assert_eq!(folder.read("b.tsv"), folder.read("a.tsv"));
    let log = cleaned(&folder, "a.tsv", "c.tsv", &[Rule::NearDuplicates]).unwrap();
    assert_eq!(folder.read("c.tsv"), format!("text\tlabel\n{a}\tx\n{other}\ty\n"));
    assert!(log[0]["reason"].as_str().unwrap().contains("similarity 0.9"), "{log:?}");
}

#[test]
fn json_lines_arrays_and_packed_files_stay_what_they_are() {
    let folder = Folder::new();
    let rows = [r#"{"id": 1.50, "text": "first text", "label": "x"}"#, r#"{"label":"y","text":"second \u6587"}"#];
    folder.write("a.jsonl", format!("{}\n{}\n\n{}\nbroken\n", rows[0], rows[1], rows[0]));
    cleaned(&folder, "a.jsonl", "b.jsonl", &Rule::DEFAULT).unwrap();
    assert_eq!(folder.read("b.jsonl"), format!("{}\n{}\n\n", rows[0], rows[1]));
    folder.write("a.json", format!("[{},\n {}, {}]", rows[0], rows[1], rows[0]));
    cleaned(&folder, "a.json", "b.json", &Rule::DEFAULT).unwrap();
    assert_eq!(folder.read("b.json"), format!("[{},\n {}]", rows[0], rows[1]));
    folder.write(
        "c.json",
        format!("{{\"version\": \"1.1\",\n \"data\": [{}, {}, {}],\n \"by\": [\"us\"]}}\n", rows[0], rows[1], rows[0]),
    );
    cleaned(&folder, "c.json", "d.json", &Rule::DEFAULT).unwrap();
    assert_eq!(
        folder.read("d.json"),
        format!("{{\"version\": \"1.1\",\n \"data\": [{}, {}],\n \"by\": [\"us\"]}}\n", rows[0], rows[1])
    );
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(b"text\tlabel\nthe same\tx\nthe same\tx\nanother\ty\n").unwrap();
    folder.write("a.tsv.gz", packed.finish().unwrap());
    cleaned(&folder, "a.tsv.gz", "b.tsv.gz", &Rule::DEFAULT).unwrap();
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(folder.path("b.tsv.gz")).unwrap()).read_to_string(&mut text).unwrap();
    assert_eq!(text, "text\tlabel\nthe same\tx\nanother\ty\n");
}

#[test]
fn other_encodings_are_copied_byte_for_byte() {
    let folder = Folder::new();
    let utf16 =
        |text: &str| [&[0xff, 0xfe][..], &text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()].concat();
    // `上` is 4E0A: its low byte is that of a line feed.
    folder.write("a.tsv", utf16("text\tlabel\n上面的这些文字\tx\n上面的这些文字\tx\n别的一些文字吧\ty\n"));
    cleaned(&folder, "a.tsv", "b.tsv", &Rule::DEFAULT).unwrap();
    assert_eq!(
        std::fs::read(folder.path("b.tsv")).unwrap(),
        utf16("text\tlabel\n上面的这些文字\tx\n别的一些文字吧\ty\n")
    );
    folder.write("c.tsv", b"text\tlabel\nle caf\xe9 noir\tx\nl'\xe9t\xe9 l\xe0-bas\ty\nle caf\xe9 noir\tx\n");
    cleaned(&folder, "c.tsv", "d.tsv", &Rule::DEFAULT).unwrap();
    assert_eq!(
        std::fs::read(folder.path("d.tsv")).unwrap(),
        b"text\tlabel\nle caf\xe9 noir\tx\nl'\xe9t\xe9 l\xe0-bas\ty\n"
    );
}

#[test]
fn folders_of_images_and_texts_are_copied_by_file() {
    let folder = Folder::new();
    for number in 0..4 {
        folder.write(&format!("photos/cat/{number}.png"), stored(picture(number), ImageFormat::Png));
        folder.write(&format!("photos/dog/in/{number}.png"), stored(picture(number + 20), ImageFormat::Png));
    }
    folder.write("photos/cat/again.bmp", stored(picture(2), ImageFormat::Bmp));
    folder.write("photos/dog/broken.png", "no image");
    let log = cleaned(&folder, "photos", "new", &Rule::DEFAULT).unwrap();
    let mut expected = contents(&folder.path("photos"));
    expected.remove(Path::new("cat/again.bmp"));
    expected.remove(Path::new("dog/broken.png"));
    assert_eq!(contents(&folder.path("new")), expected);
    assert_eq!(log.len(), 2);

    for (name, text) in [("x/1", "one text"), ("x/2", "one text"), ("y/1", "other text"), ("y/2", "")] {
        folder.write(&format!("texts/{name}.txt"), text);
    }
    cleaned(&folder, "texts", "fewer", &Rule::DEFAULT).unwrap();
    let names: Vec<PathBuf> = contents(&folder.path("fewer")).into_keys().collect();
    assert_eq!(names, ["x/1.txt", "y/1.txt"].map(PathBuf::from));
}

#[test]
fn tables_of_numbers_are_cleaned_too() {
    let folder = Folder::new();
    let rows: Vec<String> = (0..30).map(|i| format!("{}.5;{};{}", i * 13, i * 31 % 17, i % 2)).collect();
    folder.write("a.csv", format!("a;b;label\n{}\n{}\n7;8\n", rows.join("\n"), rows[3]));
    let log = cleaned(&folder, "a.csv", "b.csv", &Rule::DEFAULT).unwrap();
    assert_eq!((folder.read("b.csv"), log.len()), (format!("a;b;label\n{}\n", rows.join("\n")), 2));
}

/// Copies a file that was written by pyarrow, see `tests/data/make.py` of `retune-data`.
fn put(folder: &Folder, name: &str, table: &str) {
    let tables = Path::new(env!("CARGO_MANIFEST_DIR")).join("../retune-data/tests/data/tables");
    folder.write(name, std::fs::read(tables.join(table)).unwrap());
}

fn opened(path: &Path) -> Parts {
    open(path, &SourceOptions { tolerance: usize::MAX, ..SourceOptions::default() }).unwrap()
}

#[test]
fn parquet_and_arrow_in_numbered_parts_are_cleaned_in_their_form() {
    let folder = Folder::new();
    for (ending, tables) in [
        ("parquet", ["reviews-snappy.parquet", "reviews-zstd.parquet"]),
        ("arrow", ["reviews-stream.arrow", "reviews-stream.arrow"]),
        ("feather", ["reviews.feather", "reviews-plain.feather"]),
    ] {
        let names = [0, 1].map(|number| format!("data/train-0000{number}-of-00002.{ending}"));
        names.iter().zip(tables).for_each(|(name, table)| put(&folder, &format!("{ending}/{name}"), table));
        let log = cleaned(&folder, ending, &format!("new-{ending}"), &Rule::DEFAULT).unwrap();
        // Row 1 to 6 of each: a fine film; 很快，好吃; nothing; white space; dull and long; good, without label.
        let lines: Vec<(&str, u64, bool)> = log
            .iter()
            .map(|line| {
                (
                    line["rule"].as_str().unwrap(),
                    line["row"].as_u64().unwrap(),
                    line["file"].as_str().unwrap().contains("00001"),
                )
            })
            .collect();
        let bad = [("empty", 3), ("empty", 4), ("unreadable", 6)];
        let expected = bad.map(|(rule, row)| (rule, row, false)).into_iter().chain([
            ("exact-duplicates", 1, true),
            ("exact-duplicates", 2, true),
            ("empty", 3, true),
            ("empty", 4, true),
            ("exact-duplicates", 5, true),
            ("unreadable", 6, true),
        ]);
        assert_eq!(lines, expected.collect::<Vec<_>>(), "{ending}");
        // Of the second part nothing is left but its form, and the parts are still complete.
        let data = opened(&folder.path(&format!("new-{ending}"))).train;
        assert_eq!((data.total(), data.excluded().count()), (3, 0));
        assert_eq!(data.class_names(), opened(&folder.path(ending)).train.class_names());
        assert_eq!(data.texts().unwrap().get(1).unwrap().0, "很快，好吃");
        let again = cleaned(&folder, &format!("new-{ending}"), &format!("again-{ending}"), &Rule::DEFAULT).unwrap();
        assert!(again.is_empty(), "{again:?}");
        assert_eq!(
            contents(&folder.path(&format!("again-{ending}"))),
            contents(&folder.path(&format!("new-{ending}")))
        );
    }
}

#[test]
fn images_in_parquet_are_cleaned() {
    let folder = Folder::new();
    put(&folder, "a.parquet", "images.parquet");
    let log = cleaned(&folder, "a.parquet", "b.parquet", &Rule::DEFAULT).unwrap();
    let rows: Vec<u64> = log.iter().map(|line| line["row"].as_u64().unwrap()).collect();
    assert_eq!(rows, [4, 5], "{log:?}");
    let (old, new) = (opened(&folder.path("a.parquet")).train, opened(&folder.path("b.parquet")).train);
    assert_eq!((new.total(), new.excluded().count(), new.class_names()), (3, 0, old.class_names()));
    (0..3).for_each(|id| assert_eq!(new.example_hash(id).unwrap(), old.example_hash(id).unwrap()));
}

#[test]
fn tables_of_numbers_and_words_in_columns_are_cleaned() {
    let folder = Folder::new();
    put(&folder, "numbers.parquet", "numbers.parquet");
    let log = cleaned(&folder, "numbers.parquet", "new.parquet", &Rule::DEFAULT).unwrap();
    assert_eq!((log.len(), &log[0]["row"]), (1, &3.into()), "{log:?}");
    assert_eq!(opened(&folder.path("new.parquet")).train.ids(), [0, 1, 2]);
    put(&folder, "words.parquet", "words.parquet");
    assert!(cleaned(&folder, "words.parquet", "copy.parquet", &Rule::DEFAULT).unwrap().is_empty());
    assert_eq!(opened(&folder.path("copy.parquet")).train.words_of(0).unwrap(), ["Angela", "left", "."]);
}

#[test]
fn images_that_a_table_names_are_found_from_the_new_one() {
    let folder = Folder::new();
    for number in 0..3 {
        folder.write(&format!("photos/{number}.png"), stored(picture(number), ImageFormat::Png));
    }
    folder.write("photos/again.png", stored(picture(1), ImageFormat::Png));
    folder.write("outside.png", stored(picture(4), ImageFormat::Png));
    let table = "file_name,label\n0.png,a\n1.png,b\nagain.png,b\n2.png,a\n";
    folder.write("photos/metadata.csv", table);
    cleaned(&folder, "photos", "new", &Rule::DEFAULT).unwrap();
    let names: Vec<PathBuf> = contents(&folder.path("new")).into_keys().collect();
    assert_eq!(names, ["0.png", "1.png", "2.png", "metadata.csv"].map(PathBuf::from));
    // A table alone finds its images where it stands, and nowhere else.
    cleaned(&folder, "photos/metadata.csv", "photos/new.csv", &Rule::DEFAULT).unwrap();
    assert_eq!(folder.read("photos/new.csv"), table.replace("again.png,b\n", ""));
    let error = cleaned(&folder, "photos/metadata.csv", "elsewhere.csv", &Rule::DEFAULT).unwrap_err();
    assert!(matches!(error, AuditError::NamesFiles { .. }), "{error}");
    // Files outside of the folder are never written to, wherever the table points.
    let whole = folder.path("outside.png");
    folder.write("far/metadata.csv", format!("file_name,label\n{},a\n../outside.png,b\n", whole.display()));
    let before = std::fs::read(&whole).unwrap();
    let error = cleaned(&folder, "far", "new-far", &Rule::DEFAULT).unwrap_err();
    assert!(matches!(error, AuditError::NamesFiles { .. }), "{error}");
    folder.write("far/metadata.csv", format!("file_name,label\n{},a\n{0},a\n", whole.display()));
    cleaned(&folder, "far", "new-far", &Rule::DEFAULT).unwrap();
    assert_eq!(std::fs::read(&whole).unwrap(), before);
    let left: Vec<_> = contents(&folder.path("new-far")).into_iter().collect();
    let line = format!("file_name,label\n{},a\n", whole.display());
    assert_eq!(left, [(PathBuf::from("metadata.csv"), line.into_bytes())]);
}

#[test]
fn what_cannot_be_cleaned_is_said_before_and_not_advised() {
    let folder = Folder::new();
    // As numpy writes it: magic, version, length of the header, header, values; the second half repeats the first.
    let header = format!("{:<117}\n", "{'descr': '|u1', 'fortran_order': False, 'shape': (40, 2), }");
    let array = |shape: &str, values: Vec<u8>| {
        let header = header.replace("(40, 2)", shape);
        [&b"\x93NUMPY\x01\x00"[..], &(header.len() as u16).to_le_bytes(), header.as_bytes(), &values].concat()
    };
    folder.write("a/x_train.npy", array("(40, 2)", (0..80).map(|i| i % 40).collect()));
    folder.write("a/y_train.npy", array("(40,)", (0..40).map(|i| i % 2).collect()));
    let sources = Sources { data: folder.path("a"), ..Sources::default() };
    let checked = check_sources(&sources);
    let finding = checked.finding(Kind::ExactDuplicates);
    assert!(matches!(&finding.remedy, Remedy::Advice(words) if words.english().contains("cannot be cleaned")));
    assert_eq!(checked.report.command(finding), None);
    let result = check(&checked.collection, &sources, &folder.path("new"), &folder.path("new.log"));
    assert!(matches!(result, Err(AuditError::Unsupported { found: "arrays", .. })), "{result:?}");
    let result = check(&checked.collection, &sources, &folder.path("a"), &folder.path("new.log"));
    assert!(matches!(result, Err(AuditError::OutputExists { .. })), "{result:?}");
}

#[test]
fn nothing_is_overwritten_or_mixed_up() {
    let folder = Folder::new();
    folder.write("a/train.tsv", "text\tlabel\nthe same\tx\nthe same\tx\nanother\ty\n");
    folder.write("there", "precious");
    folder.write("free.log", "precious");
    for new in ["there", "free"] {
        assert!(matches!(cleaned(&folder, "a", new, &Rule::DEFAULT), Err(AuditError::OutputExists { .. })), "{new}");
    }
    assert!(!folder.path("free").exists());
    assert!(matches!(cleaned(&folder, "a", "a/new", &Rule::DEFAULT), Err(AuditError::Nested { .. })));
    folder.write("b.tsv", "text\tlabel\nthe same\tx\nThe SAME\ty\n");
    assert!(matches!(cleaned(&folder, "b.tsv", "c.tsv", &Rule::DEFAULT), Err(AuditError::NothingLeft { rows: 2, .. })));
    let left: Vec<_> = std::fs::read_dir(folder.path(".")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 4, "no drafts are left: {left:?}");
    assert_eq!((folder.read("there"), folder.read("free.log")), ("precious".into(), "precious".into()));
}

/// Texts as they are when bytes of UTF-8 are read as Latin-1.
fn misread(text: &str) -> String {
    text.bytes().map(char::from).collect()
}

#[test]
fn texts_of_a_wrong_encoding_are_written_as_they_were_meant() {
    let folder = Folder::new();
    let (cafe, plain) = (misread("un café au lait, s'il vous plaît"), "c'est du déjà vu pour moi");
    let repair = Choices { repair: true, ..Choices::default() };
    let sources = |data: PathBuf| Sources { data, ..Sources::default() };
    let table = folder.write("a.csv", format!("text,label\n\"{cafe}\",x\n{plain},y\nonly plain words in here,x\n"));
    let log = written(&folder, &sources(table), "b.csv", &repair).unwrap();
    assert_eq!(
        folder.read("b.csv"),
        format!("text,label\n\"un café au lait, s'il vous plaît\",x\n{plain},y\nonly plain words in here,x\n")
    );
    assert_eq!((log.len(), &log[0]["action"], &log[0]["rule"]), (1, &"repaired".into(), &"encoding".into()));
    assert_eq!((&log[0]["row"], &log[0]["text"]), (&2.into(), &"un café au lait, s'il vous plaît".into()));

    let escaped = r#"{"text": "caf\u00c3\u00a9", "label": "x"}"#;
    let list = folder.write("a.json", format!("[{{\"text\": \"{cafe}\", \"label\": \"x\"}}, {escaped}]"));
    let log = written(&folder, &sources(list), "b.json", &repair).unwrap();
    assert!(folder.read("b.json").contains("un café au lait") && folder.read("b.json").contains(escaped));
    assert_eq!(log.len(), 1, "what its file writes by other characters stays as it is");

    folder.write("texts/x/1.txt", &cafe);
    folder.write("texts/y/1.txt", plain);
    written(&folder, &sources(folder.path("texts")), "new", &repair).unwrap();
    assert_eq!(
        (folder.read("new/x/1.txt").as_str(), folder.read("new/y/1.txt").as_str()),
        ("un café au lait, s'il vous plaît", plain)
    );
}

#[test]
fn the_test_part_is_repaired_only_when_asked_for() {
    let folder = Folder::new();
    let rows = format!("text\tlabel\n{}\tx\nand more of the same\ty\n", misread("elle est née à Lyon"));
    folder.write("data/train.tsv", &rows);
    folder.write("data/test.tsv", &rows);
    let sources = Sources { data: folder.path("data"), ..Sources::default() };
    let repair = Choices { repair: true, ..Choices::default() };
    written(&folder, &sources, "new", &repair).unwrap();
    assert_eq!(folder.read("new/test.tsv"), rows);
    written(&folder, &sources, "all", &Choices { with_test: true, ..repair }).unwrap();
    assert!(folder.read("all/test.tsv").contains("née à Lyon") && folder.read("new/train.tsv").contains("née à Lyon"));
}

#[test]
fn likely_wrong_labels_go_only_when_asked_for() {
    let folder = Folder::new();
    let row = |i: usize| match i {
        7 => "wonderful lovely great hotel 7\tbad\n".to_owned(),
        i if i % 2 == 0 => format!("dirty awful horrible room {i}\tbad\n"),
        i => format!("wonderful lovely great hotel {i}\tgood\n"),
    };
    folder.write("a.tsv", format!("text\tlabel\n{}", (0..80).map(row).collect::<String>()));
    assert!(cleaned(&folder, "a.tsv", "b.tsv", &Rule::DEFAULT).unwrap().is_empty());
    let log = cleaned(&folder, "a.tsv", "c.tsv", &[Rule::LabelErrors]).unwrap();
    assert_eq!((log.len(), &log[0]["rule"], &log[0]["row"]), (1, &"label-errors".into(), &9.into()));
    assert!(log[0]["reason"].as_str().unwrap().contains("looks like `good`"), "{log:?}");
}
