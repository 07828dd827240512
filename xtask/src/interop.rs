//! `cargo xtask interop`: what retune writes, loaded and computed by the real Keras. The comparison itself is
//! `xtask/interop/compare.py`.

use crate::process::{build_retune, root, run as run_command, target};
use crate::{Result, assets, python};

/// Compares these models (files or golden cases), by default the real ones of `assets` and every golden one.
pub(crate) fn run(models: &[String]) -> Result {
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
