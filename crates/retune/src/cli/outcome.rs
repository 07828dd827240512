//! How a run ended, as people and programs read it.

use super::failure::Failure;
use super::text::{self, Table};
use super::{Context, Result};
use retune::train::calibration::Calibration;
use retune::train::comparison::{BaselineKind, Comparison, Measured};
use retune::train::fit::Outcome;
use retune::train::language::{Language, Said, fill};
use retune::train::metrics::{Estimate, Metric, TypeScores};
use retune::train::report::{Outcome as Gain, Verdict, Warning};
use retune::train::trainer::Ending;
use serde_json::{Value, json};
use std::fmt::Write;

retune::train::texts! {
    /// The words of a run's outcome.
    pub(super) struct Words {
        steps: "{steps} in {time}", "{steps}，用时 {time}";
        step: "1 step", "1 步";
        several_steps: "{count} steps", "{count} 步";
        memory: ", {bytes} of memory", "，内存 {bytes}";
        energy: ", {energy} of energy", "，能耗 {energy}";
        frozen: "frozen layers: computed for {computed}, read for {read}",
            "冻结层：计算 {computed} 个样本，读取 {read} 个";
        stopped: "stopped after {steps}; all of it is saved", "在 {steps} 后停止；全部已保存";
        go_on: "go on with `{command}`", "用 `{command}` 继续";
        items_of: "{count} {part} items", "{count} 个{part}样本";
        test: "test", "测试";
        validation: "validation", "验证";
        also: "other", "其他数据的";
        before: "before", "微调前";
        after: "after", "微调后";
        difference: "difference", "差异";
        most_frequent: "most frequent class", "最常见类别";
        probe: "probe of the frozen features", "冻结特征的线性探针";
        better: "The gain in {metric} over {baseline} is real", "{metric} 相对{baseline}的提升是真实的";
        worse: "{metric} got worse than {baseline}, by more than chance explains",
            "{metric} 比{baseline}更差，超出偶然所能解释";
        unclear: "The difference in {metric} from {baseline} may be chance", "{metric} 与{baseline}的差异可能出于偶然";
        the_untouched_model: "the untouched model", "未微调的模型";
        the_most_frequent_class: "always giving the most frequent class", "总是回答最常见类别";
        the_probe: "the probe", "线性探针";
        mcnemar: "{gained} items right only after, {lost} only before; exact McNemar test, {p}",
            "{gained} 个样本仅在微调后正确，{lost} 个仅在之前正确；McNemar 精确检验，{p}";
        mcnemar_baseline: "{gained} items right only here, {lost} only there; exact McNemar test, {p}",
            "{gained} 个样本仅此处正确，{lost} 个仅彼处正确；McNemar 精确检验，{p}";
        permutation: "paired permutation test, {p}", "配对置换检验，{p}";
        interval: "95 % interval of the difference", "差异的 95 % 区间";
        forgotten: "On the other data {metric} went from {before} to {after}",
            "在另一数据集上，{metric} 从 {before} 变为 {after}";
        temperature: "temperature {value}, saved with the model", "温度 {value}，随模型保存";
        threshold: "yes above {value}, saved with the model", "高于 {value} 时为“是”，随模型保存";
        model: "model", "模型";
        report: "report", "报告";
        next: "next", "下一步";
        warning: "warning", "警告";
        validation_is_test:
            "the validation part is the test part: weights are chosen by the items that the figures are of, which \
             makes these too good",
            "验证集就是测试集：权重按得出数字的样本挑选，数字会偏乐观";
        train_is_test:
            "the test part is the training part: the figures will not say how good the model is on anything new",
            "测试集就是训练集：数字不能说明模型在新数据上的好坏";
        stops_without_validation:
            "there is no validation part, so training stops by the training loss; take a share with \
             `split.validation`",
            "没有验证集，因此按训练损失提前停止；可用 `split.validation` 划出一部分";
        test_used_before:
            "runs beside this one ({count}: {runs}) were measured on the same test items; choose among them by the \
             validation part, for the best of several test figures is too good",
            "旁边的运行（{count} 次：{runs}）已在相同的测试样本上测量过；请按验证集在它们之间挑选，\
             因为多个测试数字中最好的一个偏乐观";
    }
}

