//! `retune runs`: runs as a table, and several of them side by side.

use super::failure::Failure;
use super::repeats::value_text;
use super::text::{self, Table};
use super::{Context, Result, paths};
use retune::train::language::Said;
use retune::train::language::fill;
use retune::train::metrics::Metric;
use retune::train::run::overview::{is_run, runs_in};
use retune::train::run::{RunOverview, RunState};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;

/// List runs, or compare some of them.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A folder of runs; or two runs or more to compare [default: runs]
    #[arg(value_name = "FOLDER|RUN")]
    paths: Vec<PathBuf>,
}

retune::train::texts! {
    /// The words of a list of runs.
    pub(super) struct Words {
        run: "run", "运行";
        state: "state", "状态";
        model: "model", "模型";
        method: "method", "方法";
        epochs: "epochs", "轮数";
        result: "result", "结果";
        gain: "gain", "提升";
        part: "on", "数据";
        time: "time", "时间";
        memory: "memory", "内存";
        completed: "done", "完成";
        stopped_early: "done, stopped early", "完成（提前停止）";
        running: "running", "运行中";
        stopped: "stopped", "已停止";
        test: "test", "测试";
        validation: "validation", "验证";
        same: "The recipes are the same.", "配方相同。";
        differ: "Where the recipes differ", "配方的不同之处";
        data_differ:
            "The {part} items are not the same, so these figures cannot be compared; measure the models with \
             `retune compare`.",
            "{part}样本并不相同，因此这些数字不可比；请用 `retune compare` 测量这些模型。";
        compare: "To test the difference on the same items: `{command}`", "在相同样本上检验差异：`{command}`";
        none: "there is no run in `{folder}`", "`{folder}` 中没有运行";
        none_hint: "runs are made by `retune fit`; name another folder", "运行由 `retune fit` 产生；请指定其他文件夹";
    }
}

/// Lists or compares.
pub fn run(context: &Context, arguments: &Arguments) -> Result {
    let words = Words::of(context.language);
    arguments.paths.iter().try_for_each(|path| paths::must_exist(path))?;
    let folder = match arguments.paths.as_slice() {
        [] => PathBuf::from("runs"),
        [folder] => folder.clone(),
        several => return compare(context, several, words),
    };
    paths::must_exist(&folder)?;
    let runs = runs_in(&folder)?;
    if runs.is_empty() {
        let folder = folder.display().to_string();
        let message = Said::in_each(|language| fill(Words::of(language).none, &[("folder", &folder)]));
        let hint = Said::in_each(|language| Words::of(language).none_hint.to_owned());
        return Err(Failure::new(message).hint_said(hint));
    }
    let mut table = Table::new(&[]);
    table.row([
        words.run,
        words.state,
        words.model,
        words.method,
        words.epochs,
        words.result,
        words.gain,
        words.part,
        words.time,
    ]);
    for run in &runs {
        let name = run.root.strip_prefix(&folder).ok().filter(|path| !path.as_os_str().is_empty());
        table.row([
            name.map_or_else(|| run.name(), |path| path.display().to_string()),
            state_text(run.state, words).to_owned(),
            model_of(run),
            text_of(run, "method.kind").unwrap_or_else(|| "full".to_owned()),
            epochs_of(run),
            run.newest()
                .map_or_else(|| "–".to_owned(), |(metric, value)| format!("{metric} {}", value_text(metric, value))),
            gain_of(run).unwrap_or_else(|| "–".to_owned()),
            part_text(run, words).to_owned(),
            run.secs.map_or_else(|| "–".to_owned(), text::seconds),
        ]);
    }
    context.console.result(table.render(0).trim_end(), || json!(runs.iter().map(object).collect::<Vec<_>>()));
    Ok(())
}

fn compare(context: &Context, paths: &[PathBuf], words: &Words) -> Result {
    let mut runs = Vec::new();
    for path in paths {
        if !is_run(path) {
            return Err(Failure::new(Said::new(
                format!("`{}` is no run", path.display()),
                format!("`{}` 不是一次运行", path.display()),
            ))
            .hint("name folders with a `run.json`, or one folder of runs"));
        }
        runs.push(RunOverview::read(path)?);
    }
    let mut table = Table::new(&[]);
    let row = |name: &str, of: &dyn Fn(&RunOverview) -> String| {
        std::iter::once(name.to_owned()).chain(runs.iter().map(of)).collect::<Vec<_>>()
    };
    table.row(row("", &|run| run.name()));
    table.row(row(words.state, &|run| state_text(run.state, words).to_owned()));
    table.row(row(words.epochs, &epochs_of));
    table.row(row(words.time, &|run| run.secs.map_or_else(|| "–".to_owned(), text::seconds)));
    table.row(row(words.memory, &|run| run.peak_bytes.map_or_else(|| "–".to_owned(), text::bytes)));
    for metric in metrics_of(&runs) {
        let value = |run: &RunOverview| {
            let figure = run.figures.iter().find(|figure| figure.metric == metric);
            let last = run.evaluations.last().and_then(|e| e.validation.iter().find(|(of, _)| *of == metric));
            match (figure, last) {
                (Some(figure), _) => match (figure.before, figure.after) {
                    (Some(before), Some(after)) => {
                        format!("{} → {}", value_text(metric, before), value_text(metric, after))
                    }
                    (_, after) => after.map_or_else(|| "–".to_owned(), |after| value_text(metric, after)),
                },
                (None, Some((_, value))) => value_text(metric, *value),
                (None, None) => "–".to_owned(),
            }
        };
        table.row(row(&metric.to_string(), &value));
    }
    let mut out = table.render(0);
    let differing = differences(&runs);
    if differing.is_empty() {
        let _ = writeln!(out, "\n{}", words.same);
    } else {
        let mut table = Table::new(&[]);
        table.row(row(words.differ, &|_| String::new()));
        for (key, values) in &differing {
            table.row(std::iter::once(key.clone()).chain(values.iter().cloned()).collect::<Vec<_>>());
        }
        let _ = write!(out, "\n{}", table.render(0));
    }
    if let Some(part) = differing_part(&runs) {
        let part = if part == "validation" { words.validation } else { words.test };
        let _ = writeln!(out, "\n{}", fill(words.data_differ, &[("part", part)]));
    } else if runs.iter().all(|run| !run.figures.is_empty()) {
        let models: Vec<String> = runs.iter().map(|run| run.root.join(model_file(run)).display().to_string()).collect();
        let command = format!("retune compare {} --data …", models.join(" "));
        let _ = writeln!(out, "\n{}", fill(words.compare, &[("command", &command)]));
    }
    context.console.result(out.trim_end(), || {
        let differing: serde_json::Map<String, Value> =
            differing.iter().map(|(key, values)| (key.clone(), json!(values))).collect();
        json!({ "runs": runs.iter().map(object).collect::<Vec<_>>(), "differing": differing })
    });
    Ok(())
}

