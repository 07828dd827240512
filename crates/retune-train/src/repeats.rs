//! The same training several times, as one run: with several seeds, on each of several folds, or on several draws of few examples.
//!
//! Each repeat has a run of its own in a folder such as `seed-2`. Finished ones are not done again, interrupted ones are resumed, and one
//! that fails is counted and does not stop the others.
//!
//! - **Seeds** tell what the seed alone makes of the figures: the division of the data is the same for all, unless `split.seed` says
//!   otherwise; what differs is the new head, the order of the examples, augmentation and dropout.
//! - **Folds** (k-fold cross-validation) test every example exactly once; the seed is the same for all.
//! - **Draws** tell what the choice of few training examples makes of the figures: seed, validation and test part are the same for all.

use crate::error::TrainError;
use crate::fit::{self, ResumeOptions};
use crate::metrics::{Metric, Repeated};
use crate::recipe::Built;
use crate::run::overview::{RunOverview, is_finished, is_run};
use crate::run::write_json;
use crate::said;
use crate::trainer::{Ending, Observer};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// What differs from repeat to repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepeatKind {
    /// The seed.
    Seeds,
    /// The part that tests.
    Folds,
    /// The few examples that train.
    Draws,
}

impl RepeatKind {
    /// All kinds.
    pub const ALL: [RepeatKind; 3] = [RepeatKind::Seeds, RepeatKind::Folds, RepeatKind::Draws];

    /// The file that tells of all repeats, in their folder.
    pub fn file(self) -> &'static str {
        match self {
            RepeatKind::Seeds => "seeds.json",
            RepeatKind::Folds => "folds.json",
            RepeatKind::Draws => "draws.json",
        }
    }

    /// The repeat of this number: folds and draws are counted from 1.
    pub fn number(self, number: u64) -> Repeat {
        match self {
            RepeatKind::Seeds => Repeat::Seed(number),
            RepeatKind::Folds => Repeat::Fold(number),
            RepeatKind::Draws => Repeat::Draw(number),
        }
    }
}

/// One of several repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Repeat {
    /// With this seed.
    Seed(u64),
    /// On this fold, from 1.
    Fold(u64),
    /// On this draw of few examples, from 1.
    Draw(u64),
}

impl Repeat {
    /// Its number.
    pub fn number(self) -> u64 {
        let (Repeat::Seed(number) | Repeat::Fold(number) | Repeat::Draw(number)) = self;
        number
    }

    /// The folder of its run in that of all.
    pub fn folder(self, root: &Path) -> PathBuf {
        root.join(match self {
            Repeat::Seed(number) => format!("seed-{number}"),
            Repeat::Fold(number) => format!("fold-{number}"),
            Repeat::Draw(number) => format!("draw-{number}"),
        })
    }
}

/// How the run of one repeat went.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RepeatRun {
    /// Which one.
    #[serde(flatten)]
    pub repeat: Repeat,
    /// The folder of its run.
    pub root: PathBuf,
    /// Why it failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether it had been finished before.
    pub was_finished: bool,
}

/// A metric over the repeats.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RepeatFigures {
    /// The metric.
    pub metric: Metric,
    /// Before training.
    pub before: Option<Repeated>,
    /// After training.
    pub after: Option<Repeated>,
    /// After less before.
    pub difference: Option<Repeated>,
}

/// How all went, as [`RepeatKind::file`] has it.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RepeatsOutcome {
    /// The folder of all.
    pub root: PathBuf,
    /// The runs so far.
    pub runs: Vec<RepeatRun>,
    /// What the figures are of: `test` or `validation`.
    pub part: Option<String>,
    /// Each metric over the runs.
    pub metrics: Vec<RepeatFigures>,
    /// Whether it was interrupted before the last.
    pub is_interrupted: bool,
}

impl RepeatsOutcome {
    /// Repeats whose runs failed.
    pub fn failed(&self) -> impl Iterator<Item = &RepeatRun> {
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
            RepeatFigures {
                metric,
                before: of(|before, _| before),
                after: of(|_, after| after),
                difference: of(|before, after| Some(after? - before?)),
            }
        };
        self.metrics = metrics.into_iter().map(figures).collect();
    }
}

/// Trains once for each of `repeats`, which are of one kind. `build` is given a repeat and the folder of its run; `each` is told of every
/// run before it begins, `None` standing for one that is finished already.
///
/// # Errors
/// What `build` gives; a folder that holds runs of another recipe; a file that cannot be written. Runs that fail are none.
pub fn fit_repeats<E: From<TrainError>>(
    root: &Path,
    kind: RepeatKind,
    repeats: &[Repeat],
    mut build: impl FnMut(Repeat, &Path) -> Result<Built, E>,
    mut each: impl FnMut(Repeat, Option<&Built>),
    observer: &mut dyn Observer,
    interrupt: &AtomicBool,
) -> Result<RepeatsOutcome, E> {
    std::fs::create_dir_all(root).map_err(TrainError::write(root))?;
    let mut outcome = RepeatsOutcome { root: root.to_owned(), ..RepeatsOutcome::default() };
    for &repeat in repeats {
        let folder = repeat.folder(root);
        let was_finished = is_finished(&folder);
        let built = build(repeat, &folder)?;
        let resumes = is_run(&folder);
        if resumes {
            check_recipe(&folder, &built)?;
        }
        // There before the first run, so that its sub-runs are known not to be chosen among.
        write_json(&root.join(kind.file()), &outcome)?;
        let mut run = RepeatRun { repeat, root: folder.clone(), error: None, was_finished };
        if was_finished {
            each(repeat, None);
        } else {
            each(repeat, Some(&built));
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
    write_json(&root.join(kind.file()), &outcome)?;
    Ok(outcome)
}

/// A folder that holds a run of this repeat holds it by this recipe.
fn check_recipe(folder: &Path, built: &Built) -> Result<(), TrainError> {
    let path = folder.join("recipe.toml");
    let before = std::fs::read_to_string(&path).map_err(TrainError::read(&path))?;
    if before == built.recipe {
        return Ok(());
    }
    Err(TrainError::unfit(
        said!("`{path}` holds a run of another recipe", "`{path}` 中是另一个配方的运行", path = folder.display()),
        "choose another folder with `--output`, or remove the runs in this one",
    ))
}
