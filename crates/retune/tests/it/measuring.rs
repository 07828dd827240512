//! `compare`, `fit --seeds`, `runs` and `watch`, and the languages of what they say.

use crate::support::Workplace;
use serde_json::Value;
use std::io::{BufRead, BufReader};

fn fit(place: &Workplace, output: &str, more: &[&str]) {
    place.run(&[&["-q", "fit", "tiny.toml", "--output", output, "--set", "split.test=0.3"], more].concat()).ok();
}

#[test]
fn models_are_compared_on_the_same_items() {
    let place = Workplace::new();
    fit(&place, "runs/short", &["--epochs", "1"]);
    fit(&place, "runs/long", &["--epochs", "12"]);
    let models = ["runs/short/model.keras", "runs/long/model.keras"];
    let arguments = ["compare", models[0], models[1], "--data", "digits.npz", "--html", "compared.html"];
    let text = place.run(&arguments).ok();
    for part in ["240 items (all)", "short/model.keras", "long/model.keras against short/model.keras", "Holm", "real"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let html = String::from_utf8(place.read("compared.html")).unwrap();
    assert!(html.contains("long/model.keras") && html.contains("Where they part") && html.contains("<img"), "{html}");

    let object = place.run(&["--json", "compare", models[0], models[1], models[1], "--data", "digits.npz"]).json();
    let pairs = object["pairs"].as_array().unwrap();
    assert_eq!(pairs.len(), 3);
    let accuracy = |pair: &Value| {
        let all = pair["differences"].as_array().unwrap().clone();
        all.into_iter().find(|d| d["metric"] == "accuracy").unwrap()
    };
    let real = accuracy(&pairs[0]);
    assert!(real["difference"]["difference"]["low"].as_f64().unwrap() > 0.1, "{real}");
    assert!(real["corrected-p-value"].as_f64().unwrap() >= real["p-value"].as_f64().unwrap());
    assert!(real["corrected-p-value"].as_f64().unwrap() < 0.05);
    let twice =
        pairs.iter().find(|pair| (pair["first"].as_u64(), pair["second"].as_u64()) == (Some(1), Some(2))).unwrap();
    assert_eq!(accuracy(twice)["p-value"], 1.0, "a model does not differ from itself");
    let parting = &object["partings"][0];
    assert!(parting["answers"].as_array().unwrap().contains(&parting["truth"]), "{parting}");

    let chinese = place.run(&["--lang", "zh", "compare", models[0], models[1], "--data", "digits.npz"]).ok();
    assert!(chinese.contains("240 个样本（全部）") && chinese.contains("Holm 方法"), "{chinese}");
}

#[test]
fn models_for_other_labels_are_not_compared() {
    let place = Workplace::new();
    fit(&place, "runs/ten", &["--epochs", "1"]);
    let two = ["model.layers=[{ class = \"Flatten\" }, { class = \"Dense\", units = 12, activation = \"softmax\" }]"];
    fit(&place, "runs/twelve", &["--epochs", "1", "--set", two[0]]);
    let error =
        place.run(&["compare", "runs/ten/model.keras", "runs/twelve/model.keras", "--data", "digits.npz"]).fails(1);
    assert!(error.contains("one of 10 classes") && error.contains("one of 12 classes"), "{error}");
    assert!(error.contains("hint: compare models that were trained for the same labels"), "{error}");
    place.run(&["compare", "runs/ten/model.keras", "--data", "digits.npz"]).fails(2);
    let typo = place.run(&["compare", "runs/ten/model.keras", "runs/ten/modle.keras", "--data", "digits.npz"]).fails(1);
    assert!(typo.contains("did you mean `runs/ten/model.keras`"), "{typo}");
}

#[test]
fn labels_that_the_model_does_not_know_are_named() {
    let place = Workplace::new();
    for (folder, names) in [("known", ["cat", "dog", "owl"]), ("other", ["cat", "dog", "bee"])] {
        for (class, name) in names.iter().enumerate() {
            std::fs::create_dir_all(place.path(&format!("{folder}/{name}"))).unwrap();
            for image in 0..6u8 {
                let pixels = crate::support::bitmap(8, 8, [class as u8 * 80, image * 9, 200]);
                place.write(&format!("{folder}/{name}/{image}.bmp"), pixels);
            }
        }
    }
    let layers = "model.layers=[{ class = \"Flatten\" }, { class = \"Dense\", units = 3, activation = \"softmax\" }]";
    let set = ["--set", layers, "--set", "model.input-shape=[8, 8, 3]", "--set", "data.path=known"];
    place.run(&[&["-q", "fit", "tiny.toml", "--epochs", "1", "--output", "runs/pets"], &set[..]].concat()).ok();
    place.run(&["eval", "--model", "runs/pets/model.keras", "--data", "known"]).ok();
    let error = place.run(&["eval", "--model", "runs/pets/model.keras", "--data", "other"]).fails(1);
    assert!(error.contains("`bee`") && error.contains("`owl`"), "{error}");
    assert!(error.contains("hint: the model does not know `bee`"), "{error}");
}

#[test]
fn several_seeds_are_one_run() {
    let place = Workplace::new();
    let arguments = ["fit", "tiny.toml", "--epochs", "2", "--seeds", "3", "--output", "runs/many"];
    let first = place.run(&arguments);
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert!(first.stdout.contains("3 of 3 seeds gave a result, on validation items"), "{}", first.stdout);
    assert!(first.stderr.contains("seed 2 (3 of 3), in `runs/many/seed-2`"), "{}", first.stderr);
    let object: Value = serde_json::from_slice(&place.read("runs/many/seeds.json")).unwrap();
    let after = &object["metrics"].as_array().unwrap().iter().find(|m| m["metric"] == "accuracy").unwrap()["after"];
    assert_eq!((after["runs"].as_u64(), after["failed"].as_u64()), (Some(3), Some(0)));
    assert!(after["worst"].as_f64() <= after["mean"].as_f64() && after["mean"].as_f64() <= after["best"].as_f64());
    let hash = |seed: u64| {
        let run: Value = serde_json::from_slice(&place.read(&format!("runs/many/seed-{seed}/run.json"))).unwrap();
        (run["seed"].as_u64(), run["data"][1]["sha256"].clone(), run["data"][1]["examples"].clone())
    };
    assert_eq!((hash(0).0, hash(2).0), (Some(0), Some(2)));
    let recipe = |seed: u64| String::from_utf8(place.read(&format!("runs/many/seed-{seed}/recipe.toml"))).unwrap();
    assert!(
        (0..3).all(|seed| recipe(seed).contains("[split]\nseed = 0\n")),
        "the same division for all: {}",
        recipe(2)
    );

    // Finished seeds are kept, a half-done one goes on, a new one is added.
    let model = place.read("runs/many/seed-1/model.keras");
    std::fs::remove_file(place.path("runs/many/seed-2/outcome.json")).unwrap();
    let again = place.run(&["--json", "fit", "tiny.toml", "--epochs", "2", "--seeds", "4", "--output", "runs/many"]);
    assert!(again.stderr.contains("seed 1 (2 of 4) is finished already"), "{}", again.stderr);
    assert!(again.stderr.contains("seed 2 (3 of 4), in") && again.stderr.contains("seed 3 (4 of 4), in"));
    let object = again.json();
    assert_eq!(object["runs"].as_array().unwrap().iter().filter(|run| run["was-finished"] == true).count(), 2);
    assert!(place.read("runs/many/seed-1/model.keras") == model);
    let other = place.run(&["fit", "tiny.toml", "--epochs", "3", "--seeds", "2", "--output", "runs/many"]).fails(1);
    assert!(
        other.contains("holds a run of another recipe") && other.contains("hint: choose another folder"),
        "{other}"
    );
}

#[test]
fn a_seed_that_fails_does_not_stop_the_others() {
    let place = Workplace::new();
    let ran = place.run(&["fit", "tiny.toml", "--seeds", "2", "--learning-rate", "1e30", "--output", "runs/bad"]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("0 of 2 seeds gave a result"), "{}", ran.stdout);
    assert!(ran.stdout.contains("seed 0 failed: the loss") && ran.stdout.contains("seed 1 failed"), "{}", ran.stdout);
}

#[test]
fn runs_are_listed_and_compared() {
    let place = Workplace::new();
    let nothing = place.run(&["runs", "."]).fails(1);
    assert!(nothing.contains("there is no run in `.`"), "{nothing}");
    fit(&place, "runs/a", &["--epochs", "1"]);
    fit(&place, "runs/b", &["--epochs", "2", "--learning-rate", "0.02"]);
    let table = place.run(&["runs"]).ok();
    let line = |name: &str| table.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{table}"));
    assert!(line("a ").contains("done") && line("a ").contains("1/1") && line("a ").contains("test"), "{table}");
    assert!(line("b ").contains("2/2") && line("b ").contains("accuracy"), "{table}");
    let compared = place.run(&["runs", "runs/a", "runs/b"]).ok();
    for part in ["train.epochs", "optimizer.learning-rate", "0.02", "→", "retune compare runs/a/model.keras"] {
        assert!(compared.contains(part), "{part}: {compared}");
    }
    assert!(!compared.contains("output.path") && !compared.contains("train.batch-size"), "{compared}");
    let object = place.run(&["--json", "runs", "runs/a", "runs/b"]).json();
    assert_eq!(object["runs"][1]["figures"].as_array().unwrap().len(), 3, "{object}");
    let chinese = place.run(&["--lang", "zh", "runs"]).ok();
    assert!(chinese.contains("完成") && chinese.contains("测试"), "{chinese}");
    assert!(place.run(&["runs", "runs/a", "runs"]).fails(1).contains("`runs` is no run"));
}

#[test]
fn a_run_is_watched_and_left_alone() {
    let place = Workplace::new();
    let long = ["-q", "fit", "tiny.toml", "--epochs", "4000", "--output", "runs/long"];
    let mut training = place.start(&[&long[..], &["--set", "output.log-every-steps=5"]].concat());
    while !place.path("runs/long/plan.json").exists() {
        assert!(training.try_wait().unwrap().is_none(), "the run goes on");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // Through a pipe: a line for what is new, until the reader goes.
    let mut watching = place.start(&["watch", "runs/long", "--every", "0.05"]);
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    assert!(line.contains("epoch") && line.contains("training loss"), "{line}");
    drop(lines);
    assert!(watching.wait().unwrap().success());
    let shown = place.run(&["watch", "runs/long", "--once"]).ok();
    assert!(shown.contains("long: running") && shown.contains("examples/s") && shown.contains(" left"), "{shown}");
    let listed = place.run(&["runs"]).ok();
    assert!(listed.contains("running"), "{listed}");
    assert!(training.try_wait().unwrap().is_none(), "the run does not mind");
    training.kill().unwrap();
    training.wait().unwrap();
    let stopped = place.run(&["watch", "runs/long"]).ok();
    assert!(stopped.contains("go on with `retune resume runs/long`"), "{stopped}");

    fit(&place, "runs/short", &["--set", "output.log-every-steps=1"]);
    let over = place.run(&["watch", "runs/short"]).ok();
    assert!(
        over.contains("short: done") && over.contains("validation accuracy") && over.contains('\u{2800}'),
        "{over}"
    );
    let object = place.run(&["--json", "watch", "runs/short"]).json();
    assert_eq!((object["state"].as_str(), object["epoch"].as_u64()), (Some("completed"), Some(3)));
}

#[test]
fn language_is_that_of_the_locale_unless_it_is_given() {
    let place = Workplace::new().with_environment(&[("LC_ALL", "zh_CN.UTF-8")]);
    let text = place.run(&["-q", "fit", "tiny.toml", "--epochs", "1"]).ok();
    assert!(text.contains("微调前") && text.contains("报告"), "{text}");
    let report = String::from_utf8(place.read("runs/tiny/report.html")).unwrap();
    assert!(report.contains("<html lang=\"zh-Hans\">") && report.contains("学习曲线"));
    let english = place.run(&["--lang", "en", "runs"]).ok();
    assert!(english.contains("done"), "{english}");
    assert!(place.run(&["--lang", "xx", "runs"]).fails(2).contains("`en` or `zh`"));
}

#[test]
fn a_threshold_is_chosen_saved_and_used() {
    let place = Workplace::new();
    let mut rows = String::from("a,b,label\n");
    for i in 0..300u32 {
        let noise =
            |k: u32| f64::from(i.wrapping_mul(2_654_435_761).wrapping_add(k.wrapping_mul(40_503)) % 1000) / 1000.0;
        let class = u32::from(i % 8 == 0);
        rows += &format!("{:.3},{:.3},{class}\n", noise(1) + 0.3 * f64::from(class), noise(2) + 0.3 * f64::from(class));
    }
    place.write("rare.csv", rows);
    let layers = "model.layers=[{ class = \"Dense\", units = 2, activation = \"softmax\" }]";
    let arguments = [
        "fit",
        "tiny.toml",
        "--epochs",
        "10",
        "--output",
        "runs/rare",
        "--set",
        layers,
        "--set",
        "model.input-shape=[2]",
        "--set",
        "data.path=rare.csv",
        "--set",
        "split.validation=0.3",
        "--set",
        "eval.threshold=f1",
        "--set",
        "eval.temperature=true",
        "--set",
        "preprocess.scale=1.0",
        "--set",
        "augment.rotation=0.0",
    ];
    let ran = place.run(&arguments);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("yes above 0.") && ran.stdout.contains("temperature "), "{}", ran.stdout);
    let eval = place.run(&[
        "--json",
        "eval",
        "--model",
        "runs/rare/model.keras",
        "--data",
        "rare.csv",
        "--metrics",
        "f1-class-1",
    ]);
    assert!(eval.json()["metrics"]["f1-class-1"]["value"].as_f64().unwrap() > 0.2);
}
