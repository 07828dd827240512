//! Findings on texts, written so as to be missed.

use crate::support::{Folder, at, check, check_sources, rows};
use retune_audit::{Kind, Severity, Sources};
use retune_data::{SourceKind, SourceOptions};

/// Different texts that are no near duplicates of each other.
fn filler(n: usize) -> Vec<String> {
    let words = [
        "river", "stone", "paper", "window", "garden", "copper", "silver", "winter", "market", "bridge", "candle",
        "harbour", "meadow", "thunder", "velvet", "lantern", "orchard", "puzzle", "quartz", "saddle", "tunnel",
        "violin", "walnut",
    ];
    (0..n)
        .map(|i| {
            format!(
                "{} {} {} {}",
                words[i % 23],
                words[(i / 23 + i * 5) % 23],
                words[(i * 7 + 3) % 23],
                words[(i * 11 + i / 7) % 23]
            )
        })
        .collect()
}

fn table(texts: &[String]) -> String {
    let rows = texts.iter().enumerate().map(|(i, text)| format!("{text}\t{}\n", ["good", "bad"][i % 2]));
    std::iter::once("text\tlabel\n".to_owned()).chain(rows).collect()
}

#[test]
fn clean_data_has_no_findings() {
    let folder = Folder::new();
    let texts: Vec<String> =
        (0..40).map(|i| format!("{} number {}", filler(40)[i], "abcdefghij".repeat(i % 3 + 1))).collect();
    let checked = check(&folder.write("a.tsv", table(&texts)));
    let grave = checked.report.findings.iter().filter(|finding| finding.severity == Severity::Problem).count();
    assert_eq!(grave, 0, "{:#?}", checked.report.findings);
    assert_eq!(checked.find(Kind::ExactDuplicates), None);
}

#[test]
fn repetitions_are_counted_beyond_the_first() {
    let folder = Folder::new();
    let mut texts = filler(30);
    // Rows 32 to 34 repeat; white space at the ends is none; another case is another text, if nearly the same.
    texts.extend([texts[0].clone(), format!("  {} ", texts[0]), texts[3].clone(), texts[5].to_uppercase()]);
    let checked = check(&folder.write("a.tsv", table(&texts)));
    let finding = checked.finding(Kind::ExactDuplicates);
    assert_eq!((finding.count, finding.severity), (3, Severity::Problem));
    assert!(finding.title.english().starts_with("3 texts repeat an earlier one (8.8 %)"), "{:?}", finding.title);
    assert_eq!((rows(finding, 0), rows(finding, 1)), (vec![2, 32, 33], vec![5, 34]));
    assert!(
        finding.details[0].english().starts_with("1 of them repeats an earlier row to the byte"),
        "{:?}",
        finding.details
    );
    let near = checked.finding(Kind::NearDuplicates);
    assert_eq!((near.count, rows(near, 0)), (1, vec![7, 35]));
}

#[test]
fn overlap_sees_through_width_case_composition_and_line_ends() {
    let folder = Folder::new();
    let mut train = filler(30);
    train[3] = "Ｔｈｅ　Ｃａｆｅ\u{301} was fine, really".to_owned();
    train[4] = "这个宾馆比较陈旧了，特价的房间也很一般".to_owned();
    folder.write("data/train.tsv", table(&train).replace('\n', "\r\n"));
    let test = [
        "the café was fine, really",
        "这个宾馆比较陈旧了,特价的房间也很一般",
        "quite another text here",
        &train[9],
        &train[9],
    ];
    folder.write("data/test.tsv", table(&test.map(str::to_owned)));
    let checked = check(&folder.path("data"));
    let finding = checked.finding(Kind::Overlap);
    assert!(
        finding.title.english().starts_with("4 of the 5 texts of test also stand in train (80.0 %, 3 different ones)"),
        "{}",
        finding.title.english()
    );
    assert_eq!(checked.report.findings[0].kind, Kind::Overlap, "the most important comes first");
    let places: Vec<_> = finding.examples[0].places.iter().map(at).collect();
    assert_eq!(places, [("train.tsv".to_owned(), Some(5)), ("test.tsv".to_owned(), Some(2))]);
    assert_eq!(checked.finding(Kind::ExactDuplicates).count, 1, "within test");
}

#[test]
fn parts_may_be_files_of_their_own() {
    let folder = Folder::new();
    // Latin-1, a label and a text a line.
    let train = b"2 caf\xe9 on the corner ?\n1 who was it ?\n".to_vec();
    let test = "2 Café on the corner ?\n1 nobody at all\n";
    let sources = Sources {
        data: folder.write("QC.train.all", train),
        test: Some(folder.write("QC.test.all", test)),
        options: SourceOptions { kind: Some(SourceKind::Text), ..SourceOptions::default() },
        ..Sources::default()
    };
    let checked = check_sources(&sources);
    assert!(
        checked.finding(Kind::Overlap).title.english().starts_with("1 of the 2 texts of test also stands in train")
    );
}

#[test]
fn contradictions_are_found_across_case_and_width() {
    let folder = Folder::new();
    let mut rows = table(&filler(30));
    rows += "Really Good Film\tgood\nreally good film\tgood\nｒｅａｌｌｙ ｇｏｏｄ ｆｉｌｍ\tbad\nso so\tgood\nSo so\tbad\n";
    let checked = check(&folder.write("a.tsv", rows));
    let finding = checked.finding(Kind::Conflicts);
    assert!(
        finding.title.english().starts_with("2 inputs stand there with different labels: 5 texts"),
        "{:?}",
        finding.title
    );
    assert_eq!([finding.details[0].english()], ["In 1 of 2 cases more than half of the labels agree."]);
    let labels: Vec<_> = finding.examples[0].places[..2].iter().map(|place| place.label.clone().unwrap()).collect();
    assert_eq!(labels, ["good", "bad"]);
}

