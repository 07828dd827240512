//! Labels of words: from files to a saved model, and what a batch may not change.

use crate::texts::model_folder;
use retune_cpu::Cpu;
use retune_data::loader::Targets;
use retune_data::text::TextEncoder;
use retune_data::{
    Batch, BatchInputs, Cursor, Dataset, Loader, LoaderOptions, Preprocessing, SourceOptions, TextSettings, TokenInputs,
};
use retune_formats::safetensors::SafetensorsFile;
use retune_models::{Mode, Model, Task};
use retune_tensor::Tensor;
use retune_train::losses::Loss;
use retune_train::metrics::Metric;
use retune_train::recipe::{self, Built};
use retune_train::steps::{GradientSums, TrainingProgram};
use retune_train::trainer::{Ending, Event, Silent};
use retune_train::{Predictor, ResumeOptions, TrainError, fit, resume};
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

static NEVER: AtomicBool = AtomicBool::new(false);

/// A sentence of 3 to 8 words: `actor` with what follows is a person of two words, `story` a thing of one.
fn sentence(index: usize) -> Vec<(&'static str, &'static str)> {
    let fillers = ["a", "the", "film", "is", "was", "and", "very", "quite"];
    let mut words: Vec<_> = (0..1 + index % 3).map(|i| (fillers[(index * 5 + i * 3) % 8], "O")).collect();
    if !index.is_multiple_of(3) {
        words.extend([("actor", "B-PER"), (["good", "bad"][index % 2], "I-PER")]);
    }
    words.push((fillers[index * 7 % 8], "O"));
    if !index.is_multiple_of(4) {
        words.push(("story", "B-WORK"));
    }
    words
}

fn write_words(root: &Path, count: usize) {
    for (name, range) in [("train.txt", 0..count), ("test.txt", 1000..1040)] {
        let mut text = "-DOCSTART- O\n\n".to_owned();
        for index in range {
            sentence(index).into_iter().for_each(|(word, label)| writeln!(text, "{word} {label}").unwrap());
            text.push('\n');
        }
        std::fs::create_dir_all(root.join("words")).unwrap();
        std::fs::write(root.join("words").join(name), text).unwrap();
    }
}

fn build(root: &Path, more: &str, overrides: &[&str]) -> Result<Built, TrainError> {
    let text = format!(
        "[model]\npath = \"base\"\ntask = \"token-classification\"\n[data]\npath = \"words\"\n[optimizer]\nkind = \"adam\"\nlearning-rate = 0.005\n{more}"
    );
    let mut overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
    overrides.push("train.cache-folder=\"cache\"".to_owned());
    recipe::build(&recipe::parse("words.toml", &text, &overrides)?, root, "test", &[])
}

fn place(count: usize) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    model_folder(root.path());
    write_words(root.path(), count);
    root
}

fn value(outcome: &retune_train::Outcome, metric: &str) -> f64 {
    let metric: Metric = metric.parse().unwrap();
    let measured = outcome.comparison.as_ref().unwrap().metrics.iter().find(|m| m.metric == metric).unwrap();
    measured.after.unwrap().value
}

