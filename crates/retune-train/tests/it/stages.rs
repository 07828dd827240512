//! Runs whose later epochs train more than the first: LP-FT and gradual unfreezing.

use crate::fixture::{data, job};
use crate::recipes;
use crate::runs::{assert_same, bits, manifest, resume, train};
use crate::texts;
use retune_data::{Loader, LoaderOptions};
use retune_models::Model;
use retune_train::features::CacheSettings;
use retune_train::run::RunDirectory;
use retune_train::schedules::Schedule;
use retune_train::trainer::{EarlyStopping, Event, Every, Job, Silent, Stage, Trainer};
use retune_train::{TrainError, fit};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;

static NEVER: AtomicBool = AtomicBool::new(false);

/// The tiny network for four epochs: its head, from the second epoch on its norm too, from the third everything. Each epoch has
/// six batches.
fn staged() -> Job {
    let mut job = job(2);
    let names: Vec<String> = job.model.weights.iter().map(|weight| weight.name.clone()).collect();
    let trains = |layers: &[&str]| {
        let is_trained = |name: &String| layers.iter().any(|layer| name.starts_with(&format!("{layer}/")));
        Some(names.iter().map(is_trained).collect::<Vec<bool>>())
    };
    let whole = job.stages.remove(0);
    let stage = |name: &str, first_epoch, trained| Stage { name: name.into(), first_epoch, trained, ..whole.clone() };
    job.stages = vec![
        stage("head", 0, trains(&["head"])),
        stage("head and norm", 1, trains(&["head", "norm"])),
        stage("all weights", 2, None),
    ];
    job
}

/// What is frozen is kept, however little it saves.
const KEPT: [&str; 2] = ["train.cache=true", "train.cache-folder=\"cache\""];

/// The same on images that are not changed at random, with what is frozen kept.
fn cached(cache: Option<CacheSettings>) -> Job {
    let mut job = staged();
    let options = LoaderOptions { batch_size: 8, shuffle: true, seed: 11, ..LoaderOptions::default() };
    job.train = Loader::new(data(60), (0..44).collect(), options).unwrap();
    job.settings.cache = cache;
    job
}

/// Names of the weights that differ from those of the model at first, after so many epochs.
fn changed_after(epochs: u64) -> Vec<String> {
    let model = staged().model;
    let mut job = staged();
    job.settings.max_steps = Some(epochs * 6);
    let mut trainer = Trainer::new(job).unwrap();
    trainer.run(None, &mut Silent, &NEVER).unwrap();
    let pairs = model.weights.iter().zip(trainer.weights());
    pairs.filter(|(before, after)| before.value != **after).map(|(before, _)| before.name.clone()).collect()
}

#[test]
fn each_stage_trains_what_it_says_and_leaves_the_rest_to_the_bit() {
    let head = ["head/kernel", "head/bias"];
    let norm = ["norm/gamma", "norm/beta", "norm/moving_mean", "norm/moving_variance"];
    let conv = ["conv/kernel", "conv/bias"];
    assert_eq!(changed_after(1), head);
    assert_eq!(changed_after(2), [&norm[..], &head].concat());
    assert_eq!(changed_after(3), [&conv[..], &norm, &head].concat());
}

#[test]
fn killed_in_any_stage_it_ends_with_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    let jobs = || {
        let mut job = staged();
        job.settings.save_every = Every::Steps(4);
        job.settings.evaluate_every = Every::Steps(5);
        job
    };
    let expected = train(jobs(), &whole);
    assert_eq!(expected.progress().step, 24);
    for kill_at in 1..=24 {
        let run_folder = folder.path().join(format!("killed-{kill_at}"));
        let mut run = RunDirectory::create(&run_folder, &manifest(), None).unwrap();
        let mut trainer = Trainer::new(jobs()).unwrap();
        let mut killer = |event: &Event<'_>| {
            let dies = matches!(event, Event::Step { step, .. } if *step == kill_at);
            assert!(!dies, "killed");
        };
        assert!(catch_unwind(AssertUnwindSafe(|| trainer.run(Some(&mut run), &mut killer, &NEVER))).is_err());
        drop((run, trainer));
        assert_same(&resume(jobs(), &run_folder), &run_folder, &expected, &whole);
    }
    // A run that is over has nothing left to do, wherever it ended.
    for steps in [6, 12, 24] {
        let ended = folder.path().join(format!("ended-{steps}"));
        let job = || {
            let mut job = jobs();
            job.settings.max_steps = Some(steps);
            job
        };
        let expected = train(job(), &ended);
        assert_eq!(bits(resume(job(), &ended).weights()), bits(expected.weights()));
    }
}

