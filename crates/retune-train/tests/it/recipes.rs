//! Recipes: every error of theirs, the three classic slips, and whole runs from a file to a report.

use crate::fixture::{CLASSES, data, model};
use retune_data::{Dataset, Inputs};
use retune_tensor::Tensor;
use retune_train::metrics::Metric;
use retune_train::recipe::{self, RecipeError, Settings};
use retune_train::trainer::{Ending, Event, Silent};
use retune_train::{FineTune, Predictor, ResumeOptions, TrainError, fit, resume};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

static NEVER: AtomicBool = AtomicBool::new(false);

const GOOD: &str = r#"
[model]
path = "base.keras"

[data]
path = "data.npz"
"#;

fn parse(text: &str) -> Result<Settings, RecipeError> {
    recipe::parse("test.toml", text, &[])
}

/// A folder with `base.keras` and `data.npz`: 60 images `[8, 8, 1]` of 3 classes.
pub fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    model(true, 3).save(folder.path().join("base.keras")).unwrap();
    let data = data(60);
    let Inputs::Images(x) = data.inputs() else { panic!("images") };
    let y: Vec<i32> = (0..60).map(|i| data.labels().class_of(i).unwrap() as i32).collect();
    let y = Tensor::new([60], y).unwrap();
    retune_formats::npz::write(folder.path().join("data.npz"), [("x", x), ("y", &y)]).unwrap();
    folder
}

pub fn build(folder: &Path, more: &str) -> Result<recipe::Built, TrainError> {
    let text = format!("{GOOD}{more}");
    let settings = parse(&text)?;
    recipe::build(&settings, folder, "test", &["retune".into(), "fit".into()])
}

#[test]
fn data_that_was_read_before_are_not_read_again() {
    let folder = folder();
    let settings = parse(GOOD).unwrap();
    let (base, _) = retune_models::Model::load(folder.path().join("base.keras")).unwrap();
    let read = || recipe::ReadData::open(&settings, folder.path(), Some(&base)).unwrap();
    let (same, other) = (read(), read());
    assert_eq!(same.train().len(), 60);
    let expected = build(folder.path(), "").unwrap();
    std::fs::remove_file(folder.path().join("data.npz")).unwrap();
    let built = recipe::build_on(&settings, folder.path(), "test", &[], Some(same)).unwrap();
    assert_eq!(built.manifest.data, expected.manifest.data);
    assert_eq!(built.job.train.len(), expected.job.train.len());
    // Where the recipe came to ask for something else, what was read does not count.
    let changed = parse(&GOOD.replace("path = \"data.npz\"", "path = \"data.npz\"\ntolerance = 3")).unwrap();
    assert!(matches!(
        recipe::build_on(&changed, folder.path(), "test", &[], Some(other)),
        Err(TrainError::Data(retune_data::DataError::Io { .. }))
    ));
}

fn problem_of(folder: &Path, more: &str) -> String {
    build(folder, more).unwrap_err().to_string()
}

#[test]
fn all_problems_are_reported_at_once_with_their_place() {
    let text = r#"
stray = 1

[model]
path = "m.keras"
freze = ["conv*"]

[dat]
path = "d"

[optimizer]
kind = "adm"
learning-rate = -1.0
epochs = 3

[train]
batch-size = "many"
monitor = "acuracy"
"#;
    let error = parse(text).unwrap_err();
    let message = error.to_string();
    let expected = [
        ("line 2, column 1: `stray`", "outside of every section"),
        ("line 6, column 1: `model.freze`", "did you mean `freeze`?"),
        ("line 8, column 2: `dat`", "did you mean `[data]`?"),
        ("line 12, column 1: `optimizer.kind`", "did you mean `adam`?"),
        ("line 13, column 1: `optimizer.learning-rate`", "expected a number above 0, found -1"),
        ("line 14, column 1: `optimizer.epochs`", "`epochs` belongs to `[train]`"),
        ("line 17, column 1: `train.batch-size`", "invalid type: string"),
        ("line 18, column 1: `train.monitor`", "did you mean `accuracy`?"),
        ("`data.path`: is missing", "name the data"),
    ];
    for (place, text) in expected {
        assert!(message.contains(place) && message.contains(text), "{place} {text}\n{message}");
    }
    assert_eq!(error.problems.len(), expected.len(), "{message}");
}

