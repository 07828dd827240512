//! Data as they come: in Parquet, with rows that cannot be used, larger than memory.

use crate::support::{Workplace, bitmap};
use crate::texts::place;
use std::time::{Duration, Instant};

const FIT: [&str; 9] =
    ["fit", "--model", "base", "--learning-rate", "0.003", "--epochs", "4", "--set", "optimizer.kind=adam"];

fn weights(place: &Workplace, run: &str) -> Vec<Vec<u32>> {
    let (model, _) = retune::Model::load(place.path(run).join("model")).unwrap();
    model.weights.iter().map(|w| w.value.to_f32_vec().into_iter().map(f32::to_bits).collect()).collect()
}

#[test]
fn texts_on_disk_train_to_the_same_bits_interrupted_or_not() {
    let place = place();
    let run = |name: &str, more: &[&str]| {
        let output = format!("runs/{name}");
        place.run(&[&FIT[..], &["--data", "reviews.tsv", "--output", &output], more].concat()).ok();
        weights(&place, &output)
    };
    let expected = run("memory", &[]);
    let on_disk = ["--set", "data.storage=disk", "--set", "data.spool-folder=spool"];
    assert!(run("disk", &on_disk) == expected);
    let often = ["--set", "output.save-every-steps=1", "--set", "output.log-every-steps=1"];
    let arguments = [&FIT[..], &["--data", "reviews.tsv", "--output", "runs/killed"], &on_disk, &often].concat();
    let mut child = place.start(&arguments);
    let start = Instant::now();
    while !place.path("runs/killed/checkpoints/step-00000003.json").exists() {
        assert!(start.elapsed() < Duration::from_secs(60), "no checkpoint was saved");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    if !place.path("runs/killed/model").exists() {
        place.run(&["resume", "runs/killed"]).ok();
    }
    assert!(weights(&place, "runs/killed") == expected);
    assert_eq!(std::fs::read_dir(place.path("spool")).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn what_frozen_layers_give_is_kept_of_texts_on_disk() {
    let place = place();
    let run = |name: &str, more: &[&str]| {
        let output = format!("runs/{name}");
        let head = ["--json", "--data", "reviews.tsv", "--method", "head", "--output", &output];
        let result = place.run(&[&FIT[..], &head, more].concat()).json();
        (result["features"].clone(), weights(&place, &output))
    };
    let (_, expected) = run("without", &["--set", "train.cache=false"]);
    let on_disk = ["--cache-dir", "kept", "--set", "train.cache=true", "--set", "data.storage=disk"];
    let (features, first) = run("first", &on_disk);
    assert!(features["computed"].as_u64() > Some(0) && features["read"].as_u64() > Some(0), "{features}");
    let (features, second) = run("second", &on_disk);
    assert_eq!(features["computed"], 0, "{features}");
    let (features, memory) = run("third", &["--cache-dir", "kept", "--set", "train.cache=true"]);
    assert_eq!(features["computed"], 0, "the same values for texts in memory: {features}");
    assert!(first == expected && second == expected && memory == expected);
}

#[test]
fn rows_that_cannot_be_used_are_listed_in_the_run() {
    let place = place();
    let good = String::from_utf8(place.read("reviews.tsv")).unwrap();
    place.write("reviews.tsv", format!("{good}no label\t\n\tgood\none\ttwo\tthree\n"));
    let fit = [&FIT[..], &["--data", "reviews.tsv", "--output", "run"]].concat();
    let refused = place.run(&fit).fails(1);
    assert!(refused.contains("line 122`: column `label`: the label is missing"), "{refused}");
    assert!(refused.contains("3 of 123 examples") && refused.contains("hint: "), "{refused}");
    let run = place.run(&[&fit[..], &["--set", "data.tolerance=3"]].concat());
    assert!(run.stderr.contains("3 rows or files cannot be used and are left out, listed in"), "{}", run.stderr);
    run.ok();
    let listed = String::from_utf8(place.read("run/left-out.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let reasons: Vec<&str> = lines.iter().map(|line| line["reason"].as_str().unwrap()).collect();
    assert_eq!(
        reasons,
        ["column `label`: the label is missing", "column `text`: the text is missing", "expected 2 columns, found 3"]
    );
    assert!(lines[2]["place"].as_str().unwrap().ends_with("reviews.tsv, line 124"), "{listed}");
    let report = String::from_utf8(place.read("run/report.html")).unwrap();
    assert!(report.contains("line 124"));
}

#[test]
fn a_table_of_image_files_trains_and_a_missing_file_is_named() {
    let place = Workplace::new();
    let mut table = "file_name,label\n".to_owned();
    for index in 0..24u8 {
        let (name, color) = (format!("{index}.bmp"), if index % 2 == 0 { [200, index, 10] } else { [10, index, 200] });
        place.write(&name, bitmap(8, 8, color));
        table += &format!("{name},{}\n", ["red", "blue"][usize::from(index % 2)]);
    }
    place.write("metadata.csv", table + "gone.bmp,red\n");
    place.write(
        "images.toml",
        "[model]\ninput-shape = [8, 8, 3]\nlayers = [{ class = \"Flatten\" }, { class = \"Dense\", units = 2, activation = \"softmax\" }]\n\
         [data]\npath = \"metadata.csv\"\n[preprocess]\nscale = 0.004\n[train]\nepochs = 2\n",
    );
    let refused = place.run(&["fit", "images.toml"]).fails(1);
    assert!(refused.contains("metadata.csv, line 26`: `gone.bmp`: "), "{refused}");
    let fit = place.run(&["--json", "-q", "fit", "images.toml", "--set", "data.tolerance=1"]).json();
    std::fs::create_dir_all(place.path("new/more")).unwrap();
    for name in ["new/more/a.bmp", "new/b.bmp"] {
        place.write(name, bitmap(8, 8, [200, 5, 10]));
    }
    let model = fit["model"].as_str().unwrap();
    place.run(&["predict", "--model", model, "--input", "new", "-o", "out.csv"]).ok();
    let rows = String::from_utf8(place.read("out.csv")).unwrap();
    let files: Vec<&str> = rows.lines().skip(1).filter_map(|row| row.split(',').next()).collect();
    assert_eq!(files, ["new/b.bmp", "new/more/a.bmp"], "the folder and those in it");
    let wrong = place.run(&["fit", "images.toml", "--set", "data.delimiter=;;"]).fails(1);
    assert!(wrong.contains("data.delimiter"), "{wrong}");
}

#[test]
fn a_check_of_much_data_looks_at_some_of_them() {
    let place = place();
    let all = place.run(&["--json", "check", "reviews.tsv"]);
    assert!(all.stdout.contains("120"), "{}", all.stdout);
    let some = place.run(&["check", "reviews.tsv", "--most", "50"]);
    assert!(some.stdout.contains("of which 50 at equal distances"), "{}", some.stdout);
}
