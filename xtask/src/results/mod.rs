//! `cargo xtask results`: fine-tuning on real data by the recipes of the repository, beside the peers under the same recipes, and the
//! tables of `docs/results.md`.
//!
//! | file | what it holds |
//! | --- | --- |
//! | [`tasks`] | the tasks: recipe, model, data, what each method sets |
//! | [`data`] | the parts of a task's data, made where they are not given |
//! | [`runs`] | one run of retune or of a peer |
//! | [`report`] | the tables, from the figures kept |
//!
//! The figures of each run are kept in `bench/results/recipes`, so that tasks can be run in several goes, on several machines, and the tables be
//! written anew. Runs and models lie below `target/results`.

mod data;
mod report;
mod runs;
mod tasks;

use std::fs;
use std::path::PathBuf;

use crate::process::{build_retune, root, target};
use crate::{Result, python};
use runs::{Run, Trainer};
use tasks::{METHODS, Method, TASKS, Task};

/// Where runs and divided data are kept.
fn folder() -> PathBuf {
    target().join("results")
}

/// What the command line asks for.
struct Options {
    tasks: Vec<&'static Task>,
    methods: Vec<Method>,
    /// The folder of data and models.
    data: Option<PathBuf>,
    /// Whether the peer trains, too, and whether retune does.
    peer: bool,
    retune: bool,
    seeds: u64,
    max_steps: Option<u64>,
    /// Whether times are kept; not where other work runs on the machine.
    timed: bool,
    /// Leave out runs whose figures are kept.
    missing: bool,
    /// Only write the tables.
    from_kept: bool,
}

impl Options {
    fn parse(args: &[String]) -> Result<Options> {
        let (tasks, methods) = (Vec::new(), Vec::new());
        let mut options = Options {
            tasks,
            methods,
            data: None,
            peer: false,
            retune: true,
            seeds: 1,
            max_steps: None,
            timed: true,
            missing: false,
            from_kept: false,
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("`{arg}` takes a value"));
            match arg.as_str() {
                "--data" => options.data = Some(std::path::absolute(value()?)?),
                "--peer" => options.peer = true,
                "--only-peer" => (options.peer, options.retune) = (true, false),
                "--seeds" => options.seeds = value()?.parse()?,
                "--max-steps" => options.max_steps = Some(value()?.parse()?),
                "--untimed" => options.timed = false,
                "--missing" => options.missing = true,
                "--from-kept" => options.from_kept = true,
                "--method" => {
                    let name = value()?;
                    let found = METHODS.into_iter().find(|method| method.name() == name);
                    options
                        .methods
                        .push(found.ok_or_else(|| format!("no method is named `{name}`\nhint: full, head, lora"))?);
                }
                name => {
                    let found = TASKS.iter().find(|task| task.name == name);
                    let names = || TASKS.iter().map(|task| task.name).collect::<Vec<_>>().join(", ");
                    options.tasks.push(found.ok_or_else(|| format!("no task is named `{name}`\nhint: {}", names()))?);
                }
            }
        }
        if options.data.is_none() && !options.from_kept {
            return Err("the folder of data and models is missing\nhint: `--data FOLDER`".into());
        }
        if options.tasks.is_empty() {
            options.tasks = TASKS.iter().collect();
        }
        if options.methods.is_empty() {
            options.methods = METHODS.to_vec();
        }
        Ok(options)
    }
}

/// Trains what is asked for, and writes the tables of all that is kept.
pub(crate) fn run(args: &[String]) -> Result {
    let options = Options::parse(args)?;
    if let (Some(data), false) = (&options.data, options.from_kept) {
        train(&options, data)?;
    }
    if options.max_steps.is_none() {
        let path = root().join(report::DOCUMENT);
        fs::write(&path, report::document()?)?;
        eprintln!("written: {}", report::DOCUMENT);
    }
    Ok(())
}

/// All runs, one after the other. A run that fails stops nothing but is named at the end.
fn train(options: &Options, folder: &std::path::Path) -> Result {
    let retune = build_retune()?;
    let torch = if options.peer {
        Some(python::environment_of_file("bench-torch", "bench/requirements-torch.txt")?)
    } else {
        None
    };
    let mut failed = Vec::new();
    for &task in &options.tasks {
        let (model, parts) = (task.model.path(folder)?, data::parts(task, folder, &retune)?);
        for method in task.methods().filter(|method| options.methods.contains(method)) {
            for seed in 0..options.seeds {
                let run = Run { task, method, seed, max_steps: options.max_steps, timed: options.timed };
                let mut note = |trainer: Trainer, done: Result| {
                    if let Err(error) = done {
                        eprintln!("error: {error}");
                        failed.push(format!("{} {} {trainer:?}", task.name, method.name()));
                    }
                };
                let wanted = |trainer: Trainer| !(options.missing && run.kept(trainer).exists());
                if options.retune && wanted(Trainer::Retune) {
                    note(Trainer::Retune, run.retune(&retune, &model, &parts));
                }
                if let (Some(torch), Some(script), true) = (&torch, task.peer(method), wanted(Trainer::Peer)) {
                    note(Trainer::Peer, run.peer(script, torch, &retune, &model, &parts));
                }
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Options> {
        Options::parse(&args.iter().map(|&arg| arg.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn everything_is_run_unless_named() {
        let all = parse(&["--data", "/data"]).unwrap();
        assert_eq!((all.tasks.len(), all.methods.len(), all.peer, all.seeds), (TASKS.len(), 3, false, 1));
        let some = parse(&["sst2", "--method", "lora", "--only-peer", "--seeds", "3", "--data", "/data"]).unwrap();
        assert_eq!(
            (some.tasks[0].name, &some.methods[..], some.peer, some.retune),
            ("sst2", &[Method::Lora][..], true, false)
        );
        assert!(parse(&["--from-kept"]).unwrap().from_kept);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let refused = |args: &[&str]| parse(args).err().unwrap().to_string();
        assert!(refused(&["mnist"]).contains("sst2"));
        assert!(refused(&["--method", "ia3"]).contains("lora"));
        assert!(refused(&["sst2"]).contains("--data"));
        assert!(refused(&["--seeds"]).contains("`--seeds`"));
    }
}
