//! `retune watch`: a run as it goes on. It only reads the run's folder: to stop watching leaves the run alone.

use super::curve::curve;
use super::failure::Failure;
use super::repeats::value_text;
use super::text;
use super::{Context, Result, paths};
use retune::train::language::Said;
use retune::train::language::fill;
use retune::train::run::overview::is_run;
use retune::train::run::{RunOverview, RunState};
use serde_json::json;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

/// Size of the curve, in characters.
const CURVE: (usize, usize) = (60, 8);

/// Show a run as it goes on.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The run's folder
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Seconds from look to look
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    every: f64,
    /// Show it once, also where it goes on
    #[arg(long)]
    once: bool,
}

retune::train::texts! {
    /// The words of a run that is watched.
    pub(super) struct Words {
        completed: "done", "完成";
        stopped_early: "done, stopped early", "完成（提前停止）";
        running: "running", "运行中";
        stopped: "stopped; go on with `retune resume {run}`", "已停止；用 `retune resume {run}` 继续";
        progress: "epoch {epoch}, step {step}", "第 {epoch} 轮，第 {step} 步";
        progress_of: "epoch {epoch} of {epochs}, step {step} of {steps}",
            "第 {epoch}/{epochs} 轮，第 {step}/{steps} 步";
        training_loss: "training loss", "训练损失";
        validation: "validation {metric}", "验证 {metric}";
        rate: "{rate} examples/s", "{rate} 样本/秒";
        learning_rate: "learning rate {value}", "学习率 {value}";
        gradient: "gradient norm {value}", "梯度范数 {value}";
        memory: "memory {bytes}", "内存 {bytes}";
        left: "{time} left", "剩余 {time}";
        took: "took {time}", "用时 {time}";
        nothing_yet: "no step was noted yet", "尚无记录的步";
        leave: "Ctrl-C stops watching; the run goes on", "Ctrl-C 停止查看；运行会继续";
    }
}

/// Watches until the run is over or the user leaves.
pub fn run(context: &Context, arguments: &Arguments) -> Result {
    let words = Words::of(context.language);
    paths::must_exist(&arguments.run)?;
    if !is_run(&arguments.run) {
        return Err(Failure::new(Said::new(
            format!("`{}` is no run", arguments.run.display()),
            format!("`{}` 不是一次运行", arguments.run.display()),
        ))
        .hint("name a folder with a `run.json`; `retune runs` lists them"));
    }
    let is_terminal = std::io::stdout().is_terminal() && !context.console.is_json();
    let pause = Duration::from_secs_f64(arguments.every.clamp(0.05, 3600.0));
    let mut lines_before = 0;
    let mut shown = Shown::default();
    loop {
        let overview = RunOverview::read(&arguments.run)?;
        let goes_on = overview.state == RunState::Running && !arguments.once;
        let written = if context.console.is_json() {
            shown.changed(&overview).map_or(Ok(()), |object| line(&object))
        } else if is_terminal && goes_on {
            let view = view(&overview, words) + "\n" + words.leave + "\n";
            // Back to the first line of the last view, and the rest of the screen cleared.
            let back = if lines_before > 0 { format!("\x1b[{lines_before}A\x1b[J") } else { String::new() };
            lines_before = view.lines().count();
            line(format!("{back}{view}").trim_end_matches('\n'))
        } else if goes_on {
            shown.new_lines(&overview, words).iter().try_for_each(|text| line(text))
        } else {
            let back = if lines_before > 0 { format!("\x1b[{lines_before}A\x1b[J") } else { String::new() };
            line(&(back + view(&overview, words).trim_end()))
        };
        // A reader that has gone away, as `head` does, has seen enough.
        if written.is_err() || !goes_on {
            return Ok(());
        }
        std::thread::sleep(pause);
    }
}

