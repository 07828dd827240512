//! Learning curves, from the lines of `metrics.jsonl`.

use super::unit;
use crate::report::{Chart, Series, Unit};
use serde_json::Value;

/// One chart per metric of the evaluations, with the training curve where there is one, one of the learning rate where it changes,
/// and one of the gradients' length. `kept`: the step whose weights were kept.
pub(super) fn curves(lines: &[Value], kept: Option<u64>) -> Vec<Chart> {
    let evaluations: Vec<&Value> = lines.iter().filter(|line| line["kind"] == "evaluation").collect();
    let mut names = vec!["loss".to_owned()];
    for line in &evaluations {
        let known = line["validation"].as_object().into_iter().flat_map(|map| map.keys());
        names.extend(known.filter(|name| !names.contains(name)).cloned().collect::<Vec<_>>());
    }
    let chart = |name: String| {
        let series: Vec<Series> = ["train", "validation"]
            .into_iter()
            .filter_map(|part| {
                let point = |line: &&Value| Some((line["step"].as_f64()?, line[part][&name].as_f64()?));
                let points: Vec<(f64, f64)> = evaluations.iter().filter_map(point).collect();
                (!points.is_empty()).then(|| Series { name: part.to_owned(), points })
            })
            .collect();
        Some(series).filter(|series| !series.is_empty()).map(|series| Chart {
            unit: name.parse().map_or(Unit::Number, unit),
            title: name,
            x_label: "step".to_owned(),
            marker: kept.map(|step| step as f64),
            series,
        })
    };
    names.into_iter().filter_map(chart).chain(learning_rate(lines)).chain(gradient_norm(lines)).collect()
}

/// The length of the gradients of every step that was noted, before they are clipped.
fn gradient_norm(lines: &[Value]) -> Option<Chart> {
    let steps = lines.iter().filter(|line| line["kind"] == "step");
    let points: Vec<(f64, f64)> =
        steps.filter_map(|line| Some((line["step"].as_f64()?, line["gradient-norm"].as_f64()?))).collect();
    (points.len() > 1).then(|| Chart {
        title: "gradient norm".to_owned(),
        x_label: "step".to_owned(),
        series: vec![Series { name: "gradient norm".to_owned(), points }],
        ..Chart::default()
    })
}

/// The learning rate of every step that was noted; nothing where it is the same throughout.
fn learning_rate(lines: &[Value]) -> Option<Chart> {
    let mut points: Vec<(f64, f64)> =
        lines.iter().filter_map(|line| Some((line["step"].as_f64()?, line["learning-rate"].as_f64()?))).collect();
    points.dedup_by(|next, last| next.0 == last.0);
    let changes = points.iter().any(|point| point.1 != points[0].1);
    changes.then(|| Chart {
        title: "learning rate".to_owned(),
        x_label: "step".to_owned(),
        series: vec![Series { name: "learning rate".to_owned(), points }],
        ..Chart::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn charts_of_metrics_and_of_a_changing_rate() {
        let step = |step: u64, rate: f64| json!({ "kind": "step", "step": step, "loss": 1.0, "gradient-norm": 10.0 * rate, "learning-rate": rate });
        let evaluation = json!({ "kind": "evaluation", "step": 4, "train": { "loss": 0.5, "accuracy": 0.9 },
            "validation": { "loss": 0.6, "accuracy": 0.8 }, "learning-rate": 0.1 });
        let lines = [step(1, 0.3), step(4, 0.1), evaluation];
        let charts = curves(&lines, Some(4));
        let titles: Vec<&str> = charts.iter().map(|chart| chart.title.as_str()).collect();
        assert_eq!(titles, ["loss", "accuracy", "learning rate", "gradient norm"]);
        assert_eq!((charts[1].unit, charts[1].marker), (Unit::Share, Some(4.0)));
        assert_eq!(charts[2].series[0].points, [(1.0, 0.3), (4.0, 0.1)]);
        assert_eq!(charts[3].series[0].points, [(1.0, 3.0), (4.0, 1.0)]);
        assert_eq!(curves(&[step(1, 0.1), step(2, 0.1)], None).len(), 1, "a constant rate needs no chart");
    }
}
