//! How long one waits: for the first training step, and for the program's help.

use std::time::Instant;

use super::measurement::{Measurement, all, median};
use super::table::Table;
use super::works::WORKS;
use super::{Options, Programs};
use crate::Result;
use crate::process::{program, succeeds};

/// Measures the first step of the first work and `retune --help`.
pub(super) fn measure(programs: &Programs, options: &Options) -> Result<String> {
    let rounds = if options.quick { 1 } else { 5 };
    let work = &WORKS[0];
    let (mut retune, mut keras) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        retune.push(Measurement::of(&mut work.retune(programs, options, 0, 1)?)?);
        keras.push(Measurement::of(&mut work.peer(programs, options, 0, 1)?)?);
    }
    let mut table = Table::new("Waiting", &["what", "retune", "Keras on TensorFlow"]);
    table.row([
        format!("until the first step of {} is done", work.name),
        format!("{:.2} s", median(all(&retune, "first_step_s")?)),
        format!("{:.2} s", median(all(&keras, "first_step_s")?)),
    ]);
    table.row(["`retune --help`".to_owned(), format!("{:.1} ms", help_ms(programs, 10 * rounds)?), "–".to_owned()]);
    Ok(table.finish())
}

/// Median time in which `retune --help` answers, starting the process included.
fn help_ms(programs: &Programs, times: usize) -> Result<f64> {
    let mut elapsed = Vec::with_capacity(times);
    for _ in 0..times {
        let mut command = program(&programs.retune);
        let start = Instant::now();
        if !succeeds(command.arg("--help")) {
            return Err("`retune --help` failed".into());
        }
        elapsed.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(median(elapsed))
}