fn line(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// What was written already, for readers that are no terminal.
#[derive(Debug, Default)]
struct Shown {
    steps: usize,
    evaluations: usize,
    any: bool,
}

impl Shown {
    /// A line for every evaluation since, and one for the newest step.
    fn new_lines(&mut self, run: &RunOverview, words: &Words) -> Vec<String> {
        let mut lines = Vec::new();
        for evaluation in run.evaluations.iter().skip(self.evaluations) {
            let values: Vec<String> = evaluation
                .validation
                .iter()
                .map(|(metric, value)| format!("{metric} {}", value_text(*metric, *value)))
                .collect();
            let progress = fill(
                words.progress,
                &[("epoch", &evaluation.epoch.to_string()), ("step", &evaluation.step.to_string())],
            );
            lines.push(format!(
                "{progress}  {} {:.4}  {}",
                words.training_loss,
                evaluation.train_loss,
                values.join("  ")
            ));
        }
        if run.steps.len() > self.steps && lines.is_empty() {
            lines.push(progress_text(run, words));
        }
        (self.steps, self.evaluations) = (run.steps.len(), run.evaluations.len());
        lines
    }

    /// The run for programs, if something is new.
    fn changed(&mut self, run: &RunOverview) -> Option<String> {
        let is_new = !self.any || run.steps.len() > self.steps || run.evaluations.len() > self.evaluations;
        (self.steps, self.evaluations, self.any) = (run.steps.len(), run.evaluations.len(), true);
        let object = || {
            json!({
                "run": run.root,
                "state": run.state,
                "epoch": run.epoch(),
                "step": run.step(),
                "plan": run.plan,
                "newest-step": run.steps.last(),
                "newest-evaluation": run.evaluations.last(),
                "figures": run.figures,
                "secs-left": run.secs_left(),
            })
            .to_string()
        };
        (is_new || run.state != RunState::Running).then(object)
    }
}

fn progress_text(run: &RunOverview, words: &Words) -> String {
    let (epoch, step) = (run.epoch().to_string(), run.step().to_string());
    let mut out = match &run.plan {
        Some(plan) => {
            let (epochs, steps) = (plan.epochs.to_string(), plan.steps.to_string());
            let values = [("epoch", &*epoch), ("epochs", &*epochs), ("step", &*step), ("steps", &*steps)];
            fill(words.progress_of, &values)
        }
        None => fill(words.progress, &[("epoch", &epoch), ("step", &step)]),
    };
    if let Some(step) = run.steps.last() {
        let _ = write!(out, "  {} {:.4}", words.training_loss, step.loss);
    }
    if let Some(secs) = run.secs_left().filter(|_| run.state == RunState::Running) {
        let _ = write!(out, "  {}", fill(words.left, &[("time", &text::seconds(secs))]));
    }
    out
}

/// All that is to be seen of a run: curve, figures, throughput, memory, time.
fn view(run: &RunOverview, words: &Words) -> String {
    let folder = run.root.display().to_string();
    let state = match run.state {
        RunState::Completed => words.completed.to_owned(),
        RunState::StoppedEarly => words.stopped_early.to_owned(),
        RunState::Running => words.running.to_owned(),
        RunState::Stopped => fill(words.stopped, &[("run", &folder)]),
    };
    let mut out = format!("{}: {state}\n{}\n", run.name(), progress_text(run, words));
    if let Some(plan) = run.plan.as_ref().filter(|plan| plan.steps > 0) {
        let share = (run.step() as f64 / plan.steps as f64).min(1.0);
        let filled = (share * CURVE.0 as f64).round() as usize;
        let _ = writeln!(out, "{}{} {:.0} %", "━".repeat(filled), "╌".repeat(CURVE.0 - filled), 100.0 * share);
    }
    let losses: Vec<(f64, f64)> = run.steps.iter().map(|step| (step.step as f64, step.loss)).collect();
    match curve(&losses, CURVE.0, CURVE.1) {
        Some(lines) => {
            let _ = writeln!(out, "\n{}\n{}", words.training_loss, lines.join("\n"));
        }
        None => {
            let _ = writeln!(out, "\n{}", words.nothing_yet);
        }
    }
    if let Some(metric) = run.newest().map(|(metric, _)| metric) {
        let points: Vec<(f64, f64)> = run
            .evaluations
            .iter()
            .filter_map(|e| Some((e.step as f64, e.validation.iter().find(|(of, _)| *of == metric)?.1)))
            .collect();
        if points.len() > 1
            && let Some(lines) = curve(&points, CURVE.0, CURVE.1)
        {
            let title = fill(words.validation, &[("metric", &metric.to_string())]);
            let _ = writeln!(out, "\n{title}\n{}", lines.join("\n"));
        }
    }
    if let Some(evaluation) = run.evaluations.last() {
        let values = evaluation.validation.iter().map(|(metric, value)| {
            format!("{} {}", fill(words.validation, &[("metric", &metric.to_string())]), value_text(*metric, *value))
        });
        let _ = writeln!(out, "\n{}", values.collect::<Vec<_>>().join("  "));
    }
    let mut facts = Vec::new();
    if let Some(step) = run.steps.last() {
        facts.push(fill(words.rate, &[("rate", &format!("{:.0}", step.examples_per_sec))]));
        facts.push(fill(words.learning_rate, &[("value", &format!("{:.2e}", step.learning_rate))]));
        facts.push(fill(words.gradient, &[("value", &format!("{:.3}", step.gradient_norm))]));
    }
    if let Some(bytes) = memory(run) {
        facts.push(fill(words.memory, &[("bytes", &text::bytes(bytes))]));
    }
    if let Some(secs) = run.secs.filter(|_| run.state != RunState::Running) {
        facts.push(fill(words.took, &[("time", &text::seconds(secs))]));
    }
    let _ = writeln!(out, "{}", facts.join("  "));
    out
}

/// What the run's process holds now, where the system tells; of a finished run the most that it held.
fn memory(run: &RunOverview) -> Option<u64> {
    if run.state != RunState::Running {
        return run.peak_bytes;
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", run.plan.as_ref()?.process)).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? * 1024)
}