#[test]
fn every_kind_of_mistake_has_its_message() {
    let cases = [
        ("[loss]\nkind = \"hinge\"", "`hinge` is not known"),
        ("[loss]\nlabel-smoothing = 1.0", "expected a share from 0 to below 1, found 1"),
        ("[loss]\nkind = \"mean-squared-error\"\nfrom-logits = true", "has no meaning for `mean-squared-error`"),
        ("[loss]\nkind = \"mean-squared-error\"\ndelta = 2.0", "belongs to `huber`"),
        ("[optimizer]\nkind = \"sgd\"\nbeta-1 = 0.9", "has no meaning for `sgd`"),
        ("[optimizer]\nkind = \"adam\"\nbeta-1 = 1.5", "expected a share from 0 to below 1, found 1.5"),
        ("[optimizer]\nconvention = \"jax\"", "unknown variant `jax`"),
        ("[schedule]\nkind = \"cosin\"", "did you mean `cosine`?"),
        ("[schedule]\nkind = \"cosine\"\nfactor = 0.5", "it belongs to step, exponential"),
        ("[schedule]\nwarmup-steps = 3\nwarmup-epochs = 1.0", "keep one of the two"),
        ("[train]\nepochs = 0", "expected at least 1, found 0"),
        ("[train]\nthreads = 5000", "expected 1 to 1024, found 5000"),
        ("[preprocess]\nmean = [0.5]", "`mean` and `std` go together"),
        ("[preprocess]\nscale = 0.0", "a scale that is not 0"),
        ("[preprocess]\nresize-fit = \"pad\"", "goes with `resize`"),
        ("[preprocess]\nresize = [8, 8]\ncrop-fraction = 0.5", "belongs to `resize-fit = \"center-crop\"`"),
        ("[preprocess]\nresize = [8, 8]\nresize-fit = \"center-crop\"\ncrop-fraction = 1.5", "fraction"),
        ("[preprocess]\nresize = [8, 8]\nresize-filter = \"cubic\"", "unknown variant `cubic`"),
        ("[augment]\nhorizontal-flip = 2.0", "expected"),
        ("[augment]\nbrightness = 1.5", "a number in [0, 1]"),
        ("[augment]\ncontrast = 0.5\nvalue-range = [1.0, 0.0]", "the lower first"),
        ("[augment]\nrotation = 5.0\nfill-value = 3.0", "belongs to `fill = \"constant\"`"),
        ("[augment]\nmixup = 0.0", "a number above 0"),
        ("[augment]\nmix-probability = 0.5", "goes with `mixup` or `cutmix`"),
        ("[augment]\npolicy = { kind = \"rand-augment\", magnitude = 31 }", "from 0 to 30"),
        ("[augment]\npolicy = { kind = \"rand-augment\", strength = 3 }", "unknown field `strength`"),
        ("[augment]\nrandom-resized-crop = { scale = [0.5, 0.2] }", "the lower first"),
        ("[augment]\nblur = { kernel = 4 }", "an odd number"),
        ("[augment]\nposterize = { bits = 4 }", "missing field `probability`"),
        ("[augment]\nnoise = -1.0", "a number from 0"),
        ("[eval]\nmetrics = [\"loss\", \"f3\"]", "`f3` is no metric"),
        ("[split]\nvalidation = 1.0", "a share from 0 to below 1"),
        ("[output]\nkeep-last = 0", "at least 1"),
        ("[nonsense]\na = 1", "sections are model, data"),
        ("[train]\nquux = 1", "keys of `[train]` are epochs"),
    ];
    for (more, expected) in cases {
        let error = parse(&format!("{GOOD}{more}")).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(expected), "{more}\n{message}");
        assert_eq!(error.problems.len(), 1, "{message}");
        assert!(message.starts_with("1 problem in the recipe `test.toml`"), "{message}");
    }
    let model_mistakes = [
        ("", "`model.path`: is missing"),
        ("layers = [{ class = \"Dense\", units = 3 }]", "`layers` need the input's shape"),
        ("path = \"m\"\nlayers = [{ class = \"Dense\" }]", "stands beside `path`"),
        ("path = \"m\"\nwrap = \"new\"", "needs a `head`"),
        ("path = \"m\"\nhead = [{ units = 3 }]", "every layer needs a `class`"),
        ("path = \"m\"\ngroups = [{ layer = [\"a\"] }]", "unknown field `layer`"),
    ];
    for (model, expected) in model_mistakes {
        let error = parse(&format!("[model]\n{model}\n[data]\npath = \"d\"")).unwrap_err();
        assert!(error.to_string().contains(expected), "{model}\n{error}");
    }
    let error = parse("[model\npath = 1").unwrap_err();
    assert!(error.to_string().contains("line 1"), "{error}");
}

