//! What runs are measured by: thresholds and temperature, baselines of a new head, other data, warnings.

use crate::recipes::{build, folder};
use retune_cpu::Cpu;
use retune_data::{Dataset, Inputs, Labels};
use retune_tensor::{Key, Purpose, Tensor};
use retune_train::comparison::BaselineKind;
use retune_train::metrics::{Metric, fit_temperature};
use retune_train::recipe;
use retune_train::report::{Outcome, Warning};
use retune_train::stored::Stored;
use retune_train::trainer::Silent;
use retune_train::{Predictor, fit};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

static NEVER: AtomicBool = AtomicBool::new(false);

/// A folder with `rare.npz`: 400 rows of 4 values in two classes, the second of which is rare and hard to tell.
fn rare(folder: &Path) -> Arc<Dataset> {
    let key = Key::new(3).with(Purpose::Test(1));
    let labels: Vec<i32> = (0..400).map(|i| i32::from(key.uniform(i) < 0.12)).collect();
    let value = |i: usize| key.uniform(1_000 + i as u64) + 0.45 * labels[i / 4] as f32;
    let inputs = Tensor::new([400, 4], (0..1600).map(value).collect::<Vec<f32>>()).unwrap();
    let y = Tensor::new([400], labels.clone()).unwrap();
    retune_formats::npz::write(folder.join("rare.npz"), [("x", &inputs), ("y", &y)]).unwrap();
    Arc::new(Dataset::new("rare", Inputs::Features(inputs), Labels::classes("rare", labels, 2).unwrap()).unwrap())
}

const RARE: &str = r#"
[model]
input-shape = [4]
layers = [{ class = "Dense", units = 2, activation = "softmax" }]
[data]
path = "rare.npz"
[split]
validation = 0.3
test = 0.3
[train]
epochs = 20
[optimizer]
learning-rate = 0.02
"#;

fn run(folder: &Path, text: &str, output: &str) -> fit::Outcome {
    let settings = recipe::parse("test.toml", text, &[format!("output.path=runs/{output}")]).unwrap();
    let built = recipe::build(&settings, folder, "test", &["retune".into()]).unwrap();
    fit(built, &mut Silent, &NEVER).unwrap()
}

#[test]
fn a_chosen_threshold_is_measured_and_saved_with_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let data = rare(folder.path());
    let metrics = "metrics = [\"f1-class-1\", \"expected-calibration-error\"]\n";
    let plain = run(folder.path(), &format!("{RARE}[eval]\n{metrics}"), "plain").comparison.unwrap();
    let keys = format!("{RARE}[eval]\nthreshold = \"f1\"\ntemperature = true\n{metrics}");
    let chosen = run(folder.path(), &keys, "chosen");
    let comparison = chosen.comparison.unwrap();
    let after = |comparison: &retune_train::comparison::Comparison, name: &str| {
        let metric: Metric = name.parse().unwrap();
        comparison.metrics.iter().find(|m| m.metric == metric).unwrap().after.unwrap().value
    };
    assert!(after(&comparison, "f1-class-1") > after(&plain, "f1-class-1") + 0.1, "{comparison:?}\n{plain:?}");
    let fitted = comparison.calibration.clone().unwrap();
    assert!(fitted.thresholds.len() == 1 && fitted.thresholds[0] < 0.45, "{fitted:?}");
    assert!(fitted.temperature.is_some());

    let predictor = Predictor::load(&Cpu::new(1), &chosen.model.unwrap()).unwrap();
    assert_eq!(predictor.calibration(), &fitted);
    let scored = predictor.evaluate(data.clone(), None, None, &mut Silent).unwrap();
    assert_eq!(scored.thresholds(), fitted.thresholds);
    let answers = predictor.classify(data, &mut Silent).unwrap();
    for (item, answer) in answers.iter().enumerate() {
        assert_eq!(answer.class, scored.predicted_class(item) as usize);
        assert!((answer.probabilities[1] - scored.row(item)[1]).abs() < 1e-6);
        assert_eq!(answer.class == 1, answer.probabilities[1] > fitted.thresholds[0]);
    }
    let report = std::fs::read_to_string(folder.path().join("runs/chosen/report.html")).unwrap();
    assert!(
        report.contains("saved with the model") && report.contains("Are probabilities right?"),
        "the report says so"
    );
    // What was fitted to one run's probabilities is not taken over by the next run.
    let stored = Stored::of(&fit_on(folder.path(), "runs/chosen/model.keras")).unwrap().unwrap();
    assert!(stored.calibration.is_empty(), "{stored:?}");
}

