//! Texts from files to a saved model: a tiny BERT, on sentences whose class is a word.

use retune_cpu::Cpu;
use retune_data::dataset::Texts;
use retune_data::text::TextEncoder;
use retune_data::{Dataset, Inputs, Labels, Loader, LoaderOptions, Preprocessing, TextSettings};
use retune_models::{Mode, Model, Task};
use retune_train::losses::Loss;
use retune_train::metrics::Metric;
use retune_train::recipe::{self, Built};
use retune_train::steps::{GradientSums, TrainingProgram};
use retune_train::stored::Stored;
use retune_train::trainer::{Ending, Event, Silent, Trainer};
use retune_train::{FineTune, Predictor, ResumeOptions, TrainError, fit, resume};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

static NEVER: AtomicBool = AtomicBool::new(false);

pub const WORDS: [&str; 12] =
    ["a", "the", "film", "is", "was", "and", "very", "quite", "story", "plot", "actor", "scene"];

/// A folder of a tiny BERT for three labels (vocabulary 40, 12 positions) with a tokenizer of few words.
pub fn model_folder(root: &Path) -> PathBuf {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
    let folder = root.join("base");
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["config.json", "model.safetensors"] {
        let model = golden.join("transformers/bert_classification");
        std::fs::copy(model.join(name), folder.join(name)).unwrap();
    }
    std::fs::copy(golden.join("tokenizers/words.json"), folder.join("tokenizer.json")).unwrap();
    folder
}

/// A sentence of 1 to 9 words; `good` or `bad` is one of them.
fn sentence(index: usize) -> (String, &'static str) {
    let label = if index.is_multiple_of(3) { "bad" } else { "good" };
    let count = index * 5 % 9;
    let place = index * 7 % (count + 1);
    let words = (0..=count).map(|i| if i == place { label } else { WORDS[(index * 11 + i * 5) % 12] });
    (words.collect::<Vec<_>>().join(" "), if label == "bad" { "negative" } else { "positive" })
}

/// Text files `train.tsv` of `count` sentences and `test.tsv` of 30 others.
pub fn write_data(root: &Path, count: usize) {
    for (name, range) in [("train.tsv", 0..count), ("test.tsv", 1000..1030)] {
        let mut text = "text\tlabel\n".to_owned();
        for index in range {
            let (sentence, label) = sentence(index);
            writeln!(text, "{sentence}\t{label}").unwrap();
        }
        std::fs::create_dir_all(root.join("data")).unwrap();
        std::fs::write(root.join("data").join(name), text).unwrap();
    }
}

pub fn build(root: &Path, more: &str) -> Result<Built, TrainError> {
    let text = format!(
        "[model]\npath = \"base\"\n[data]\npath = \"data\"\n[optimizer]\nkind = \"adam\"\nlearning-rate = 0.003\n{more}"
    );
    let settings = recipe::parse("texts.toml", &text, &["train.cache-folder=\"cache\"".to_owned()])?;
    recipe::build(&settings, root, "test", &["retune".into(), "fit".into()])
}

fn bits(model: &Model) -> Vec<Vec<u32>> {
    model.weights.iter().map(|w| w.value.to_f32_vec().iter().map(|x| x.to_bits()).collect()).collect()
}

#[test]
fn a_run_learns_and_its_folder_is_enough_to_predict() {
    let root = tempfile::tempdir().unwrap();
    model_folder(root.path());
    write_data(root.path(), 120);
    let more = "[preprocess]\nmax-tokens = 10\n[train]\nepochs = 20\nbatch-tokens = 60\nbucket = true\n[output]\npath = \"run\"";
    let built = build(root.path(), more).unwrap();
    assert_eq!((built.model_name.as_str(), built.facts.input_shape.as_ref()), ("model", None));
    assert_eq!(built.facts.output_shape, [2], "a new head for the data's labels");
    let outcome = fit(built, &mut Silent, &NEVER).unwrap();
    let comparison = outcome.comparison.unwrap();
    let accuracy = comparison.metrics.iter().find(|measured| measured.metric == Metric::Accuracy).unwrap();
    assert_eq!((comparison.part, comparison.items), ("test", 30));
    assert!(accuracy.after.unwrap().value > 0.9, "{accuracy:?}");

    let folder = outcome.model.unwrap();
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        assert!(folder.join(name).is_file(), "{name}");
    }
    let predictor = Predictor::load(&Cpu::new(1), &folder).unwrap();
    let stored = Stored::of(predictor.model()).unwrap().unwrap();
    assert_eq!(stored.preprocessing.text.unwrap().max_tokens, Some(10));
    let Some(Task::Classification { labels }) = predictor.model().task() else { panic!("a classifier") };
    assert_eq!(labels, &["negative", "positive"]);
    let first: Vec<String> = ["the film was good !", "a very bad story"].map(str::to_owned).to_vec();
    let data = Arc::new(Dataset::from_texts("new", Texts::single(first)).unwrap());
    let answers = predictor.classify(data, &mut Silent).unwrap();
    let found: Vec<&str> = answers.iter().map(|answer| answer.name.as_str()).collect();
    assert_eq!(found, ["positive", "negative"]);
    assert!(answers.iter().all(|answer| (answer.probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-5));
    let report = std::fs::read_to_string(outcome.report.unwrap()).unwrap();
    assert!(report.contains("negative"), "labels are named");
}