#[test]
fn a_run_learns_entities_and_its_folder_is_enough_to_find_them() {
    let root = place(120);
    let more = "[train]\nepochs = 30\nbatch-size = 8\nmonitor = \"entity-f1\"\n[output]\npath = \"run\"";
    // The base of the goldens hardly tells words apart.
    let built = build(root.path(), more, &["model.weights=none"]).unwrap();
    assert_eq!((built.facts.output_shape.as_slice(), built.model_name.as_str()), (&[4][..], "model"));
    let outcome = fit(built, &mut Silent, &NEVER).unwrap();
    let (f1, accuracy) = (value(&outcome, "entity-f1"), value(&outcome, "accuracy"));
    assert!(f1 > 0.95 && accuracy > 0.95, "{f1} {accuracy}");
    let comparison = outcome.comparison.as_ref().unwrap();
    let types: Vec<&str> = comparison.entities.as_ref().unwrap().iter().map(|row| row.name.as_str()).collect();
    assert_eq!((types, comparison.mcnemar), (vec!["PER", "WORK"], None));
    let report = std::fs::read_to_string(outcome.report.as_ref().unwrap()).unwrap();
    assert!(report.contains("entity-f1") && report.contains("WORK"), "types are shown");

    let folder = outcome.model.as_ref().unwrap();
    let config: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("config.json")).unwrap()).unwrap();
    assert_eq!(config["architectures"], serde_json::json!(["BertForTokenClassification"]));
    assert_eq!(config["id2label"], serde_json::json!({"0": "B-PER", "1": "B-WORK", "2": "I-PER", "3": "O"}));
    let predictor = Predictor::load(&Cpu::new(1), folder).unwrap();
    assert!(matches!(predictor.model().task(), Some(Task::TokenClassification { .. })));
    let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    // Twelve positions: of the second text ten words are seen.
    let texts = [owned(&["and", "a", "actor", "bad", "quite", "story"]), owned(&["the"; 14])];
    let data = Arc::new(Dataset::from_words("new", &texts).unwrap());
    let found = predictor.label_words(data, &mut Silent).unwrap();
    let spans: Vec<_> = found[0].entities.iter().map(|e| (e.name.as_str(), e.start, e.end)).collect();
    assert_eq!(spans, [("PER", 2, 4), ("WORK", 5, 6)]);
    // The likeliest of four labels, as weights of the first epoch without a mistake are kept.
    assert!(found[0].entities.iter().all(|entity| entity.score > 0.25 && entity.score <= 1.0), "{found:?}");
    assert_eq!(found[1].labels.iter().filter(|label| label.is_some()).count(), 10);
    assert!(found[1].labels[..10].iter().all(Option::is_some));

    // What is measured on the saved model is what the run said.
    let names = predictor.preprocessing().class_names.clone();
    let options = SourceOptions { class_names: names, ..SourceOptions::default() };
    let data = retune_data::open(&root.path().join("words/test.txt"), &options).unwrap().train;
    let scored = predictor.evaluate(Arc::new(data), None, None, &mut Silent).unwrap();
    assert!(("entity-f1".parse::<Metric>().unwrap().value(&scored).unwrap() - f1).abs() < 1e-12);
    assert!((Metric::Loss.value(&scored).unwrap() - value(&outcome, "loss")).abs() < 1e-6);
}

#[test]
fn lora_and_head_and_others_train() {
    let root = place(80);
    let initial = build(root.path(), "", &[]).unwrap().job.model;
    for (method, trained) in
        [("lora", "lora_"), ("head", "classifier"), ("lp-ft", ""), ("gradual", ""), ("biases", "bias")]
    {
        let set = [&format!("method.kind={method}"), "train.epochs=3", &format!("output.path=\"run-{method}\"")];
        let built = build(root.path(), "", &set.map(|text: &str| text)).unwrap();
        let is_allowed = |name: &str| name.contains(trained) || name.contains("classifier");
        assert!(built.job.model.weights.iter().all(|w| !w.trainable || is_allowed(&w.name)), "{method}");
        let outcome = fit(built, &mut Silent, &NEVER).unwrap();
        assert!(value(&outcome, "accuracy") > 0.0);
        if method == "lora" {
            let text = std::fs::read_to_string(root.path().join("run-lora/adapter/adapter_config.json")).unwrap();
            let config: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(
                (&config["task_type"], &config["modules_to_save"]),
                (&"TOKEN_CLS".into(), &serde_json::json!(["classifier"]))
            );
        }
        let tuned = Model::load(outcome.model.unwrap()).unwrap().0;
        let changed: Vec<&str> = tuned
            .weights
            .iter()
            .zip(&initial.weights)
            .filter(|(a, b)| a.value != b.value)
            .map(|(a, _)| a.name.as_str())
            .collect();
        assert!(changed.iter().any(|name| name.starts_with("classifier")), "{method}: {changed:?}");
        if method == "head" {
            assert!(changed.iter().all(|name| name.starts_with("classifier")), "{changed:?}");
        }
    }
}

