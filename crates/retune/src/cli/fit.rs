//! `retune fit`: fine-tunes a model.

use super::interrupt::Interrupt;
use super::job::JobArguments;
use super::progress::Progress;
use super::{Context, Result, outcome, repeats, text};
use retune::train::fit::fit;
use retune::train::language::{Language, Said};
use retune::train::repeats::RepeatKind;

/// What the first Ctrl-C says.
pub fn stopping(language: Language) -> &'static str {
    match language {
        Language::Chinese => "正在停止：当前步骤会完成并保存；再按一次 Ctrl-C 立即中止",
        _ => "stopping: the step at hand is finished and saved; Ctrl-C again aborts at once",
    }
}

/// Fine-tune a model.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    job: JobArguments,
    /// Train with so many seeds, from `train.seed` on, each in a folder of its own; finished ones are not done again
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: Option<u64>,
    /// Train on each of so many folds, so that every example is tested once, each in a folder of its own
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..=1000), conflicts_with = "seeds")]
    folds: Option<u64>,
    /// Train on so many draws of `data.per-class` examples of each class, each in a folder of its own
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1000), conflicts_with_all = ["seeds", "folds"])]
    draws: Option<u64>,
}

/// Trains in a new run folder.
pub fn run(context: &Context, arguments: &Arguments) -> Result {
    let repeats = [
        (RepeatKind::Seeds, arguments.seeds),
        (RepeatKind::Folds, arguments.folds),
        (RepeatKind::Draws, arguments.draws),
    ];
    if let Some((kind, count)) = repeats.into_iter().find_map(|(kind, count)| Some((kind, count?))) {
        return repeats::run(context, &arguments.job, kind, count);
    }
    let built = arguments.job.build(context)?;
    let facts = &built.facts;
    let [trained, all, examples] =
        [facts.trainable_parameters, facts.parameters, built.job.train.len()].map(text::count);
    let folder = built.output.display();
    context.console.said(&Said::new(
        format!("training {trained} of {all} weights on {examples} examples; the run's folder is `{folder}`"),
        format!("训练 {all} 个权重中的 {trained} 个，使用 {examples} 个样本；运行文件夹是 `{folder}`"),
    ));
    let interrupt = Interrupt::listen(stopping(context.language))?;
    let mut progress = Progress::new(context.console, ("training", "训练"));
    let outcome = fit(built, &mut progress, &interrupt.flag());
    progress.finish();
    outcome::report(context, &outcome?)
}
