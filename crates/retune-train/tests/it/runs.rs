//! Whole runs: what they must not depend on, and what must survive.

use crate::fixture::{job, loader, model};
use retune_data::BatchSize;
use retune_tensor::Tensor;
use retune_train::TrainError;
use retune_train::metrics::Metric;
use retune_train::optimizers::{DecayMode, GradientDescent, Optimizer, Sgd};
use retune_train::run::{Manifest, RunDirectory};
use retune_train::schedules::Schedule;
use retune_train::trainer::{EarlyStopping, Ending, Event, Every, Job, OptimizerSettings, Silent, Trainer};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

static NEVER: AtomicBool = AtomicBool::new(false);

pub fn manifest() -> Manifest {
    Manifest {
        retune: "test".into(),
        command: vec![],
        folder: Default::default(),
        seed: 11,
        threads: 1,
        instruction_set: "any".into(),
        model: None,
        weights: None,
        augment: Vec::new(),
        data: vec![],
    }
}

pub fn train(job: Job, folder: &Path) -> Trainer {
    let mut run = RunDirectory::create(folder, &manifest(), None).unwrap();
    let mut trainer = Trainer::new(job).unwrap();
    let ending = trainer.run(Some(&mut run), &mut Silent, &NEVER).unwrap();
    assert_eq!(ending, Ending::Completed);
    trainer
}

pub fn resume(job: Job, folder: &Path) -> Trainer {
    let (mut run, _) = RunDirectory::open(folder).unwrap();
    let mut trainer = Trainer::new(job).unwrap();
    run.restore(&mut trainer, &mut Silent).unwrap();
    assert_eq!(trainer.run(Some(&mut run), &mut Silent, &NEVER).unwrap(), Ending::Completed);
    trainer
}

pub fn bits(weights: &[Tensor]) -> Vec<Vec<u32>> {
    weights.iter().map(|w| w.as_f32().unwrap().iter().map(|x| x.to_bits()).collect()).collect()
}

/// The lines of `metrics.jsonl` without the fields that tell the time.
fn log(folder: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    let line = |line: &str| {
        let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
        let fields = value.as_object_mut().unwrap();
        fields.remove("secs");
        fields.remove("examples-per-sec");
        value
    };
    text.lines().map(line).collect()
}

pub fn assert_same(found: &Trainer, found_folder: &Path, expected: &Trainer, expected_folder: &Path) {
    assert_eq!(bits(found.weights()), bits(expected.weights()));
    assert_eq!(found.progress(), expected.progress());
    assert_eq!(log(found_folder), log(expected_folder));
    let slots = |trainer: &Trainer| -> Vec<(String, Vec<f32>)> {
        trainer.optimizer().slots().map(|(name, values)| (name, values.to_vec())).collect()
    };
    assert_eq!(slots(found), slots(expected));
    let best = |folder: &Path| std::fs::read(folder.join("checkpoints/best.safetensors")).unwrap();
    assert!(best(found_folder) == best(expected_folder));
}

#[test]
fn learns_and_keeps_the_best() {
    let folder = tempfile::tempdir().unwrap();
    let mut job = job(2);
    job.settings.epochs = 12;
    job.settings.monitor = Metric::Accuracy;
    let run = folder.path().join("run");
    let trainer = train(job, &run);
    let best = trainer.progress().best.unwrap();
    assert!(best.value > 0.8, "{best:?}");
    assert_eq!(trainer.progress().step, 12 * 6);
    let evaluations = log(&run).into_iter().filter(|line| line["kind"] == "evaluation").count();
    assert_eq!(evaluations, 12);
    let checkpoints = std::fs::read_dir(run.join("checkpoints")).unwrap().count();
    assert_eq!(checkpoints, 6, "two and the best, of two files each");
}

#[test]
fn threads_do_not_matter() {
    let expected = {
        let mut trainer = Trainer::new(job(1)).unwrap();
        trainer.run(None, &mut Silent, &NEVER).unwrap();
        bits(trainer.weights())
    };
    for threads in [2, 3, 8] {
        let mut trainer = Trainer::new(job(threads)).unwrap();
        trainer.run(None, &mut Silent, &NEVER).unwrap();
        assert_eq!(bits(trainer.weights()), expected, "{threads} threads");
    }
}

/// The run is cut off inside of an observer, as a killed process would be: nothing after that moment is written.
#[test]
fn killed_at_any_step_it_ends_with_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    let jobs = || {
        let mut job = job(2);
        job.settings.save_every = Every::Steps(4);
        job.settings.evaluate_every = Every::Steps(5);
        job.settings.accumulate = 2;
        job
    };
    let expected = train(jobs(), &whole);
    let steps = expected.progress().step;
    assert_eq!(steps, 12);
    for kill_at in 1..=steps {
        let run_folder = folder.path().join(format!("killed-{kill_at}"));
        let mut run = RunDirectory::create(&run_folder, &manifest(), None).unwrap();
        let mut trainer = Trainer::new(jobs()).unwrap();
        let mut killer = |event: &Event<'_>| {
            let dies = matches!(event, Event::Step { step, .. } if *step == kill_at);
            assert!(!dies, "killed");
        };
        let killed = catch_unwind(AssertUnwindSafe(|| trainer.run(Some(&mut run), &mut killer, &NEVER)));
        assert!(killed.is_err());
        drop((run, trainer));
        let resumed = resume(jobs(), &run_folder);
        assert_same(&resumed, &run_folder, &expected, &whole);
    }
}

