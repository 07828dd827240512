//! Full training steps of retune and of Keras, in turn.

use std::path::Path;
use std::process::Command;

use super::measurement::{Measurement, all, median};
use super::table::{Table, megabytes};
use super::{Options, Programs};
use crate::process::{program, root};
use crate::{Result, assets};

/// A network that is trained on batches of images: loss, gradients of all weights, Adam, moving statistics.
pub(super) struct Work {
    pub(super) name: &'static str,
    /// The asset that is its model.
    pub(super) asset: &'static str,
    /// Classes of a new dense softmax layer above the network; without it the network's own output is trained.
    head: Option<usize>,
    batch: usize,
    steps: usize,
    /// More arguments of the peer.
    peer_args: &'static [&'static str],
    /// Images of the epoch whose time is projected from the step's.
    epoch: usize,
}

/// All that is trained.
pub(super) const WORKS: &[Work] = &[
    Work {
        name: "cifar-cnn",
        asset: "cifar-10-model",
        head: Some(10),
        batch: 32,
        steps: 60,
        peer_args: &[],
        epoch: 50_000,
    },
    Work {
        name: "mini-xception",
        asset: "fer",
        head: None,
        batch: 32,
        steps: 60,
        // With oneDNN, TensorFlow 2.21 ends this network's first step with a corrupted heap.
        peer_args: &["--without-onednn"],
        epoch: 28_709,
    },
];

/// How often each program runs, and for how long.
struct Effort {
    rounds: usize,
    warmup: usize,
    steps: usize,
}

impl Work {
    fn effort(&self, quick: bool) -> Effort {
        if quick {
            Effort { rounds: 1, warmup: 2, steps: 6 }
        } else {
            Effort { rounds: 5, warmup: 10, steps: self.steps }
        }
    }

    /// Gives a program what `bench/README.md` says it takes.
    pub(super) fn command(&self, mut program: Command, model: &Path, warmup: usize, steps: usize) -> Command {
        program.arg(model);
        if let Some(classes) = self.head {
            program.args(["--head".to_owned(), classes.to_string()]);
        }
        for (name, value) in [("--batch", self.batch), ("--warmup", warmup), ("--steps", steps)] {
            program.args([name.to_owned(), value.to_string()]);
        }
        program
    }

    /// One run of retune and of each peer per round.
    fn run(&self, programs: &Programs, options: &Options) -> Result<(Vec<Measurement>, Vec<Measurement>)> {
        let (path, effort) = (assets::path(self.asset)?, self.effort(options.quick));
        let (mut retune, mut keras) = (Vec::new(), Vec::new());
        for round in 1..=effort.rounds {
            for (name, runs, start) in [
                ("retune", &mut retune, program(&programs.step_time)),
                ("Keras", &mut keras, keras_step(programs, self)),
            ] {
                let mut command = self.command(start, &path, effort.warmup, effort.steps);
                if let Some(images) = &options.images {
                    command.arg("--images").arg(images);
                }
                runs.push(Measurement::of(&mut command)?);
                let latest = runs[runs.len() - 1].get("median_ms")?;
                eprintln!("{}: round {round} of {}, {name}: {latest:.1} ms", self.name, effort.rounds);
            }
        }
        Ok((retune, keras))
    }
}

/// The peer: Keras 3 on TensorFlow.
pub(super) fn keras_step(programs: &Programs, work: &Work) -> Command {
    let mut command = programs.peers.python();
    command.arg(root().join("bench/peers/keras_step.py")).args(work.peer_args);
    command
}

/// Measures these works.
pub(super) fn measure(programs: &Programs, works: &[&Work], options: &Options) -> Result<String> {
    let peak = Measurement::of(program(&programs.step_time).arg("--peak"))?.get("peak_flops")?;
    let title = format!("Training steps (measured peak: {:.0} GFLOP/s in 32 bits)", peak / 1e9);
    let columns =
        ["work", "program", "step", "10–90 %", "times faster", "epoch", "peak memory", "GFLOP/s", "of the peak"];
    let mut table = Table::new(&title, &columns);
    for work in works {
        let (retune, keras) = work.run(programs, options)?;
        let flops = median(all(&retune, "flops")?);
        let reference = median(all(&keras, "median_ms")?);
        for (name, runs) in [("retune", &retune), ("Keras on TensorFlow", &keras)] {
            let milliseconds = median(all(runs, "median_ms")?);
            let (low, high) = (median(all(runs, "p10_ms")?), median(all(runs, "p90_ms")?));
            let rate = flops / (milliseconds / 1e3);
            let steps = work.epoch.div_ceil(work.batch) as f64;
            table.row([
                work.name.to_owned(),
                name.to_owned(),
                format!("{milliseconds:.1} ms"),
                format!("{low:.1}–{high:.1} ms"),
                format!("{:.2}", reference / milliseconds),
                format!("{:.0} s", steps * milliseconds / 1e3),
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