#[test]
fn keys_of_images_and_tables_reach_what_they_set() {
    use retune_data::augment::{Augmentation, Brightness, Contrast, Fill, PadCrop, Rotation};
    use retune_data::preprocess::{Filter, Fit, Resize};
    use retune_data::sources::Column;
    let more = r#"
drop-columns = ["id", 3]
[preprocess]
resize = [4, 6]
resize-filter = "nearest"
resize-antialias = true
resize-fit = "center-crop"
crop-fraction = 0.875
[augment]
pad-crop = 2
rotation = 5.0
fill = "constant"
fill-value = 7.0
brightness = 0.25
contrast = 0.5
value-range = [0.0, 16.0]
"#;
    let settings = parse(&format!("{GOOD}{more}")).unwrap();
    let fit = Fit::CenterCrop { fraction: 0.875 };
    let resize = Resize { height: 4, width: 6, filter: Filter::Nearest, antialias: true, fit };
    assert_eq!(settings.preprocessing().unwrap().resize, Some(resize));
    let (fill, value_range) = (Fill::Constant { value: 7.0 }, [0.0, 16.0]);
    let expected = [
        Augmentation::PadCrop(PadCrop { padding: 2, fill }),
        Augmentation::Rotation(Rotation { max_degrees: 5.0, fill }),
        Augmentation::Brightness(Brightness { max_delta: 0.25, value_range }),
        Augmentation::Contrast(Contrast { max_change: 0.5, value_range }),
    ];
    assert_eq!(settings.augment(), expected);
    assert_eq!(settings.source_options().drop_columns, [Column::Name("id".into()), Column::Index(3)]);
    // What a run's folder keeps says the same.
    let again = parse(&settings.recipe().to_toml().unwrap()).unwrap();
    assert_eq!((again.augment(), again.preprocessing()), (settings.augment(), settings.preprocessing()));
    assert_eq!(again.source_options(), settings.source_options());
    let padded = "[preprocess]\nresize = [8, 8]\nresize-fit = \"pad\"\npad-value = 3.0";
    let padded = parse(&format!("{GOOD}{padded}")).unwrap();
    assert_eq!(padded.preprocessing().unwrap().resize.unwrap().fit, Fit::Pad { value: 3.0 });
}

#[test]
fn overrides_count_and_their_mistakes_are_named() {
    let overrides = ["train.epochs=3", "optimizer.kind=sgd", "model.freeze = [\"a\", \"b\"]"].map(String::from);
    let settings = recipe::parse("r", GOOD, &overrides).unwrap();
    assert_eq!((settings.train().epochs, settings.optimizer().optimizer.name()), (3, "sgd"));
    let error = recipe::parse("r", GOOD, &["train.epoch=3".into(), "epochs=3".into()]).unwrap_err().to_string();
    assert!(
        error.contains("`--set train.epoch=3`: `train.epoch`") && error.contains("did you mean `epochs`?"),
        "{error}"
    );
    assert!(error.contains("an override has the form"), "{error}");
}

