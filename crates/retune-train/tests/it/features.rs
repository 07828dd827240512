//! What is frozen is computed once per example: the result is the same to the bit, the work is less, and nothing stale is ever read.

use crate::fixture::{data, job};
use crate::texts::{model_folder, write_data};
use retune_data::augment::HorizontalFlip;
use retune_data::preprocess::Rescale;
use retune_data::{Augmentation, Dataset, Inputs, Labels, Loader, LoaderOptions, Preprocessing};
use retune_models::{Mode, Model};
use retune_tensor::Tensor;
use retune_train::features::{CacheSettings, FeaturePrecision, FeatureStore, StoreCounts};
use retune_train::steps::{Evaluator, TrainingProgram};
use retune_train::trainer::{Job, Silent, Trainer};
use retune_train::{fit, recipe};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

static NEVER: AtomicBool = AtomicBool::new(false);

/// Everything that is frozen, however little it saves.
fn all_in(folder: &Path) -> CacheSettings {
    CacheSettings { always: true, ..CacheSettings::in_folder(folder) }
}

fn options() -> LoaderOptions {
    LoaderOptions { batch_size: 8, shuffle: true, seed: 11, ..LoaderOptions::default() }
}

/// The tiny network with a frozen convolution and normalization, on shuffled images that are not changed at random.
fn head_only(cache: Option<CacheSettings>) -> Job {
    let mut job = job(2);
    job.model.freeze_up_to("norm").unwrap();
    job.train = Loader::new(data(60), (0..44).collect(), options()).unwrap();
    job.settings.cache = cache;
    job
}

fn bits(weights: &[Tensor]) -> Vec<Vec<u32>> {
    weights.iter().map(|tensor| tensor.to_f32_vec().into_iter().map(f32::to_bits).collect()).collect()
}

/// The trained weights, and what was read and computed.
fn trained(job: Job) -> (Vec<Vec<u32>>, StoreCounts) {
    let mut trainer = Trainer::new(job).unwrap();
    trainer.run(None, &mut Silent, &NEVER).unwrap();
    (bits(trainer.weights()), trainer.feature_counts().unwrap_or_default())
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn training_with_kept_values_ends_with_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, none) = trained(head_only(None));
    assert_eq!(none, StoreCounts::default());
    let (first, counts) = trained(head_only(Some(all_in(folder.path()))));
    assert_eq!(first, plain);
    // 44 examples to train on and 16 to validate, 4 epochs. The batches prepared ahead of the end of an epoch are looked up before
    // the values of its last ones are there.
    let all = 4 * (44 + 16);
    assert_eq!(counts.read + counts.computed, all);
    assert!((60..60 + 3 * 3 * 8).contains(&counts.computed), "{counts:?}");
    // Another run, also one with other settings of training, computes nothing.
    let (second, counts) = trained(head_only(Some(all_in(folder.path()))));
    assert_eq!((second, counts), (plain, StoreCounts { read: all, computed: 0 }));
    let mut other = head_only(Some(all_in(folder.path())));
    other.stages[0].schedule.learning_rate *= 0.5;
    assert_eq!(trained(other).1, StoreCounts { read: all, computed: 0 });
    assert_eq!(files(folder.path()).len(), 1);
}

#[test]
fn values_that_do_not_fit_are_computed_anew() {
    let folder = tempfile::tempdir().unwrap();
    let settings = CacheSettings { limit_bytes: 5000, ..all_in(folder.path()) };
    let (weights, counts) = trained(head_only(Some(settings)));
    assert_eq!(weights, trained(head_only(None)).0);
    let size: u64 = files(folder.path()).iter().map(|file| file.metadata().unwrap().len()).sum();
    assert!((4000..=5000).contains(&size), "{size}");
    assert!(counts.read > 0 && counts.computed > 100, "{counts:?}");
}

/// The least change to what values depend on is another key.
#[test]
fn nothing_stale_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let cache = || Some(all_in(folder.path()));
    trained(head_only(cache()));
    let computed = |change: &dyn Fn(&mut Job)| {
        let mut cached = head_only(cache());
        change(&mut cached);
        cached.validation = None;
        let mut plain = head_only(None);
        change(&mut plain);
        plain.validation = None;
        let (weights, counts) = trained(cached);
        assert_eq!(weights, trained(plain).0);
        counts.computed
    };
    assert_eq!(computed(&|_| ()), 0);

    let one_weight = |job: &mut Job| {
        let weight = job.model.weights.iter_mut().find(|weight| weight.layer == "conv").unwrap();
        let values = weight.value.as_f32_mut().unwrap();
        values[0] = f32::from_bits(values[0].to_bits() + 1);
    };
    assert!(computed(&one_weight) >= 44);

    let one_pixel = |job: &mut Job| {
        let old = data(60);
        let Inputs::Images(images) = old.inputs() else { panic!("images") };
        let mut pixels = images.to_f32_vec();
        pixels[64 * 7] = f32::from_bits(pixels[64 * 7].to_bits() + 1);
        let inputs = Inputs::Images(Tensor::new([60, 8, 8, 1], pixels).unwrap());
        let labels: Vec<i32> = (0..60).map(|id| old.labels().class_of(id).unwrap() as i32).collect();
        let changed = Dataset::new("stripes", inputs, Labels::classes("stripes", labels, 3).unwrap()).unwrap();
        job.train = Loader::new(Arc::new(changed), (0..44).collect(), options()).unwrap();
    };
    assert_eq!(computed(&one_pixel), 1, "that of the changed image alone");

    let preprocessing = |job: &mut Job| {
        let rescale = Some(Rescale { scale: 1.0, offset: 1e-3 });
        let preprocessing = Preprocessing { rescale, ..Preprocessing::default() };
        job.train = Loader::new(data(60), (0..44).collect(), LoaderOptions { preprocessing, ..options() }).unwrap();
    };
    assert!(computed(&preprocessing) >= 44);

    let less_frozen = |job: &mut Job| {
        job.model.set_trainable("norm", true).unwrap();
    };
    assert!(computed(&less_frozen) >= 44);
}

