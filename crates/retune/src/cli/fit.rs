//! `retune fit`: fine-tunes a model.

use super::interrupt::Interrupt;
use super::job::JobArguments;
use super::progress::Progress;
use super::{Context, Result, outcome, seeds, text};
use retune::train::fit::fit;
use retune::train::language::{Language, Said};

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
}

/// Trains in a new run folder.
pub fn run(context: &Context, arguments: &Arguments) -> Result {
    if let Some(count) = arguments.seeds {
        return seeds::run(context, &arguments.job, count);
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
