//! The page: sections in order, each absent where its part of the data is.

use super::chart::{Chart, Series};
use super::content::{
    Cost, DataFacts, DataFinding, FindingWeight, Outcome, Part, Reproduction, RunReport, Subject, Unit, Verdict,
};
use super::markup::{element, escape};
use super::texts::Texts;
use super::{numbers, reliability, svg, tables};
use crate::calibration::Calibration;
use crate::language::{Language, fill};
use std::fmt::Write;

const STYLE: &str = include_str!("style.css");
/// No scripts, nothing from elsewhere, whatever may have got into the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
/// Rows of the table below a chart.
const MOST_VALUES: usize = 60;

/// The whole page.
pub(super) fn page(report: &RunReport) -> String {
    let t = Texts::of(report.language);
    let title = escape(&report.title);
    let mut main = String::new();
    let verdict = report.verdict.as_ref().map(|part| verdict(part, report.part, t)).unwrap_or_default();
    let subject = report.subject.as_ref().map(|part| subject(part, t)).unwrap_or_default();
    let calibration = calibration(&report.calibration, t);
    let warnings = warnings(report, t);
    let _ = writeln!(main, "<header>\n<h1>{title}</h1>\n{subject}{verdict}{calibration}{warnings}</header>");
    if !report.results.is_empty() {
        section(&mut main, t.results, &(element("p", "note", t.results_note) + &tables::results(&report.results, t)));
    }
    if let Some(first) = report.also.first() {
        let note = fill(t.also_note, &[("items", &numbers::count(first.items as u64))]);
        section(&mut main, t.also, &(element("p", "note", &note) + &tables::results(&report.also, t)));
    }
    if !report.curves.is_empty() {
        let charts: String = report.curves.iter().map(|part| chart(part, t)).collect();
        section(&mut main, t.curves, &format!("<div class=\"charts\">\n{charts}</div>\n"));
    }
    if let Some(part) = report.confusion.as_ref().filter(|part| !part.classes.is_empty()) {
        let heading = if tables::is_matrix(part) { t.confusion } else { t.worst_confusions };
        section(&mut main, heading, &tables::confusion(part, t));
    }
    if !report.classes.is_empty() {
        section(&mut main, t.classes, &tables::classes(&report.classes, t));
    }
    section(&mut main, t.reliability, &reliability::diagram(&report.reliability, t));
    if !report.mistakes.is_empty() {
        let heading = if tables::are_classes(&report.mistakes) { t.mistakes } else { t.errors };
        let note = element("p", "note", t.mistakes_note);
        section(&mut main, heading, &(note + &tables::items(&report.mistakes, heading, t.probability, t)));
    }
    if !report.hardest.is_empty() {
        let note = element("p", "note", t.hardest_note);
        section(&mut main, t.hardest, &(note + &tables::items(&report.hardest, t.hardest, t.truth_probability, t)));
    }
    if let Some(part) = &report.data {
        section(&mut main, t.data, &data(part, t));
    }
    if let Some(part) = &report.cost {
        section(&mut main, t.cost, &cost(part, t));
    }
    if let Some(recipe) = &report.recipe {
        let note = element("p", "note", t.recipe_note);
        section(&mut main, t.recipe, &format!("{note}<pre tabindex=\"0\"><code>{}</code></pre>\n", escape(recipe)));
    }
    if let Some(part) = &report.reproduction {
        section(&mut main, t.reproduction, &reproduction(part, t));
    }
    document(&report.title, report.language, &main)
}

/// A page with style, and without anything that acts or comes from elsewhere.
pub(super) fn document(title: &str, language: Language, main: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{main}</main>\n</body>\n</html>\n",
        language.code(),
        escape(title)
    )
}

/// A section, unless it would be empty.
pub(super) fn section(page: &mut String, heading: &str, content: &str) {
    if content.is_empty() {
        return;
    }
    let _ = writeln!(page, "<section>\n<h2>{}</h2>\n{content}</section>", escape(heading));
}

/// What was fitted to the answers after training, in a sentence each.
fn calibration(calibration: &Calibration, t: &Texts) -> String {
    let temperature = calibration.temperature.map(|value| fill(t.temperature, &[("value", &numbers::number(value))]));
    let threshold = match calibration.thresholds.as_slice() {
        [] => None,
        all => {
            let values: Vec<String> = all.iter().map(|&value| numbers::number(f64::from(value))).collect();
            Some(fill(t.threshold, &[("value", &values.join(", "))]))
        }
    };
    temperature.into_iter().chain(threshold).map(|text| element("p", "note", &text) + "\n").collect()
}

