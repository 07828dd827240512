//! `retune preview`: the sheet, its pictures, and what cannot be shown.

use crate::support::Workplace;

const MIXED: [&str; 4] =
    ["--set", "augment.mixup=1.0", "--set", "augment.policy={ kind = \"rand-augment\", magnitude = 12 }"];

#[test]
fn the_sheet_shows_the_same_augmented_examples_each_time() {
    let place = Workplace::new();
    let sheet = |name: &str, more: &[&str]| {
        let output = format!("{name}.html");
        let arguments =
            [&["preview", "tiny.toml", "--examples", "5", "--columns", "3", "--output", &output], more].concat();
        let said = place.run(&[&arguments[..], &["--json"]].concat()).json();
        assert_eq!(said["examples"].as_array().unwrap().len(), 5);
        let html = std::fs::read_to_string(place.path(&output)).unwrap();
        assert_eq!((html.matches("<tr>").count(), html.matches("<img").count()), (6, 20));
        assert!(!html.contains("http"), "one file, no network");
        let png = std::fs::read(place.path(&format!("{name}.png"))).unwrap();
        // Five rows of three pictures of 8×8 with lines of 4 between.
        assert_eq!((&png[..4], &png[16..24]), (&b"\x89PNG"[..], &[0, 0, 0, 40, 0, 0, 0, 64][..]));
        (html, png)
    };
    let first = sheet("first", &[]);
    assert_eq!(first, sheet("second", &[]));
    assert_ne!(first, sheet("third", &["--seed", "9"]));
    let (mixed, _) = sheet("mixed", &MIXED);
    assert!(mixed.contains(" 0."), "the shares of mixed classes are said");
}

#[test]
fn what_cannot_be_shown_is_said() {
    let place = Workplace::new();
    let error = place.run(&["preview", "tiny.toml", "--output", "a.png"]).fails(2);
    assert!(error.contains("ends in .html"), "{error}");
    let error = place.run(&["preview", "tiny.toml", "--output", "missing/a.html"]).fails(1);
    assert!(error.contains("cannot write `missing/a.html`"), "{error}");
    let error = place.run(&["preview", "tiny.toml", "--set", "augment.blur={ kernel = 4 }"]).fails(1);
    assert!(error.contains("an odd number"), "{error}");
}

#[test]
fn texts_are_shown_before_and_after() {
    let place = Workplace::new();
    crate::texts::prepare(&place);
    let arguments = [
        "preview",
        "--model",
        "base",
        "--data",
        "reviews.tsv",
        "--examples",
        "6",
        "--columns",
        "4",
        "--output",
        "t.html",
    ];
    let set = ["--set", "augment.word-deletion=0.5", "--set", "augment.sentence-shuffling=0.5"];
    let sheet = |more: &[&str]| place.run(&[&["--json"], &arguments[..], &set[..], more].concat()).json();
    let said = sheet(&[]);
    let examples = said["examples"].as_array().unwrap();
    assert_eq!(examples.len(), 6);
    let changed = |example: &serde_json::Value| {
        let texts = example["changed"].as_array().unwrap();
        assert_eq!(texts.len(), 4);
        texts.iter().any(|text| text != &example["stored"])
    };
    assert!(examples.iter().filter(|example| changed(example)).count() > 3, "{said}");
    assert_eq!(said, sheet(&[]));
    let html = String::from_utf8(place.read("t.html")).unwrap();
    assert!(html.contains(examples[0]["stored"].as_str().unwrap()) && !html.contains("<img"));
    let plan =
        place.run(&[&["check", "--no-timing", "--model", "base", "--data", "reviews.tsv"], &set[..]].concat()).ok();
    assert!(plan.contains("by lengths before texts are changed"), "{plan}");
    let error = place
        .run(&["check", "--no-timing", "--model", "base", "--data", "reviews.tsv", "--set", "augment.span-masking=0.2"])
        .fails(1);
    assert!(error.contains("mask token"), "{error}");
    let wrong = ["--set", "augment.synonyms=0.2", "--set", "augment.span-length=2", "--set", "augment.typos=1.5"];
    let error = place
        .run(&[&["check", "--no-timing", "--model", "base", "--data", "reviews.tsv"], &wrong[..]].concat())
        .fails(1);
    for part in ["synonyms-file", "augment.span-length", "typos"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}
