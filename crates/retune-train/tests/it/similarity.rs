//! Similarity of texts: two through one encoder, compared by the angle between their vectors.

use crate::texts::{WORDS, model_folder};
use retune_cpu::Cpu;
use retune_data::dataset::Texts;
use retune_data::{Dataset, LabelType, Loader, SourceOptions};
use retune_formats::safetensors::SafetensorsFile;
use retune_models::{Model, Task};
use retune_train::metrics::Metric;
use retune_train::recipe::{self, Built};
use retune_train::trainer::Silent;
use retune_train::{Predictor, TrainError, fit};
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

static NEVER: AtomicBool = AtomicBool::new(false);

/// Two texts, alike where `good` or `bad` stands in both, with a score of 1 to 5.
fn pair(index: usize) -> (String, String, f32) {
    let mood = |is_good: bool| if is_good { "good" } else { "bad" };
    let (first, second) = (index.is_multiple_of(2), index.is_multiple_of(3));
    // Eleven words, so that none of them tells the moods.
    let word = |i: usize| WORDS[(index * 7 + i * 5) % 11];
    let texts = (format!("{} {} film", word(0), mood(first)), format!("{} {} {}", mood(second), word(1), word(2)));
    (texts.0, texts.1, if first == second { 5.0 } else { 1.0 })
}

fn write_pairs(root: &Path, count: usize) {
    for (name, range) in [("train.tsv", 0..count), ("test.tsv", 600..640)] {
        let mut text = "sentence1\tsentence2\tscore\n".to_owned();
        for (first, second, score) in range.map(pair) {
            writeln!(text, "{first}\t{second}\t{score}").unwrap();
        }
        std::fs::create_dir_all(root.join("pairs")).unwrap();
        std::fs::write(root.join("pairs").join(name), text).unwrap();
    }
}

fn build(root: &Path, more: &str, overrides: &[&str]) -> Result<Built, TrainError> {
    let text = format!(
        "[model]\npath = \"base\"\ntask = \"similarity\"\n[data]\npath = \"pairs\"\n[optimizer]\nkind = \"adam\"\nlearning-rate = 0.003\n{more}"
    );
    let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
    recipe::build(&recipe::parse("pairs.toml", &text, &overrides)?, root, "test", &[])
}

fn place(count: usize) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    model_folder(root.path());
    write_pairs(root.path(), count);
    root
}

fn texts(first: &[&str], second: Option<&[&str]>) -> Arc<Dataset> {
    let owned = |texts: &[&str]| texts.iter().copied().collect();
    Arc::new(Dataset::from_texts("new", Texts { first: owned(first), second: second.map(owned) }).unwrap())
}

