//! A clean release build of the program, dependencies included.

use std::fs;
use std::time::Instant;

use super::table::{Table, megabytes};
use crate::Result;
use crate::process::{cargo, run, target};

/// Builds into a folder of its own, which is empty at the start. Downloads are not counted.
pub(super) fn measure() -> Result<String> {
    let folder = target().join("bench-build");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    run(cargo().args(["fetch", "--locked"]))?;
    let start = Instant::now();
    run(cargo().args(["build", "--release", "--locked", "--package", "retune", "--target-dir"]).arg(&folder))?;
    let seconds = start.elapsed().as_secs_f64();
    let program = folder.join("release").join(format!("retune{}", std::env::consts::EXE_SUFFIX));
    let mut table = Table::new("Build", &["what", "value"]);
    table.row(["clean release build".to_owned(), format!("{seconds:.0} s")]);
    table.row(["size of the program".to_owned(), megabytes(fs::metadata(program)?.len() as f64)]);
    fs::remove_dir_all(&folder)?;
    Ok(table.finish())
}
