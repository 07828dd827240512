//! Training steps of retune and of its peers, in turn.

use super::measurement::{Measurement, all, median};
use super::table::{Table, megabytes};
use super::works::Work;
use super::{Options, Programs};
use crate::Result;
use crate::process::program;

/// One run of retune and of the peer per round.
fn run(work: &Work, programs: &Programs, options: &Options) -> Result<(Vec<Measurement>, Vec<Measurement>)> {
    let effort = work.effort(options.quick);
    let (mut retune, mut peer) = (Vec::new(), Vec::new());
    for round in 1..=effort.rounds {
        let ours = work.retune(programs, options, effort.warmup, effort.steps)?;
        let theirs = work.peer(programs, options, effort.warmup, effort.steps)?;
        for (name, runs, mut command) in [("retune", &mut retune, ours), (work.peer_name(), &mut peer, theirs)] {
            let measured = Measurement::of(&mut command)?;
            let latest = measured.get("median_ms")?;
            eprintln!("{}: round {round} of {}, {name}: {latest:.1} ms", work.name, effort.rounds);
            runs.push(measured);
        }
    }
    Ok((retune, peer))
}

/// Measures these works.
pub(super) fn measure(programs: &Programs, works: &[&Work], options: &Options) -> Result<String> {
    let peak = Measurement::of(program(&programs.step_time).arg("--peak"))?.get("peak_flops")?;
    let title = format!("Training steps (measured peak: {:.0} GFLOP/s in 32 bits)", peak / 1e9);
    let columns =
        ["work", "program", "step", "10–90 %", "times faster", "epoch", "peak memory", "GFLOP/s", "of the peak"];
    let mut table = Table::new(&title, &columns);
    for work in works {
        let (retune, peer) = run(work, programs, options)?;
        let flops = median(all(&retune, "flops")?);
        let reference = median(all(&peer, "median_ms")?);
        for (name, runs) in [("retune", &retune), (work.peer_name(), &peer)] {
            let milliseconds = median(all(runs, "median_ms")?);
            let (low, high) = (median(all(runs, "p10_ms")?), median(all(runs, "p90_ms")?));
            let rate = flops / (milliseconds / 1e3);
            let epoch = work.epoch_steps as f64 * milliseconds / 1e3;
            table.row([
                work.name.to_owned(),
                name.to_owned(),
                format!("{milliseconds:.1} ms"),
                format!("{low:.1}–{high:.1} ms"),
                format!("{:.2}", reference / milliseconds),
                if work.epoch_steps == 0 { "–".to_owned() } else { format!("{epoch:.0} s") },
                megabytes(all(runs, "peak_bytes")?.into_iter().fold(0.0, f64::max)),
                format!("{:.0}", rate / 1e9),
                format!("{:.0} %", 100.0 * rate / peak),
            ]);
        }
    }
    let mut text = table.finish();
    text += "\nGFLOP/s count the operations of retune's plan, for both programs alike. An epoch is the step's time times the \
             number of steps: 50,000 images for cifar-cnn, 28,709 for mini-xception.\n";
    Ok(text)
}