#[test]
fn damaged_and_cut_files_are_noticed_and_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let cache = || Some(all_in(folder.path()));
    let (plain, _) = trained(head_only(cache()));
    let whole = || {
        let (weights, counts) = trained(head_only(cache()));
        assert_eq!((weights, counts.computed), (plain.clone(), 0));
    };
    whole();
    let path = files(folder.path()).remove(0);
    let bytes = std::fs::read(&path).unwrap();

    // A value of the second record.
    let mut damaged = bytes.clone();
    damaged[64 + 304 + 60] ^= 1;
    std::fs::write(&path, &damaged).unwrap();
    let (weights, counts) = trained(head_only(cache()));
    assert_eq!(weights, plain);
    assert!(counts.computed > 0);
    whole();
    assert_eq!(std::fs::read(files(folder.path()).remove(0)).unwrap().len(), bytes.len());

    // The machine stopped while a record was written: those before it are there.
    std::fs::write(&path, &bytes[..bytes.len() - 100]).unwrap();
    let (weights, counts) = trained(head_only(cache()));
    assert_eq!(weights, plain);
    assert!((1..4).contains(&counts.computed), "{counts:?}");
    whole();

    // Not a file of values at all.
    files(folder.path()).into_iter().for_each(|path| std::fs::write(path, b"something else").unwrap());
    assert_eq!(trained(head_only(cache())).0, plain);
    whole();
}

#[test]
fn runs_at_the_same_time_do_not_disturb_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let plain = trained(head_only(None)).0;
    std::thread::scope(|scope| {
        let run = || {
            let (plain, path) = (&plain, folder.path());
            scope.spawn(move || assert_eq!(&trained(head_only(Some(all_in(path)))).0, plain))
        };
        let runs: Vec<_> = (0..3).map(|_| run()).collect();
        runs.into_iter().for_each(|run| run.join().unwrap());
    });
    let (weights, counts) = trained(head_only(Some(all_in(folder.path()))));
    assert_eq!((weights, counts.computed), (plain, 0));
}

#[test]
fn each_example_is_kept_once_and_the_rest_of_the_network_is_small() {
    let folder = tempfile::tempdir().unwrap();
    let store = FeatureStore::open(all_in(folder.path())).unwrap();
    let Job { cpu, model, loss, train, .. } = head_only(None);
    let network = |mode| model.build(mode, None).unwrap();
    let training = network(Mode::Training);
    let mut whole = TrainingProgram::new(&cpu, training.clone(), loss, &[]).unwrap();
    let mut program = TrainingProgram::with_store(&cpu, training, loss, &[], Some(&store)).unwrap();
    // 4 × 4 pixels of 4 channels behind the pooling.
    assert_eq!(program.kept_bytes(0), Some(4 * 64));
    let weights: Vec<_> = model.weights.iter().map(|weight| weight.value.clone()).collect();
    for epoch in 0..2 {
        let keeper = program.keeper(&weights);
        for (batch, plain) in train.epoch_with(epoch, keeper).zip(train.epoch(epoch)) {
            let (batch, plain) = (batch.unwrap(), plain.unwrap());
            let expected = whole.run(&weights, &plain, 3).unwrap().losses().to_vec();
            assert_eq!(program.run(&weights, &batch, 3).unwrap().losses(), expected);
            // Images whose values are kept are not prepared.
            assert_eq!(batch.inputs.dense()[0].shape()[0], if epoch == 0 { batch.len() } else { 0 });
        }
        assert_eq!(store.len(), 44);
    }
    let size = train.largest_batch();
    assert!(program.plan(size).unwrap().flops() * 5 < whole.plan(size).unwrap().flops());

    // Evaluation keeps the same values of the same examples: its graph is another, its frozen part is not.
    let is_learned: Vec<bool> = model.weights.iter().map(|weight| weight.trainable || weight.statistic).collect();
    let inference = network(Mode::Inference);
    let mut plain = Evaluator::new(&cpu, inference.clone(), loss).unwrap();
    let mut evaluator = Evaluator::with_store(&cpu, inference, loss, &is_learned, &store).unwrap();
    for _ in 0..2 {
        let scored = evaluator.evaluate(&weights, &train, |_| ()).unwrap();
        assert_eq!(scored.losses(), plain.evaluate(&weights, &train, |_| ()).unwrap().losses());
    }
    assert_eq!(store.len(), 44);
}