/// The model that a run begins with.
fn fit_on(folder: &Path, model: &str) -> retune_models::Model {
    let text = format!("[model]\npath = \"{model}\"\n[data]\npath = \"rare.npz\"\n");
    let settings = recipe::parse("test.toml", &text, &[]).unwrap();
    recipe::build(&settings, folder, "next", &[]).unwrap().job.model
}

#[test]
fn the_temperature_is_that_of_the_validation_part() {
    let folder = tempfile::tempdir().unwrap();
    let data = rare(folder.path());
    let outcome = run(folder.path(), &format!("{RARE}[eval]\ntemperature = true\n"), "warm");
    let fitted = outcome.comparison.unwrap().calibration.unwrap().temperature.unwrap();
    let predictor = Predictor::load(&Cpu::new(1), &outcome.model.unwrap()).unwrap();
    let validation = retune_data::Split::by_fraction(&data, 0.3, 0.3, 0).unwrap().validation;
    let scored = predictor.evaluate(data, Some(validation), None, &mut Silent).unwrap();
    // Of probabilities at the best temperature, the best temperature is 1.
    let again = fit_temperature(&scored).unwrap();
    assert!((again - 1.0).abs() < 1e-3 && (fitted - 1.0).abs() > 1e-2, "{again} {fitted}");
}

#[test]
fn keys_that_cannot_be_met_are_refused_before_training() {
    let folder = folder();
    let problem = |more: &str| build(folder.path(), more).unwrap_err().to_string();
    assert!(problem("[eval]\ntemperature = true\n[split]\nvalidation = 0.0").contains("there is none"));
    for (more, part) in [
        ("[eval]\nthreshold = \"accuracy\"", "expected `f1`, `balanced-accuracy`, a number"),
        ("[eval]\nthreshold = 1.5", "expected a number from 0 to 1"),
        ("[eval]\nthreshold = { false-positive = 0, false-negative = 0 }", "not both 0"),
        ("[eval]\nalso = \"nowhere.npz\"", "nowhere.npz"),
    ] {
        assert!(problem(more).contains(part), "{more}: {}", problem(more));
    }
    // Three classes have no threshold: that is found at the first evaluation, before any step.
    let built = build(folder.path(), "[eval]\nthreshold = 0.3\n").unwrap();
    let error = fit(built, &mut Silent, &NEVER).unwrap_err().to_string();
    assert!(error.contains("answers are not yes or no"), "{error}");
    let log = std::fs::read_to_string(folder.path().join("runs/test/metrics.jsonl")).unwrap();
    assert_eq!(log, "", "no step was done");
}

#[test]
fn a_new_head_is_held_against_the_most_frequent_class_and_a_probe() {
    let folder = folder();
    let head = "[split]\ntest = 0.4\n[train]\nepochs = 2\n[model.unused]\n";
    let text = format!(
        "[model]\npath = \"base.keras\"\nhead = [{{ class = \"Dense\", units = 3, activation = \"softmax\" }}]\n\
         [data]\npath = \"data.npz\"\n{}",
        head.replace("[model.unused]\n", "")
    );
    let comparison = run(folder.path(), &text, "new").comparison.unwrap();
    let kinds: Vec<BaselineKind> = comparison.baselines.iter().map(|baseline| baseline.kind).collect();
    assert_eq!(kinds, [BaselineKind::MostFrequent, BaselineKind::Probe]);
    let accuracy = |index: usize| {
        let baseline = &comparison.baselines[index];
        baseline.metrics.iter().find(|m| m.metric == Metric::Accuracy).unwrap().before.unwrap().value
    };
    assert!((accuracy(0) - 1.0 / 3.0).abs() < 0.15, "{}", accuracy(0));
    assert!(accuracy(1) > 0.6, "stripes are easily told by random convolutions: {}", accuracy(1));
    assert_eq!(comparison.best_baseline().unwrap().kind, BaselineKind::Probe);
    let verdict = comparison.verdict().unwrap();
    assert_eq!((verdict.baseline, verdict.before.value), (Some(BaselineKind::Probe), accuracy(1)));
    assert_ne!(verdict.outcome(), Outcome::Better, "two epochs from a random head do not beat the probe");
    let report = std::fs::read_to_string(folder.path().join("runs/new/report.html")).unwrap();
    assert!(report.contains("Probe of the frozen features") && report.contains("The head is new"));

    let kept = run(
        folder.path(),
        "[model]\npath = \"base.keras\"\n[data]\npath = \"data.npz\"\n[train]\nepochs = 1\n",
        "kept",
    );
    assert!(kept.comparison.unwrap().baselines.is_empty(), "its own head is measured as it is");
    let without = format!("{text}[eval]\nprobe = false\n");
    assert!(run(folder.path(), &without, "without").comparison.unwrap().baselines.is_empty());
}

