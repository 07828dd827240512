//! `cargo xtask test`: every test of the workspace, documentation examples included.

use crate::Result;
use crate::process::{cargo, run as run_command};

/// Runs all tests in release: numeric code is unusably slow without optimization.
pub(crate) fn run(args: &[String]) -> Result {
    let args = args.strip_prefix(&["--".to_owned()]).unwrap_or(args);
    run_command(cargo().args(["test", "--release", "--workspace", "--locked"]).args(args))
}