#[test]
fn kept_features_and_interruptions_change_nothing() {
    let root = place(40);
    let model = |path: Option<std::path::PathBuf>| std::fs::read(path.unwrap().join("model.safetensors")).unwrap();
    let options = |cache: bool, output: &str| {
        let set = [
            format!("train.cache={cache}"),
            "model.freeze-up-to=encoder.layer.0".to_owned(),
            "train.epochs=3".to_owned(),
            "train.batch-size=7".to_owned(),
            format!("output.path=\"{output}\""),
        ];
        build(root.path(), "", &set.iter().map(String::as_str).collect::<Vec<_>>()).unwrap()
    };
    let kept = fit(options(true, "kept"), &mut Silent, &NEVER).unwrap();
    assert!(kept.cost.features.is_some());
    let plain = model(fit(options(false, "plain"), &mut Silent, &NEVER).unwrap().model);
    assert!(model(kept.model) == plain);
    let interrupt = AtomicBool::new(false);
    let mut observer = |event: &Event<'_>| {
        if matches!(event, Event::Step { step: 8, .. }) {
            interrupt.store(true, Ordering::Relaxed);
        }
    };
    let cut = fit(options(false, "cut"), &mut observer, &interrupt).unwrap();
    assert_eq!(cut.ending, Ending::Interrupted);
    let resumed = resume(&root.path().join("cut"), ResumeOptions::default(), &mut Silent, &NEVER).unwrap();
    assert!(model(resumed.model) == plain);
}

/// Sums of losses and gradients over an epoch, and the number of labelled words.
fn gradients(model: &Model, data: &Arc<Dataset>, options: LoaderOptions) -> (f64, Vec<Vec<f32>>, usize) {
    let cpu = Cpu::new(2);
    let encoder = TextEncoder::new(model.tokenizer().unwrap(), TextSettings::default(), model.max_tokens()).unwrap();
    let options = LoaderOptions { encoder: Some(Arc::new(encoder.of_words().unwrap())), seed: 3, ..options };
    let loader = Loader::new(data.clone(), data.ids(), options).unwrap();
    let loss = Loss::SparseCategoricalCrossEntropy { from_logits: false, label_smoothing: 0.0 };
    let network = model.build(Mode::Training, None).unwrap();
    let mut program = TrainingProgram::new(&cpu, network, loss, &[]).unwrap();
    let weights: Vec<_> = model.weights.iter().map(|weight| weight.value.clone()).collect();
    let (mut sums, mut total) = (GradientSums::default(), 0.0);
    for batch in loader.epoch(0) {
        let outputs = program.run(&weights, &batch.unwrap(), 7).unwrap();
        total += outputs.loss_sum;
        sums.add(&cpu, &outputs);
    }
    (total, sums.gradients().iter().map(|gradient| gradient.to_vec()).collect(), sums.items())
}

/// Dropout is at work, and some texts are cut off.
#[test]
fn batches_do_not_change_loss_and_gradient_of_an_epoch() {
    let root = place(24);
    let built = build(root.path(), "[split]\nvalidation = 0.0", &[]).unwrap();
    let (model, labels) = (built.job.model, SourceOptions::default());
    let data = Arc::new(retune_data::open(&root.path().join("words/train.txt"), &labels).unwrap().train);
    let one_batch = LoaderOptions::sequential(24, Preprocessing::default());
    let (loss, expected, items) = gradients(&model, &data, one_batch.clone());
    assert_eq!(items, (0..24).map(|index| sentence(index).len()).sum::<usize>());
    let scale = expected.iter().flatten().fold(0f32, |most, x| most.max(x.abs()));
    assert!(scale > 0.01);
    for options in [
        LoaderOptions { shuffle: true, ..one_batch.clone() },
        LoaderOptions::sequential(1, Preprocessing::default()),
        LoaderOptions { batch_size: 5, bucket: true, ..LoaderOptions::default() },
        LoaderOptions { batch_size: usize::MAX, batch_tokens: Some(40), ..LoaderOptions::default() },
    ] {
        let place = format!("{:?}, {:?}", options.batch_size, options.batch_tokens);
        let (found_loss, found, found_items) = gradients(&model, &data, options);
        assert_eq!(found_items, items, "{place}");
        assert!((found_loss - loss).abs() < 1e-4 * loss, "{place}: {found_loss} and {loss}");
        let pairs = found.iter().flatten().zip(expected.iter().flatten());
        let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        assert!(worst < 1e-5 * scale.max(1.0), "{place}: {worst} of {scale}");
    }
}

