//! What a run shows while it trains: a bar on a terminal, else a line per epoch.

use super::console::Console;
use super::text;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use retune::train::language::{Said, fill};
use retune::train::metrics::Metric;
use retune::train::trainer::{EpochSums, Event, Observer};
use std::time::{Duration, Instant};

retune::train::texts! {
    /// The words of a run's progress.
    struct Words {
        epoch: "epoch {epoch}/{epochs}", "第 {epoch}/{epochs} 轮";
        left: "{time} left", "还需 {time}";
        evaluating: "evaluating {done}/{total}", "评估 {done}/{total}";
        best: "best so far", "目前最佳";
        reduced: "no improvement: learning rate now {rate}", "没有改进：学习率现为 {rate}";
        stopped: "no more improvement: stopped after epoch {epoch}", "不再改进：在第 {epoch} 轮后停止";
        best_was: "; best was epoch {epoch}", "；最佳为第 {epoch} 轮";
        loss: "loss", "损失";
        accuracy: "accuracy", "准确率";
        validation: "val-{metric}", "验证 {metric}";
    }
}

/// How often the bar is drawn again at most.
const REDRAWS_PER_SECOND: u8 = 10;
/// Share of the newest step in the mean time of a step.
const NEWEST: f64 = 0.05;

/// An observer that shows a run.
#[derive(Debug)]
pub struct Progress {
    console: Console,
    label: String,
    bar: ProgressBar,
    epochs: u64,
    steps: u64,
    secs_per_step: Option<f64>,
    /// Examples and seconds of the epoch's steps.
    stepped: (usize, f64),
    evaluated: String,
    epoch_start: Instant,
    shows_epochs: bool,
}

impl Progress {
    /// Shows a run; `label` stands before it.
    pub fn new(console: Console, label: impl Into<Said>) -> Progress {
        Progress {
            console,
            label: label.into().of(console.language()).to_owned(),
            bar: ProgressBar::hidden(),
            epochs: 0,
            steps: 0,
            secs_per_step: None,
            stepped: (0, 0.0),
            evaluated: String::new(),
            epoch_start: Instant::now(),
            shows_epochs: true,
        }
    }

    /// The same without a line for each epoch: only the bar, on a terminal.
    pub fn bar_only(self) -> Progress {
        Progress { shows_epochs: false, ..self }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn start_bar(&mut self, length: u64, position: u64) {
        self.bar.finish_and_clear();
        if !self.console.shows_progress_bar() {
            return;
        }
        let target = ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_SECOND);
        let style = ProgressStyle::with_template("{prefix} {bar:24} {pos}/{len} {msg}")
            .expect("the template is a constant")
            .progress_chars("━╸─");
        self.bar = ProgressBar::with_draw_target(Some(length), target).with_style(style).with_position(position);
        self.bar.set_prefix(self.label.clone());
    }

    fn words(&self) -> &'static Words {
        Words::of(self.console.language())
    }

    /// The epoch, counted from 0, of all.
    fn epoch_text(&self, epoch: u64) -> String {
        let (epoch, epochs) = ((epoch + 1).to_string(), self.epochs.to_string());
        fill(self.words().epoch, &[("epoch", &epoch), ("epochs", &epochs)])
    }

    /// Loss and, where there are right answers, accuracy of the training examples so far.
    fn training_text(&self, sums: &EpochSums) -> String {
        let Words { loss, accuracy, .. } = self.words();
        let accuracy =
            if sums.right > 0.0 { format!("  {accuracy} {:.1} %", 100.0 * sums.accuracy()) } else { String::new() };
        format!("{loss} {:.4}{accuracy}", sums.mean_loss())
    }

    /// A line above the bar.
    fn line(&self, line: &str) {
        if !self.console.is_quiet() {
            self.bar.suspend(|| eprintln!("{line}"));
        }
    }

    fn step(&mut self, epoch: u64, step: u64, examples: usize, sums: &EpochSums, secs: f64) {
        let mean = self.secs_per_step.map_or(secs, |mean| mean + NEWEST * (secs - mean));
        self.secs_per_step = Some(mean);
        self.stepped.0 += examples;
        self.stepped.1 += secs;
        let left = mean * self.steps.saturating_sub(step) as f64;
        self.bar.set_position(step);
        self.bar.set_message(format!(
            "{}  {}{}  {:.0}/s  {}",
            self.epoch_text(epoch),
            self.training_text(sums),
            self.evaluated,
            self.examples_per_sec(),
            fill(self.words().left, &[("time", &text::seconds(left))])
        ));
    }

    /// Within a run the bar stays that of the steps; else it is that of the examples.
    fn evaluating(&mut self, done: usize, total: usize) {
        if self.steps > 0 {
            let (done, total) = (done.to_string(), total.to_string());
            self.bar.set_message(fill(self.words().evaluating, &[("done", &done), ("total", &total)]));
            return;
        }
        if self.bar.length() != Some(total as u64) {
            self.start_bar(total as u64, 0);
        }
        self.bar.set_position(done as u64);
    }

    fn evaluated(&mut self, epoch: u64, sums: &EpochSums, values: &[(Metric, f64)], best: Option<f64>) {
        let words = self.words();
        let value = |(metric, value): &(Metric, f64)| {
            format!("  {}", fill(words.validation, &[("metric", &value_text(*metric, *value))]))
        };
        self.evaluated = values.iter().map(value).collect();
        let secs = std::mem::replace(&mut self.epoch_start, Instant::now()).elapsed();
        if self.shows_epochs {
            let best = if best.is_some() && !values.is_empty() { format!("  {}", words.best) } else { String::new() };
            self.line(&format!(
                "{}  {}{}  {:.0}/s  {}{best}",
                self.epoch_text(epoch),
                self.training_text(sums),
                self.evaluated,
                self.examples_per_sec(),
                elapsed(secs)
            ));
        }
        self.stepped = (0, 0.0);
    }

    /// The pace of the epoch's steps; evaluation is not counted.
    fn examples_per_sec(&self) -> f64 {
        self.stepped.0 as f64 / self.stepped.1.max(1e-9)
    }
}

impl Observer for Progress {
    fn event(&mut self, event: &Event<'_>) {
        match *event {
            Event::Started { epochs, steps_per_epoch, step, .. } => {
                (self.epochs, self.steps) = (epochs, epochs * steps_per_epoch);
                self.epoch_start = Instant::now();
                self.start_bar(self.steps, step);
            }
            Event::Step { epoch, step, examples, ref sums, secs, .. } => self.step(epoch, step, examples, sums, secs),
            Event::Evaluating { done, total } => self.evaluating(done, total),
            Event::Evaluated { epoch, ref sums, values, best, .. } => self.evaluated(epoch, sums, values, best),
            Event::LearningRateReduced { rate } => {
                self.line(&fill(self.words().reduced, &[("rate", &format!("{rate:.2e}"))]));
            }
            Event::StoppedEarly { epoch, best } => {
                let words = self.words();
                let counted = |text, epoch: u64| fill(text, &[("epoch", &(epoch + 1).to_string())]);
                let best = best.map_or_else(String::new, |best| counted(words.best_was, best.epoch));
                self.line(&format!("{}{best}", counted(words.stopped, epoch)));
            }
            Event::Note { text } => self.line(text.of(self.console.language())),
            _ => {}
        }
    }
}

/// A metric's name and value.
fn value_text(metric: Metric, value: f64) -> String {
    if metric.is_share() { format!("{metric} {:.1} %", 100.0 * value) } else { format!("{metric} {value:.4}") }
}

fn elapsed(duration: Duration) -> String {
    text::seconds(duration.as_secs_f64())
}
