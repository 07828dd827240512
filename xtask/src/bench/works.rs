//! What is trained, by retune and by its peers.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Options, Programs};
use crate::process::{program, root, run, target};
use crate::{Result, assets};

/// A piece of work: the same steps on both sides.
pub(super) struct Work {
    pub(super) name: &'static str,
    subject: Subject,
    peer: Peer,
    /// Steps that are timed in a round.
    steps: usize,
    /// Steps of the epoch whose time is projected from the step's; 0 for none.
    pub(super) epoch_steps: usize,
}

/// What retune trains.
enum Subject {
    /// A network for images: loss, gradients of all weights, Adam, moving statistics on 32 images. With `head`, a new dense
    /// softmax layer of so many classes stands above it; with `bf16`, products read bfloat16.
    Images { model: ModelFile, head: Option<usize>, bf16: bool },
    /// What `bench/recipes/minilm.toml` says, with these changes.
    MiniLm(&'static [&'static str]),
}

/// Where a network for images comes from.
enum ModelFile {
    /// Out of a package.
    Asset(&'static str),
    /// Random weights, written by timm.
    Timm(&'static str),
}

/// What it is compared with, and arguments of the peer's program.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Peer {
    Keras(&'static [&'static str]),
    Timm(&'static str),
    Transformers(&'static [&'static str]),
}

const fn images(name: &'static str, model: ModelFile, peer: &'static str, bf16: bool) -> Work {
    let subject = Subject::Images { model, head: None, bf16 };
    Work { name, subject, peer: Peer::Timm(peer), steps: 6, epoch_steps: 0 }
}