#[test]
fn near_duplicates_are_verified() {
    let folder = Folder::new();
    let mut texts = filler(30);
    texts.push("the hotel was clean and the staff were very friendly to all of us, every day".to_owned());
    texts.push("the hotel was clean and the staff were very friendly to all of us, each day".to_owned());
    texts.push("the hotel was dirty and the staff were very unfriendly to some of us at night".to_owned());
    texts.push("酒店环境不错，服务态度也很好，下次还会再来住的，推荐给大家".to_owned());
    texts.push("酒店环境不错，服务态度也很好，下次还会再来住的，推荐给朋友".to_owned());
    let checked = check(&folder.write("a.tsv", table(&texts)));
    let finding = checked.finding(Kind::NearDuplicates);
    assert_eq!((finding.count, rows(finding, 0), rows(finding, 1)), (2, vec![32, 33], vec![35, 36]));
    assert_eq!(checked.find(Kind::ExactDuplicates), None);
}

#[test]
fn empty_and_broken_rows_are_told_apart_in_every_form() {
    let folder = Folder::new();
    let good = "a fine text indeed";
    let files = [
        (
            "a.tsv",
            format!(
                "text\tlabel\n{good}\tx\n\tx\nanother fine text\ty\nand one more\tx\nand the last of them\ty\n\u{200b}\u{feff}\ty\nwithout label\t\nthree\tof\tthem\n"
            ),
        ),
        (
            "a.jsonl",
            format!(
                "{{\"text\":\"{good}\",\"label\":\"x\"}}\n{{\"text\":\"\",\"label\":\"x\"}}\n{{\"text\":\"b c d e\",\"label\":\"y\"}}\n\
             {{\"text\":\"\\u200b\",\"label\":\"x\"}}\n{{\"text\":\"no label\"}}\nnot json\n"
            ),
        ),
    ];
    for (name, contents) in files {
        let checked = check(&folder.write(name, contents));
        let empty = checked.finding(Kind::Empty);
        assert_eq!((empty.count, rows(empty, 0).len()), (2, 1), "{name}");
        let broken = checked.finding(Kind::Unreadable);
        assert_eq!(broken.count, 2, "{name}: {broken:?}");
    }
    folder.write("classes/x/1.txt", good);
    folder.write("classes/x/2.txt", " \n");
    folder.write("classes/y/1.txt", b"broken \xff\xfe\xfd");
    folder.write("classes/y/2.txt", "还不错，很好吃");
    let checked = check(&folder.path("classes"));
    assert_eq!(checked.finding(Kind::Empty).count, 1);
    assert_eq!(at(&checked.finding(Kind::Empty).examples[0].places[0]).0, "2.txt");
}

#[test]
fn damaged_texts_are_shown_as_they_were_meant() {
    let folder = Folder::new();
    let mut texts = filler(30);
    texts.extend([
        "the cafÃ© was fine".to_owned(),
        "lost \u{fffd} here".to_owned(),
        "R&amp;B music all night".to_owned(),
    ]);
    let checked = check(&folder.write("a.tsv", table(&texts)));
    let finding = checked.finding(Kind::Encoding);
    assert_eq!((finding.count, finding.severity), (3, Severity::Warning));
    assert_eq!(finding.examples[1].note.english(), "was meant to be: the café was fine");
}

#[test]
fn long_short_and_strange_texts_are_notes() {
    let folder = Folder::new();
    let mut texts = filler(60);
    texts.push("word and more ".repeat(300));
    texts.push("!?".to_owned());
    texts.push("яблоко груша слива вишня малина".to_owned());
    let checked = check(&folder.write("a.tsv", table(&texts)));
    let lengths = checked.finding(Kind::Lengths);
    assert_eq!((lengths.count, lengths.severity), (2, Severity::Note));
    assert_eq!((rows(lengths, 0), rows(lengths, 1)), (vec![62], vec![63]));
    let outliers = checked.finding(Kind::Outliers);
    assert_eq!((rows(outliers, 0), outliers.examples[0].note.english()), (vec![64], "unusual characters"));
}

#[test]
fn uneven_classes_are_told() {
    let folder = Folder::new();
    let texts = filler(60);
    let rows = texts.iter().enumerate().map(|(i, text)| format!("{text}\t{}\n", if i < 5 { "rare" } else { "common" }));
    let checked = check(&folder.write("a.tsv", rows.collect::<String>()));
    let finding = checked.finding(Kind::Balance);
    assert!(finding.title.english().contains("`common` has 55 examples for training, `rare` 5"), "{:?}", finding.title);
    assert!(checked.report.command(finding).unwrap().contains("loss.class-weights=balanced"));
}

#[test]
fn the_same_with_one_thread_or_many() {
    let folder = Folder::new();
    let texts: Vec<String> = filler(600).into_iter().chain(filler(300).iter().map(|text| format!("{text}!"))).collect();
    let path = folder.write("a.tsv", table(&texts));
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let many = rayon::ThreadPoolBuilder::new().num_threads(7).build().unwrap();
    let (one, many) = (one.install(|| check(&path)), many.install(|| check(&path)));
    assert_eq!((one.facts.near, one.report.json()), (many.facts.near, many.report.json()));
}