#[test]
fn frozen_parts_of_every_stage_are_kept_and_change_no_bit() {
    let folder = tempfile::tempdir().unwrap();
    let trained = |job: Job| {
        let mut trainer = Trainer::new(job).unwrap();
        let kept: Vec<_> = (0..3).map(|stage| trainer.program_of(stage).unwrap().kept_bytes(0)).collect();
        trainer.run(None, &mut Silent, &NEVER).unwrap();
        assert!(trainer.program_of(0).is_none() && trainer.program_of(2).is_some(), "what is over is freed");
        (kept, bits(trainer.weights()))
    };
    let (kept, expected) = trained(cached(None));
    assert_eq!(kept, [None; 3]);
    let (kept, found) =
        trained(cached(Some(CacheSettings { always: true, ..CacheSettings::in_folder(folder.path()) })));
    // Behind the pooling, then behind the convolution, then nothing.
    assert_eq!(kept, [Some(4 * 64), Some(4 * 256), None]);
    assert_eq!(found, expected);
}

#[test]
fn each_stage_begins_anew() {
    let mut job = staged();
    for (stage, rate) in job.stages.iter_mut().zip([0.5, 0.25, 0.125]) {
        stage.schedule = Schedule { learning_rate: rate, ..Schedule::constant(rate) };
        stage.schedule.warmup.steps = 2;
    }
    // Patience would end the run in the first stage, which is not judged.
    job.settings.early_stopping = Some(EarlyStopping { patience: 1, min_delta: 1e9 });
    let mut rates = Vec::new();
    let mut observer = |event: &Event<'_>| {
        if let Event::Step { summary, .. } = event {
            rates.push(summary.learning_rate);
        }
    };
    let mut trainer = Trainer::new(job).unwrap();
    trainer.run(None, &mut observer, &NEVER).unwrap();
    assert_eq!(rates.len(), 24);
    for (stage, rate) in [(0, 0.5), (1, 0.25), (2, 0.125)] {
        assert_eq!(rates[stage * 6..stage * 6 + 3], [0.0, rate / 2.0, rate]);
    }
    assert_eq!(trainer.optimizer().steps(), 12, "counted from the beginning of the last stage");
    assert!(trainer.progress().stopped_early);
}

#[test]
fn stages_out_of_order_are_refused() {
    let refused = |change: fn(&mut Vec<Stage>)| {
        let mut job = staged();
        change(&mut job.stages);
        Trainer::new(job).unwrap_err().to_string()
    };
    assert!(refused(|stages| stages.clear()).contains("do not follow one another"));
    assert!(refused(|stages| stages[0].first_epoch = 1).contains("do not follow one another"));
    assert!(refused(|stages| stages[2].first_epoch = 1).contains("do not follow one another"));
    let error = refused(|stages| stages[2].trained = stages[0].trained.clone());
    assert!(error.contains("the stage `all weights` freezes `norm/gamma`, which was trained"), "{error}");
}

const LP_FT: &str = "[method]\nkind = \"lp-ft\"\nhead-epochs = 2\nhead-learning-rate = 0.02\n[train]\nepochs = 5\n";