const fn mini_lm(name: &'static str, changes: &'static [&'static str], peer: &'static [&'static str]) -> Work {
    Work { name, subject: Subject::MiniLm(changes), peer: Peer::Transformers(peer), steps: 15, epoch_steps: 0 }
}

const LORA: [&str; 3] = ["method.kind=lora", "method.rank=8", "method.targets=[\"query\", \"value\"]"];

/// All that is trained.
pub(super) const WORKS: &[Work] = &[
    Work {
        name: "cifar-cnn",
        subject: Subject::Images { model: ModelFile::Asset("cifar-10-model"), head: Some(10), bf16: false },
        peer: Peer::Keras(&[]),
        steps: 60,
        epoch_steps: 50_000usize.div_ceil(32),
    },
    Work {
        name: "mini-xception",
        subject: Subject::Images { model: ModelFile::Asset("fer"), head: None, bf16: false },
        // With oneDNN, TensorFlow 2.21 ends this network's first step with a corrupted heap.
        peer: Peer::Keras(&["--without-onednn"]),
        steps: 60,
        epoch_steps: 28_709usize.div_ceil(32),
    },
    images("efficientnet-lite0", ModelFile::Asset("efficientnet-lite0"), "tf_efficientnet_lite0", false),
    images("mobilenet-v2", ModelFile::Asset("mobilenet-v2"), "mobilenetv2_100", false),
    images("resnet-18", ModelFile::Timm("resnet18"), "resnet18", false),
    images("vit-tiny", ModelFile::Timm("vit_tiny_patch16_224"), "vit_tiny_patch16_224", false),
    images("vit-tiny-bf16", ModelFile::Timm("vit_tiny_patch16_224"), "vit_tiny_patch16_224", true),
    mini_lm("minilm", &[], &[]),
    mini_lm("minilm-bf16", &["train.precision=bf16"], &["--bf16"]),
    mini_lm("minilm-lora", &LORA, &["--lora", "8"]),
];

/// Images or sequences of a step.
const BATCH: usize = 32;

/// Words of a sequence; two more tokens stand at its ends.
const WORDS: usize = 34;

/// How often each program runs, and for how long.
pub(super) struct Effort {
    pub(super) rounds: usize,
    pub(super) warmup: usize,
    pub(super) steps: usize,
}

impl Work {
    pub(super) fn effort(&self, quick: bool) -> Effort {
        match (quick, &self.peer) {
            (true, Peer::Keras(_)) => Effort { rounds: 1, warmup: 2, steps: 6 },
            (true, _) => Effort { rounds: 1, warmup: 1, steps: 2 },
            (false, Peer::Keras(_)) => Effort { rounds: 5, warmup: 10, steps: self.steps },
            (false, _) => Effort { rounds: 3, warmup: 2, steps: self.steps },
        }
    }

    /// The name of the peer.
    pub(super) fn peer_name(&self) -> &'static str {
        match self.peer {
            Peer::Keras(_) => "Keras on TensorFlow",
            Peer::Timm(_) => "timm on PyTorch",
            Peer::Transformers(args) if args.contains(&"--lora") => "PEFT on PyTorch",
            Peer::Transformers(_) => "transformers on PyTorch",
        }
    }

    /// The program that runs this work in retune, for so many steps.
    pub(super) fn retune(
        &self,
        programs: &Programs,
        options: &Options,
        warmup: usize,
        steps: usize,
    ) -> Result<Command> {
        let mut command = program(&programs.step_time);
        match &self.subject {
            Subject::Images { model, head, bf16 } => {
                command.arg(model.path(programs)?).args(image_args(*head, options)).args(bf16.then_some("--bf16"));
            }
            Subject::MiniLm(changes) => {
                let model = assets::path("minilm")?;
                let model = model.parent().expect("assets lie in a folder");
                let data = words(BATCH * (warmup + steps))?;
                command.args(["--recipe", "bench/recipes/minilm.toml"]);
                for change in [format!("model.path={}", quoted(model)), format!("data.path={}", quoted(&data))] {
                    command.args(["--set".to_owned(), change]);
                }
                changes.iter().for_each(|change| {
                    command.args(["--set", change]);
                });
            }
        }
        command.args(["--warmup".to_owned(), warmup.to_string(), "--steps".to_owned(), steps.to_string()]);
        Ok(command)
    }

    /// The peer's program for the same steps.
    pub(super) fn peer(&self, programs: &Programs, options: &Options, warmup: usize, steps: usize) -> Result<Command> {
        let mut command = match (&self.peer, &self.subject) {
            (Peer::Keras(args), Subject::Images { model, head, .. }) => {
                let mut command = programs.keras()?.python();
                command.arg("bench/peers/keras_step.py").arg(model.path(programs)?).args(*args);
                command.args(image_args(*head, options));
                command
            }
            (Peer::Timm(name), subject) => {
                let bf16 = matches!(subject, Subject::Images { bf16: true, .. });
                let mut command = programs.torch()?.python();
                command.args(["bench/peers/timm_step.py", name]).args(bf16.then_some("--bf16"));
                command
            }
            (Peer::Transformers(args), _) => {
                let model = assets::path("minilm")?;
                let mut command = programs.torch()?.python();
                command.arg("bench/peers/transformers_step.py").arg(model.parent().expect("assets lie in a folder"));
                command.args(*args).args(["--tokens".to_owned(), (WORDS + 2).to_string()]);
                command
            }
            (Peer::Keras(_), Subject::MiniLm(_)) => return Err("Keras trains networks for images here".into()),
        };
        command.args(["--batch".to_owned(), BATCH.to_string()]);
        command.args(["--warmup".to_owned(), warmup.to_string(), "--steps".to_owned(), steps.to_string()]);
        Ok(command)
    }
}

impl ModelFile {
    fn path(&self, programs: &Programs) -> Result<PathBuf> {
        match self {
            ModelFile::Asset(name) => assets::path(name),
            ModelFile::Timm(name) => {
                let path = target().join("bench").join(format!("{name}.safetensors"));
                if !path.exists() {
                    std::fs::create_dir_all(path.parent().expect("the file lies in a folder"))?;
                    let mut python = programs.torch()?.python();
                    run(python.args(["bench/peers/timm_step.py", name, "--save"]).arg(&path))?;
                }
                Ok(path)
            }
        }
    }
}

fn image_args(head: Option<usize>, options: &Options) -> Vec<String> {
    let head = head.into_iter().flat_map(|classes| ["--head".to_owned(), classes.to_string()]);
    let images = options.images.iter().flat_map(|folder| ["--images".to_owned(), folder.display().to_string()]);
    head.chain(images).collect()
}

/// A table of labelled texts that are all equally long. Each word is one token.
fn words(count: usize) -> Result<PathBuf> {
    const SOME: [&str; 8] = ["film", "story", "good", "bad", "actor", "scene", "music", "quiet"];
    let mut text = String::from("text\tlabel\n");
    for row in 0..count {
        let words: Vec<&str> = (0..WORDS).map(|place| SOME[(row * 5 + place * (row % 7 + 1)) % SOME.len()]).collect();
        text += &format!("{}\t{}\n", words.join(" "), row % 2);
    }
    let path = target().join("bench/words.tsv");
    std::fs::create_dir_all(path.parent().expect("the file lies in a folder"))?;
    std::fs::write(&path, text)?;
    Ok(path)
}

/// A path as a string of TOML.
fn quoted(path: &Path) -> String {
    let path = if path.is_absolute() { path.to_owned() } else { root().join(path) };
    format!("{:?}", path.display().to_string())
}