#[test]
fn a_run_cut_off_ends_with_the_same_bits() {
    let root = tempfile::tempdir().unwrap();
    model_folder(root.path());
    write_data(root.path(), 60);
    let more = |threads: usize, folder: &str| {
        format!(
            "[train]\nepochs = 3\nbatch-tokens = 45\nbucket = true\naccumulate = 2\nthreads = {threads}\n[output]\npath = \"{folder}\""
        )
    };
    let whole = fit(build(root.path(), &more(1, "whole")).unwrap(), &mut Silent, &NEVER).unwrap();
    let interrupt = AtomicBool::new(false);
    let mut observer = |event: &Event<'_>| {
        if matches!(event, Event::Step { step: 7, .. }) {
            interrupt.store(true, Ordering::Relaxed);
        }
    };
    let cut = fit(build(root.path(), &more(3, "cut")).unwrap(), &mut observer, &interrupt).unwrap();
    assert_eq!(cut.ending, Ending::Interrupted);
    let resumed = resume(&root.path().join("cut"), ResumeOptions::default(), &mut Silent, &NEVER).unwrap();
    let model = |path: Option<PathBuf>| Model::load(path.unwrap()).unwrap().0;
    assert_eq!(bits(&model(resumed.model)), bits(&model(whole.model)));
}

/// Texts that are changed in each epoch, on an encoder that is frozen and whose values are kept: a run that is cut off ends with the same
/// bits, and so does one that keeps nothing; unchanged texts give others.
#[test]
fn a_run_on_changed_texts_is_the_same_cut_off_and_kept() {
    let root = tempfile::tempdir().unwrap();
    model_folder(root.path());
    write_data(root.path(), 60);
    std::fs::write(root.path().join("synonyms.txt"), "film movie\nvery quite\n").unwrap();
    let more = |folder: &str, augment: &str, train: &str| {
        format!(
            "[augment]\n{augment}\n[method]\nkind = \"head\"\n[train]\nepochs = 4\nbatch-tokens = 45\nbucket = true\n{train}\n\
             [output]\npath = \"{folder}\""
        )
    };
    let augment = "word-deletion = 0.3\nword-swap = 0.2\nsynonyms = 0.5\nsynonyms-file = \"synonyms.txt\"";
    let run = |folder: &str, augment: &str, train: &str| {
        fit(build(root.path(), &more(folder, augment, train)).unwrap(), &mut Silent, &NEVER).unwrap()
    };
    let model = |path: Option<PathBuf>| Model::load(path.unwrap()).unwrap().0;
    let kept = run("kept", augment, "cache = true\ncache-augmentations = 2");
    let counts = kept.cost.features.expect("values of the frozen encoder are kept");
    assert!(counts.read > 0, "{counts:?}");
    let whole = run("whole", augment, "cache = false\ncache-augmentations = 2\nthreads = 1");
    let whole = bits(&model(whole.model));
    assert_eq!(bits(&model(kept.model)), whole);
    assert_ne!(bits(&model(run("plain", "", "cache = false").model)), whole);

    let interrupt = AtomicBool::new(false);
    let mut observer = |event: &Event<'_>| {
        if matches!(event, Event::Step { step: 7, .. }) {
            interrupt.store(true, Ordering::Relaxed);
        }
    };
    let built =
        build(root.path(), &more("cut", augment, "cache = false\ncache-augmentations = 2\nthreads = 3")).unwrap();
    assert_eq!(fit(built, &mut observer, &interrupt).unwrap().ending, Ending::Interrupted);
    let resumed = resume(&root.path().join("cut"), ResumeOptions::default(), &mut Silent, &NEVER).unwrap();
    assert_eq!(bits(&model(resumed.model)), whole);
    std::fs::write(root.path().join("synonyms.txt"), "film picture\n").unwrap();
    let error = resume(&root.path().join("cut"), ResumeOptions::default(), &mut Silent, &NEVER).unwrap_err();
    assert!(error.to_string().contains("synonyms.txt"), "{error}");
}