fn rows(predictor: &Predictor, data: Arc<Dataset>) -> Vec<Vec<f64>> {
    let outputs = predictor.outputs(data, &mut Silent).unwrap();
    let rows = outputs.as_f32().unwrap().chunks_exact(outputs.shape()[1]);
    rows.map(|row| row.iter().map(|&x| f64::from(x)).collect()).collect()
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn a_run_learns_and_saves_an_encoder_without_a_head() {
    let root = place(120);
    let more = "[preprocess]\nprefix = \"the \"\n[train]\nepochs = 30\nbatch-tokens = 80\nbucket = true\n[output]\npath = \"run\"";
    let built = build(root.path(), more, &[]).unwrap();
    assert_eq!(built.preprocessing.score_range, Some([1.0, 5.0]), "found in the data");
    assert_eq!((built.facts.output_shape.as_slice(), built.model_name.as_str()), (&[1][..], "model"));
    let outcome = fit(built, &mut Silent, &NEVER).unwrap();
    let loss = outcome.comparison.unwrap().metrics.into_iter().find(|m| m.metric == Metric::Loss).unwrap();
    let [before, after] = [loss.before.unwrap().value, loss.after.unwrap().value];
    assert!(after < 0.05 && after < before / 2.0, "{before} {after}");

    let folder = outcome.model.unwrap();
    let json = |name: &str| -> Value { serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap() };
    assert_eq!(json("config.json")["architectures"], serde_json::json!(["BertModel"]));
    let pooling = json("1_Pooling/config.json");
    assert_eq!(
        (&pooling["word_embedding_dimension"], &pooling["pooling_mode_mean_tokens"]),
        (&16.into(), &true.into())
    );
    let classes: Vec<String> = json("modules.json").as_array().unwrap().iter().map(|m| m["type"].to_string()).collect();
    assert!(
        classes.len() == 2 && classes[0].contains(".Transformer") && classes[1].contains(".Pooling"),
        "{classes:?}"
    );
    assert_eq!(json("sentence_bert_config.json")["max_seq_length"], 12);
    let file = SafetensorsFile::read(folder.join("model.safetensors")).unwrap();
    let is_base = |name: &String| name.starts_with("embeddings.") || name.starts_with("encoder.");
    assert!(file.tensors.keys().all(is_base), "{:?}", file.tensors.keys());

    // Pairs give what the vectors of their texts, each by itself, say.
    let predictor = Predictor::load(&Cpu::new(1), &folder).unwrap();
    assert!(matches!(predictor.model().task(), Some(Task::Embedding { .. })));
    let (first, second) = (["the good film", "quite bad film"], ["good story plot", "good very actor"]);
    let found = rows(&predictor, texts(&first, Some(&second)));
    let vectors = [rows(&predictor, texts(&first, None)), rows(&predictor, texts(&second, None))];
    for index in 0..2 {
        let expected = cosine(&vectors[0][index], &vectors[1][index]);
        assert!((found[index][0] - expected).abs() < 1e-5, "{:?} and {expected}", found[index]);
    }
    assert!(found[0][0] > 0.7 && found[1][0] < 0.3, "{found:?}");

    // Scores are brought to 0 to 1 as in training.
    let data = retune_data::open(
        &root.path().join("pairs"),
        &SourceOptions { labels: Some(LabelType::Real), ..Default::default() },
    )
    .unwrap()
    .test
    .unwrap();
    let scored = predictor.evaluate(Arc::new(data), None, None, &mut Silent).unwrap();
    assert!((Metric::Loss.value(&scored).unwrap() - after).abs() < 1e-5);
    assert!(scored.true_values().iter().all(|&score| score == 0.0 || score == 1.0));
}

#[test]
fn every_method_but_head_trains_an_encoder() {
    let root = place(60);
    let initial = build(root.path(), "", &[]).unwrap().job.model;
    for (method, trained) in
        [("full", ""), ("gradual", ""), ("lora", "lora_"), ("ia3", "ia3_"), ("biases", "bias"), ("norms", "LayerNorm")]
    {
        let output = format!("output.path={method}");
        let set = [&format!("method.kind={method}"), "train.epochs=1", "train.precision=bf16", &output];
        let built = build(root.path(), "", &set.map(|text: &str| text)).unwrap();
        let trainable = built.job.model.weights.iter().filter(|weight| weight.trainable).count();
        assert!(
            trainable > 0 && built.job.model.weights.iter().all(|w| !w.trainable || w.name.contains(trained)),
            "{method}"
        );
        let outcome = fit(built, &mut Silent, &NEVER).unwrap();
        let tuned = Model::load(outcome.model.unwrap()).unwrap().0;
        let changed = tuned.weights.iter().zip(&initial.weights).filter(|(a, b)| a.value != b.value).count();
        assert!(changed > 0, "{method}");
        if method == "lora" {
            let config = std::fs::read_to_string(root.path().join("lora/adapter/adapter_config.json")).unwrap();
            let config: Value = serde_json::from_str(&config).unwrap();
            assert_eq!(
                (&config["task_type"], &config["modules_to_save"]),
                (&"FEATURE_EXTRACTION".into(), &Value::Null)
            );
            assert!(config["target_modules"][0].as_str().unwrap().starts_with("encoder.layer."), "{config}");
        }
    }
    for method in ["head", "lp-ft"] {
        let error = build(root.path(), "", &[&format!("method.kind={method}")]).unwrap_err().to_string();
        let expected = format!("`{method}` trains a head, and a model for `similarity` has none");
        assert!(error.contains(&expected), "{error}");
    }
}

/// What is frozen is kept per pair: sequences of both texts.
#[test]
fn the_cache_of_frozen_layers_changes_nothing() {
    let root = place(40);
    let model = |cache: bool| {
        let set = [
            &format!("train.cache={cache}"),
            "model.freeze-up-to=encoder.layer.0",
            "train.epochs=2",
            "train.batch-size=7",
            &format!("output.path=run-{cache}"),
        ];
        let built = build(root.path(), "", &set.map(|text: &str| text)).unwrap();
        let outcome = fit(built, &mut Silent, &NEVER).unwrap();
        std::fs::read(outcome.model.unwrap().join("model.safetensors")).unwrap()
    };
    assert!(model(true) == model(false));
    let built = build(root.path(), "", &["model.freeze-up-to=encoder.layer.0", "train.cache=true"]).unwrap();
    assert!(fit::plan(built.job, 0).unwrap().stages[0].features.is_some());
}

#[test]
fn batches_hold_both_texts_of_a_pair() {
    let root = place(9);
    let built = build(root.path(), "[train]\nbatch-size = 4\n[split]\nvalidation = 0.0", &[]).unwrap();
    let loader: &Loader = &built.job.train;
    for batch in loader.epoch(0) {
        let batch = batch.unwrap();
        let tokens = batch.inputs.tokens().unwrap();
        assert_eq!(tokens.sequences(), 2 * batch.len());
        let targets = batch.targets.dense().unwrap().as_f32().unwrap();
        let expected: Vec<f32> = batch.example_ids.iter().map(|&id| (pair(id as usize).2 - 1.0) / 4.0).collect();
        assert_eq!(targets, expected);
    }
}

#[test]
fn mistakes_with_pairs_are_explained() {
    let root = place(10);
    let error = |overrides: &[&str]| build(root.path(), "", overrides).unwrap_err().to_string();
    let outside = error(&["preprocess.score-range=[0, 4]"]);
    assert!(outside.contains(".tsv, line 2: expected a score from 0 to 4, found 5"), "{outside}");
    assert!(outside.contains("hint: "), "{outside}");
    assert!(error(&["preprocess.score-range=[4, 4]"]).contains("score-range"));
    std::fs::write(root.path().join("single.tsv"), "text\tscore\nvery good\t1.5\nvery bad\t0.5\n").unwrap();
    let single = error(&["data.path=single.tsv"]);
    assert!(single.contains("similarity is that of two texts") && single.contains("`text-pair`"), "{single}");
    std::fs::write(root.path().join("gap.tsv"), "sentence1\tsentence2\tscore\na\tb\t1\ngood\t\t2\n").unwrap();
    let gap = error(&["data.path=gap.tsv"]);
    assert!(gap.contains("line 3`: column `sentence2`: the second text is missing"), "{gap}");
    std::fs::write(root.path().join("word.tsv"), "sentence1\tsentence2\tscore\na\tb\t1\ngood\tbad\thigh\n").unwrap();
    let word = error(&["data.path=word.tsv"]);
    assert!(word.contains("line 3`: label: expected a finite number, found `high`"), "{word}");
    std::fs::write(root.path().join("same.tsv"), "sentence1\tsentence2\tscore\na\tb\t1\ngood\tbad\t1\n").unwrap();
    let same = error(&["data.path=same.tsv", "split.validation=0.0"]);
    assert!(same.contains("all scores of the pairs are 1") && same.contains("`score-range`"), "{same}");
    let other = recipe::parse(
        "r",
        "[model]\npath = \"base\"\n[data]\npath = \"pairs\"\n[preprocess]\nscore-range = [0, 5]",
        &[],
    );
    assert!(other.unwrap_err().to_string().contains("belongs to `similarity`"));
}