#[test]
fn interrupted_it_saves_the_step_and_goes_on_with_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let [whole, cut] = ["whole", "cut"].map(|name| folder.path().join(name));
    let expected = train(job(2), &whole);
    let interrupt = AtomicBool::new(false);
    let mut run = RunDirectory::create(&cut, &manifest(), None).unwrap();
    let mut trainer = Trainer::new(job(2)).unwrap();
    let mut saved = 0;
    let mut observer = |event: &Event<'_>| match event {
        Event::Step { step: 8, .. } => interrupt.store(true, Ordering::Relaxed),
        Event::Saved { .. } => saved += 1,
        _ => (),
    };
    assert_eq!(trainer.run(Some(&mut run), &mut observer, &interrupt).unwrap(), Ending::Interrupted);
    assert_eq!((trainer.progress().step, saved), (8, 2));
    drop((run, trainer));
    assert_same(&resume(job(1), &cut), &cut, &expected, &whole);
}

#[test]
fn a_damaged_checkpoint_falls_back_to_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let [whole, damaged] = ["whole", "damaged"].map(|name| folder.path().join(name));
    let expected = train(job(1), &whole);
    for (extension, damage) in [("safetensors", "flip"), ("safetensors", "cut"), ("json", "flip"), ("json", "gone")] {
        let _ = std::fs::remove_dir_all(&damaged);
        train(job(1), &damaged);
        let newest = damaged.join(format!("checkpoints/step-00000024.{extension}"));
        let mut bytes = std::fs::read(&newest).unwrap();
        match damage {
            "flip" => {
                let place = bytes.len() * 3 / 4;
                bytes[place] ^= 1;
                std::fs::write(&newest, bytes).unwrap();
            }
            "cut" => std::fs::write(&newest, &bytes[..bytes.len() / 2]).unwrap(),
            _ => std::fs::remove_file(&newest).unwrap(),
        }
        let (mut run, _) = RunDirectory::open(&damaged).unwrap();
        let mut trainer = Trainer::new(job(1)).unwrap();
        let mut notes = Vec::new();
        let mut observer = |event: &Event<'_>| {
            if let Event::Note { text } = event {
                notes.push((*text).to_owned());
            }
        };
        run.restore(&mut trainer, &mut observer).unwrap();
        assert_eq!(trainer.progress().step, 18, "{damage}");
        assert_eq!(notes.len(), usize::from(damage != "gone"), "{notes:?}");
        trainer.run(Some(&mut run), &mut Silent, &NEVER).unwrap();
        assert_same(&trainer, &damaged, &expected, &whole);
    }
}

#[test]
fn a_diverging_loss_stops_with_the_last_good_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let run_folder = folder.path().join("run");
    let mut job = job(1);
    job.settings.save_every = Every::Steps(1);
    job.optimizer = Optimizer::Sgd(Sgd::default()).into();
    job.stages[0].schedule = Schedule::constant(1e25);
    let mut run = RunDirectory::create(&run_folder, &manifest(), None).unwrap();
    let mut trainer = Trainer::new(job).unwrap();
    let error = trainer.run(Some(&mut run), &mut Silent, &NEVER).unwrap_err();
    let TrainError::Diverged { checkpoint: Some(checkpoint), .. } = &error else { panic!("{error}") };
    assert!(checkpoint.exists());
    let message = error.to_string();
    assert!(message.contains("diverged") && message.contains("lower the learning rate"), "{message}");
    let finite = retune_train::run::Checkpoint::read(checkpoint).is_ok();
    assert!(finite);
}

/// A folder of the name stands where the file is to go, so that writing fails as it does on a full disk.
#[test]
fn a_checkpoint_that_cannot_be_written_leaves_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let [whole, stopped] = ["whole", "stopped"].map(|name| folder.path().join(name));
    let expected = train(job(1), &whole);
    for extension in ["safetensors", "json"] {
        let _ = std::fs::remove_dir_all(&stopped);
        let obstacle = stopped.join(format!("checkpoints/step-00000012.{extension}/x"));
        std::fs::create_dir_all(&obstacle).unwrap();
        let mut run = RunDirectory::create(&stopped, &manifest(), None).unwrap();
        let error = Trainer::new(job(1)).unwrap().run(Some(&mut run), &mut Silent, &NEVER).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("cannot write") && message.contains("step-00000012"), "{message}");
        assert!(message.contains("what was saved before is unharmed"), "{message}");
        drop(run);
        std::fs::remove_dir_all(obstacle.parent().unwrap()).unwrap();
        assert_same(&resume(job(1), &stopped), &stopped, &expected, &whole);
    }
}