/// What makes the figures less worth than they look.
fn warnings(report: &RunReport, t: &Texts) -> String {
    if report.warnings.is_empty() {
        return String::new();
    }
    let items: String = report.warnings.iter().map(|warning| element("li", "", &t.warning(warning))).collect();
    format!("<aside class=\"warnings\"><h2>{}</h2><ul>{items}</ul></aside>\n", t.warnings)
}

fn subject(subject: &Subject, t: &Texts) -> String {
    let strong = |text: &str| element("strong", "", text);
    let (model, data) = (strong(&subject.model), strong(&subject.data));
    let values = [("model", &*model), ("data", &*data), ("method", &*escape(&subject.method))];
    format!("<p class=\"lead\">{}</p>\n", fill(t.subject, &values))
}

/// Before and after in large figures, and in words whether the difference is more than chance.
fn verdict(verdict: &Verdict, part: Part, t: &Texts) -> String {
    let figure = |class: &str, name: &str, estimate: &crate::metrics::Estimate| {
        let value = |value| numbers::value(value, verdict.unit);
        let interval = fill(t.interval, &[("low", &value(estimate.low)), ("high", &value(estimate.high))]);
        format!(
            "<div class=\"{class}\"><dt>{}</dt><dd>{}<small>{interval}</small></dd></div>\n",
            escape(name),
            value(estimate.value)
        )
    };
    let before = match verdict.baseline {
        Some(baseline) => t.baseline(baseline).to_owned(),
        None => t.before.into(),
    };
    let items = numbers::count(verdict.items as u64);
    let measured = match part {
        Part::Test => t.on_test,
        Part::Validation => t.on_validation,
    };
    let mut out = format!(
        "<p class=\"measured\">{}</p>\n<dl class=\"figures\">\n{}{}</dl>\n",
        fill(measured, &[("metric", &*escape(&verdict.metric)), ("items", &*items)]),
        figure("before", &before, &verdict.before),
        figure("after", t.after, &verdict.after),
    );
    let outcome = verdict.outcome();
    let (class, words) = match outcome {
        Outcome::Better => ("better", t.better),
        Outcome::Worse => ("worse", t.worse),
        Outcome::Unclear => ("unclear", t.unclear),
    };
    let mut sentences = vec![element("strong", class, words)];
    if let Some(difference) = &verdict.difference {
        let value = |value| signed(value, verdict.unit);
        let points = match verdict.unit {
            Unit::Share => fill(t.points, &[("value", &value(difference.value))]),
            Unit::Number => value(difference.value),
        };
        let values = [("difference", &*points), ("low", &*value(difference.low)), ("high", &*value(difference.high))];
        sentences.push(fill(t.difference, &values));
    }
    if let Some(test) = &verdict.mcnemar {
        let (gained, lost) = (numbers::count(test.only_second as u64), numbers::count(test.only_first as u64));
        let p = numbers::p_value(test.p_value);
        let template = if verdict.baseline.is_some() { t.mcnemar_baseline } else { t.mcnemar };
        sentences.push(fill(template, &[("gained", &*gained), ("lost", &*lost), ("p", &*p)]));
    } else if let Some(p) = verdict.p_value {
        sentences.push(fill(t.permutation, &[("p", &*numbers::p_value(p))]));
    }
    let _ = writeln!(out, "<p>{}</p>", sentences.join(" "));
    if verdict.baseline.is_some() {
        let _ = writeln!(out, "{}", element("p", "note", t.new_head));
    }
    out
}

/// A difference, with its sign also where it is positive; of shares without the sign of percent, for it counts points.
pub(super) fn signed(value: f64, unit: Unit) -> String {
    let text = match unit {
        Unit::Share => numbers::percent(value).trim_end_matches(['%', '\u{202F}']).to_owned(),
        Unit::Number => numbers::value(value, unit),
    };
    if value > 0.0 { format!("+{text}") } else { text }
}

