//! `cargo xtask interop`: what retune writes, loaded and computed by the real Keras, transformers and PEFT, and the events of a run, read by
//! TensorBoard. The comparisons themselves are the programs in `xtask/interop`.

use crate::process::{build_retune, program, root, run as run_command, target};
use crate::{Result, assets, python};

/// Lets retune train small models and transformers and PEFT load them: what is given as the first argument.
const HUGGING_FACE: &str = "hugging-face";

/// Runs all comparisons. With `hugging-face` only that one, of cases whose names hold one of the other arguments; with `tables` only that of
/// models for tables; with `tensorboard` only that of a run's events; else Keras's, of these models (files or golden cases), by default
/// the real ones of `assets` and every golden one.
pub(crate) fn run(args: &[String]) -> Result {
    match args {
        [first, names @ ..] if first == HUGGING_FACE => hugging_face(names),
        [first] if first == "tables" => tables(),
        [first] if first == "tensorboard" => tensorboard(),
        [] => tensorboard().and(tables()).and(keras(&[])).and(hugging_face(&[])),
        models => keras(models),
    }
}

fn hugging_face(names: &[String]) -> Result {
    let retune = build_retune()?;
    let environment = python::environment_of_file("goldens-torch", "tests/golden/requirements-torch.txt")?;
    let mut compare = environment.python();
    compare.arg(root().join("xtask/interop/hugging_face.py")).arg("--retune").arg(retune);
    run_command(compare.arg("--scratch").arg(target().join("interop").join(HUGGING_FACE)).args(names))
}

fn keras(models: &[String]) -> Result {
    let mut models = models.to_vec();
    if models.is_empty() {
        for name in ["cifar-10-model", "fer"] {
            models.push(assets::path(name)?.display().to_string());
        }
        models.extend(["tests/golden/keras_legacy", "tests/golden/keras"].map(str::to_owned));
    }
    let retune = build_retune()?;
    let environment = python::environment_of_file("goldens", "tests/golden/requirements.txt")?;
    let mut compare = environment.python();
    compare.arg(root().join("xtask/interop/compare.py")).arg("--retune").arg(retune);
    run_command(compare.arg("--scratch").arg(target().join("interop")).args(models))
}

/// Lets retune train models on tables, and Keras load them and answer the same raw rows.
fn tables() -> Result {
    let retune = build_retune()?;
    let environment = python::environment_of_file("goldens", "tests/golden/requirements.txt")?;
    let scratch = target().join("interop").join("tables");
    if scratch.exists() {
        std::fs::remove_dir_all(&scratch)?;
    }
    let mut compare = environment.python();
    compare.arg(root().join("xtask/interop/tables.py")).arg("--retune").arg(retune);
    run_command(compare.arg("--scratch").arg(scratch))
}

/// Lets TensorBoard read the events of the demo's run.
fn tensorboard() -> Result {
    let retune = build_retune()?;
    let environment = python::environment("tensorboard", &["tensorboard==2.20.0", "setuptools<81"])?;
    let folder = target().join("interop").join("events");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    run_command(program(retune).args(["--quiet", "demo", "--output"]).arg(&folder))?;
    let script = root().join("xtask/interop/events.py");
    run_command(environment.python().arg(script).arg(folder.join("fine-tuned")))
}
