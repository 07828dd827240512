//! `retune fit --seeds N`, `--folds N`, `--draws N`: the same training several times, as one result.

use super::fit::stopping;
use super::interrupt::Interrupt;
use super::job::JobArguments;
use super::progress::Progress;
use super::text::Table;
use super::{Context, Failure, Result};
use retune::train::language::{Said, fill};
use retune::train::metrics::{Metric, Repeated};
use retune::train::repeats::{Repeat, RepeatKind, RepeatsOutcome, fit_repeats};
use serde_json::json;
use std::fmt::Write;
use std::path::Path;

retune::train::texts! {
    /// The words of a run of several repeats.
    pub(super) struct Words {
        seed: "seed", "种子";
        seeds: "seeds", "种子";
        fold: "fold", "折";
        folds: "folds", "折";
        draw: "draw", "抽样";
        draws: "draws", "抽样";
        begins: "{what} {number} ({place} of {count}), in `{folder}`",
            "{what} {number}（第 {place} 个，共 {count} 个），位于 `{folder}`";
        finished: "{what} {number} ({place} of {count}) is finished already",
            "{what} {number}（第 {place} 个，共 {count} 个）已完成";
        summary: "{runs} of {count} {what} gave a result", "{count} 个{what}中有 {runs} 个得到结果";
        failed: "{what} {number} failed: {error}", "{what} {number} 失败：{error}";
        items: "on {part} items", "在{part}样本上";
        test: "test", "测试";
        validation: "validation", "验证";
        before: "before", "微调前";
        after: "after", "微调后";
        spread: "± sd", "± 标准差";
        worst: "worst", "最差";
        best: "best", "最好";
        difference: "difference", "差异";
        stopped: "stopped; what is done is saved", "已停止；已完成的部分均已保存";
        go_on: "the same command goes on where this one stopped", "同一命令会从停止处继续";
        none: "none gave a result", "均未得到结果";
        figures: "figures", "数字";
    }
}

impl Words {
    fn one(&self, kind: RepeatKind) -> &'static str {
        match kind {
            RepeatKind::Seeds => self.seed,
            RepeatKind::Folds => self.fold,
            RepeatKind::Draws => self.draw,
        }
    }

    fn many(&self, kind: RepeatKind) -> &'static str {
        match kind {
            RepeatKind::Seeds => self.seeds,
            RepeatKind::Folds => self.folds,
            RepeatKind::Draws => self.draws,
        }
    }
}

/// Trains `count` times.
pub fn run(context: &Context, job: &JobArguments, kind: RepeatKind, count: u64) -> Result {
    let words = Words::of(context.language);
    let (root, jobs) = job.of_repeats(context, kind, count)?;
    let repeats: Vec<Repeat> = jobs.iter().map(|(repeat, _)| *repeat).collect();
    let interrupt = Interrupt::listen(stopping(context.language))?;
    let mut progress = Progress::new(context.console, ("training", "训练"));
    let mut place = 0;
    let outcome = fit_repeats(
        &root,
        kind,
        &repeats,
        |repeat, _: &Path| {
            let job = jobs.iter().find(|(of, _)| *of == repeat).map_or(job, |(_, job)| job);
            // What is said of the first is said of all.
            let quiet = Context { console: context.console.silenced(), ..*context };
            job.build(if Some(&repeat) == repeats.first() { context } else { &quiet })
        },
        |repeat, built| {
            place += 1;
            let (number, place, count) = (repeat.number().to_string(), place.to_string(), count.to_string());
            let values = [("what", words.one(kind)), ("number", &*number), ("place", &*place), ("count", &*count)];
            context.console.note(match built {
                None => fill(words.finished, &values),
                Some(built) => {
                    let folder = built.output.display().to_string();
                    fill(words.begins, &[&values[..], &[("folder", &*folder)]].concat())
                }
            });
        },
        &mut progress,
        &interrupt.flag(),
    );
    progress.finish();
    report(context, &outcome?, kind, count, words)
}