#[test]
fn other_data_is_measured_before_and_after() {
    let folder = folder();
    let other = crate::fixture::data(30);
    let Inputs::Images(x) = other.inputs() else { panic!("images") };
    // The same stripes, their classes named otherwise: what is learned of one is forgotten of the other.
    let y: Vec<i32> = (0..30).map(|i| (other.labels().class_of(i).unwrap() as i32 + 1) % 3).collect();
    let y = Tensor::new([30], y).unwrap();
    retune_formats::npz::write(folder.path().join("other.npz"), [("x", x), ("y", &y)]).unwrap();
    let text = "[model]\npath = \"base.keras\"\n[data]\npath = \"data.npz\"\n[train]\nepochs = 10\n\
                [optimizer]\nlearning-rate = 0.01\n[eval]\nalso = \"other.npz\"\n";
    let outcome = run(folder.path(), text, "also");
    let also = outcome.also.unwrap();
    assert_eq!((also.part, also.items), ("also", 30));
    let accuracy = also.metrics.iter().find(|m| m.metric == Metric::Accuracy).unwrap();
    assert!(accuracy.after.unwrap().value < 0.2, "{accuracy:?}");
    assert!(folder.path().join("runs/also/evaluation-also.json").exists());
    let report = std::fs::read_to_string(folder.path().join("runs/also/report.html")).unwrap();
    assert!(report.contains("On the other data") && report.contains("30 items of `eval.also`"));
    let manifest = retune_train::run::Manifest::read(&folder.path().join("runs/also")).unwrap();
    assert!(manifest.data.iter().any(|data| data.part == "also" && data.examples == 30));
}

#[test]
fn figures_that_say_too_much_are_warned_about() {
    let folder = folder();
    let warnings = |more: &str, output: &str| {
        let text = format!("[model]\npath = \"base.keras\"\n[data]\npath = \"data.npz\"\n{more}\n");
        let settings = recipe::parse("test.toml", &text, &[format!("output.path=runs/{output}")]).unwrap();
        recipe::build(&settings, folder.path(), "test", &[]).unwrap().warnings
    };
    assert_eq!(warnings("[split]\ntest = 0.2", "first"), []);
    std::fs::copy(folder.path().join("data.npz"), folder.path().join("copy.npz")).unwrap();
    assert_eq!(warnings("test = \"copy.npz\"", "first"), [Warning::TrainIsTest]);
    let both = warnings("test = \"copy.npz\"\nvalidation = \"copy.npz\"", "first");
    assert_eq!(both, [Warning::ValidationIsTest, Warning::TrainIsTest]);
    let early = "[split]\nvalidation = 0.0\n[train]\nearly-stopping-patience = 2";
    assert_eq!(warnings(early, "first"), [Warning::StopsWithoutValidation]);

    let base =
        "[model]\npath = \"base.keras\"\n[data]\npath = \"data.npz\"\n[split]\ntest = 0.2\n[train]\nepochs = 1\n";
    run(folder.path(), base, "first");
    let again = warnings("[split]\ntest = 0.2", "second");
    assert_eq!(again, [Warning::TestUsedBefore { runs: vec!["first".into()] }]);
    assert_eq!(warnings("[split]\ntest = 0.2", "first"), [], "a run is not compared with itself");
    assert_eq!(warnings("[split]\ntest = 0.3", "second"), [], "other items");
    run(folder.path(), base, "second");
    let report = std::fs::read_to_string(folder.path().join("runs/second/report.html")).unwrap();
    assert!(report.contains("Earlier runs in the same folder (1: `first`)"), "the report warns");
}