fn chart(chart: &Chart, t: &Texts) -> String {
    let summary: Vec<String> = chart.series.iter().filter_map(|series| in_words(series, chart.unit, t)).collect();
    let title = t.name(&chart.title);
    let label = format!("{title}. {}", summary.join(" "));
    let legend: String = match chart.series.as_slice() {
        [] | [_] => String::new(),
        several => {
            let keys = several.iter().enumerate().map(|(i, series)| {
                let swatch = format!("<svg class=\"key s{}\" viewBox=\"0 0 22 8\" aria-hidden=\"true\">", i % 4 + 1);
                format!("<li>{swatch}<path class=\"line\" d=\"M1 4H21\"/></svg>{}</li>", escape(t.name(&series.name)))
            });
            format!("<ul class=\"legend\">{}</ul>", keys.collect::<String>())
        }
    };
    let named = Chart { x_label: t.name(&chart.x_label).to_owned(), ..chart.clone() };
    let drawing = svg::line_chart(&named, &label, t.best).unwrap_or_else(|| element("p", "note", t.chart_empty));
    format!(
        "<figure>\n<figcaption><h3>{}</h3>{legend}</figcaption>\n{drawing}\n{}</figure>\n",
        escape(title),
        values(chart, t)
    )
}

/// What a line shows, for those who do not see it.
fn in_words(series: &Series, unit: Unit, t: &Texts) -> Option<String> {
    let finite = || series.points.iter().map(|point| point.1).filter(|y| y.is_finite());
    let value = |value: Option<f64>| value.map(|value| numbers::value(value, unit));
    let lowest = value(finite().min_by(f64::total_cmp))?;
    let highest = value(finite().max_by(f64::total_cmp))?;
    let (first, last) = (value(finite().next())?, value(finite().next_back())?);
    let values = [
        ("name", t.name(&series.name)),
        ("first", &*first),
        ("last", &*last),
        ("lowest", &*lowest),
        ("highest", &*highest),
    ];
    Some(fill(t.series_summary, &values))
}

/// A chart's values as a folded table.
fn values(chart: &Chart, t: &Texts) -> String {
    let lines: Vec<Vec<(f64, f64)>> = chart.series.iter().map(|series| series.thinned(MOST_VALUES)).collect();
    let mut places: Vec<f64> = lines.iter().flatten().map(|point| point.0).filter(|x| x.is_finite()).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    if places.is_empty() {
        return String::new();
    }
    let mut body = String::new();
    for &place in &places {
        let _ = write!(body, "<tr><th scope=\"row\">{}</th>", numbers::number(place));
        for line in &lines {
            let text = line.iter().find(|point| point.0 == place).map(|point| numbers::value(point.1, chart.unit));
            let _ = write!(body, "<td class=\"n\">{}</td>", text.unwrap_or_default());
        }
        body.push_str("</tr>\n");
    }
    let names: Vec<String> = chart.series.iter().map(|series| format!("#{}", t.name(&series.name))).collect();
    let mut columns = vec![t.name(&chart.x_label)];
    columns.extend(names.iter().map(String::as_str));
    let table = tables::table("", &chart.title, &tables::head(&columns), &body);
    format!("<details><summary>{}</summary>\n{table}</details>\n", t.values_as_table)
}

fn data(data: &DataFacts, t: &Texts) -> String {
    let mut out: String = data.notes.iter().map(|note| element("p", "", &t.data_note(note)) + "\n").collect();
    if !data.splits.is_empty() {
        out.push_str(&tables::counts(data, t));
    }
    out.push_str(&findings(&data.findings, t));
    let total = data.skipped_total.max(data.skipped.len() as u64);
    if total > 0 {
        let heading = fill(t.skipped, &[("count", &numbers::count(total))]);
        let _ = writeln!(out, "<h3>{heading}</h3>");
        let rows: String = data
            .skipped
            .iter()
            .map(|item| {
                let reason = element("td", "", &item.reason);
                format!("<tr><th scope=\"row\" class=\"place\">{}</th>{reason}</tr>\n", escape(&item.place))
            })
            .collect();
        out.push_str(&tables::table("", &heading, &tables::head(&[t.place, t.reason]), &rows));
        let more = total - data.skipped.len() as u64;
        if more > 0 {
            let _ =
                writeln!(out, "<p class=\"note\">{}</p>", fill(t.skipped_more, &[("count", &numbers::count(more))]));
        }
    }
    out
}

