//! Virtual environments of Python under `target/`, for the programs that retune is compared with.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::Result;
use crate::process::{program, root, run, target};

/// An environment with packages in it.
pub(crate) struct Environment {
    folder: PathBuf,
}

impl Environment {
    /// The path of a program that a package brought.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        let folder = if cfg!(windows) { "Scripts" } else { "bin" };
        self.folder.join(folder).join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }

    /// The environment's Python.
    pub(crate) fn python(&self) -> Command {
        program(self.program("python"))
    }
}

/// The Python outside of any environment: what `PYTHON` names, or `python3`.
pub(crate) fn system() -> Command {
    program(std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into()))
}

/// The environment `name` with these requirements (`package==version`); made anew when they have changed.
pub(crate) fn environment(name: &str, requirements: &[&str]) -> Result<Environment> {
    let environment = Environment { folder: target().join("python").join(name) };
    let record = environment.folder.join("requirements.installed");
    let wanted = requirements.join("\n");
    if fs::read_to_string(&record).is_ok_and(|installed| installed == wanted) {
        return Ok(environment);
    }
    if environment.folder.exists() {
        fs::remove_dir_all(&environment.folder)?;
    }
    run(system().args(["-m", "venv"]).arg(&environment.folder))?;
    let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    run(environment.python().args(quiet).args(requirements))?;
    fs::write(record, wanted)?;
    Ok(environment)
}

/// The environment `name` with the requirements that a file of the repository lists.
pub(crate) fn environment_of_file(name: &str, file: &str) -> Result<Environment> {
    let text = fs::read_to_string(root().join(file)).map_err(|error| format!("cannot read `{file}`: {error}"))?;
    environment(name, &requirements(&text))
}

/// The lines of a requirements file that name a package.
fn requirements(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

#[cfg(test)]
mod tests {
    use super::requirements;

    #[test]
    fn comments_and_empty_lines_are_no_requirements() {
        assert_eq!(requirements("# peers\n\nkeras==3.15.1\n  numpy==2.4.6 \n"), ["keras==3.15.1", "numpy==2.4.6"]);
    }
}