/// Sums of the gradients, and the loss, over an epoch in batches made by `options`.
fn gradients(model: &Model, data: &Arc<Dataset>, options: LoaderOptions) -> (f64, Vec<Vec<f32>>) {
    let cpu = Cpu::new(2);
    let encoder = TextEncoder::new(model.tokenizer().unwrap(), TextSettings::default(), model.max_tokens()).unwrap();
    let options = LoaderOptions { encoder: Some(Arc::new(encoder)), seed: 3, ..options };
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
    assert_eq!(sums.items(), data.len());
    (total, sums.gradients().iter().map(|gradient| gradient.to_vec()).collect())
}

/// Dropout is at work: its values belong to an example, not to its place in a batch.
#[test]
fn batches_do_not_change_the_gradient_of_an_epoch() {
    let root = tempfile::tempdir().unwrap();
    let (model, _) = Model::load(model_folder(root.path())).unwrap();
    let first: Vec<String> = (0..24).map(|index| sentence(index).0).collect();
    let second = Some((0..24).map(|index| sentence(index * 3 + 1).0).collect());
    let labels = Labels::classes("made", (0..24).map(|index| index * index % 3).collect(), 3).unwrap();
    let data = Arc::new(Dataset::new("made", Inputs::Texts(Texts { first: first.into(), second }), labels).unwrap());
    let one_batch = LoaderOptions::sequential(24, Preprocessing::default());
    let (loss, expected) = gradients(&model, &data, one_batch.clone());
    let scale = expected.iter().flatten().fold(0f32, |most, x| most.max(x.abs()));
    assert!(scale > 0.01);
    for options in [
        LoaderOptions { shuffle: true, ..one_batch.clone() },
        LoaderOptions::sequential(1, Preprocessing::default()),
        LoaderOptions { batch_size: 5, ..LoaderOptions::default() },
        LoaderOptions { batch_size: 5, bucket: true, ..LoaderOptions::default() },
        LoaderOptions { batch_size: usize::MAX, batch_tokens: Some(40), ..LoaderOptions::default() },
        LoaderOptions { batch_size: usize::MAX, batch_tokens: Some(40), bucket: true, ..LoaderOptions::default() },
    ] {
        let place = format!("{:?}, {:?}, {}", options.batch_size, options.batch_tokens, options.bucket);
        let (found_loss, found) = gradients(&model, &data, options);
        assert!((found_loss - loss).abs() < 1e-4 * loss, "{place}: {found_loss} and {loss}");
        let pairs = found.iter().flatten().zip(expected.iter().flatten());
        let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        assert!(worst < 1e-5 * scale.max(1.0), "{place}: {worst} of {scale}");
    }
}

#[test]
fn heads_are_kept_where_labels_are_the_models() {
    let root = tempfile::tempdir().unwrap();
    let base = model_folder(root.path());
    write_data(root.path(), 60);
    let first = fit(build(root.path(), "[train]\nepochs = 1\n[output]\npath = \"run\"").unwrap(), &mut Silent, &NEVER);
    let trained = Model::load(first.unwrap().model.unwrap()).unwrap().0;
    // The same labels, and one of them alone: the head stays, and numbers mean what they meant.
    for name in ["train.tsv", "one.tsv"] {
        let path = root.path().join("data").join(name);
        std::fs::write(root.path().join("data/one.tsv"), "text\tlabel\nvery good\tpositive\ngood\tpositive\n").unwrap();
        let text = format!(
            "[model]\npath = \"run/model\"\n[data]\npath = {:?}\n[split]\nvalidation = 0.0",
            path.display().to_string()
        );
        let settings = recipe::parse("again.toml", &text, &[]).unwrap();
        let built = recipe::build(&settings, root.path(), "again", &[]).unwrap();
        assert_eq!(bits(&built.job.model), bits(&trained), "{name}");
        assert_eq!(built.preprocessing.class_names.unwrap(), ["negative", "positive"], "{name}");
    }
    // Other labels: a new head on the same base.
    let other = Model::load(base).unwrap().0;
    let built = build(root.path(), "").unwrap();
    let head =
        |model: &Model| model.weights.iter().filter(|w| w.name.starts_with("classifier")).map(|w| w.value.len()).sum();
    let counts: [usize; 2] = [head(&built.job.model), head(&other)];
    assert_eq!(counts, [2 * 17, 3 * 17]);
    assert_eq!(built.job.model.weights[0].value, other.weights[0].value);
}

