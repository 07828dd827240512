//! The same training with several seeds, as one run: what the seed alone makes of the figures.
//!
//! Each seed has a run of its own in a folder `seed-N`. Finished ones are not done again, interrupted ones are resumed, and one that
//! fails is counted and does not stop the others. The division of the data is the same for all, unless `split.seed` says otherwise:
//! what differs is the new head, the order of the examples, augmentation and dropout.

use crate::error::TrainError;
use crate::fit::{self, ResumeOptions};
use crate::metrics::{Metric, Repeated};
use crate::recipe::Built;
use crate::run::overview::{RunOverview, is_finished, is_run};
use crate::run::write_json;
use crate::trainer::{Ending, Observer};
use crate::warnings::SEEDS;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// How the run of one seed went.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SeedRun {
    /// The seed.
    pub seed: u64,
    /// The folder of its run.
    pub root: PathBuf,
    /// Why it failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether it had been finished before.
    pub was_finished: bool,
}

/// A metric over the seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SeedFigures {
    /// The metric.
    pub metric: Metric,
    /// Before training.
    pub before: Option<Repeated>,
    /// After training.
    pub after: Option<Repeated>,
    /// After less before.
    pub difference: Option<Repeated>,
}

/// How all went; `seeds.json`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SeedsOutcome {
    /// The folder of all.
    pub root: PathBuf,
    /// The runs so far.
    pub runs: Vec<SeedRun>,
    /// What the figures are of: `test` or `validation`.
    pub part: Option<String>,
    /// Each metric over the runs.
    pub metrics: Vec<SeedFigures>,
    /// Whether it was interrupted before the last.
    pub is_interrupted: bool,
}

impl SeedsOutcome {
    /// Seeds whose runs failed.
    pub fn failed(&self) -> impl Iterator<Item = &SeedRun> {
        self.runs.iter().filter(|run| run.error.is_some())
    }

    fn summarize(&mut self) {
        let overviews: Vec<Option<RunOverview>> =
            self.runs.iter().map(|run| RunOverview::read(&run.root).ok().filter(|_| run.error.is_none())).collect();
        let first = overviews.iter().flatten().next();
        self.part = first.and_then(|overview| overview.part.clone());
        let metrics: Vec<Metric> =
            first.iter().flat_map(|run| run.figures.iter().map(|figure| figure.metric)).collect();
        let figures = |metric: Metric| {
            let of = |value: fn(Option<f64>, Option<f64>) -> Option<f64>| {
                let values: Vec<Option<f64>> = overviews
                    .iter()
                    .map(|overview| {
                        let figure = overview.as_ref()?.figures.iter().find(|figure| figure.metric == metric)?;
                        value(figure.before, figure.after)
                    })
                    .collect();
                Repeated::new(&values, metric.direction())
            };
            SeedFigures {
                metric,
                before: of(|before, _| before),
                after: of(|_, after| after),
                difference: of(|before, after| Some(after? - before?)),
            }
        };
        self.metrics = metrics.into_iter().map(figures).collect();
    }
}

/// The folder of a seed's run.
pub fn folder_of(root: &Path, seed: u64) -> PathBuf {
    root.join(format!("seed-{seed}"))
}

/// Trains with every seed. `build` is given a seed and the folder of its run; `each` is told of every run before it begins, `None`
/// standing for one that is finished already.
///
/// # Errors
/// What `build` gives; a folder that holds runs of another recipe; a file that cannot be written. Runs that fail are none.
pub fn fit_seeds<E: From<TrainError>>(
    root: &Path,
    seeds: &[u64],
    mut build: impl FnMut(u64, &Path) -> Result<Built, E>,
    mut each: impl FnMut(u64, Option<&Built>),
    observer: &mut dyn Observer,
    interrupt: &AtomicBool,
) -> Result<SeedsOutcome, E> {
    std::fs::create_dir_all(root).map_err(TrainError::write(root))?;
    let mut outcome = SeedsOutcome { root: root.to_owned(), ..SeedsOutcome::default() };
    for &seed in seeds {
        let folder = folder_of(root, seed);
        let was_finished = is_finished(&folder);
        let built = build(seed, &folder)?;
        let resumes = is_run(&folder);
        if resumes {
            check_recipe(&folder, &built)?;
        }
        // There before the first run, so that its sub-runs are known not to be chosen among.
        write_json(&root.join(SEEDS), &outcome)?;
        let mut run = SeedRun { seed, root: folder.clone(), error: None, was_finished };
        if was_finished {
            each(seed, None);
        } else {
            each(seed, Some(&built));
            let options = ResumeOptions { language: built.language, ..ResumeOptions::default() };
            let result = match resumes {
                true => fit::resume(&folder, options, observer, interrupt),
                false => fit::fit(built, observer, interrupt),
            };
            match result {
                Ok(done) if done.ending == Ending::Interrupted => {
                    outcome.is_interrupted = true;
                    break;
                }
                Ok(_) => (),
                Err(error) => run.error = Some(error.to_string()),
            }
        }
        outcome.runs.push(run);
        outcome.summarize();
    }
    outcome.summarize();
    write_json(&root.join(SEEDS), &outcome)?;
    Ok(outcome)
}

/// A folder that holds a run of this seed holds it by this recipe.
fn check_recipe(folder: &Path, built: &Built) -> Result<(), TrainError> {
    let path = folder.join("recipe.toml");
    let before = std::fs::read_to_string(&path).map_err(TrainError::read(&path))?;
    if before == built.recipe {
        return Ok(());
    }
    Err(TrainError::unfit(
        format!("`{}` holds a run of another recipe", folder.display()),
        "choose another folder with `--output`, or remove the runs in this one",
    ))
}