#[test]
fn the_resolved_recipe_says_the_same_again() {
    let text = format!(
        "{GOOD}[optimizer]\nkind = \"sgd\"\nmomentum = 0.9\n[schedule]\nkind = \"step\"\nat-epochs = [1.0, 2.0]\n"
    );
    let settings = parse(&text).unwrap();
    let resolved = settings.recipe().to_toml().unwrap();
    assert!(resolved.contains("learning-rate = 0.01") && resolved.contains("epochs = 10"), "{resolved}");
    let again = parse(&resolved).unwrap();
    assert_eq!(again.optimizer(), settings.optimizer());
    assert_eq!(again.train(), settings.train());
    assert_eq!(again.schedule(7, [0, 10]), settings.schedule(7, [0, 10]));
    assert_eq!(again.recipe().to_toml().unwrap(), resolved);
}

#[test]
fn every_key_is_documented() {
    let sections = recipe::reference();
    assert_eq!(sections.len(), 12);
    let mut keys = 0;
    for (section, doc, list) in sections {
        assert!(!doc.trim().is_empty(), "{section}");
        for key in list {
            let has_default = key.doc.to_lowercase().contains("default") || key.doc.contains("Example");
            assert!(has_default, "{section}.{}: {}", key.name, key.doc);
            keys += 1;
        }
    }
    assert!(keys > 90, "{keys}");
}

#[test]
fn the_three_classic_slips_are_said_plainly() {
    let folder = folder();
    let path = folder.path();
    let slip = problem_of(path, "[loss]\nkind = \"sparse-categorical-cross-entropy\"\nfrom-logits = true");
    assert!(
        slip.contains("ends in softmax, but `from-logits = true`") && slip.contains("set `from-logits = false`"),
        "{slip}"
    );
    let slip = problem_of(path, "[loss]\nkind = \"categorical-cross-entropy\"");
    assert!(
        slip.contains("takes one-hot labels, but these are integers") && slip.contains("targets = \"one-hot\""),
        "{slip}"
    );
    let slip = problem_of(path, "[preprocess]\nresize = [16, 16]\ncolor = \"rgb\"");
    assert!(
        slip.contains("input does not fit the data") && slip.contains("set `resize = [8, 8]` and `color = \"grey\"`"),
        "{slip}"
    );
    assert!(build(path, "[loss]\nkind = \"categorical-cross-entropy\"\n[preprocess]\ntargets = \"one-hot\"").is_ok());
}

#[test]
fn other_misfits_are_said_too() {
    let folder = folder();
    let path = folder.path();
    let cases = [
        ("[loss]\nkind = \"binary-cross-entropy\"", "ends in softmax"),
        (
            "[preprocess]\ntargets = \"one-hot\"\n[loss]\nkind = \"sparse-categorical-cross-entropy\"",
            "takes integer labels",
        ),
    ];
    for (more, expected) in cases {
        let message = problem_of(path, more);
        assert!(message.contains(expected), "{more}: {message}");
    }
    let text = |model: &str, data: &str| {
        format!("[model]\npath = \"base.keras\"\n{model}\n[data]\npath = \"data.npz\"\n{data}")
    };
    let problem = |model: &str, data: &str| {
        let settings = parse(&text(model, data)).unwrap();
        recipe::build(&settings, path, "test", &[]).unwrap_err().to_string()
    };
    let two = problem("head = [{ class = \"Dense\", units = 2, activation = \"softmax\" }]", "");
    assert!(two.contains("tells 2 classes apart, the data has 3") && two.contains("a head of 3 units"), "{two}");
    let logits = problem("head = [{ class = \"Dense\", units = 3 }]", "[loss]\nfrom-logits = false");
    assert!(logits.contains("ends in neither softmax nor sigmoid"), "{logits}");
    let frozen = {
        let settings = parse(&text("freeze = [\"*\"]", "")).unwrap();
        let built = recipe::build(&settings, path, "test", &[]).unwrap();
        fit(built, &mut Silent, &NEVER).unwrap_err().to_string()
    };
    assert!(frozen.contains("no weight is trainable"), "{frozen}");
    let nobody = problem("freeze = [\"cnov\"]", "");
    assert!(nobody.contains("conv"), "{nobody}");
    let range = problem("", "classes = 2");
    assert!(range.contains("label") && range.contains("0..2"), "{range}");
}

