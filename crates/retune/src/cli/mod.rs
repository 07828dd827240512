//! The command line: one file per command, and what they share.
//!
//! | file | what it does |
//! | --- | --- |
//! | `inspect` | what a model or a data set holds |
//! | `convert` | a model in another format, outputs compared |
//! | `predict` | labels and probabilities of images; raw outputs of arrays |
//! | `eval` | metrics with intervals |
//! | `compare` | several models on the same items, tested against each other |
//! | `labelled` | labelled data as a model is measured on them |
//! | `check`, `check_data` | what can be known before training, and the plan; what is wrong with data by itself |
//! | `clean` | a copy of data without what is wrong with it |
//! | `parts` | the parts that data are tested on |
//! | `data_sources`, `model_features` | data by itself: its form and columns; its features by a model |
//! | `fit`, `resume` | training |
//! | `preview` | examples as training sees them |
//! | `repeats` | training with several seeds, folds or draws, as one run |
//! | `runs` | runs as a table, and side by side |
//! | `watch` | a run as it goes on |
//! | `curve` | a line as text |
//! | `demo` | a first run, with everything built in |
//! | `job` | a recipe, or flags in its place |
//! | `outcome` | how a run ended, as people and programs read it |
//! | `console` | what is printed, and where |
//! | `failure` | errors as the user meets them, and exit codes |
//! | `hints`, `sentences` | what to do about them, and what is wrong, in Chinese |
//! | `models` | models by their paths, or by their addresses on the Hub |
//! | `paths` | missing files, and what the user may have meant |
//! | `progress` | the progress bar |
//! | `interrupt` | Ctrl-C |
//! | `text` | tables, numbers and units for people |

mod check;
mod check_data;
mod clean;
mod compare;
mod console;
mod convert;
mod curve;
mod data_sources;
mod demo;
mod eval;
mod failure;
mod fit;
mod inspect;
mod interrupt;
mod job;
mod labelled;
mod model_features;
mod models;
mod outcome;
mod parts;
mod paths;
mod predict;
mod preview;
mod progress;
mod repeats;
mod resume;
mod runs;
mod sentences;
mod text;
mod watch;

use clap::{Parser, Subcommand};
use console::Console;
use failure::Failure;
use retune::train::language::Language;
use std::process::ExitCode;

const FIRST_STEPS: &str = "\
First steps:
  retune demo                                    a whole fine-tuning run, with everything built in
  retune inspect model.h5                        what is in a model
  retune check photos/                           what is wrong with data
  retune check --model model.h5 --data photos/   what training would take, and whether all fits
  retune fit --model model.h5 --data photos/     fine-tune the model on a folder of images
  retune predict --model runs/photos/model.h5 --input new/*.jpg

Exit codes: 0 done, 1 something is wrong with the input or the run, 2 wrong usage, 130 interrupted.";

const ABOUT: &str = "\
Fine-tune pretrained models: a model and labelled data go in; a better model in the same format,
and an honest account of how much better it is, come out.";

#[derive(Debug, Parser)]
#[command(name = "retune", version, about = ABOUT, after_help = FIRST_STEPS, arg_required_else_help = true)]
struct Arguments {
    /// Print one JSON object to standard output, for programs
    #[arg(long, global = true, help_heading = "Options of every command")]
    json: bool,
    /// Print errors and results only
    #[arg(long, short, global = true, help_heading = "Options of every command")]
    quiet: bool,
    /// Threads to compute with [default: all cores]
    #[arg(long, global = true, value_name = "N", help_heading = "Options of every command")]
    threads: Option<std::num::NonZeroUsize>,
    /// Fetch models `hf://org/name` from the Hugging Face Hub; without it only its cache is used
    #[arg(long, global = true, help_heading = "Options of every command")]
    online: bool,
    /// Language of results and reports: `en` or `zh` [default: that of the locale]
    #[arg(long, global = true, value_name = "LANGUAGE", help_heading = "Options of every command")]
    lang: Option<Language>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what a model or a data set holds
    Inspect(inspect::Arguments),
    /// Say what training would take, and what is wrong with the data
    Check(check::Arguments),
    /// Write a copy of a data set without what is wrong with it
    Clean(clean::Arguments),
    /// Write a sheet of examples as training sees them, augmented
    Preview(preview::Arguments),
    /// Fine-tune a model
    Fit(fit::Arguments),
    /// Go on with a run that was stopped
    Resume(resume::Arguments),
    /// List runs, or compare some of them
    Runs(runs::Arguments),
    /// Show a run as it goes on
    Watch(watch::Arguments),
    /// Measure a model on labelled data
    Eval(eval::Arguments),
    /// Compare models on the same labelled data
    Compare(compare::Arguments),
    /// Label images or texts, or compute the outputs for an array
    Predict(predict::Arguments),
    /// Write a model in another format and compare the outputs of both
    Convert(convert::Arguments),
    /// Fine-tune a small network on handwritten digits; both are built in
    Demo(demo::Arguments),
}

/// What every command is given.
struct Context {
    console: Console,
    threads: Option<std::num::NonZeroUsize>,
    /// Whether the Hub may be asked.
    is_online: bool,
    /// Language of results and reports.
    language: Language,
}

impl Context {
    /// The processor, with as many threads as asked for.
    fn cpu(&self) -> retune::Cpu {
        self.threads.map_or_else(retune::Cpu::all_threads, |threads| retune::Cpu::new(threads.get()))
    }
}

/// Reads the arguments, runs the command, prints its error.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let language = arguments.lang.unwrap_or_else(Language::of_environment);
    let context = Context {
        console: Console::new(arguments.json, arguments.quiet, language),
        threads: arguments.threads,
        is_online: arguments.online,
        language,
    };
    let result = match arguments.command {
        Command::Inspect(arguments) => inspect::run(&context, &arguments),
        Command::Check(arguments) => check::run(&context, &arguments),
        Command::Clean(arguments) => clean::run(&context, &arguments),
        Command::Preview(arguments) => preview::run(&context, &arguments),
        Command::Fit(arguments) => fit::run(&context, &arguments),
        Command::Resume(arguments) => resume::run(&context, &arguments),
        Command::Runs(arguments) => runs::run(&context, &arguments),
        Command::Watch(arguments) => watch::run(&context, &arguments),
        Command::Eval(arguments) => eval::run(&context, &arguments),
        Command::Compare(arguments) => compare::run(&context, &arguments),
        Command::Predict(arguments) => predict::run(&context, &arguments),
        Command::Convert(arguments) => convert::run(&context, &arguments),
        Command::Demo(arguments) => demo::run(&context, &arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let code = failure.exit_code();
            context.console.failure(failure);
            code
        }
    }
}

/// An error about the contents of the file at `path`, naming it.
fn in_file(path: &std::path::Path, error: impl Into<Failure>) -> Failure {
    error.into().within(path)
}

/// The result of a command.
type Result<T = (), E = Failure> = std::result::Result<T, E>;
