//! `retune fit`: fine-tunes a model.

use super::interrupt::Interrupt;
use super::job::JobArguments;
use super::progress::Progress;
use super::{Context, Result, outcome, seeds, text};
use retune::train::fit::fit;

/// What the first Ctrl-C says.
pub const STOPPING: &str = "stopping: the step at hand is finished and saved; Ctrl-C again aborts at once";

/// Fine-tune a model.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    job: JobArguments,
    /// Train with so many seeds, from `train.seed` on, each in a folder of its own; finished ones are not done again
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: Option<u64>,
}

/// Trains in a new run folder.
pub fn run(context: &Context, arguments: &Arguments) -> Result {
    if let Some(count) = arguments.seeds {
        return seeds::run(context, &arguments.job, count);
    }
    let built = arguments.job.build(context)?;
    let facts = &built.facts;
    context.console.note(format!(
        "training {} of {} weights on {} examples; the run's folder is `{}`",
        text::count(facts.trainable_parameters),
        text::count(facts.parameters),
        text::count(built.job.train.len()),
        built.output.display()
    ));
    let interrupt = Interrupt::listen(STOPPING)?;
    let mut progress = Progress::new(context.console, "training");
    let outcome = fit(built, &mut progress, &interrupt.flag());
    progress.finish();
    outcome::report(context, &outcome?)
}