#[test]
fn surgery_by_recipe_freezes_wraps_and_groups() {
    let folder = folder();
    let text = r#"
[model]
path = "base.keras"
wrap = "tuned"
head = [{ class = "Dense", units = 3, activation = "softmax" }]
freeze = ["conv"]
groups = [{ layers = ["tiny/*"], learning-rate = 0.1 }]
[data]
path = "data.npz"
"#;
    let built = recipe::build(&parse(text).unwrap(), folder.path(), "test", &[]).unwrap();
    assert_eq!(built.job.model.name(), "tuned");
    let weight = |name: &str| built.job.model.weights.iter().find(|w| w.name.ends_with(name)).unwrap();
    assert!(!weight("conv/kernel").trainable && weight("head/kernel").trainable);
    assert_eq!((weight("head/kernel").group, weight("dense/kernel").group), (1, 0));
    assert_eq!(built.job.optimizer.groups[1].learning_rate, 0.1);
    assert_eq!(built.facts.output_shape, [CLASSES]);
    assert!(built.facts.trainable_parameters < built.facts.parameters);

    let head = format!("{}[method]\nkind = \"head\"\n", text.replace("freeze = [\"conv\"]\n", ""));
    let built = recipe::build(&parse(&head).unwrap(), folder.path(), "test", &[]).unwrap();
    assert_eq!(built.facts.trainable_layers, ["dense"]);

    let scratch = text.replace("wrap = \"tuned\"\n", "weights = \"none\"\n").replace("groups", "# groups");
    let built = recipe::build(&parse(&scratch).unwrap(), folder.path(), "test", &[]).unwrap();
    let kernel = |model: &retune_models::Model| model.weights[0].value.clone();
    assert_ne!(kernel(&built.job.model), kernel(&model(true, 3)));

    let new = r#"
[model]
layers = [{ class = "Flatten" }, { class = "Dense", units = 3, activation = "softmax" }]
input-shape = [8, 8, 1]
[data]
path = "data.npz"
"#;
    let built = recipe::build(&parse(new).unwrap(), folder.path(), "test", &[]).unwrap();
    assert_eq!(built.facts.parameters, 64 * 3 + 3);
}

fn outcome_manifest(run: &Path) -> retune_train::run::Manifest {
    retune_train::run::Manifest::read(run).unwrap()
}

#[test]
fn a_file_of_weights_is_part_of_the_provenance() {
    let folder = folder();
    let path = folder.path().join("other.weights.h5");
    model(true, 4).save(&path).unwrap();
    let more = ["model.weights-file=other.weights.h5".to_owned(), "train.max-steps=1".to_owned()];
    let settings = recipe::parse("test.toml", GOOD, &more).unwrap();
    let built = recipe::build(&settings, folder.path(), "test", &[]).unwrap();
    let expected = retune_train::run::path_sha256(&path).unwrap();
    assert_eq!(built.manifest.weights.as_ref().unwrap().sha256, expected);
    let run = fit(built, &mut Silent, &NEVER).unwrap().root;
    assert!(std::fs::read_to_string(run.join("report.html")).unwrap().contains(&expected));
    model(true, 5).save(&path).unwrap();
    let error = resume(&run, ResumeOptions::default(), &mut Silent, &NEVER).unwrap_err().to_string();
    assert!(error.contains("the weights file") && error.contains("changed since the run began"), "{error}");
}

