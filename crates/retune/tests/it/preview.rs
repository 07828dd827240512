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
