//! `retune check`: everything that can be known before training, of a recipe or of data by itself.

use super::check_data::{self, CheckDataArguments};
use super::failure::Failure;
use super::job::JobArguments;
use super::text::{self, Table};
use super::{Context, Result, paths};
use retune::data::{BatchSize, TableSchema, TokenStatistics};
use retune::train::fit::{StagePlan, plan};
use retune::train::recipe::Built;
use retune::train::schedules::{Decay, Schedule};
use retune::train::trainer::{FeaturePlan, Job, Stage, StepTimes};
use serde_json::json;
use std::path::Path;

/// Steps that are done to estimate the time of one.
const TRIAL_STEPS: u64 = 4;

/// Say what training would take, and what is wrong with the data.
///
/// A recipe, or a model and data: whether they fit together, and the memory and time that training takes. Data alone (in place of the
/// recipe): duplicates, overlap between parts, contradicting labels, broken rows and more, each with the command that deals with it.
#[derive(Debug, clap::Args)]
#[command(mut_arg("recipe", |recipe| recipe.value_name("RECIPE|DATA").help("A recipe (TOML), or data")))]
pub struct Arguments {
    #[command(flatten)]
    job: JobArguments,
    /// Do not run a few steps to estimate the time
    #[arg(long)]
    no_timing: bool,
    #[command(flatten)]
    data: CheckDataArguments,
}

/// Checks a recipe, or data by itself.
pub fn run(context: &Context, arguments: &Arguments) -> Result {
    let job = &arguments.job;
    let by_position = job.recipe.as_deref().filter(|path| is_data(path));
    let by_flag = job.data.as_deref().filter(|_| job.model.is_none() && job.recipe.is_none());
    if let Some(path) = by_position.or(by_flag) {
        paths::must_exist(path)?;
        return check_data::run(context, path, &job.parts, &arguments.data);
    }
    if arguments.data.are_given() {
        let failure = Failure::usage("the options under `Data by itself` go with data in place of a recipe");
        return Err(failure.hint("retune check DATA"));
    }
    let Built { job, facts, output, .. } = arguments.job.build(context)?;
    let epochs = job.settings.epochs;
    let rates = rates_text(&job);
    let columns = job.train.preprocessing().table.as_ref().map(columns_text);
    let plan = plan(job, if arguments.no_timing { 0 } else { TRIAL_STEPS })?;
    let mut table = Table::new(&[]);
    let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
    let [train, validation, test] = plan.examples.map(text::count);
    row("examples", format!("{train} to train, {validation} to validate, {test} to test"));
    match &plan.tokens {
        None => {
            let shape = || format!("{:?}", facts.input_shape.as_deref().unwrap_or_default());
            row("input", columns.unwrap_or_else(shape));
        }
        Some(tokens) => {
            let TokenStatistics { examples, mean, p95, most, truncated, words_cut, .. } = tokens.statistics;
            let share = 100.0 * truncated as f64 / examples.max(1) as f64;
            row("tokens of a text", format!("{mean:.1} in the mean, 95 % up to {p95}, at most {most}"));
            if tokens.is_estimate {
                let text = "estimates: texts are changed in each epoch, and lengths are those before";
                row("tokens and batches", text.to_owned());
            }
            row("texts cut off", format!("{}, {share:.1} %", text::count(truncated)));
            if words_cut > 0 {
                row("words cut off", format!("{}; they are neither learned nor judged", text::count(words_cut)));
            }
            row("batch in the mean", batch_text(tokens.mean_batch));
            row("largest batch", batch_text(tokens.largest_batch));
        }
    }
    row("output", format!("{:?}", facts.output_shape));
    row(
        "weights",
        format!("{}, {} of them trained", text::count(facts.parameters), text::count(facts.trainable_parameters)),
    );
    row("trained layers", layers_text(&facts.trainable_layers));
    row("frozen layers", layers_text(&facts.frozen_layers));
    if let Some(tokens) = &plan.tokens {
        row("memory of a step", format!("{} in the mean", text::bytes(tokens.mean_step_bytes as u64)));
    }
    let of_a_step = if plan.tokens.is_some() { "largest step" } else { "memory of a step" };
    row(of_a_step, text::bytes(plan.step_bytes as u64));
    row("optimizer", text::bytes(plan.optimizer_bytes as u64));
    row("learning rate", rates.clone());
    if let Some(features) = plan.stages.first().and_then(|stage| stage.features.as_ref()) {
        for (name, value) in feature_rows(features) {
            row(name, value);
        }
    }
    if plan.dropouts_left_out > 0 {
        let count = text::counted(plan.dropouts_left_out, "dropout", "dropouts");
        row("frozen layers", format!("{count} left out, as in the finished model; `train.frozen-dropout` keeps them"));
    }
    row("memory of the run", text::bytes(plan.run_bytes as u64));
    let step_flops = plan.tokens.map_or(plan.step_flops, |tokens| tokens.mean_step_flops);
    row("work of a step", text::flops(step_flops));
    row(
        "steps",
        format!(
            "{}: {} of {}",
            text::count(plan.steps as usize),
            counted_epochs(epochs),
            text::count(plan.steps_per_epoch as usize)
        ),
    );
    if let Some(secs) = plan.secs_per_step {
        match plan.stages.as_slice() {
            [StagePlan { step_times: Some(times), .. }] if times.first_secs > times.later_secs => {
                row("time of a step", format!("{} in the first epoch", text::seconds(times.first_secs)));
                row("in later epochs", text::seconds(times.later_secs));
            }
            [_] => {
                let rate = step_flops as f64 / secs / 1e9;
                row("time of a step", format!("{}, {rate:.0} GFLOP/s", text::seconds(secs)));
            }
            // Of several stages the work of a step differs.
            _ => row("time of a step", format!("{} in the mean", text::seconds(secs))),
        }
        row("time to train", format!("about {}, evaluation not counted", text::seconds(secs * plan.steps as f64)));
    }
    for (index, stage) in plan.stages.iter().enumerate().filter(|_| plan.stages.len() > 1) {
        let [start, end] = stage.epochs;
        let kept =
            stage.features.as_ref().map_or_else(String::new, |kept| format!(", {} kept", text::bytes(kept.bytes)));
        let secs = |times: StepTimes| match times {
            StepTimes { first_secs, later_secs } if first_secs > later_secs => {
                format!(", {} a step, later {}", text::seconds(first_secs), text::seconds(later_secs))
            }
            StepTimes { first_secs, .. } => format!(", {} a step", text::seconds(first_secs)),
        };
        let secs = stage.step_times.map_or_else(String::new, secs);
        row(
            &format!("stage {}", index + 1),
            format!(
                "epoch {} to {end}: {}, {} weights, {} a step{kept}{secs}",
                start + 1,
                stage.name,
                text::count(stage.trainable_parameters),
                text::bytes(stage.step_bytes as u64)
            ),
        );
    }
    row("run's folder", output.display().to_string());
    let text = format!("{}\nno problems found", table.render(0));
    context.console.result(&text, || {
        json!({
            "problems": [],
            "facts": facts,
            "examples": { "train": plan.examples[0], "validation": plan.examples[1], "test": plan.examples[2] },
            "batch_size": plan.batch_size,
            "tokens": plan.tokens,
            "epochs": epochs,
            "learning_rate": rates,
            "steps": plan.steps,
            "stages": plan.stages,
            "step_bytes": plan.step_bytes,
            "optimizer_bytes": plan.optimizer_bytes,
            "features": plan.stages.first().and_then(|stage| stage.features.as_ref()),
            "dropouts_left_out": plan.dropouts_left_out,
            "run_bytes": plan.run_bytes,
            "step_flops": plan.step_flops,
            "seconds_per_step": plan.secs_per_step,
            "run": output,
        })
    });
    Ok(())
}