#[test]
fn from_a_recipe_to_a_report_and_predictions() {
    let folder = folder();
    let more = "[train]\nepochs = 6\nbatch-size = 8\n[optimizer]\nkind = \"adam\"\nlearning-rate = 0.01\n\
                [schedule]\nkind = \"cosine\"\n[split]\nvalidation = 0.2\ntest = 0.2\n[output]\npath = \"run\"\n[preprocess]\nscale = 0.5\n";
    let outcome = fit(build(folder.path(), more).unwrap(), &mut Silent, &NEVER).unwrap();
    assert_eq!(outcome.ending, Ending::Completed);
    let comparison = outcome.comparison.unwrap();
    assert_eq!((comparison.part, comparison.items), ("test", 12));
    let accuracy = comparison.metrics.iter().find(|m| m.metric == Metric::Accuracy).unwrap();
    assert!(accuracy.after.unwrap().value > accuracy.before.unwrap().value, "{accuracy:?}");
    let run = folder.path().join("run");
    for file in ["recipe.toml", "run.json", "metrics.jsonl", "evaluation.json", "report.html", "model.keras"] {
        assert!(run.join(file).metadata().unwrap().len() > 0, "{file}");
    }
    let report = std::fs::read_to_string(run.join("report.html")).unwrap();
    let hash = |name: &str| retune_train::run::path_sha256(&folder.path().join(name)).unwrap();
    let [base, data_hash, saved] =
        [hash("base.keras"), outcome_manifest(&run).data[0].sha256.clone(), hash("run/model.keras")];
    for part in [
        "<svg",
        "Confusion matrix",
        "learning rate",
        ">best<",
        "<td class=\"n\">36</td>",
        "The items for validation and test were drawn from the same source",
        "Time per epoch",
        "Instruction set",
        "retune fit",
        &base,
        &data_hash,
        &saved,
    ] {
        assert!(report.contains(part), "{part}");
    }

    // The saved model knows how its inputs are prepared and gives the same answers.
    let predictor = Predictor::load(&retune_cpu::Cpu::new(2), &run.join("model.keras")).unwrap();
    assert_eq!(predictor.preprocessing().rescale.unwrap().scale, 0.5);
    let scored = predictor.evaluate(data(60), None, None, &mut Silent).unwrap();
    assert_eq!(scored.len(), 60);
    let answers = predictor.classify(data(60), &mut Silent).unwrap();
    let right = answers.iter().enumerate().filter(|(i, a)| data(60).labels().class_of(*i) == Some(a.class)).count();
    assert_eq!(right as f64 / 60.0, Metric::Accuracy.value(&scored).unwrap());
    assert!((answers[0].probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    assert_eq!(predictor.outputs(data(60), &mut Silent).unwrap().shape(), [60, CLASSES]);
    assert!(matches!(fit(build(folder.path(), more).unwrap(), &mut Silent, &NEVER), Err(TrainError::RunExists { .. })));
}

#[test]
fn resume_by_folder_ends_with_the_same_model_and_refuses_changed_data() {
    let folder = folder();
    let more = |run: &str| {
        format!(
            "[train]\nepochs = 3\nbatch-size = 8\n[augment]\nhorizontal-flip = 0.5\npad-crop = 1\n[output]\npath = \"{run}\"\n"
        )
    };
    fit(build(folder.path(), &more("whole")).unwrap(), &mut Silent, &NEVER).unwrap();
    let interrupt = AtomicBool::new(false);
    let mut observer = |event: &Event<'_>| {
        if let Event::Step { step: 9, .. } = event {
            interrupt.store(true, Ordering::Relaxed);
        }
    };
    let outcome = fit(build(folder.path(), &more("cut")).unwrap(), &mut observer, &interrupt).unwrap();
    assert_eq!((outcome.ending, outcome.model), (Ending::Interrupted, None));
    let root = folder.path().join("cut");
    let three = ResumeOptions { threads: std::num::NonZeroUsize::new(3), ..ResumeOptions::default() };
    assert_eq!(resume(&root, three, &mut Silent, &NEVER).unwrap().ending, Ending::Completed);
    let weights = |run: &str| {
        let model = retune_models::Model::load(folder.path().join(run).join("model.keras")).unwrap().0;
        model.weights.into_iter().map(|w| w.value).collect::<Vec<Tensor>>()
    };
    assert_eq!(weights("cut"), weights("whole"));

    let mut changed = std::fs::read(folder.path().join("base.keras")).unwrap();
    changed.push(0);
    std::fs::write(folder.path().join("base.keras"), changed).unwrap();
    let error = resume(&root, ResumeOptions::default(), &mut Silent, &NEVER).unwrap_err();
    assert!(matches!(error, TrainError::Changed { .. } | TrainError::Model(_)), "{error}");
}

#[test]
fn the_builder_reads_like_seven_steps() {
    let owned: Dataset = std::sync::Arc::into_inner(data(60)).unwrap();
    let tuned = FineTune::new(model(false, 3))
        .data(owned)
        .split(0.0, 0.25)
        .optimizer(retune_train::optimizers::Optimizer::Adam(Default::default()))
        .learning_rate(0.01)
        .epochs(10)
        .batch_size(8)
        .train()
        .unwrap();
    let scored = tuned.evaluate().unwrap();
    assert_eq!(scored.len(), 15);
    assert!(Metric::Accuracy.value(scored).unwrap() > 0.6);
    assert!(tuned.predictor().unwrap().preprocessing().class_names.is_none());
    let error = FineTune::new(model(false, 3)).train().unwrap_err();
    assert!(error.to_string().contains("there is no data"), "{error}");
}

/// Products of bfloat16 give nearly the loss of 32 bits, by another way, and the same bits every time.
#[test]
fn mixed_precision_learns_the_same() {
    let folder = folder();
    let learned = |precision: &str, run: &str| {
        let text = format!(
            "[model]\nlayers = [{{ class = \"Flatten\" }}, {{ class = \"Dense\", units = 64, activation = \"relu\" }}, \
             {{ class = \"Dense\", units = 3, activation = \"softmax\" }}]\ninput-shape = [8, 8, 1]\n[data]\npath = \"data.npz\"\n\
             [split]\ntest = 0.2\n[train]\nepochs = 6\nrestore-best = false\nprecision = \"{precision}\"\n[output]\npath = \"{run}\""
        );
        let built = recipe::build(&parse(&text).unwrap(), folder.path(), "test", &[]).unwrap();
        let is_noted = built.notes.iter().any(|note| note.english().contains("bfloat16"));
        assert_eq!(is_noted, precision == "bf16" && !retune_cpu::Cpu::new(1).multiplies_bf16(), "{:?}", built.notes);
        let outcome = fit(built, &mut Silent, &NEVER).unwrap();
        let comparison = outcome.comparison.unwrap();
        let loss = comparison.metrics.iter().find(|measured| measured.metric == Metric::Loss).unwrap();
        let losses = (loss.before.unwrap().value, loss.after.unwrap().value);
        let (model, _) = retune_models::Model::load(outcome.model.unwrap()).unwrap();
        let bits: Vec<u32> = model.weights.iter().flat_map(|w| w.value.to_f32_vec()).map(f32::to_bits).collect();
        (losses, bits)
    };
    let ((before, exact), exact_bits) = learned("f32", "exact");
    let ((_, rounded), rounded_bits) = learned("bf16", "rounded");
    assert!(rounded_bits == learned("bf16", "again").1, "another run, other bits");
    assert_eq!(rounded_bits != exact_bits, retune_cpu::Cpu::new(1).multiplies_bf16(), "where the processor has them");
    assert!(before - exact > 0.1, "from {before} to {exact}");
    assert!((rounded - exact).abs() < 0.05 * (before - exact), "{rounded} and {exact}");
}
