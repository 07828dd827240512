//! `cargo xtask goldens`: makes the golden files anew. What they hold must not change.

use crate::process::{output, program, root, run as run_command};
use crate::{Result, python};

const FOLDER: &str = "tests/golden";
const KINDS: &[&str] = &["keras", "keras_legacy", "train"];

/// Runs the generators of these kinds (by default all) and fails where git then sees a difference.
pub(crate) fn run(kinds: &[String]) -> Result {
    if let Some(unknown) = kinds.iter().find(|kind| !KINDS.contains(&kind.as_str())) {
        return Err(format!("no golden files of kind `{unknown}`\nhint: {}", KINDS.join(", ")).into());
    }
    let environment = python::environment_of_file("goldens", &format!("{FOLDER}/requirements.txt"))?;
    for kind in KINDS.iter().filter(|&kind| kinds.is_empty() || kinds.iter().any(|k| k == kind)) {
        run_command(environment.python().arg(root().join(FOLDER).join(kind).join("generate.py")))?;
    }
    let changed = output(program("git").args(["status", "--porcelain", "--", FOLDER]))?;
    if changed.is_empty() {
        println!("golden files made anew: no difference");
        return Ok(());
    }
    run_command(program("git").args(["--no-pager", "diff", "--stat", "--", FOLDER]))?;
    Err(format!("golden files changed:\n{changed}").into())
}