#[test]
fn what_does_not_fit_is_said() {
    let root = tempfile::tempdir().unwrap();
    let base = model_folder(root.path());
    write_data(root.path(), 30);
    let problem = |more: &str| build(root.path(), more).unwrap_err().to_string();
    assert!(problem("[preprocess]\nmax-tokens = 13").contains("at most 12, as the network takes"));
    assert!(problem("[train]\nbatch-tokens = 0").contains("at least 1"));
    assert!(problem("[train]\nbatch-tokens = 9\ndrop-last = true").contains("`drop-last`"));
    assert!(problem("[preprocess]\nresize = [2, 2]").contains("`resize`"));
    assert!(problem("[augment]\nhorizontal-flip = 0.5").contains("`augment`"));
    std::fs::write(root.path().join("numbers.csv"), "1.5,2.5,0\n2.5,3.5,1\n0.5,1.5,0\n2,3,1\n").unwrap();
    let text = "[model]\npath = \"base\"\n[data]\npath = \"numbers.csv\"\nkind = \"csv\"";
    let settings = recipe::parse("numbers.toml", text, &[]).unwrap();
    let error = recipe::build(&settings, root.path(), "numbers", &[]).unwrap_err().to_string();
    assert!(error.contains("the model takes texts"), "{error}");
    std::fs::remove_file(base.join("tokenizer.json")).unwrap();
    assert!(problem("").contains("tokenizer"), "{}", problem(""));
}

#[test]
fn scores_of_pairs_are_regressed_on() {
    let root = tempfile::tempdir().unwrap();
    let (model, _) = Model::load(model_folder(root.path())).unwrap();
    let mut text = "sentence1\tsentence2\tscore\n".to_owned();
    for index in 0..80 {
        let (first, label) = sentence(index);
        let (second, other) = sentence(index * 3 + index % 2);
        writeln!(text, "{first}\t{second}\t{}", if label == other { 4.5 } else { 0.5 }).unwrap();
    }
    let path = root.path().join("pairs.tsv");
    std::fs::write(&path, text).unwrap();
    let tuned = FineTune::new(model)
        .data(retune_data::open(&path, &Default::default()).unwrap())
        .split(0.2, 0.0)
        .learning_rate(0.01)
        .epochs(2)
        .batch_tokens(64)
        .bucket(true)
        .threads(1)
        .train()
        .unwrap();
    assert_eq!(tuned.model().task(), Some(&Task::Regression { values: 1 }));
    let scored = tuned.evaluate().unwrap();
    assert_eq!(scored.len(), 16);
    assert!(Metric::Loss.value(scored).unwrap() < 8.0);
}

#[test]
fn the_plan_knows_lengths() {
    let root = tempfile::tempdir().unwrap();
    model_folder(root.path());
    write_data(root.path(), 90);
    let built = build(root.path(), "[preprocess]\nmax-tokens = 9\n[train]\nbatch-size = 8").unwrap();
    let plan = fit::plan(built.job, 0).unwrap();
    let tokens = plan.tokens.unwrap();
    assert_eq!((tokens.statistics.examples, tokens.statistics.most), (plan.examples[0], 9));
    assert!(tokens.statistics.truncated > 0);
    assert!(tokens.mean_batch.tokens < tokens.largest_batch.tokens && tokens.largest_batch.tokens <= 8 * 9);
    assert!(tokens.mean_step_bytes <= plan.step_bytes && tokens.mean_step_flops < plan.step_flops);
    let mut trainer = Trainer::new(build(root.path(), "[train]\nbatch-size = 8").unwrap().job).unwrap();
    assert!(trainer.run_bytes().unwrap() > plan.step_bytes);
}
