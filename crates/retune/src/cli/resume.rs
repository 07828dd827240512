//! `retune resume`: goes on with a run exactly where it stopped.

use super::fit::stopping;
use super::interrupt::Interrupt;
use super::progress::Progress;
use super::{Context, Result, outcome, paths};
use retune::train::fit::{ResumeOptions, resume};
use std::path::PathBuf;

/// Go on with a run that was stopped.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The run's folder
    #[arg(value_name = "RUN")]
    run: PathBuf,
}

/// Resumes.
pub fn run(context: &Context, arguments: &Arguments) -> Result {
    paths::must_exist(&arguments.run)?;
    let interrupt = Interrupt::listen(stopping(context.language))?;
    let mut progress = Progress::new(context.console, ("training", "训练"));
    let options = ResumeOptions { threads: context.threads, language: context.language };
    let outcome = resume(&arguments.run, options, &mut progress, &interrupt.flag());
    progress.finish();
    outcome::report(context, &outcome?)
}
