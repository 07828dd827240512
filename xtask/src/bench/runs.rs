//! Whole trainings on a user's data, by retune and by its peers, in turn: the time from the first step's batch to the end of the
//! last step, and memory.

use std::path::Path;
use std::process::Command;

use super::measurement::{Measurement, all, median};
use super::table::{Table, megabytes};
use super::{Options, Programs};
use crate::process::program;
use crate::{Result, assets};

/// Trainings that need data which the project does not bring.
pub(super) const RUNS: &[Run] = &[
    Run { name: "sst2-epoch", what: "SST-2, MiniLM, one epoch", model: "minilm", recipe: "sst2", peer: Peer::Trainer },
    Run {
        name: "sst2-epoch-bf16",
        what: "the same in bfloat16",
        model: "minilm",
        recipe: "sst2-bf16",
        peer: Peer::TrainerBf16,
    },
    Run {
        name: "photos-head",
        what: "photos, head of EfficientNet-Lite0, ten epochs",
        model: "efficientnet-lite0",
        recipe: "photos-head",
        peer: Peer::Timm,
    },
];

/// A training.
pub(super) struct Run {
    pub(super) name: &'static str,
    what: &'static str,
    /// The asset that is its model.
    model: &'static str,
    /// `bench/recipes/<recipe>.toml`.
    recipe: &'static str,
    peer: Peer,
}

#[derive(Clone, Copy)]
enum Peer {
    /// transformers' Trainer.
    Trainer,
    /// The same with `bf16=True`.
    TrainerBf16,
    /// A loop in PyTorch over a network of timm.
    Timm,
}

impl Run {
    /// The data's file or folder, as the command line gives it.
    pub(super) fn data<'a>(&self, options: &'a Options) -> Option<&'a Path> {
        match self.peer {
            Peer::Timm => options.images.as_deref(),
            Peer::Trainer | Peer::TrainerBf16 => options.texts.as_deref(),
        }
    }

    fn retune(&self, programs: &Programs, data: &Path) -> Result<Command> {
        let path = assets::path(self.model)?;
        let model = if self.model == "minilm" { path.parent().expect("assets lie in a folder") } else { &path };
        let mut command = program(&programs.step_time);
        command.arg("--whole").arg("--recipe").arg(format!("bench/recipes/{}.toml", self.recipe));
        for change in [format!("model.path={model:?}"), format!("data.path={data:?}")] {
            command.args(["--set".to_owned(), change]);
        }
        Ok(command)
    }

    fn peer(&self, programs: &Programs, data: &Path) -> Result<Command> {
        let mut command = programs.torch()?.python();
        match self.peer {
            Peer::Trainer | Peer::TrainerBf16 => {
                let model = assets::path(self.model)?;
                command.arg("bench/peers/trainer.py").arg(model.parent().expect("assets lie in a folder")).arg(data);
                if matches!(self.peer, Peer::TrainerBf16) {
                    command.arg("--bf16");
                }
            }
            Peer::Timm => {
                command.arg("bench/peers/timm_head.py").arg("tf_efficientnet_lite0").arg(data);
            }
        }
        Ok(command)
    }
}

/// Measures these trainings.
pub(super) fn measure(programs: &Programs, runs: &[&Run], options: &Options) -> Result<String> {
    let mut table = Table::new("Whole trainings", &["work", "program", "time", "times faster", "peak memory"]);
    let rounds = if options.quick { 1 } else { 3 };
    for run in runs {
        let Some(data) = run.data(options) else { continue };
        let data = std::path::absolute(data)?;
        let (mut retune, mut peer) = (Vec::new(), Vec::new());
        for round in 1..=rounds {
            for (name, measured, mut command) in [
                ("retune", &mut retune, run.retune(programs, &data)?),
                ("the peer", &mut peer, run.peer(programs, &data)?),
            ] {
                let found = Measurement::of(&mut command)?;
                eprintln!("{}: round {round} of {rounds}, {name}: {:.1} s", run.name, found.get("train_s")?);
                measured.push(found);
            }
        }
        let reference = median(all(&peer, "train_s")?);
        for (name, measured) in [("retune", &retune), (run.peer.name(), &peer)] {
            let seconds = median(all(measured, "train_s")?);
            table.row([
                run.what.to_owned(),
                name.to_owned(),
                format!("{seconds:.1} s"),
                format!("{:.2}", reference / seconds),
                megabytes(all(measured, "peak_bytes")?.into_iter().fold(0.0, f64::max)),
            ]);
        }
    }
    Ok(table.finish())
}

impl Peer {
    fn name(self) -> &'static str {
        match self {
            Peer::Trainer => "Trainer of transformers",
            Peer::TrainerBf16 => "Trainer of transformers, bf16",
            Peer::Timm => "timm on PyTorch, without a cache",
        }
    }
}