/// Prints the result of a run, or how to resume it.
pub fn report(context: &Context, outcome: &Outcome) -> Result {
    let words = Words::of(context.language);
    let folder = outcome.root.display();
    if outcome.ending == Ending::Interrupted {
        let command = format!("retune resume {folder}");
        let stopped = Said::in_each(|language| {
            let words = Words::of(language);
            fill(words.stopped, &[("steps", &steps(outcome.cost.steps, words))])
        });
        let go_on = Said::in_each(|language| fill(Words::of(language).go_on, &[("command", &command)]));
        return Err(Failure::interrupted(stopped).hint_said(go_on));
    }
    let time = text::seconds(outcome.cost.secs);
    let mut out = fill(words.steps, &[("steps", &steps(outcome.cost.steps, words)), ("time", &time)]);
    if outcome.cost.peak_bytes > 0 {
        out += &fill(words.memory, &[("bytes", &text::bytes(outcome.cost.peak_bytes))]);
    }
    if let Some(joules) = outcome.cost.energy_joules {
        out += &fill(words.energy, &[("energy", &text::energy(joules))]);
    }
    out.push('\n');
    if let Some(counts) = outcome.cost.features {
        let (computed, read) = (text::count(counts.computed as usize), text::count(counts.read as usize));
        let _ = writeln!(out, "{}", fill(words.frozen, &[("computed", &computed), ("read", &read)]));
    }
    if let Some(comparison) = &outcome.comparison {
        let _ = write!(out, "\n{}", comparison_text(comparison, context.language));
    }
    if let Some(also) = &outcome.also {
        let _ = write!(out, "\n{}", also_text(also, words));
    }
    let mut files = Table::new(&[]);
    if let Some(model) = &outcome.model {
        files.row([words.model.to_owned(), model.display().to_string()]);
    }
    if let Some(report) = &outcome.report {
        files.row([words.report.to_owned(), report.display().to_string()]);
    }
    if let Some(model) = &outcome.model {
        files.row([words.next.to_owned(), format!("retune predict --model {} --input FILE…", model.display())]);
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
            "weights": outcome.cost.total_weights,
            "trainable_weights": outcome.cost.trainable_weights,
            "energy_joules": outcome.cost.energy_joules,
            "features": outcome.cost.features,
            "metrics": outcome.comparison.as_ref().map(after),
            "comparison": outcome.comparison,
            "verdict": outcome.comparison.as_ref().and_then(Comparison::verdict).map(|verdict| verdict.outcome()),
            "also": outcome.also,
        })
    });
    Ok(())
}

/// The figures of the trained model, in the form that `eval` gives them.
fn after(comparison: &Comparison) -> serde_json::Map<String, Value> {
    comparison.metrics.iter().map(|measured| (measured.metric.to_string(), json!(measured.after))).collect()
}

/// A warning about a run's figures, as a line.
pub fn warning_text(warning: &Warning, language: Language) -> String {
    let words = Words::of(language);
    let text = match warning {
        Warning::ValidationIsTest => words.validation_is_test.to_owned(),
        Warning::TrainIsTest => words.train_is_test.to_owned(),
        Warning::StopsWithoutValidation => words.stops_without_validation.to_owned(),
        Warning::TestUsedBefore { runs } => {
            let shown = runs.iter().take(3).map(|run| format!("`{run}`")).collect::<Vec<_>>().join(", ");
            let more = if runs.len() > 3 { ", …" } else { "" };
            let (count, shown) = (runs.len().to_string(), shown + more);
            fill(words.test_used_before, &[("count", &count), ("runs", &shown)])
        }
        other => format!("{other:?}"),
    };
    format!("{}: {text}", words.warning)
}

fn steps(count: u64, words: &Words) -> String {
    match count {
        1 => words.step.to_owned(),
        _ => fill(words.several_steps, &[("count", &text::count(count as usize))]),
    }
}

/// Each metric before and after, with intervals, and in words whether the gain is real.
pub fn comparison_text(comparison: &Comparison, language: Language) -> String {
    let words = Words::of(language);
    let mut out = table(comparison, words).render(0);
    if let Some(types) = &comparison.entities {
        let _ = write!(out, "\n{}", types_text(types));
    }
    if let Some(verdict) = comparison.verdict() {
        let _ = writeln!(out, "{}", verdict_text(&verdict, words));
    }
    if let Some(calibration) = &comparison.calibration {
        out += &calibration_text(calibration, words);
    }
    out
}

fn table(comparison: &Comparison, words: &Words) -> Table {
    let part = match comparison.part {
        "test" => words.test,
        "validation" => words.validation,
        _ => words.also,
    };
    let count = text::count(comparison.items);
    let items = fill(words.items_of, &[("count", &count), ("part", part)]);
    let baselines: Vec<&str> = comparison
        .baselines
        .iter()
        .map(|baseline| match baseline.kind {
            BaselineKind::MostFrequent => words.most_frequent,
            _ => words.probe,
        })
        .collect();
    let mut table = Table::new(&[]);
    let head = [&items, words.before].into_iter().chain(baselines).chain([words.after, words.difference]);
    table.row(head.map(str::to_owned).collect::<Vec<_>>());
    for (measured, last) in comparison.metrics.iter().map(|measured| (measured, judged(comparison, measured))) {
        let metric = measured.metric;
        let one = |estimate: Option<Estimate>| estimate.map_or_else(|| "–".to_owned(), |e| estimate_text(metric, e));
        let of_baseline = comparison.baselines.iter().map(|baseline| {
            let found = baseline.metrics.iter().find(|m| m.metric == metric);
            one(found.and_then(|m| m.before))
        });
        let difference = last.and_then(|m| m.difference).map(|d| difference_text(metric, d.difference));
        let cells = [metric.to_string(), one(measured.before)].into_iter().chain(of_baseline);
        table.row(cells.chain([one(measured.after), difference.unwrap_or_else(|| "–".to_owned())]).collect::<Vec<_>>());
    }
    table
}