#[test]
fn what_saves_next_to_nothing_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let settings = CacheSettings { always: false, ..all_in(folder.path()) };
    assert_eq!(trained(head_only(Some(settings))).1, StoreCounts::default());
    assert!(files(folder.path()).is_empty());
}

#[test]
fn sixteen_bits_take_half_the_space_and_change_little() {
    let folder = tempfile::tempdir().unwrap();
    let run = |precision| {
        let settings = CacheSettings { precision, ..all_in(folder.path()) };
        let mut trainer = Trainer::new(head_only(Some(settings))).unwrap();
        trainer.run(None, &mut Silent, &NEVER).unwrap();
        (trainer.weights().to_vec(), trainer.feature_counts().unwrap().computed)
    };
    let (whole, _) = run(FeaturePrecision::F32);
    let (half, computed) = run(FeaturePrecision::F16);
    assert!(computed > 0, "values of 32 bits are not taken for those of 16");
    // Values are rounded also in the run that computes them, so the next one ends the same.
    let (again, computed) = run(FeaturePrecision::F16);
    assert_eq!((bits(&again), computed), (bits(&half), 0));
    assert_ne!(bits(&half), bits(&whole));
    for (half, whole) in half.iter().zip(&whole) {
        let difference =
            half.to_f32_vec().iter().zip(whole.to_f32_vec()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(difference < 0.01, "{difference}");
    }
    let mut sizes: Vec<u64> = files(folder.path()).iter().map(|file| file.metadata().unwrap().len()).collect();
    sizes.sort_unstable();
    // A key and checksums of 48 bytes beside 64 values.
    assert_eq!(sizes, [64 + 60 * (48 + 128), 64 + 60 * (48 + 256)]);
}

#[test]
fn a_few_augmentations_of_each_image_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let run = |cache: bool, augmentations: Option<u64>| {
        let mut job = head_only(cache.then(|| all_in(folder.path())));
        let augment = vec![Augmentation::HorizontalFlip(HorizontalFlip { probability: 0.5 })];
        let augmentations = augmentations.and_then(NonZeroU64::new);
        let options = LoaderOptions { augment, augmentations, ..options() };
        job.train = Loader::new(data(60), (0..44).collect(), options).unwrap();
        job.validation = None;
        trained(job)
    };
    let (plain, _) = run(false, Some(2));
    let (kept, counts) = run(true, Some(2));
    assert_eq!(kept, plain);
    assert!(counts.computed >= 2 * 44 && counts.read > 0, "{counts:?}");
    assert_eq!(run(true, Some(2)), (plain.clone(), StoreCounts { read: 4 * 44, computed: 0 }));
    // Without a bound nothing is kept, and the four epochs see four augmentations.
    let (unbounded, counts) = run(true, None);
    assert_eq!(counts, StoreCounts::default());
    assert_ne!(unbounded, plain);
    assert_eq!(run(true, Some(4)).0, unbounded);
}

/// Texts of different lengths behind frozen layers, in two runs of a recipe.
#[test]
fn texts_behind_frozen_layers_end_the_same() {
    let root = tempfile::tempdir().unwrap();
    model_folder(root.path());
    write_data(root.path(), 60);
    let run = |name: &str, cache: &str, method: &str| {
        let text = "[model]\npath = \"base\"\n[data]\npath = \"data\"\n[optimizer]\nkind = \"adam\"\nlearning-rate = 0.003\n\
                    [train]\nepochs = 2\ncache-folder = \"cache\"\nbatch-tokens = 40";
        let set = [format!("output.path={name:?}"), format!("train.cache={cache}"), method.to_owned()];
        let settings = recipe::parse("texts.toml", text, &set).unwrap();
        let built = recipe::build(&settings, root.path(), "test", &["retune".into(), "fit".into()]).unwrap();
        let outcome = fit(built, &mut Silent, &NEVER).unwrap();
        let (model, _) = Model::load(outcome.model.unwrap()).unwrap();
        let bits: Vec<u32> = model.weights.iter().flat_map(|w| w.value.to_f32_vec()).map(f32::to_bits).collect();
        (bits, outcome.cost.features)
    };
    let parts = ["method.kind=\"head\"", "model.freeze-up-to=\"encoder.layer.0\""];
    for (number, method) in parts.into_iter().enumerate() {
        let (plain, none) = run(&format!("plain-{number}"), "false", method);
        assert_eq!(none, None);
        let (first, counts) = run(&format!("first-{number}"), "true", method);
        assert_eq!(first, plain);
        assert!(counts.unwrap().computed > 0);
        let (second, counts) = run(&format!("second-{number}"), "true", method);
        assert_eq!((second, counts.unwrap().computed), (plain, 0));
    }
}
