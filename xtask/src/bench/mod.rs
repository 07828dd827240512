//! `cargo xtask bench`: retune beside its peers, on the same work, in turn. What is measured, and by which programs, is
//! said in `bench/README.md`.
//!
//! | file | what it holds |
//! | --- | --- |
//! | [`works`] | what is trained, in retune and in its peers |
//! | [`training`] | training steps: time, memory, share of the machine's peak |
//! | [`runs`] | whole trainings on a user's data |
//! | [`augmentation`] | images decoded and augmented |
//! | [`startup`] | time until the first step, and until `retune --help` has answered |
//! | [`build`] | a clean release build |
//! | [`measurement`] | what a timed program reports |
//! | [`table`] | tables in Markdown |

mod augmentation;
mod build;
mod measurement;
mod runs;
mod startup;
mod table;
mod training;
mod works;

use std::cell::OnceCell;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use crate::Result;
use crate::process::{build_retune, cargo, output, program, root, run as run_command, target};
use crate::python::{self, Environment};
use augmentation::AUGMENTATIONS;
use runs::RUNS;
use works::WORKS;

/// Where the last report is kept.
const REPORT: &str = "bench/results/latest.md";

/// The names of all works.
fn names() -> Vec<&'static str> {
    let works = WORKS.iter().map(|work| work.name).chain(RUNS.iter().map(|run| run.name));
    let augmentations = AUGMENTATIONS.iter().map(|(name, _)| *name);
    works.chain(augmentations).chain(["startup", "build"]).collect()
}

/// What the command line asks for.
#[derive(Debug, PartialEq)]
struct Options {
    works: Vec<&'static str>,
    /// Few short rounds: shows that all works, measures nothing worth quoting.
    quick: bool,
    /// A folder with one sub-folder of images for each class, instead of random images.
    images: Option<PathBuf>,
    /// A table of labelled texts, for the trainings of whole epochs.
    texts: Option<PathBuf>,
}

impl Options {
    fn parse(args: &[String]) -> Result<Options> {
        let mut options = Options { works: Vec::new(), quick: false, images: None, texts: None };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--quick" => options.quick = true,
                "--texts" => options.texts = Some(args.next().ok_or("`--texts` takes a file or folder")?.into()),
                "--images" => options.images = Some(args.next().ok_or("`--images` takes a folder")?.into()),
                name => match names().into_iter().find(|known| *known == name) {
                    Some(work) => options.works.push(work),
                    None => {
                        return Err(
                            format!("nothing to measure is named `{name}`\nhint: {}", names().join(", ")).into()
                        );
                    }
                },
            }
        }
        if let Some(run) = RUNS.iter().find(|run| options.works.contains(&run.name) && run.data(&options).is_none()) {
            let hint = "`--texts FILE` names a table of labelled texts, `--images FOLDER` one sub-folder of photos for each class";
            return Err(format!("`{}` needs data\nhint: {hint}", run.name).into());
        }
        if options.works.is_empty() {
            let augments = |name: &str| AUGMENTATIONS.iter().any(|(known, _)| *known == name);
            let has_data = |name: &str| {
                RUNS.iter().all(|run| run.name != name || run.data(&options).is_some())
                    && (options.images.is_some() || !augments(name))
            };
            options.works = names().into_iter().filter(|name| has_data(name)).collect();
        }
        Ok(options)
    }
}

/// The programs that are timed.
struct Programs {
    retune: PathBuf,
    /// The example `step_time` of the crate `retune`.
    step_time: PathBuf,
    keras: OnceCell<Environment>,
    torch: OnceCell<Environment>,
}

impl Programs {
    fn build() -> Result<Programs> {
        let retune = build_retune()?;
        run_command(cargo().args(["build", "--release", "--locked", "--package", "retune", "--example", "step_time"]))?;
        let step_time = target().join("release/examples").join(format!("step_time{}", std::env::consts::EXE_SUFFIX));
        Ok(Programs { retune, step_time, keras: OnceCell::new(), torch: OnceCell::new() })
    }