/// What the checks found, each with what to do.
fn findings(findings: &[DataFinding], t: &Texts) -> String {
    if findings.is_empty() {
        return String::new();
    }
    let item = |finding: &DataFinding| {
        let class = match finding.weight {
            FindingWeight::Problem => "worse",
            FindingWeight::Warning => "",
        };
        let (title, why) = (element("strong", class, &finding.title), escape(&finding.why));
        let advice = if finding.advice.is_empty() { String::new() } else { element("code", "", &finding.advice) };
        format!("<li>{title} {why} {advice}</li>\n")
    };
    let items: String = findings.iter().map(item).collect();
    format!("<h3>{}</h3>\n<ul class=\"findings\">\n{items}</ul>\n", t.findings)
}

fn cost(cost: &Cost, t: &Texts) -> String {
    let per_sec = |rate: f64| fill(t.per_sec, &[("count", &numbers::count(rate.max(0.0).round() as u64))]);
    let weights = match (cost.trainable_weights, cost.total_weights) {
        (Some(trainable), Some(total)) => {
            Some(fill(t.weights_of, &[("trainable", &numbers::count(trainable)), ("total", &numbers::count(total))]))
        }
        (trainable, total) => trainable.or(total).map(numbers::count),
    };
    let features = |(read, computed): (u64, u64)| {
        fill(t.features_of, &[("read", &numbers::count(read)), ("computed", &numbers::count(computed))])
    };
    let left_out = (cost.dropouts_left_out > 0).then(|| numbers::count(cost.dropouts_left_out as u64));
    let facts = [
        (t.wall, cost.wall_secs.map(numbers::duration)),
        (t.epoch, cost.epoch_secs.map(numbers::duration)),
        (t.rate, cost.examples_per_sec.map(per_sec)),
        (t.energy, cost.energy_joules.map(numbers::energy)),
        (t.peak, cost.peak_bytes.map(numbers::bytes)),
        (t.planned, cost.planned_bytes.map(numbers::bytes)),
        (t.weights, weights),
        (t.flops, cost.flops_per_step.map(numbers::flops)),
        (t.features, cost.features.map(features)),
        (t.dropouts_left_out, left_out),
    ];
    definitions(facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))))
}

fn reproduction(run: &Reproduction, t: &Texts) -> String {
    let facts = [
        (t.version.to_owned(), run.version.clone()),
        (t.seed.to_owned(), run.seed.to_string()),
        (t.threads.to_owned(), run.threads.to_string()),
    ];
    let more = run.facts.iter().map(|fact| (t.name(&fact.name).to_owned(), fact.value.clone()));
    let mut out = element("p", "note", t.reproduction_note);
    let _ =
        writeln!(out, "<pre tabindex=\"0\" aria-label=\"{}\"><code>{}</code></pre>", t.command, escape(&run.command));
    out.push_str(&definitions(facts.into_iter().chain(more)));
    if !run.inputs.is_empty() {
        let rows: String = run
            .inputs
            .iter()
            .map(|input| {
                let hash = escape(&input.sha256);
                format!(
                    "<tr><th scope=\"row\" class=\"place\">{}</th><td><code>{hash}</code></td></tr>\n",
                    escape(&input.place)
                )
            })
            .collect();
        out.push_str(&tables::table("", t.reproduction, &tables::head(&[t.input, t.sha256]), &rows));
    }
    out
}

/// Names and values in a grid.
fn definitions(facts: impl Iterator<Item = (String, String)>) -> String {
    let rows: String = facts
        .map(|(name, value)| format!("<div>{}{}</div>\n", element("dt", "", &name), element("dd", "", &value)))
        .collect();
    if rows.is_empty() { rows } else { format!("<dl class=\"facts\">\n{rows}</dl>\n") }
}

#[cfg(test)]
mod tests {
    use super::super::{
        ClassCounts, ClassRow, Confusion, DataNote, InputHash, Mistake, ResultName, ResultRow, Skipped, Warning,
        png_address,
    };
    use super::*;
    use crate::comparison::BaselineKind;
    use crate::metrics::{Estimate, McNemar, ReliabilityBin};

    const HOSTILE: &str = "<script>alert('\"&\u{1}')</script>";