fn report(context: &Context, outcome: &RepeatsOutcome, kind: RepeatKind, count: u64, words: &Words) -> Result {
    if outcome.is_interrupted {
        return Err(Failure::interrupted(said(|words| words.stopped)).hint_said(said(|words| words.go_on)));
    }
    let failed = outcome.failed().count();
    let (runs, all) = ((outcome.runs.len() - failed).to_string(), count.to_string());
    let mut out = fill(words.summary, &[("runs", &runs), ("count", &all), ("what", words.many(kind))]);
    if let Some(part) = &outcome.part {
        let part = if part == "validation" { words.validation } else { words.test };
        let _ = write!(out, ", {}", fill(words.items, &[("part", part)]));
    }
    out.push('\n');
    let mut table = Table::new(&[1, 2, 3, 4, 5]);
    let after = format!("{} {}", words.after, words.spread);
    table.row(["", words.before, &after, words.worst, words.best, words.difference]);
    for figures in &outcome.metrics {
        let metric = figures.metric;
        let cell = |repeated: Option<Repeated>, of: fn(Repeated) -> String, shares: fn(Repeated) -> String| {
            repeated.map_or_else(|| "–".to_owned(), if metric.is_share() { shares } else { of })
        };
        let mean = |r: Option<Repeated>| cell(r, |r| format!("{:.4}", r.mean), |r| format!("{:.1} %", 100.0 * r.mean));
        table.row([
            metric.to_string(),
            mean(figures.before),
            cell(figures.after, |r| spread(r, 1.0, 4), |r| spread(r, 100.0, 1) + " %"),
            cell(figures.after, |r| format!("{:.4}", r.worst), |r| format!("{:.1} %", 100.0 * r.worst)),
            cell(figures.after, |r| format!("{:.4}", r.best), |r| format!("{:.1} %", 100.0 * r.best)),
            cell(figures.difference, |r| format!("{:+.4}", r.mean), |r| format!("{:+.1}", 100.0 * r.mean)),
        ]);
    }
    out += &table.render(0);
    for run in outcome.failed() {
        let (number, error) = (run.repeat.number().to_string(), run.error.clone().unwrap_or_default());
        let error = error.lines().next().unwrap_or_default().to_owned();
        let _ = writeln!(
            out,
            "{}",
            fill(words.failed, &[("what", words.one(kind)), ("number", &number), ("error", &error)])
        );
    }
    let _ = write!(out, "\n{}  {}", words.figures, outcome.root.join(kind.file()).display());
    context.console.result(out.trim_end(), || json!(outcome));
    match failed as u64 == count {
        true => Err(Failure::new(said(|words| words.none)).reported()),
        false => Ok(()),
    }
}

/// A message in both languages.
fn said(message: impl Fn(&Words) -> &'static str) -> Said {
    Said::in_each(|language| message(Words::of(language)).to_owned())
}

/// Mean and standard deviation.
fn spread(repeated: Repeated, factor: f64, digits: usize) -> String {
    let mean = factor * repeated.mean;
    match repeated.standard_deviation {
        Some(deviation) => format!("{mean:.digits$} ± {:.digits$}", factor * deviation),
        None => format!("{mean:.digits$}"),
    }
}

/// How a metric's value is written.
pub fn value_text(metric: Metric, value: f64) -> String {
    if metric.is_share() { format!("{:.1} %", 100.0 * value) } else { format!("{value:.4}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_run_has_no_spread() {
        let repeated =
            Repeated { mean: 0.5, standard_deviation: Some(0.0123), worst: 0.4, best: 0.6, runs: 3, failed: 0 };
        assert_eq!(spread(repeated, 100.0, 1), "50.0 ± 1.2");
        assert_eq!(spread(Repeated { standard_deviation: None, ..repeated }, 1.0, 4), "0.5000");
        assert_eq!(
            (value_text(Metric::Accuracy, 0.5), value_text(Metric::R2, 0.5)),
            ("50.0 %".into(), "0.5000".into())
        );
    }
}