    /// Python with Keras, installed when it is first asked for.
    fn keras(&self) -> Result<&Environment> {
        installed(&self.keras, "bench", "bench/requirements.txt")
    }

    /// Python with PyTorch, timm, transformers and PEFT.
    fn torch(&self) -> Result<&Environment> {
        installed(&self.torch, "bench-torch", "bench/requirements-torch.txt")
    }
}

fn installed<'a>(cell: &'a OnceCell<Environment>, name: &str, file: &str) -> Result<&'a Environment> {
    if cell.get().is_none() {
        let _ = cell.set(python::environment_of_file(name, file)?);
    }
    Ok(cell.get().expect("it was set above"))
}

/// Measures the works named, by default all, prints the report and keeps it.
pub(crate) fn run(args: &[String]) -> Result {
    let options = Options::parse(args)?;
    let mut report = heading(&options)?;
    let asks = |name| options.works.contains(&name);

    let trainings: Vec<_> = WORKS.iter().filter(|work| asks(work.name)).collect();
    let runs: Vec<_> = RUNS.iter().filter(|run| asks(run.name)).collect();
    let augmentations: Vec<_> = AUGMENTATIONS.into_iter().filter(|(name, _)| asks(name)).collect();
    if !trainings.is_empty() || !runs.is_empty() || !augmentations.is_empty() || asks("startup") {
        let programs = Programs::build()?;
        if !trainings.is_empty() {
            report += &training::measure(&programs, &trainings, &options)?;
        }
        if !runs.is_empty() {
            report += &runs::measure(&programs, &runs, &options)?;
        }
        if !augmentations.is_empty() {
            report += &augmentation::measure(&programs, &augmentations, &options)?;
        }
        if asks("startup") {
            report += &startup::measure(&programs, &options)?;
        }
    }
    if asks("build") {
        report += &build::measure()?;
    }

    print!("{report}");
    let path = root().join(REPORT);
    fs::create_dir_all(path.parent().expect("the report lies in a folder"))?;
    fs::write(&path, report)?;
    eprintln!("kept in {REPORT}");
    Ok(())
}

/// What was measured, where, and how busy the machine was.
fn heading(options: &Options) -> Result<String> {
    let version = output(program("git").args(["describe", "--always", "--dirty"])).unwrap_or_default();
    let cores = std::thread::available_parallelism()?;
    let mut text = String::from("# Benchmarks\n\n");
    writeln!(text, "- `cargo xtask bench {}{}`", options.works.join(" "), if options.quick { " --quick" } else { "" })?;
    writeln!(text, "- commit {}", version.trim())?;
    writeln!(text, "- {}, {cores} cores", processor())?;
    if let Ok(load) = fs::read_to_string("/proc/loadavg") {
        writeln!(text, "- load average before the start: {}", load.split(' ').next().unwrap_or_default())?;
    }
    if options.quick {
        writeln!(text, "- **quick: too short to be quoted**")?;
    }
    Ok(text)
}

/// The processor's name, where the system tells.
fn processor() -> String {
    let described = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = described.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Options> {
        Options::parse(&args.iter().map(|&arg| arg.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn everything_is_measured_unless_named() {
        let all = parse(&["--quick"]).unwrap().works;
        assert_eq!((all.first(), all.last(), all.len()), (Some(&"cifar-cnn"), Some(&"build"), WORKS.len() + 2));
        assert_eq!(parse(&["--texts", "a.tsv", "--images", "photos"]).unwrap().works, names());
        let some = parse(&["cifar-cnn", "--images", "photos"]).unwrap();
        let images = Some("photos".into());
        assert_eq!(some, Options { works: vec!["cifar-cnn"], quick: false, images, texts: None });
    }

    #[test]
    fn what_is_not_known_is_refused() {
        assert!(parse(&["resnet"]).unwrap_err().to_string().contains("cifar-cnn"));
        assert!(parse(&["--images"]).is_err());
        assert!(parse(&["sst2-epoch"]).unwrap_err().to_string().contains("--texts"));
    }
}