#[test]
fn what_does_not_fit_is_said() {
    let root = place(20);
    let error = |set: &[&str]| build(root.path(), "", set).unwrap_err().to_string();
    let wrong = error(&["loss.kind=categorical-cross-entropy"]);
    assert!(wrong.contains("words have one class each, which `categorical-cross-entropy` does not take"), "{wrong}");
    std::fs::write(root.path().join("texts.tsv"), "text\tlabel\nvery good\tgood\nvery bad\tbad\n").unwrap();
    let wrong = error(&["data.path=texts.tsv", "data.labels=class", "split.validation=0.0"]);
    assert!(wrong.contains("have no labels") && wrong.contains("a word and its label a line"), "{wrong}");
    // Without the task it is told from the labels.
    let text = "[model]\npath = \"base\"\n[data]\npath = \"words\"";
    let built = recipe::build(&recipe::parse("r", text, &[]).unwrap(), root.path(), "r", &[]).unwrap();
    assert!(matches!(built.job.model.task(), Some(Task::TokenClassification { .. })));
    // A model for words on texts with a label each.
    let (model, data) =
        (&built.job.model, retune_data::open(&root.path().join("texts.tsv"), &SourceOptions::default()));
    let predictor = Predictor::new(&Cpu::new(1), model.with_task(model.task().unwrap().clone(), 0).unwrap()).unwrap();
    let wrong = predictor.evaluate(Arc::new(data.unwrap().train), None, None, &mut Silent).unwrap_err().to_string();
    assert!(wrong.contains("the model gives a label for each word"), "{wrong}");
}

/// Loss and gradients of transformers' `BertForTokenClassification` with labels of −100: the mean over labelled tokens.
#[test]
fn loss_and_gradients_are_those_of_transformers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/transformers/bert_tokens");
    let read = |name: &str| SafetensorsFile::read(folder.join(name)).unwrap().tensors;
    let (case, expected) = (read("case.safetensors"), read("loss.safetensors"));
    // Without dropout, as the peer's model in evaluation.
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(folder.join("model.safetensors"), copy.path().join("model.safetensors")).unwrap();
    let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
    std::fs::write(copy.path().join("config.json"), config.replace("_prob\": 0.1", "_prob\": 0.0")).unwrap();
    let model = Model::load(copy.path()).unwrap().0;
    let labels = expected["labels"].as_i32().unwrap();
    let classes: Vec<i32> = labels.iter().map(|&label| label.max(-1)).collect();
    let labelled = classes.iter().filter(|&&class| class >= 0).count();
    assert!(labelled > 3 && labelled < classes.len());
    let tokens = TokenInputs {
        token_ids: case["token_ids"].clone(),
        token_types: case["token_types"].clone(),
        positions: case["positions"].clone(),
        lengths: case["lengths"].clone(),
        per_example: 1,
    };
    let batch = Batch {
        inputs: BatchInputs::Tokens(Box::new(tokens)),
        targets: Targets::TokenClasses(classes),
        sample_weights: None,
        example_ids: vec![0, 1, 2],
        kept: None,
        cursor: Cursor::default(),
        next: Cursor::default(),
    };
    let network = model.build(Mode::Training, None).unwrap();
    let loss = Loss::SparseCategoricalCrossEntropy { from_logits: false, label_smoothing: 0.0 };
    let mut program = TrainingProgram::new(&Cpu::new(2), network, loss, &[]).unwrap();
    let trainable = program.trainable().to_vec();
    let weights: Vec<_> = model.weights.iter().map(|weight| weight.value.clone()).collect();
    let outputs = program.run(&weights, &batch, 0).unwrap();
    assert_eq!((outputs.items, outputs.examples), (labelled, 3));
    let found = outputs.loss_sum / labelled as f64;
    let wanted = f64::from(expected["loss"].as_f32().unwrap()[0]);
    assert!((found - wanted).abs() < 1e-5 * wanted, "{found}, expected {wanted}");
    let mut compared = 0;
    for (index, id) in trainable.iter().enumerate() {
        let weight = &model.weights[id.0];
        let gradient = outputs.gradient(index).iter().map(|sum| sum / labelled as f32).collect::<Vec<_>>();
        let gradient = weight.torch_layout.to_file(&Tensor::new(weight.value.shape().to_vec(), gradient).unwrap());
        let expected = expected[&format!("grad/{}", weight.name)].as_f32().unwrap();
        for (found, expected) in gradient.as_f32().unwrap().iter().zip(expected) {
            assert!(
                (found - expected).abs() < 1e-5 + 1e-4 * expected.abs(),
                "{}: {found}, expected {expected}",
                weight.name
            );
        }
        compared += 1;
    }
    assert_eq!(compared, expected.keys().filter(|key| key.starts_with("grad/")).count());
}
