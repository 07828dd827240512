//! Classifiers on the pooling module of a folder of sentence-transformers, and what a recipe's defaults are for encoders of texts.

use crate::texts::{build, model_folder, write_data};
use retune_cpu::Cpu;
use retune_data::{Dataset, dataset::Texts};
use retune_graph::ops::sequence::Pooling;
use retune_models::{Model, Task};
use retune_train::metrics::Metric;
use retune_train::recipe::{self, Built};
use retune_train::schedules::Decay;
use retune_train::trainer::{Ending, Event, Silent};
use retune_train::{Predictor, ResumeOptions, fit, resume};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

static NEVER: AtomicBool = AtomicBool::new(false);

/// The tiny BERT as sentence-transformers has it: without a head, texts pooled by the mean.
fn sentence_folder(root: &Path) {
    let folder = model_folder(root);
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/transformers/bert_bare");
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(golden.join(name), folder.join(name)).unwrap();
    }
    std::fs::create_dir(folder.join("1_Pooling")).unwrap();
    std::fs::write(folder.join("1_Pooling/config.json"), r#"{"pooling_mode_mean_tokens": true}"#).unwrap();
    let module = |idx: usize, path: &str, class: &str| serde_json::json!({ "idx": idx, "name": idx.to_string(), "path": path, "type": format!("sentence_transformers.models.{class}") });
    let modules = serde_json::json!([module(0, "", "Transformer"), module(1, "1_Pooling", "Pooling")]);
    std::fs::write(folder.join("modules.json"), modules.to_string()).unwrap();
}

/// A place with the folder and texts of two labels.
fn place() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    sentence_folder(root.path());
    write_data(root.path(), 60);
    root
}

fn plain(root: &Path, text: &str) -> Built {
    let text = format!("[model]\npath = \"base\"\n[data]\npath = \"data\"\n{text}");
    recipe::build(&recipe::parse("texts.toml", &text, &[]).unwrap(), root, "test", &[]).unwrap()
}

#[test]
fn a_run_of_each_method_is_saved_with_equal_answers() {
    let root = place();
    for method in ["head", "full", "lora", "lp-ft"] {
        let more = format!(
            "[train]\nepochs = 3\nbatch-tokens = 60\n[method]\nkind = \"{method}\"\n[output]\npath = \"{method}\""
        );
        let built = build(root.path(), &more).unwrap();
        assert!(
            built.notes.len() == 1 && built.notes[0].english().contains("the mean of all tokens"),
            "{:?}",
            built.notes
        );
        assert_eq!(built.job.model.pooling(), Some(Pooling::Mean));
        if method == "head" {
            assert_eq!(built.facts.trainable_parameters, 16 * 2 + 2);
        }
        let outcome = fit(built, &mut Silent, &NEVER).unwrap();
        let loss = outcome.comparison.unwrap().metrics.into_iter().find(|m| m.metric == Metric::Loss).unwrap();
        let [before, after] = [loss.before.unwrap().value, loss.after.unwrap().value];
        assert!(after < before, "{method}: {before} {after}");

        let folder = outcome.model.unwrap();
        assert!(folder.join("2_Dense/model.safetensors").is_file());
        let predictor = Predictor::load(&Cpu::new(1), &folder).unwrap();
        let Some(Task::Classification { labels }) = predictor.model().task() else { panic!("a classifier") };
        assert_eq!(labels, &["negative", "positive"]);
        let data = retune_data::open(&root.path().join("data"), &Default::default()).unwrap().test.unwrap();
        let scored = predictor.evaluate(Arc::new(data), None, None, &mut Silent).unwrap();
        assert!((Metric::Loss.value(&scored).unwrap() - after).abs() < 1e-5, "{method}");

        // The saved model goes on with its head.
        let more = format!("[train]\nepochs = 1\n[output]\npath = \"{method}-again\"");
        let text = format!("[model]\npath = {folder:?}\n[data]\npath = \"data\"\n{more}");
        let again = recipe::build(&recipe::parse("again.toml", &text, &[]).unwrap(), root.path(), "test", &[]).unwrap();
        assert!(again.notes.is_empty(), "{:?}", again.notes);
        let head = |model: &Model| model.weights.iter().find(|w| w.name == "classifier.weight").unwrap().value.clone();
        assert_eq!(head(&again.job.model), head(predictor.model()));
    }
}