    /// A report with every part, and every text of it `text`.
    fn full(text: &str, classes: usize) -> RunReport {
        let text = || text.to_owned();
        let names: Vec<String> = (0..classes).map(|i| format!("{}{i}", text())).collect();
        let estimate = |value: f64| Estimate { value, low: value - 0.03, high: value + 0.03 };
        let counts = (0..classes * classes).map(|i| if i % (classes + 1) == 0 { 90 } else { (i % 7) as u64 }).collect();
        RunReport {
            language: Language::English,
            title: text(),
            subject: Some(Subject { model: text(), data: text(), method: text() }),
            part: Part::Test,
            verdict: Some(Verdict {
                metric: text(),
                unit: Unit::Share,
                lower_is_better: false,
                items: 1000,
                baseline: Some(BaselineKind::Probe),
                before: estimate(0.61),
                after: estimate(0.93),
                difference: Some(estimate(0.32)),
                p_value: Some(0.0005),
                mcnemar: Some(McNemar { only_first: 11, only_second: 331, p_value: 1e-60 }),
            }),
            results: vec![ResultRow {
                name: ResultName::After,
                metric: text(),
                unit: Unit::Share,
                value: 0.93,
                low: Some(0.9),
                high: Some(0.96),
                items: 1000,
            }],
            curves: vec![Chart {
                title: text(),
                x_label: text(),
                unit: Unit::Number,
                marker: Some(1.0),
                series: vec![
                    Series { name: text(), points: vec![(1.0, 2.0), (2.0, f64::NAN), (3.0, 1.0)] },
                    Series { name: text(), points: vec![(1.0, 1.5)] },
                ],
            }],
            confusion: Some(Confusion { classes: names.clone(), counts }),
            classes: names
                .iter()
                .map(|name| ClassRow { name: name.clone(), precision: 0.9, recall: f64::NAN, f1: 0.7, items: 100 })
                .collect(),
            warnings: vec![Warning::TestUsedBefore { runs: vec![text()] }, Warning::ValidationIsTest],
            calibration: Calibration { temperature: Some(1.5), thresholds: vec![0.25] },
            also: vec![ResultRow { name: ResultName::Before, metric: text(), items: 50, ..ResultRow::default() }],
            reliability: vec![ReliabilityBin { low: 0.9, high: 1.0, weight: 40.0, confidence: 0.95, accuracy: 0.7 }],
            hardest: vec![Mistake { place: text(), truth: text(), answer: text(), ..Mistake::default() }],
            mistakes: vec![
                Mistake {
                    place: text(),
                    truth: text(),
                    answer: text(),
                    probability: Some(0.99),
                    picture: Some(text()),
                },
                Mistake { picture: Some(png_address(b"png")), ..Mistake::default() },
            ],
            data: Some(DataFacts {
                splits: vec![text(), text()],
                items: vec![1000, 200],
                classes: names.iter().map(|name| ClassCounts { name: name.clone(), items: vec![7] }).collect(),
                notes: vec![DataNote::SameSource { parts: vec![text()] }],
                findings: vec![DataFinding {
                    weight: FindingWeight::Problem,
                    title: text(),
                    why: text(),
                    advice: text(),
                }],
                skipped: vec![Skipped { place: text(), reason: text() }],
                skipped_total: 12,
            }),
            cost: Some(Cost {
                wall_secs: Some(75.0),
                trainable_weights: Some(1290),
                total_weights: Some(969_000),
                ..Cost::default()
            }),
            recipe: Some(text()),
            reproduction: Some(Reproduction {
                version: text(),
                seed: 7,
                threads: 2,
                inputs: vec![InputHash { place: text(), sha256: text() }],
                command: text(),
                facts: vec![super::super::Fact { name: text(), value: text() }],
            }),
        }
    }

    /// Checks that every element that is opened is closed, in order.
    fn assert_balanced(html: &str) {
        const VOID: [&str; 5] = ["meta", "img", "br", "path", "circle"];
        let mut open = Vec::new();
        for tag in html.split('<').skip(2) {
            let tag = tag.split_once('>').expect("a tag ends").0;
            let name = tag.trim_start_matches('/').split(|c: char| !c.is_alphanumeric()).next().unwrap();
            if let Some(closed) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(closed), "…{tag}");
            } else if !VOID.contains(&name) && !tag.ends_with('/') {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let html = full(HOSTILE, 3).html();
        assert!(!html.contains("<script") && !html.contains("('") && !html.contains('\u{1}'));
        assert!(html.matches("&lt;script&gt;").count() > 30);
        assert_balanced(&html);
        assert_eq!(html.matches("<img").count(), 1, "only the real picture is shown");
    }

