//! `retune check DATA` and `retune clean`: from a bad data set to a good one.

use crate::support::Workplace;

/// A folder `reviews` of three parts with something wrong in each.
fn place() -> Workplace {
    let place = Workplace::new();
    std::fs::create_dir(place.path("reviews")).unwrap();
    let mut train = "text\tlabel\n".to_owned();
    let words = ["river", "stone", "paper", "window", "garden", "copper", "silver", "winter", "market"];
    for i in 0..60usize {
        train += &format!(
            "{} {} {} number {i}\t{}\n",
            words[i % 9],
            words[i * 5 % 7],
            words[i * 7 % 8],
            ["good", "bad"][i % 2]
        );
    }
    train +=
        "The same text\tgood\nThe same text\tgood\nin the test, too\tgood\nit depends\tgood\nIt depends\tbad\n\tbad\n";
    place.write("reviews/train.tsv", train);
    place.write("reviews/test.tsv", "text\tlabel\nIn the test,  too\tgood\nonly in the test\tbad\n");
    place
}

#[test]
fn what_is_found_can_be_cleaned() {
    let place = place();
    let checked = place.run(&["--json", "check", "reviews", "--html", "report.html"]);
    assert_eq!(checked.code, Some(1), "there are problems: {}", checked.stderr);
    let report: serde_json::Value =
        serde_json::from_str(&checked.stdout).expect("one object, though the command fails");
    let findings = report["findings"].as_array().unwrap();
    let count = |kind: &str| {
        findings.iter().find(|f| f["kind"] == kind).unwrap_or_else(|| panic!("{kind}: {report}"))["count"].clone()
    };
    for (kind, expected) in [("overlap", 1), ("conflicts", 2), ("empty", 1), ("exact-duplicates", 1)] {
        assert_eq!(count(kind), expected, "{kind}");
    }
    assert_eq!(findings[0]["kind"], "overlap");
    let html = String::from_utf8(place.read("report.html")).unwrap();
    assert!(html.contains("1 of the 2 texts of test also stands in train"), "{html}");

    let text = place.run(&["check", "reviews"]).fails(1);
    assert!(text.contains("problems in `reviews`"), "{text}");

    // The command that the report names does what it says.
    let command = findings[0]["command"].as_str().unwrap();
    assert_eq!(command, "retune clean reviews --output reviews-clean --drop overlap");
    let arguments: Vec<&str> = command.split(' ').skip(1).collect();
    place.run(&arguments).ok();
    let again = place.run(&["--json", "check", "reviews-clean"]);
    assert!(!again.stdout.contains("\"overlap\"") && again.stdout.contains("\"conflicts\""), "{}", again.stdout);

    let cleaned = place.run(&["--json", "clean", "reviews", "-o", "good"]).json();
    assert_eq!(cleaned["parts"]["train"], serde_json::json!({ "examples": 66, "kept": 61 }));
    assert_eq!(cleaned["dropped"]["conflicts"], 2);
    let log = String::from_utf8(place.read("good.log.jsonl")).unwrap();
    assert_eq!(log.lines().count(), 5, "{log}");
    place.run(&["check", "good"]).ok();
}

#[test]
fn data_are_named_by_a_flag_as_well() {
    let place = place();
    let [by_name, by_flag] = [["check", "digits.csv"].as_slice(), &["check", "--data", "digits.csv"]]
        .map(|check| place.run(&[&["--json"], check, &["--test", "digits.csv"]].concat()).stdout);
    assert!(by_name == by_flag && by_flag.contains("overlap"), "{by_flag}");
}

#[test]
fn slips_are_explained() {
    let place = place();
    let error = place.run(&["clean", "reviews", "-o", "reviews"]).fails(1);
    assert!(error.contains("`reviews` exists already and is not overwritten"), "{error}");
    let error = place.run(&["clean", "reviews", "-o", "new", "--drop", "duplicates"]).fails(2);
    assert!(error.contains("near-duplicates"), "{error}");
    let error = place.run(&["clean", "digits.npz", "-o", "new.npz"]).fails(1);
    assert!(error.contains("it holds arrays"), "{error}");
    let error = place.run(&["check", "review"]).fails(1);
    assert!(error.contains("did you mean `reviews`?"), "{error}");
    let error = place.run(&["check", "tiny.toml", "--text", "review"]).fails(2);
    assert!(error.contains("retune check DATA"), "{error}");
    let error = place.run(&["check", "reviews", "--features", "digits.csv"]).fails(1);
    assert!(error.contains("digits.csv"), "{error}");
    let error = place.run(&["check", "reviews", "--similarity", "80"]).fails(2);
    assert!(error.contains("from 0.5 to 1"), "{error}");
}

#[test]
fn a_frozen_model_judges_labels() {
    let place = Workplace::new();
    place.run(&["-q", "fit", "tiny.toml", "--epochs", "8"]).ok();
    let report = place.run(&["--json", "check", "digits.npz", "--features", "runs/tiny/model.keras"]);
    let object: serde_json::Value =
        serde_json::from_str(&report.stdout).unwrap_or_else(|e| panic!("{e}: {}", report.stdout));
    assert_eq!(object["parts"][0]["examples"], 240);
    assert!(
        !report.stdout.contains("label-errors") || report.stdout.contains("runs/tiny/model.keras"),
        "{}",
        report.stdout
    );
}
