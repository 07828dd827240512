//! `cargo xtask goldens`: makes the golden files anew. What they hold must not change.

use crate::process::{output, program, root, run as run_command};
use crate::{Result, python};

const FOLDER: &str = "tests/golden";

/// A folder of golden files, and the peers that make them.
struct Kind {
    name: &'static str,
    peers: Peers,
}

/// Programs that stand in one environment.
#[derive(Clone, Copy)]
enum Peers {
    Keras,
    Torch,
}

impl Peers {
    /// Name of the environment, and the file of its requirements.
    fn environment(self) -> (&'static str, &'static str) {
        match self {
            Peers::Keras => ("goldens", "requirements.txt"),
            Peers::Torch => ("goldens-torch", "requirements-torch.txt"),
        }
    }
}

const KINDS: &[Kind] = &[
    Kind { name: "keras", peers: Peers::Keras },
    Kind { name: "keras_legacy", peers: Peers::Keras },
    Kind { name: "train", peers: Peers::Keras },
    Kind { name: "train_torch", peers: Peers::Torch },
    Kind { name: "transformers", peers: Peers::Torch },
    Kind { name: "torch_vision", peers: Peers::Torch },
    Kind { name: "torch_augment", peers: Peers::Torch },
    Kind { name: "peft", peers: Peers::Torch },
    Kind { name: "tokenizers", peers: Peers::Torch },
];

/// Runs the generators of these kinds (by default all) and fails where git then sees a difference.
pub(crate) fn run(kinds: &[String]) -> Result {
    if let Some(unknown) = kinds.iter().find(|asked| KINDS.iter().all(|kind| kind.name != asked.as_str())) {
        let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        return Err(format!("no golden files of kind `{unknown}`\nhint: {}", names.join(", ")).into());
    }
    for kind in KINDS.iter().filter(|kind| kinds.is_empty() || kinds.iter().any(|asked| asked == kind.name)) {
        let (name, requirements) = kind.peers.environment();
        let environment = python::environment_of_file(name, &format!("{FOLDER}/{requirements}"))?;
        run_command(environment.python().arg(root().join(FOLDER).join(kind.name).join("generate.py")))?;
    }
    let changed = output(program("git").args(["status", "--porcelain", "--", FOLDER]))?;
    if changed.is_empty() {
        println!("golden files made anew: no difference");
        return Ok(());
    }
    run_command(program("git").args(["--no-pager", "diff", "--stat", "--", FOLDER]))?;
    Err(format!("golden files changed:\n{changed}").into())
}