#[test]
fn early_stopping_ends_the_run_and_stays_ended() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = || {
        let mut job = job(1);
        job.stages[0].schedule = Schedule::constant(0.0);
        job.settings.early_stopping = Some(EarlyStopping { patience: 2, min_delta: 0.5 });
        job
    };
    let mut run = RunDirectory::create(folder.path(), &manifest(), None).unwrap();
    let mut trainer = Trainer::new(jobs()).unwrap();
    assert_eq!(trainer.run(Some(&mut run), &mut Silent, &NEVER).unwrap(), Ending::StoppedEarly);
    assert_eq!(trainer.progress().cursor.epoch, 3);
    let mut again = Trainer::new(jobs()).unwrap();
    run.restore(&mut again, &mut Silent).unwrap();
    assert_eq!(again.run(Some(&mut run), &mut Silent, &NEVER).unwrap(), Ending::StoppedEarly);
    assert_eq!(again.progress().step, trainer.progress().step);
}

/// Without batch normalization, whose moments are those of a batch.
#[test]
fn small_batches_accumulated_are_one_large_batch() {
    let after_one_step = |batch_size: usize, accumulate: usize, optimizer: Optimizer, decay_mode: DecayMode| {
        let mut job = job(2);
        job.model = model(false, 3);
        job.train = loader((0..48).collect(), batch_size, true);
        job.optimizer = OptimizerSettings { weight_decay: 0.1, decay_mode, clip_norm: Some(0.05), ..optimizer.into() };
        job.stages[0].schedule = Schedule::constant(0.5);
        job.settings.accumulate = accumulate;
        job.settings.max_steps = Some(1);
        let mut trainer = Trainer::new(job).unwrap();
        trainer.run(None, &mut Silent, &NEVER).unwrap();
        assert_eq!(trainer.progress().step, 1);
        trainer.weights().iter().flat_map(|w| w.to_f32_vec()).collect::<Vec<f32>>()
    };
    for optimizer in [Optimizer::Sgd(Sgd::default()), Optimizer::GradientDescent(GradientDescent::default())] {
        let all = optimizer.takes_all_examples();
        let mode = if all { DecayMode::L2 } else { DecayMode::Decoupled };
        let large = after_one_step(if all { 48 } else { 24 }, 1, optimizer, mode);
        let before: Vec<f32> = model(false, 3).weights.iter().flat_map(|w| w.value.to_f32_vec()).collect();
        assert!(large.iter().zip(&before).any(|(x, y)| (x - y).abs() > 1e-3));
        for (batch_size, accumulate) in [(12, 2), (8, 3), (4, 6), (3, 8)] {
            let small = after_one_step(batch_size, accumulate, optimizer, mode);
            for (x, y) in large.iter().zip(&small) {
                assert!((x - y).abs() < 1e-6, "{optimizer:?} {batch_size}: {x} {y}");
            }
        }
    }
}

#[test]
fn frozen_weights_keep_every_bit_and_every_trainable_weight_moves() {
    let mut job = job(2);
    for weight in &mut job.model.weights {
        weight.trainable &= weight.layer != "conv";
    }
    let before: Vec<Tensor> = job.model.weights.iter().map(|w| w.value.clone()).collect();
    let trainable: Vec<bool> = job.model.weights.iter().map(|w| w.trainable || w.statistic).collect();
    assert_eq!(trainable.iter().filter(|t| **t).count(), 6);
    let mut trainer = Trainer::new(job).unwrap();
    trainer.run(None, &mut Silent, &NEVER).unwrap();
    for ((before, after), trainable) in before.iter().zip(trainer.weights()).zip(trainable) {
        assert_eq!(before != after, trainable);
    }
}

#[test]
fn one_process_at_a_time_and_no_run_over_another() {
    let folder = tempfile::tempdir().unwrap();
    let first = RunDirectory::create(folder.path(), &manifest(), None).unwrap();
    assert!(matches!(RunDirectory::open(folder.path()), Err(TrainError::Locked { .. })));
    drop(first);
    assert!(matches!(RunDirectory::create(folder.path(), &manifest(), None), Err(TrainError::RunExists { .. })));
    assert!(RunDirectory::open(folder.path()).is_ok());
    assert!(matches!(RunDirectory::open(&folder.path().join("no")), Err(TrainError::NoRun { .. })));
}

#[test]
fn the_plan_is_known_before_training() {
    let mut trainer = Trainer::new(job(1)).unwrap();
    let plan = trainer.program().plan(BatchSize { examples: 8, tokens: 0 }).unwrap();
    assert!(plan.flops() > 8 * 64 * 9 * 4 * 2 * 2 && plan.peak_bytes() > 8 * 64 * 4 * 4);
}