/// The metric against what the gain is measured by: the best baseline, or the untouched model.
fn judged<'a>(comparison: &'a Comparison, measured: &'a Measured) -> Option<&'a Measured> {
    match comparison.best_baseline() {
        Some(baseline) => baseline.metrics.iter().find(|m| m.metric == measured.metric),
        None => Some(measured),
    }
}

fn verdict_text(verdict: &Verdict, words: &Words) -> String {
    let baseline = match verdict.baseline {
        None => words.the_untouched_model,
        Some(BaselineKind::MostFrequent) => words.the_most_frequent_class,
        Some(_) => words.the_probe,
    };
    let template = match verdict.outcome() {
        Gain::Better => words.better,
        Gain::Worse => words.worse,
        Gain::Unclear => words.unclear,
    };
    let said = fill(template, &[("metric", &verdict.metric), ("baseline", baseline)]);
    let because = match (&verdict.mcnemar, verdict.p_value) {
        (Some(test), _) => {
            let (gained, lost) = (text::count(test.only_second), text::count(test.only_first));
            let template = if verdict.baseline.is_some() { words.mcnemar_baseline } else { words.mcnemar };
            fill(template, &[("gained", &gained), ("lost", &lost), ("p", &p_text(test.p_value))])
        }
        (None, Some(p)) => fill(words.permutation, &[("p", &p_text(p))]),
        (None, None) => words.interval.to_owned(),
    };
    format!("{said} ({because})")
}

fn also_text(also: &Comparison, words: &Words) -> String {
    let mut out = table(also, words).render(0);
    if let Some(Measured { metric, before: Some(before), after: Some(after), .. }) = also.decisive() {
        let (before, after) = (estimate_text(*metric, *before), estimate_text(*metric, *after));
        let metric = metric.to_string();
        let values = [("metric", &*metric), ("before", &before), ("after", &after)];
        let _ = writeln!(out, "{}", fill(words.forgotten, &values));
    }
    out
}

fn calibration_text(calibration: &Calibration, words: &Words) -> String {
    let mut out = String::new();
    if let Some(temperature) = calibration.temperature {
        let _ = writeln!(out, "{}", fill(words.temperature, &[("value", &format!("{temperature:.3}"))]));
    }
    if !calibration.thresholds.is_empty() {
        let values: Vec<String> = calibration.thresholds.iter().map(|threshold| format!("{threshold:.3}")).collect();
        let _ = writeln!(out, "{}", fill(words.threshold, &[("value", &values.join(", "))]));
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

/// `+1.2 (+0.3 to +2.0)` of shares, in percentage points; `-0.0110 (-0.0210 to -0.0020)` of others.
pub fn difference_text(metric: Metric, estimate: Estimate) -> String {
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
    use retune::train::metrics::McNemar;

    #[test]
    fn estimates_read_well() {
        let estimate = Estimate { value: 0.931, low: 0.92, high: 0.942 };
        assert_eq!(estimate_text(Metric::Accuracy, estimate), "93.1 % (92.0–94.2)");
        assert_eq!(estimate_text(Metric::Loss, estimate), "0.9310 (0.9200–0.9420)");
        let difference = Estimate { value: -0.01, low: -0.02, high: 0.005 };
        assert_eq!(difference_text(Metric::Accuracy, difference), "-1.0 (-2.0 to +0.5)");
        assert_eq!((p_text(0.03), p_text(1e-9)), ("p = 0.0300".into(), "p < 0.0001".into()));
    }

    #[test]
    fn the_verdict_says_what_decided() {
        let estimate = |value: f64| Estimate { value, low: value - 0.02, high: value + 0.02 };
        let verdict = Verdict {
            metric: "accuracy".into(),
            unit: retune::train::report::Unit::Share,
            lower_is_better: false,
            items: 100,
            baseline: None,
            before: estimate(0.8),
            after: estimate(0.9),
            difference: Some(estimate(0.1)),
            p_value: Some(0.002),
            mcnemar: Some(McNemar { only_first: 2, only_second: 12, p_value: 0.0129 }),
        };
        let english = Words::of(Language::English);
        let exact = "(12 items right only after, 2 only before; exact McNemar test, p = 0.0129)";
        let said = verdict_text(&verdict, english);
        assert_eq!(said, format!("The gain in accuracy over the untouched model is real {exact}"));
        let tested = Verdict { mcnemar: None, baseline: Some(BaselineKind::Probe), ..verdict };
        assert_eq!(
            verdict_text(&tested, Words::of(Language::Chinese)),
            "accuracy 相对线性探针的提升是真实的 (配对置换检验，p = 0.0020)"
        );
        let unclear = Verdict { p_value: Some(0.3), ..tested };
        assert!(verdict_text(&unclear, english).starts_with("The difference in accuracy from the probe may be chance"));
    }
}
