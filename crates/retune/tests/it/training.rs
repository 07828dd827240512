//! `fit`, `eval`, `predict` and `check` on tiny data.

use crate::support::{Workplace, bitmap};
use serde_json::Value;

/// The evaluations noted in a run's `metrics.jsonl`.
fn evaluations(place: &Workplace, run: &str) -> Vec<Value> {
    let text = String::from_utf8(place.read(&format!("{run}/metrics.jsonl"))).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["kind"] == "evaluation").collect()
}

#[test]
fn fit_trains_saves_and_reports() {
    let place = Workplace::new();
    let ran = place.run(&["fit", "tiny.toml", "--set", "train.epochs=8", "--set", "loss.label-smoothing=0.0"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().filter(|line| line.starts_with("epoch ")).count(), 8, "{}", ran.stderr);
    for part in ["accuracy", "before", "runs/tiny/model.keras", "runs/tiny/report.html", "retune predict --model"] {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
    }
    let losses: Vec<f64> =
        evaluations(&place, "runs/tiny").iter().map(|line| line["train"]["loss"].as_f64().unwrap()).collect();
    assert_eq!(losses.len(), 8);
    assert!(losses.windows(2).all(|pair| pair[1] < pair[0]), "the loss falls: {losses:?}");
    assert!((losses[0] - FIRST_LOSS).abs() < 1e-3 && (losses[7] - LAST_LOSS).abs() < 1e-3, "{losses:?}");

    let eval = place.run(&["--json", "eval", "--model", "runs/tiny/model.keras", "--data", "digits.npz"]).json();
    assert!(eval["metrics"]["accuracy"]["value"].as_f64().unwrap() > 0.9, "{eval}");
}

/// Mean training loss of the first and of the eighth epoch.
const FIRST_LOSS: f64 = 2.21243;
const LAST_LOSS: f64 = 0.64695;

#[test]
fn flags_fit_the_model_to_the_data() {
    let place = Workplace::new();
    place.run(&["-q", "fit", "tiny.toml"]).ok();
    // Seven classes of images of another size, in folders: resized as the model's file says, and a new head.
    for class in 0..7u8 {
        std::fs::create_dir_all(place.path(&format!("photos/kind{class}"))).unwrap();
        for image in 0..6u8 {
            place.write(&format!("photos/kind{class}/{image}.bmp"), bitmap(12, 10, [class * 30, image * 9, 200]));
        }
    }
    let base = "runs/tiny/model.keras";
    let inspected = place.run(&["--json", "inspect", "photos"]).json();
    assert_eq!(inspected["parts"]["train"]["examples"], 42, "{inspected}");
    place.run(&["convert", base, "plain.h5"]).ok();
    let fit = place
        .run(&[
            "--json",
            "-q",
            "fit",
            "--model",
            base,
            "--data",
            "photos",
            "--method",
            "head",
            "--epochs",
            "2",
            "--set",
            "preprocess.resize=[8, 8]",
            "--set",
            "preprocess.color=grey",
            "--set",
            "split.validation=0.2",
        ])
        .json();
    let model = fit["model"].as_str().unwrap();
    assert_eq!(model, "runs/photos/model.keras");
    let layers = place.run(&["--json", "inspect", model]).json();
    assert_eq!(layers["trainable_parameters"], 16 * 7 + 7, "only the new head is trained");
    assert_eq!(layers["preprocessing"]["class-names"][6], "kind6", "{layers}");

    let predicted = place.run(&["--json", "predict", "--model", model, "--input", "photos/kind3"]).json();
    let predictions = predicted["predictions"].as_array().unwrap();
    assert_eq!(predictions.len(), 6);
    let sum: f64 = predictions[0]["probabilities"].as_object().unwrap().values().map(|p| p.as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-4 && predictions[0]["label"].as_str().unwrap().starts_with("kind"), "{predicted}");
    place.write("large.bmp", bitmap(50, 40, [9, 9, 9]));
    let inputs = ["photos/kind0/0.bmp", "large.bmp"];
    place.run(&["predict", "--model", model, "--input", inputs[0], inputs[1], "--output", "out.csv"]).ok();
    let csv = String::from_utf8(place.read("out.csv")).unwrap();
    assert!(csv.starts_with("file,label,probability\nphotos/kind0/0.bmp,kind") && csv.lines().count() == 3, "{csv}");
}

#[test]
fn check_says_what_training_takes() {
    let place = Workplace::new();
    let text = place.run(&["check", "tiny.toml"]).ok();
    for part in ["216 to train, 24 to validate", "1,210, 1,210 of them trained", "no problems found", "time of a step"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let object = place.run(&["--json", "check", "tiny.toml"]).json();
    assert!(object["step_bytes"].as_u64().unwrap() > 0 && object["step_flops"].as_u64().unwrap() > 16 * 1210 * 2);
    assert_eq!(object["steps"], 3 * 14);
    assert!(!place.path("runs").exists(), "nothing is written");
    assert!(place.run(&["check", "digits.csv"]).ok().contains("240 rows of 65 columns"));
}

#[test]
fn the_recipes_that_ship_are_valid() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes");
    let recipes = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let recipes: Vec<_> = recipes.filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
    assert!(!recipes.is_empty());
    for recipe in recipes {
        retune::train::recipe::read(&recipe, &[]).unwrap();
    }
}

#[test]
fn a_test_part_of_its_own_is_a_flag() {
    let place = Workplace::new();
    place.run(&["-q", "fit", "tiny.toml"]).ok();
    let flags = ["--model", "runs/tiny/model.keras", "--data", "digits.npz", "--test", "digits.csv", "--epochs", "1"];
    let fit = ["--json", "-q", "fit", "--set", "data.input-shape=[8,8,1]", "-o", "again"];
    let run = place.run(&[fit.as_slice(), &flags].concat()).json();
    assert_eq!(run["comparison"]["part"], "test", "{run}");
    let accuracy = &run["metrics"]["accuracy"];
    assert!(accuracy["value"].is_f64() && *accuracy == run["comparison"]["metrics"][1]["after"], "{run}");
    assert!(run["trainable_weights"].as_u64() <= run["weights"].as_u64() && run["weights"].is_u64(), "{run}");
    let error = place.run(&["fit", "tiny.toml", "--test", "digit.csv"]).fails(1);
    assert!(error.contains("did you mean `digits.csv`?"), "{error}");
    let error = place.run(&["fit", "--data", "digits.npz"]).fails(2);
    assert!(error.contains("name a recipe, or a model and data"), "{error}");
}
