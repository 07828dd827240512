//! What users get wrong, and what they are told.

use crate::support::{RECIPE, Workplace, bitmap};

/// Standard error of `retune` with these arguments, which must fail with 1.
fn error(place: &Workplace, arguments: &[&str]) -> String {
    let text = place.run(arguments).fails(1);
    assert!(!text.contains("panicked"), "{text}");
    text
}

/// The same for `fit tiny.toml` with overrides.
fn fit_error(overrides: &[&str]) -> String {
    let place = Workplace::new();
    let mut arguments = vec!["fit", "tiny.toml"];
    overrides.iter().for_each(|o| arguments.extend(["--set", *o]));
    let text = error(&place, &arguments);
    assert!(!place.path("runs/tiny/model.keras").exists());
    text
}

#[test]
fn a_wrong_path_names_the_nearest() {
    let place = Workplace::new();
    let text = error(&place, &["inspect", "digit.csv"]);
    assert_eq!(text, "error: `digit.csv` does not exist\nhint: did you mean `digits.csv`?\n");
    let text = fit_error(&["data.path=digits.npy"]);
    assert!(text.contains("`digits.npy` does not exist\nhint: did you mean `digits.npz`?"), "{text}");
}

#[test]
fn a_wrong_column_lists_those_there_are() {
    let text = fit_error(&["data.path=digits.csv", "data.input-shape=[8,8,1]", "data.label=lable"]);
    assert!(text.contains("no column `lable`") && text.contains("p0, p1"), "{text}");
}

#[test]
fn an_unknown_key_names_the_nearest_and_its_place() {
    let place = Workplace::new();
    place.write("typo.toml", RECIPE.replace("epochs = 3", "epocs = 3"));
    let text = error(&place, &["fit", "typo.toml"]);
    assert!(text.contains("`train.epocs`: there is no such key") && text.contains("did you mean `epochs`?"), "{text}");
    assert!(text.contains("line 25, column 1"), "{text}");
    let text = fit_error(&["optimizer.kind=adan", "train.epochs=0"]);
    assert!(text.contains("2 problems") && text.contains("did you mean `adam`?"), "all at once: {text}");
}

#[test]
fn a_label_out_of_range_names_the_example() {
    let text = fit_error(&["data.classes=5"]);
    assert!(text.contains("example 5: expected a label in 0..5, found 5") && text.contains("hint: "), "{text}");
}

#[test]
fn the_three_classic_slips() {
    let text = fit_error(&["loss.from-logits=true"]);
    assert!(text.contains("ends in softmax, but `from-logits = true`"), "{text}");
    assert!(text.contains("hint: set `from-logits = false`"), "{text}");
    let text = fit_error(&["loss.kind=categorical-cross-entropy"]);
    assert!(text.contains("categorical cross-entropy takes one-hot labels, but these are integers"), "{text}");
    assert!(text.contains("sparse-categorical-cross-entropy"), "{text}");
    let text = fit_error(&["data.input-shape=[4,16,1]"]);
    assert!(text.contains("it takes [8, 8, 1]") && text.contains("is [4, 16, 1]"), "{text}");
    assert!(text.contains("hint: set `resize = [8, 8]`"), "{text}");
    // `check` finds them as well.
    let place = Workplace::new();
    let checked = error(&place, &["check", "tiny.toml", "--set", "loss.from-logits=true"]);
    assert!(checked.contains("ends in softmax"), "{checked}");
}

#[test]
fn a_loss_that_diverges_is_said_and_not_saved() {
    let text = fit_error(&["optimizer.learning-rate=1e30"]);
    assert!(text.contains("the loss is") && text.contains("diverged") && text.contains("learning rate"), "{text}");
}

#[test]
fn an_existing_run_is_not_overwritten() {
    let place = Workplace::new();
    place.run(&["-q", "fit", "tiny.toml"]).ok();
    let before = place.read("runs/tiny/model.keras");
    let text = error(&place, &["fit", "tiny.toml", "--set", "train.seed=1"]);
    assert!(text.contains("`runs/tiny` already holds a run"), "{text}");
    assert!(text.contains("hint: resume it with `retune resume runs/tiny`"), "{text}");
    assert_eq!(place.read("runs/tiny/model.keras"), before);
}