/// What is kept of frozen layers, and where.
fn feature_rows(features: &FeaturePlan) -> Vec<(&'static str, String)> {
    let there = match features.present {
        0 => "none of them there yet".to_owned(),
        n if n == features.examples => "all of them there already".to_owned(),
        n => format!("{} of them there already", text::count(n as usize)),
    };
    let of = if features.in_training { "" } else { " to validate and to test" };
    let examples = text::counted(features.examples as usize, "example", "examples");
    let mut rows = vec![
        ("kept of frozen layers", format!("{} for {examples}{of}, {there}", text::bytes(features.bytes))),
        ("kept in", features.folder.display().to_string()),
    ];
    if features.present < features.examples && features.bytes > features.available_bytes {
        let room = text::bytes(features.available_bytes);
        rows.push(("room there", format!("{room}: what does not fit is computed in each epoch")));
    }
    rows
}

/// `0.00005 by adamw, linear after 12 steps of warmup`, for each stage.
fn rates_text(job: &Job) -> String {
    let of = |stage: &Stage| {
        let Schedule { learning_rate, warmup, decay } = &stage.schedule;
        let decay = match decay {
            Decay::Constant => "constant",
            Decay::Step(_) => "in steps",
            Decay::Exponential(_) => "exponential",
            Decay::Cosine(_) => "cosine",
            Decay::Linear(_) => "linear",
            Decay::Polynomial(_) => "polynomial",
            _ => "changing",
        };
        let after = match warmup.steps {
            0 => String::new(),
            steps => format!(" after {} of warmup", text::counted(steps as usize, "step", "steps")),
        };
        format!("{learning_rate} by {}, {decay}{after}", job.optimizer.optimizer.name())
    };
    job.stages.iter().map(of).collect::<Vec<_>>().join("; then ")
}

/// `6 columns of numbers, 8 of categories`
fn columns_text(schema: &TableSchema) -> String {
    let numbers = text::counted(schema.numbers().count(), "column", "columns");
    format!("{numbers} of numbers, {} of categories", schema.category_width())
}

/// `32 texts, 745 tokens`
fn batch_text(size: BatchSize) -> String {
    format!("{}, {}", text::counted(size.examples, "text", "texts"), text::counted(size.tokens, "token", "tokens"))
}

/// Whether a path is that of data, not of a recipe.
fn is_data(path: &Path) -> bool {
    path.is_dir() || (path.exists() && path.extension().is_none_or(|extension| extension != "toml"))
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
