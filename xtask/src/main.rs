//! Developer tasks, run as `cargo xtask TASK`. They need nothing but the Rust toolchain, and Python 3.11 or later where a
//! task compares with programs written in Python.
//!
//! | file | what it holds |
//! | --- | --- |
//! | [`mod@test`] | `test`: all tests |
//! | [`ci`] | `ci`: formatting, dependencies, lints, documentation, assets, tests |
//! | [`assets`] | `assets`: real models and data for the larger tests and the benchmarks |
//! | [`goldens`] | `goldens`: the golden files made anew, which must change nothing |
//! | [`interop`] | `interop`: what retune writes, loaded and computed by Keras, transformers and PEFT, and read by TensorBoard |
//! | [`mod@bench`] | `bench`: retune beside its peers, on the same work, in turn |
//! | [`results`] | `results`: fine-tuning on real data, and the tables of `docs/results.md` |
//! | [`python`] | virtual environments under `target/` |
//! | [`process`] | running programs, and where the repository is |

mod assets;
mod bench;
mod ci;
mod goldens;
mod interop;
mod process;
mod python;
mod results;
mod test;

use std::error::Error;
use std::process::ExitCode;

/// What a task gives: nothing, or the reason why it stopped.
pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str = "\
usage: cargo xtask TASK

tasks:
  test [-- ARGS]           all tests, in release; ARGS go to `cargo test`
  ci                       formatting, dependencies, lints, documentation, assets, tests
  assets [NAME]...         fetch real models and data into `assets/`
  goldens [KIND]...        make the golden files anew and show what changed (keras, keras_legacy, train)
  interop [hugging-face [NAME]... | tables | tensorboard | MODEL...]
                            compare what retune writes with transformers and PEFT, a run's events with TensorBoard, models with
                            Keras; by default all three
  bench [WORK]... [--quick] [--images DIR]
                           measure beside the peers; bench/README.md names the works
  results [TASK]... --data FOLDER [--method full|head|lora]... [--peer | --only-peer] [--seeds N] [--max-steps N] [--missing] [--untimed]
                           fine-tune on real data by the recipes, and write docs/results.md; with --missing without the runs
                           whose figures are kept, with --from-kept only write it, with --untimed without times

`assets`, `goldens`, `interop`, `bench` and `results --peer` need Python 3.11 or later; the variable PYTHON names another than `python3`";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let task = args.next().unwrap_or_default();
    let args: Vec<String> = args.collect();
    let done = match task.as_str() {
        "test" => test::run(&args),
        "ci" => ci::run(&args),
        "assets" => assets::run(&args),
        "goldens" => goldens::run(&args),
        "interop" => interop::run(&args),
        "bench" => bench::run(&args),
        "results" => results::run(&args),
        "" | "help" | "-h" | "--help" => {
            println!("{USAGE}");
            Ok(())
        }
        unknown => Err(format!("unknown task `{unknown}`\nhint: `cargo xtask help` lists them").into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