#[test]
fn truncated_models_are_refused() {
    let place = Workplace::new();
    place.run(&["-q", "fit", "tiny.toml"]).ok();
    place.run(&["convert", "runs/tiny/model.keras", "model.h5"]).ok();
    for (name, from) in [("cut.keras", "runs/tiny/model.keras"), ("cut.h5", "model.h5")] {
        let whole = place.read(from);
        for percent in [0, 10, 30, 50, 70, 95] {
            let cut = &whole[..whole.len() * percent / 100];
            place.write(name, cut);
            let text = error(&place, &["inspect", name]);
            assert!(text.starts_with(&format!("error: `{name}`")), "{text}");
            if name == "cut.h5" && percent > 0 {
                let sizes = format!("cut off: {} bytes needed, {} left\nhint: the copy", whole.len(), cut.len());
                assert!(text.contains(&sizes), "{text}");
            }
        }
    }
}

#[test]
fn errors_are_objects_for_programs() {
    let place = Workplace::new();
    let ran = place.run(&["--json", "inspect", "digit.csv"]);
    let object: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(object["error"], "`digit.csv` does not exist");
    assert_eq!(object["hints"][0], "did you mean `digits.csv`?");
    assert_eq!(ran.code, Some(1));
}

#[test]
fn unreadable_images_are_named_and_may_be_tolerated() {
    let place = Workplace::new();
    place.write(
        "flat.toml",
        RECIPE
            .replace("digits.npz", "photos")
            .replace("[preprocess]", "[preprocess]\nresize = [8, 8]\ncolor = \"grey\""),
    );
    for (class, image) in (0..2).flat_map(|class| (0..12).map(move |image| (class, image))) {
        std::fs::create_dir_all(place.path(&format!("photos/kind{class}"))).unwrap();
        place.write(&format!("photos/kind{class}/{image}.bmp"), bitmap(9, 7, [class * 90, image * 9, 20]));
    }
    place.run(&["check", "photos"]).ok();
    place.write("photos/kind1/5.bmp", &bitmap(9, 7, [0, 0, 0])[..70]);
    let checked = place.run(&["check", "photos"]);
    assert_eq!(checked.code, Some(1), "{}", checked.stderr);
    assert!(
        checked.stdout.contains("kind1/5.bmp") && checked.stderr.contains("1 problem in `photos`"),
        "{}",
        checked.stdout
    );
    let text = error(&place, &["fit", "flat.toml", "--set", "split.validation=0.0"]);
    assert!(text.contains("kind1/5.bmp") && text.contains("tolerance"), "{text}");
    std::fs::remove_dir_all(place.path("runs")).unwrap();
    place.run(&["fit", "flat.toml", "--set", "data.tolerance=1", "--set", "split.validation=0.0"]).ok();
}

#[test]
fn an_empty_class_is_said() {
    let place = Workplace::new();
    std::fs::create_dir_all(place.path("photos/kind0")).unwrap();
    std::fs::create_dir_all(place.path("photos/kind1")).unwrap();
    place.write("photos/kind0/0.bmp", bitmap(9, 7, [0, 0, 0]));
    let text = error(&place, &["check", "photos"]);
    assert!(text.contains("`kind1`") && text.contains("no examples"), "{text}");
}

#[test]
fn metrics_and_formats_are_named() {
    let place = Workplace::new();
    place.run(&["-q", "fit", "tiny.toml"]).ok();
    let model = "runs/tiny/model.keras";
    let text = error(&place, &["eval", "--model", model, "--data", "digits.npz", "--metrics", "acuracy"]);
    assert_eq!(text, "error: there is no metric `acuracy`\nhint: did you mean `accuracy`?\n");
    let views = ["eval", "--model", model, "--data", "digits.npz", "--test-time-augmentation", "turned"];
    assert!(place.run(&views).fails(2).contains("only mirrored, flipped"));
    let texts = ["predict", "--model", model, "--text", "a", "--test-time-augmentation", "flipped"];
    assert!(place.run(&texts).fails(2).contains("is for images"));
    let text = error(&place, &["convert", model, "model.onnx"]);
    assert!(text.contains("names no format") && text.contains("`.keras`, `.h5` or `.weights.h5`"), "{text}");
    let text = error(&place, &["eval", "--model", model, "--data", "digits.csv"]);
    assert!(text.contains("it takes [8, 8, 1]") && text.contains("is [64]"), "{text}");
}