#[test]
fn a_run_cut_off_ends_with_the_same_bits() {
    let root = place();
    let more = |folder: &str| {
        format!("[method]\nkind = \"lp-ft\"\n[train]\nepochs = 3\nbatch-tokens = 45\n[output]\npath = \"{folder}\"")
    };
    let whole = fit(build(root.path(), &more("whole")).unwrap(), &mut Silent, &NEVER).unwrap();
    let interrupt = AtomicBool::new(false);
    let mut observer = |event: &Event<'_>| {
        if matches!(event, Event::Step { step: 7, .. }) {
            interrupt.store(true, Ordering::Relaxed);
        }
    };
    let cut = fit(build(root.path(), &more("cut")).unwrap(), &mut observer, &interrupt).unwrap();
    assert_eq!(cut.ending, Ending::Interrupted);
    let resumed = resume(&root.path().join("cut"), ResumeOptions::default(), &mut Silent, &NEVER).unwrap();
    let [one, other] = [whole, resumed].map(|outcome| Model::load(outcome.model.unwrap()).unwrap().0);
    assert!(one.weights.iter().zip(&other.weights).all(|(a, b)| a.value == b.value));
}

#[test]
fn the_recipe_says_what_the_head_stands_on() {
    let root = place();
    let build = |pooling: &str| {
        let text = format!("[model]\npath = \"base\"\npooling = \"{pooling}\"\n[data]\npath = \"data\"");
        let settings = recipe::parse("texts.toml", &text, &[]).map_err(|error| error.to_string())?;
        recipe::build(&settings, root.path(), "test", &[]).map_err(|error| error.to_string())
    };
    for (name, pooling, note) in [
        ("mean", Some(Pooling::Mean), "the mean of all tokens"),
        ("cls", Some(Pooling::First), "the first token"),
        ("lasttoken", Some(Pooling::Last), "the last token"),
        ("pooler", None, "the architecture's own"),
    ] {
        let built = build(name).unwrap();
        assert_eq!(built.job.model.pooling(), pooling);
        assert!(built.notes[0].english().contains(note), "{:?}", built.notes);
        let has_pooler = built.job.model.weights.iter().any(|weight| weight.name.contains("pooler"));
        assert_eq!(has_pooler, pooling.is_none());
    }
    assert!(build("max").unwrap_err().contains("lasttoken"));
    // A folder that does not say how it pools is as before.
    std::fs::remove_file(root.path().join("base/modules.json")).unwrap();
    std::fs::remove_dir_all(root.path().join("base/1_Pooling")).unwrap();
    let built = plain(root.path(), "");
    assert_eq!((built.job.model.pooling(), built.notes.len()), (None, 0));
    assert!(built.job.model.weights.iter().any(|weight| weight.name == "bert.pooler.dense.weight"));
}

#[test]
fn labels_without_names_take_those_of_the_data() {
    let root = tempfile::tempdir().unwrap();
    let base = model_folder(root.path());
    let head = |model: &Model| model.weights.iter().find(|w| w.name == "classifier.weight").unwrap().value.clone();
    let own = head(&Model::load(&base).unwrap().0);
    std::fs::create_dir(root.path().join("data")).unwrap();
    let rows: String = (0..30).map(|i| format!("a film {}\t{}\n", i % 3, ["no", "maybe", "yes"][i % 3])).collect();
    std::fs::write(root.path().join("data/train.tsv"), format!("text\tlabel\n{rows}")).unwrap();
    let built = plain(root.path(), "");
    let Some(Task::Classification { labels }) = built.job.model.task() else { panic!("a classifier") };
    assert_eq!(labels, &["maybe", "no", "yes"]);
    assert_eq!(head(&built.job.model), own);
    assert!(built.notes[0].english().contains("its head is kept"), "{:?}", built.notes);
    // Names that are others draw a new one.
    built.job.model.save(root.path().join("base")).unwrap();
    std::fs::write(root.path().join("data/train.tsv"), format!("text\tlabel\n{}", rows.replace("maybe", "never")))
        .unwrap();
    let built = plain(root.path(), "");
    assert_ne!(head(&built.job.model), own);
    assert!(
        built.notes[0].english().contains("a new head is drawn") && built.notes[0].english().contains("`maybe`"),
        "{:?}",
        built.notes
    );
}