    #[test]
    fn the_page_needs_nothing_else() {
        let html = full("digits", 3).html();
        for address in ["http:", "https:", "//", "url(", "@import", "<link", "src=\"/"] {
            assert!(!html.contains(address), "{address}");
        }
        assert!(html.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"));
        assert!(html.contains("default-src 'none'"));
    }

    #[test]
    fn every_part_has_its_section() {
        let html = full("digits", 3).html();
        assert_eq!(html.matches("<section>").count(), 12);
        assert!(html.contains("the difference is +32.0 percentage points (95\u{202F}% interval +29.0 to +35.0)"));
        assert!(html.contains("The gain is real.") && html.contains("p\u{202F}&lt;\u{202F}0.0001"));
        assert!(html.contains("1\u{202F}min 15\u{202F}s") && html.contains("1,290 of 969,000"));
        assert!(html.contains("12 left out") && html.contains("… and 11 more."));
        assert!(
            !html.contains('{') || !html.split("</style>").nth(1).unwrap().contains('{'),
            "every value is filled in"
        );
        assert!(!html.contains("NaN"));
        for part in
            ["<aside class=\"warnings\">", "temperature of 1.5", "above a probability of 0.25", "The head is new"]
        {
            assert!(html.contains(part), "{part}");
        }
    }

    #[test]
    fn a_page_in_chinese_has_no_english_words_of_its_own() {
        let html = RunReport { language: Language::Chinese, ..full("数", 3) }.html();
        assert!(html.contains("<html lang=\"zh-Hans\">") && html.contains("提升是真实的。"));
        assert_balanced(&html);
        let body = html.split("<body>").nth(1).unwrap();
        let shown: String = body.split('<').filter_map(|part| Some(part.split_once('>')?.1)).collect();
        let mut words: Vec<&str> = shown.split(|c: char| !c.is_ascii_alphabetic()).filter(|w| w.len() > 2).collect();
        words.retain(|word| !["retune", "SHA", "McNemar", "eval", "also", "min"].contains(word));
        assert!(words.is_empty(), "{words:?}");
    }

    #[test]
    fn items_that_chose_the_weights_are_not_called_untouched() {
        let mut report = RunReport { warnings: Vec::new(), ..full("digits", 3) };
        assert!(report.html().contains("1,000 test items that training never saw"));
        report.part = Part::Validation;
        let html = report.html();
        assert!(
            html.contains("1,000 validation items") && !html.contains("never saw") && !html.contains(" test items")
        );
    }

    #[test]
    fn absent_parts_leave_no_trace() {
        let html = RunReport { title: "x".into(), ..RunReport::default() }.html();
        let body = html.split("<body>").nth(1).unwrap();
        assert_eq!(body, "\n<main>\n<header>\n<h1>x</h1>\n</header>\n</main>\n</body>\n</html>\n");
        let html =
            RunReport { cost: Some(Cost::default()), data: Some(DataFacts::default()), ..RunReport::default() }.html();
        assert!(!html.contains("<section>"));
    }

    #[test]
    fn a_thousand_classes_become_lists() {
        let html = full("class", 1000).html();
        assert!(!html.contains("<table class=\"matrix"));
        assert!(html.contains("The 40 most frequent among 1,000 classes."));
        assert!(html.contains("The 60 classes with the lowest F1 of 1,000."));
        assert!(html.contains("The first 100 of 1,000 classes."));
        assert!(html.len() < 120_000, "{}", html.len());
        let html = full("class", 50).html();
        assert_eq!(html.matches("<td class=\"hit").count(), 50);
        assert_balanced(&html);
    }

    #[test]
    fn a_chart_without_values_says_so() {
        let curves = vec![Chart { title: "Loss".into(), ..Chart::default() }];
        let html = RunReport { curves, ..RunReport::default() }.html();
        assert!(html.contains("No values.") && !html.contains("<details>"));
    }

    #[test]
    fn serialization_has_every_part() {
        let json = serde_json::to_value(full("digits", 2)).unwrap();
        assert_eq!(json["verdict"]["unit"], "share");
        assert_eq!(json["language"], "english");
        assert_eq!(json["curves"][0]["series"][0]["points"][1][1], serde_json::Value::Null);
    }
}