#[test]
fn a_recipe_of_lp_ft_trains_the_head_first() {
    let folder = recipes::folder();
    let head = "[model]\npath = \"base.keras\"\nhead = [{ class = \"Dense\", units = 5 }, { class = \"Dense\", units = 3, activation = \"softmax\" }]\n";
    let text = format!("{head}[data]\npath = \"data.npz\"\n{LP_FT}");
    let settings = retune_train::recipe::parse("test.toml", &text, &KEPT.map(String::from)).unwrap();
    let built = retune_train::recipe::build(&settings, folder.path(), "test", &[]).unwrap();
    let Job { stages, model, .. } = &built.job;
    let [first, second] = stages.as_slice() else { panic!("{stages:?}") };
    assert_eq!((first.name.as_str(), first.first_epoch, first.schedule.learning_rate), ("head", 0, 0.02));
    assert_eq!((second.name.as_str(), second.first_epoch, second.schedule.learning_rate), ("all weights", 2, 0.001));
    let trained = model.weights.iter().zip(first.trained.as_ref().unwrap()).filter(|(_, trained)| **trained);
    let trained: Vec<&str> = trained.map(|(weight, _)| weight.name.as_str()).collect();
    assert_eq!(trained, ["dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"]);

    let plan = fit::plan(built.job, 2).unwrap();
    assert_eq!(plan.stages.iter().map(|stage| stage.epochs).collect::<Vec<_>>(), [[0, 2], [2, 5]]);
    assert_eq!(plan.stages[0].trainable_parameters, 64 * 5 + 5 + 5 * 3 + 3);
    assert!(plan.stages[0].features.is_some() && plan.stages[1].features.is_none());
    assert_eq!(plan.step_bytes, plan.stages[1].step_bytes);
    assert_eq!(plan.steps, plan.stages.iter().map(|stage| stage.steps).sum::<u64>());
    assert!(plan.secs_per_step.is_some());
}

#[test]
fn whole_runs_with_stages_say_so_in_the_report() {
    let root = tempfile::tempdir().unwrap();
    texts::model_folder(root.path());
    texts::write_data(root.path(), 60);
    let methods = [
        ("lp-ft\"\nhead-epochs = 2", "head for 2 epochs, then all weights for 2"),
        (
            "gradual",
            "the last group of layers for 1 epoch, then the last 2 of 4 groups of layers for 1, \
             then the last 3 of 4 groups of layers for 1, then all weights for 1",
        ),
    ];
    for (index, (method, expected)) in methods.into_iter().enumerate() {
        let more =
            format!("[method]\nkind = \"{}\n[train]\nepochs = 4\n[output]\npath = \"run{index}\"", quoted(method));
        let outcome = fit(texts::build(root.path(), &more).unwrap(), &mut Silent, &NEVER).unwrap();
        let report = std::fs::read_to_string(outcome.report.unwrap()).unwrap();
        assert!(report.contains(expected), "{method}: {report}");
        let (before, after) =
            (Model::load(root.path().join("base")).unwrap().0, Model::load(outcome.model.unwrap()).unwrap().0);
        let embedding = |model: &Model| model.weights[0].value.clone();
        assert!(embedding(&before) != embedding(&after), "{method} ends with all weights");
    }
}

/// The name of a method with its closing mark.
fn quoted(method: &str) -> String {
    if method.contains('"') { method.to_owned() } else { format!("{method}\"") }
}

#[test]
fn recipes_that_leave_no_epoch_or_name_keys_of_others_are_refused() {
    let folder = recipes::folder();
    let message = |more: &str| -> String {
        let error: TrainError = recipes::build(folder.path(), more).unwrap_err();
        error.to_string()
    };
    let error = message("[method]\nkind = \"lp-ft\"\nhead-epochs = 3\n[train]\nepochs = 3");
    assert!(error.contains("the head alone is trained for 3 of 3 epochs"), "{error}");
    let error = message("[method]\nkind = \"gradual\"\nhead-epochs = 3");
    assert!(error.contains("does not belong to this method"), "{error}");
    let error = message("[method]\nkind = \"lp-ft\"\nhead-epochs = 0");
    assert!(error.contains("expected at least 1"), "{error}");
}