/// A run for programs: without every step.
fn object(run: &RunOverview) -> Value {
    json!({
        "run": run.root,
        "state": run.state,
        "plan": run.plan,
        "epoch": run.epoch(),
        "step": run.step(),
        "seed": run.manifest.seed,
        "evaluations": run.evaluations,
        "part": run.part,
        "figures": run.figures,
        "secs": run.secs,
        "peak-bytes": run.peak_bytes,
        "recipe": run.recipe,
    })
}

fn state_text(state: RunState, words: &Words) -> &'static str {
    match state {
        RunState::Completed => words.completed,
        RunState::StoppedEarly => words.stopped_early,
        RunState::Running => words.running,
        RunState::Stopped => words.stopped,
    }
}

/// What the newest value is of.
fn part_text(run: &RunOverview, words: &Words) -> &'static str {
    match run.part.as_deref() {
        Some("test") => words.test,
        _ if run.newest().is_none() => "–",
        _ => words.validation,
    }
}

fn model_of(run: &RunOverview) -> String {
    let file = run.manifest.model.as_ref().map(|file| &file.path);
    file.and_then(|path| path.file_name()).map_or_else(|| "–".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// The name of the saved model in the run's folder.
fn model_file(run: &RunOverview) -> String {
    let outcome = std::fs::read_to_string(run.root.join("outcome.json")).unwrap_or_default();
    let outcome: Value = serde_json::from_str(&outcome).unwrap_or_default();
    let path = outcome["model"].as_str().map(PathBuf::from);
    path.and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned())).unwrap_or_else(|| "model".to_owned())
}

fn text_of(run: &RunOverview, key: &str) -> Option<String> {
    run.recipe_value(key).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

fn epochs_of(run: &RunOverview) -> String {
    let all = run.plan.as_ref().map(|plan| plan.epochs.to_string()).or_else(|| text_of(run, "train.epochs"));
    match all {
        Some(all) => format!("{}/{all}", run.epoch()),
        None => run.epoch().to_string(),
    }
}

/// The difference from before, in the metric that tells most.
fn gain_of(run: &RunOverview) -> Option<String> {
    let (metric, after) = run.newest()?;
    let before = run.figures.iter().find(|figure| figure.metric == metric)?.before?;
    let difference = after - before;
    Some(if metric.is_share() { format!("{:+.1}", 100.0 * difference) } else { format!("{difference:+.4}") })
}

/// The metrics of all runs, in the order of the first.
fn metrics_of(runs: &[RunOverview]) -> Vec<Metric> {
    let mut metrics = Vec::new();
    for run in runs {
        let last = run.evaluations.last().into_iter().flat_map(|e| e.validation.iter().map(|(metric, _)| *metric));
        let figures = run.figures.iter().map(|figure| figure.metric);
        for metric in figures.chain(last) {
            if !metrics.contains(&metric) {
                metrics.push(metric);
            }
        }
    }
    metrics
}

/// Values of the recipes that are not the same in all, by key. Where runs keep their files is left out.
fn differences(runs: &[RunOverview]) -> Vec<(String, Vec<String>)> {
    let mut keys: Vec<String> = Vec::new();
    for run in runs {
        for (section, table) in &run.recipe {
            for key in table.as_table().into_iter().flat_map(|table| table.keys()) {
                let key = format!("{section}.{key}");
                if !keys.contains(&key) && key != "output.path" {
                    keys.push(key);
                }
            }
        }
    }
    keys.sort();
    let values = |key: &String| -> Vec<String> {
        runs.iter().map(|run| text_of(run, key).unwrap_or_else(|| "–".to_owned())).collect()
    };
    let all = keys.iter().map(|key| (key.clone(), values(key)));
    all.filter(|(_, values)| values.iter().any(|value| *value != values[0])).collect()
}

/// The part that figures are of, where it is not the same data in all runs.
fn differing_part(runs: &[RunOverview]) -> Option<&str> {
    let part = runs.first()?.part.as_deref()?;
    let data = |run: &RunOverview| {
        let found = run.manifest.data.iter().find(|data| data.part == part);
        (run.part.clone(), found.map(|data| (data.sha256.clone(), data.examples)))
    };
    runs.iter().any(|run| data(run) != data(&runs[0])).then_some(part)
}