#[test]
fn encoders_of_texts_have_learning_rates_of_their_own() {
    let root = place();
    for (method, rates) in
        [("full", vec![5e-5]), ("head", vec![1e-3]), ("lora", vec![5e-4]), ("lp-ft", vec![1e-3, 5e-5])]
    {
        let built = plain(root.path(), &format!("[method]\nkind = \"{method}\"\n"));
        let found: Vec<f64> = built.job.stages.iter().map(|stage| stage.schedule.learning_rate).collect();
        assert_eq!(found, rates, "{method}");
        assert!(built.job.stages.iter().all(|stage| matches!(stage.schedule.decay, Decay::Linear(_))), "{method}");
        if method == "full" {
            // 10 epochs of 2 steps: 54 texts in batches of 32.
            assert_eq!(built.job.stages[0].schedule.warmup.steps, 2);
        }
        // What was decided stands in the recipe that is kept, and is decided no second time.
        let again = recipe::parse("kept.toml", &built.recipe, &[]).unwrap();
        let again = recipe::build(&again, Path::new("/"), "test", &[]).unwrap();
        assert_eq!(again.job.stages, built.job.stages, "{method}");
    }
    for (text, rate) in [("[optimizer]\nlearning-rate = 1e-4", 1e-4), ("[optimizer]\nkind = \"sgd\"", 0.01)] {
        let schedule = plain(root.path(), text).job.stages[0].schedule.clone();
        assert_eq!((schedule.learning_rate, schedule.decay, schedule.warmup.steps), (rate, Decay::Constant, 0));
    }
    let schedule = plain(root.path(), "[schedule]\nkind = \"cosine\"").job.stages[0].schedule.clone();
    assert!(schedule.learning_rate == 5e-5 && matches!(schedule.decay, Decay::Cosine(_)) && schedule.warmup.steps == 0);
}

#[test]
fn the_kept_recipe_works_from_wherever_it_lies() {
    let root = place();
    let built = plain(root.path(), "[train]\nepochs = 1");
    let kept = recipe::parse("kept.toml", &built.recipe, &[]).unwrap();
    let path =
        |located: &Option<recipe::document::Located<std::path::PathBuf>>| located.as_ref().unwrap().value.clone();
    assert_eq!(path(&kept.recipe().model.path), root.path().join("base"));
    assert_eq!(path(&kept.recipe().data.path), root.path().join("data"));
}

#[test]
fn paths_of_overrides_start_where_the_command_runs() {
    let here = Path::new("/here");
    let from = |text: &str| recipe::with_path_from(text, here);
    assert_eq!(from("data.path=texts.tsv"), "data.path=\"/here/texts.tsv\"");
    assert_eq!(from("model.path = \"a b\""), "model.path =\"/here/a b\"");
    assert_eq!(from("model.path=/there"), "model.path=\"/there\"");
    assert_eq!(from("model.path=hf://org/name"), "model.path=hf://org/name");
    assert_eq!(from("train.epochs=3"), "train.epochs=3");
}

#[test]
fn answers_for_new_texts_are_those_of_the_run() {
    let root = place();
    let more = "[train]\nepochs = 20\nbatch-tokens = 60\n[output]\npath = \"run\"";
    let outcome = fit(build(root.path(), more).unwrap(), &mut Silent, &NEVER).unwrap();
    let predictor = Predictor::load(&Cpu::new(1), &outcome.model.unwrap()).unwrap();
    let first: Vec<String> = ["the film was good !", "a very bad story"].map(str::to_owned).to_vec();
    let data = Arc::new(Dataset::from_texts("new", Texts::single(first)).unwrap());
    let answers = predictor.classify(data, &mut Silent).unwrap();
    assert_eq!(answers.iter().map(|answer| answer.name.as_str()).collect::<Vec<_>>(), ["positive", "negative"]);
}
