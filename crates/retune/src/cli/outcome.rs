//! How a run ended, as people and programs read it.

use super::failure::Failure;
use super::text::{self, Table};
use super::{Context, Result};
use retune::train::fit::{Comparison, Outcome};
use retune::train::metrics::{Estimate, Metric, TypeScores};
use retune::train::trainer::Ending;
use serde_json::json;
use std::fmt::Write;

/// Prints the result of a run, or how to resume it.
pub fn report(context: &Context, outcome: &Outcome) -> Result {
    let folder = outcome.root.display();
    if outcome.ending == Ending::Interrupted {
        let failure = Failure::interrupted(format!("stopped after {}; all of it is saved", steps(outcome.cost.steps)));
        return Err(failure.hint(format!("go on with `retune resume {folder}`")));
    }
    let mut out = format!(
        "{} in {}{}\n",
        steps(outcome.cost.steps),
        text::seconds(outcome.cost.secs),
        match outcome.cost.peak_bytes {
            0 => String::new(),
            bytes => format!(", {} of memory", text::bytes(bytes)),
        }
    );
    if let Some(counts) = outcome.cost.features {
        let count = |n: u64| text::counted(n as usize, "example", "examples");
        let (computed, read) = (count(counts.computed), count(counts.read));
        let _ = writeln!(out, "frozen layers: computed for {computed}, read for {read}");
    }
    if let Some(comparison) = &outcome.comparison {
        let _ = write!(out, "\n{}", comparison_text(comparison));
    }
    let mut files = Table::new(&[]);
    if let Some(model) = &outcome.model {
        files.row(["model".to_owned(), model.display().to_string()]);
    }
    if let Some(report) = &outcome.report {
        files.row(["report".to_owned(), report.display().to_string()]);
    }
    if let Some(model) = &outcome.model {
        files.row(["next".to_owned(), format!("retune predict --model {} --input FILE…", model.display())]);
    }
    let _ = write!(out, "\n{}", files.render(0));
    context.console.result(out.trim_end(), || {
        json!({
            "run": outcome.root,
            "model": outcome.model,
            "report": outcome.report,
            "ending": match outcome.ending { Ending::StoppedEarly => "stopped-early", _ => "completed" },
            "steps": outcome.cost.steps,
            "seconds": outcome.cost.secs,
            "peak_bytes": outcome.cost.peak_bytes,
            "features": outcome.cost.features,
            "comparison": outcome.comparison,
        })
    });
    Ok(())
}

fn steps(count: u64) -> String {
    text::counted(count as usize, "step", "steps")
}

/// Each metric before and after, with intervals, and whether the difference may be chance.
fn comparison_text(comparison: &Comparison) -> String {
    let mut table = Table::new(&[]);
    table.row([
        format!("{} {} items", text::count(comparison.items), comparison.part),
        "before".into(),
        "after".into(),
        "difference".into(),
    ]);
    for measured in &comparison.metrics {
        let one =
            |estimate: Option<Estimate>| estimate.map_or_else(|| "–".to_owned(), |e| estimate_text(measured.metric, e));
        let difference = measured.difference.map(|d| difference_text(measured.metric, d.difference));
        table.row([
            measured.metric.to_string(),
            one(measured.before),
            one(measured.after),
            difference.unwrap_or_else(|| "–".to_owned()),
        ]);
    }
    let mut out = table.render(0);
    if let Some(types) = &comparison.entities {
        let _ = write!(out, "\n{}", types_text(types));
    }
    if let Some(test) = &comparison.mcnemar {
        let verdict = if test.p_value < 0.05 { "more than chance explains" } else { "chance alone may explain it" };
        let _ = writeln!(
            out,
            "{} items right only after, {} only before: {verdict} ({})",
            text::count(test.only_second),
            text::count(test.only_first),
            p_text(test.p_value)
        );
    }
    out
}

/// How well entities of each type are found.
pub fn types_text(types: &[TypeScores]) -> String {
    let mut table = Table::new(&[1, 2, 3, 4]);
    table.row(["type", "precision", "recall", "F1", "entities"]);
    for TypeScores { name, precision, recall, f1, entities } in types {
        let percent = |share: &f64| format!("{:.1} %", 100.0 * share);
        table.row([name.clone(), percent(precision), percent(recall), percent(f1), text::count(*entities as usize)]);
    }
    table.render(0)
}

/// The probability that chance alone makes such a difference, without a false air of exactness.
pub fn p_text(p: f64) -> String {
    if p < 0.0001 { "p < 0.0001".to_owned() } else { format!("p = {p:.4}") }
}

/// `93.1 % (92.0–94.2)`, or `0.2310 (0.2100–0.2500)`.
pub fn estimate_text(metric: Metric, estimate: Estimate) -> String {
    let Estimate { value, low, high } = estimate;
    if metric.is_share() {
        format!("{:.1} % ({:.1}–{:.1})", 100.0 * value, 100.0 * low, 100.0 * high)
    } else {
        format!("{value:.4} ({low:.4}–{high:.4})")
    }
}

fn difference_text(metric: Metric, estimate: Estimate) -> String {
    let Estimate { value, low, high } = estimate;
    if metric.is_share() {
        format!("{:+.1} ({:+.1} to {:+.1})", 100.0 * value, 100.0 * low, 100.0 * high)
    } else {
        format!("{value:+.4} ({low:+.4} to {high:+.4})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_read_well() {
        let estimate = Estimate { value: 0.931, low: 0.92, high: 0.942 };
        assert_eq!(estimate_text(Metric::Accuracy, estimate), "93.1 % (92.0–94.2)");
        assert_eq!(estimate_text(Metric::Loss, estimate), "0.9310 (0.9200–0.9420)");
        let difference = Estimate { value: -0.01, low: -0.02, high: 0.005 };
        assert_eq!(difference_text(Metric::Accuracy, difference), "-1.0 (-2.0 to +0.5)");
        assert_eq!((p_text(0.03), p_text(1e-9)), ("p = 0.0300".into(), "p < 0.0001".into()));
    }
}
