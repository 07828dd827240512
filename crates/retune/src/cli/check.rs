//! `retune check`: everything that can be known before training.

use super::job::JobArguments;
use super::text::{self, Table};
use super::{Context, Result, inspect, paths};
use retune::data::Loader;
use retune::train::recipe::Built;
use retune::train::trainer::{Event, Job, Trainer};
use serde_json::json;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// Steps that are run to estimate the time: the first makes the plan and does not count.
const TRIAL_STEPS: u64 = 4;

/// Say what training would take, and what is wrong.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    job: JobArguments,
    /// Do not run a few steps to estimate the time
    #[arg(long)]
    no_timing: bool,
}

/// Checks a recipe, or data by itself.
pub fn run(context: &Context, arguments: &Arguments) -> Result {
    if let Some(path) = arguments.job.recipe.as_deref().filter(|path| is_data(path)) {
        paths::must_exist(path)?;
        return inspect::check_data(context, path);
    }
    let Built { job, facts, output, .. } = arguments.job.build(context)?;
    let examples =
        [Some(&job.train), job.validation.as_ref(), job.test.as_ref()].map(|part| part.map_or(0, Loader::len));
    let (epochs, most_steps) = (job.settings.epochs, job.settings.max_steps.unwrap_or(u64::MAX));
    let batch = examples[0].div_ceil(job.train.batches_per_epoch().max(1));
    let trial = Job { validation: None, test: None, ..job };
    let mut trainer = Trainer::new(with_steps(trial, TRIAL_STEPS))?;
    let (optimizer_bytes, steps_per_epoch) = (trainer.optimizer().size_bytes(), trainer.steps_per_epoch());
    let run_bytes = trainer.run_bytes(examples[1] + examples[2] > 0)?;
    let plan = trainer.program().plan(batch)?;
    let (step_bytes, step_flops) = (plan.peak_bytes(), plan.flops());
    let steps = (epochs * steps_per_epoch).min(most_steps);
    let secs_per_step = if arguments.no_timing { None } else { seconds_per_step(&mut trainer)? };

    let mut table = Table::new(&[]);
    let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
    let [train, validation, test] = examples.map(text::count);
    row("examples", format!("{train} to train, {validation} to validate, {test} to test"));
    row("input", format!("{:?}", facts.input_shape.as_deref().unwrap_or_default()));
    row("output", format!("{:?}", facts.output_shape));
    row(
        "weights",
        format!("{}, {} of them trained", text::count(facts.parameters), text::count(facts.trainable_parameters)),
    );
    row("trained layers", layers_text(&facts.trainable_layers));
    row("frozen layers", layers_text(&facts.frozen_layers));
    row("memory of a step", text::bytes(step_bytes as u64));
    row("optimizer", text::bytes(optimizer_bytes as u64));
    row("memory of the run", format!("{}, beside data kept in memory", text::bytes(run_bytes as u64)));
    row("work of a step", text::flops(step_flops));
    row(
        "steps",
        format!(
            "{}: {} of {}",
            text::count(steps as usize),
            counted_epochs(epochs),
            text::count(steps_per_epoch as usize)
        ),
    );
    if let Some(secs) = secs_per_step {
        let rate = step_flops as f64 / secs / 1e9;
        row("time of a step", format!("{}, {rate:.0} GFLOP/s", text::seconds(secs)));
        row("time to train", format!("about {}, evaluation not counted", text::seconds(secs * steps as f64)));
    }
    row("run's folder", output.display().to_string());
    let text = format!("{}\nno problems found", table.render(0));
    context.console.result(&text, || {
        json!({
            "problems": [],
            "facts": facts,
            "examples": { "train": examples[0], "validation": examples[1], "test": examples[2] },
            "batch_size": batch,
            "epochs": epochs,
            "steps": steps,
            "step_bytes": step_bytes,
            "optimizer_bytes": optimizer_bytes,
            "run_bytes": run_bytes,
            "step_flops": step_flops,
            "seconds_per_step": secs_per_step,
            "run": output,
        })
    });
    Ok(())
}

/// Whether a path is that of data, not of a recipe.
fn is_data(path: &Path) -> bool {
    path.is_dir() || (path.exists() && path.extension().is_none_or(|extension| extension != "toml"))
}

fn with_steps(mut job: Job, steps: u64) -> Job {
    job.settings.max_steps = Some(steps);
    job
}

/// Time of a step, from a few real ones whose result is thrown away. `None` where there are too few.
fn seconds_per_step(trainer: &mut Trainer) -> Result<Option<f64>> {
    let mut times = Vec::new();
    let mut observer = |event: &Event<'_>| {
        if let Event::Step { secs, .. } = event {
            times.push(*secs);
        }
    };
    trainer.run(None, &mut observer, &AtomicBool::new(false))?;
    let mut times = times.split_off(times.len().min(1));
    times.sort_by(f64::total_cmp);
    Ok(times.get(times.len() / 2).copied())
}

fn counted_epochs(epochs: u64) -> String {
    text::counted(epochs as usize, "epoch", "epochs")
}

/// The layers' names, the middle ones left out where there are many.
fn layers_text(layers: &[String]) -> String {
    match layers {
        [] => "none".to_owned(),
        [first, .., last] if layers.len() > 6 => format!("{first} … {last} ({} layers)", layers.len()),
        layers => layers.join(", "),
    }
}
