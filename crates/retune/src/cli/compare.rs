//! `retune compare`: models on the same items, with intervals, tests of every pair, and the items on which they part.

use super::failure::Failure;
use super::labelled::{Labelled, list, metric};
use super::outcome::{difference_text, estimate_text, p_text};
use super::progress::Progress;
use super::text::{self, Table};
use super::{Context, Result, models};
use retune::data::Dataset;
use retune::formats::atomic::write_bytes_atomic;
use retune::train::contest::{Contest, LEVEL, Pair, Parting, partings};
use retune::train::language::{Language, Said, fill};
use retune::train::metrics::{Metric, Problem, Resampling, Scored};
use retune::train::predict::Predictor;
use retune::train::report::{ContestReport, shown_item};
use retune::train::said;
use serde_json::json;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

/// Items on which models part that are printed, and that are written to the page.
const PRINTED: usize = 5;
const WRITTEN: usize = 40;

/// Compare models on the same labelled data.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The models, two or more: files, folders, or `hf://org/name`
    #[arg(value_name = "MODEL", num_args = 2.., required = true)]
    models: Vec<PathBuf>,
    /// Labelled data; its test part where it has one
    #[arg(long, value_name = "DATA")]
    data: PathBuf,
    /// Metrics to compare, such as accuracy, f1-macro, roc-auc, r2 [default: what suits the data]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    metrics: Vec<String>,
    /// Shape of one input where the data does not keep it, such as 8,8,1
    #[arg(long, value_name = "SIZES", value_delimiter = ',')]
    input_shape: Option<Vec<usize>>,
    /// Seed of the intervals' resampling and of the tests' exchanges
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Write a page with all of it
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

retune::train::texts! {
    /// The words of a comparison.
    pub(super) struct Words {
        items: "{count} items ({part})", "{count} 个样本（{part}）";
        test: "test", "测试";
        validation: "validation", "验证";
        all: "all", "全部";
        metric: "metric", "指标";
        against: "{second} against {first}", "{second} 对 {first}";
        difference: "difference", "差异";
        corrected: "p, corrected", "校正后 p";
        right_only: "{gained} items right only by {second}, {lost} only by {first}",
            "{gained} 个样本仅 {second} 答对，{lost} 个仅 {first} 答对";
        real: "real", "真实";
        may_be_chance: "may be chance", "可能出于偶然";
        note:
            "Accuracy by McNemar’s exact test, all else by paired permutation; the p values of all tests together \
             ({count}) are corrected by Holm’s method.",
            "准确率用 McNemar 精确检验，其余用配对置换检验；全部检验（{count} 个）的 p 值一起按 Holm 方法校正。";
        partings: "Items on which they part, the surest first:", "回答不一致的样本，最确定的在前：";
        truth: "true", "真实";
        page: "page", "页面";
    }
}

/// The items that all are measured on, and the names of the classes in the order of the scores.
struct Reference {
    part: &'static str,
    data: Arc<Dataset>,
    classes: Option<Vec<String>>,
}

/// Compares.
pub fn run(context: &Context, arguments: &Arguments) -> Result {
    let named = arguments.metrics.iter().map(|name| metric(name)).collect::<Result<Vec<_>>>()?;
    let names = short_names(&arguments.models);
    let mut scored: Vec<(String, Scored)> = Vec::new();
    let mut reference: Option<Reference> = None;
    for (path, name) in arguments.models.iter().zip(&names) {
        let predictor = models::predictor(context, path)?;
        let Labelled { part, data } = Labelled::open(&predictor, &arguments.data, arguments.input_shape.as_deref())
            .map_err(|failure| failure.within(path))?;
        let mut bar = Progress::new(context.console, Said::as_it_is(name)).bar_only();
        let evaluated = predictor.evaluate(data.clone(), None, None, &mut bar);
        bar.finish();
        let mut evaluated = evaluated.map_err(|error| super::in_file(path, error))?.with_both_classes();
        let own = class_names(&predictor, &data);
        match &reference {
            None => reference = Some(Reference { part, data, classes: own }),
            Some(first) => {
                evaluated = aligned(evaluated, [&names[0], name], [first.classes.as_deref(), own.as_deref()])?;
            }
        }
        scored.push((name.clone(), evaluated));
    }
    let Some(Reference { part, data, classes }) = reference else {
        return Err(Failure::usage(Said::new("name two models or more", "请指定两个或更多模型")));
    };
    let problem = scored[0].1.problem();
    let metrics = if named.is_empty() { Metric::defaults(problem) } else { named };
    if let Some(metric) = metrics.iter().find(|metric| !metric.applies_to(problem)) {
        return Err(Failure::new(Said::new(
            format!("`{metric}` has no meaning for these models and data"),
            format!("`{metric}` 对这些模型和数据没有意义"),
        )));
    }
    let contest = Contest::new(&scored, &metrics, &Resampling::new(arguments.seed))?;
    let class_name = |class: u32| {
        let name = classes.as_ref().and_then(|names| names.get(class as usize).cloned());
        name.unwrap_or_else(|| class.to_string())
    };
    let found = partings(&scored, WRITTEN);
    let place = |parting: &Parting| shown_item(&data, scored[0].1.ids()[parting.item]);
    let words = Words::of(context.language);
    let [colon, semicolon] = match context.language {
        Language::Chinese => ["：", "；"],
        _ => [": ", "; "],
    };
    let mut text = contest_text(&contest, part, words);
    if !found.is_empty() {
        let _ = writeln!(text, "\n{}", words.partings);
        for parting in found.iter().take(PRINTED) {
            let _ = writeln!(text, "  {}", Said::looked_up(place(parting)).of(context.language));
            let answer = |(name, (&class, &p)): (&String, (&u32, &f32))| {
                format!("{name}{colon}{} {:.0} %", class_name(class), 100.0 * p)
            };
            let answers: Vec<String> =
                names.iter().zip(parting.answers.iter().zip(&parting.probabilities)).map(answer).collect();
            let _ = writeln!(
                text,
                "    {}{colon}{}{semicolon}{}",
                words.truth,
                class_name(parting.truth),
                answers.join(semicolon)
            );
        }
    }
    if let Some(path) = &arguments.html {
        let report = ContestReport {
            language: context.language,
            contest: &contest,
            partings: &found,
            data: &data,
            ids: scored[0].1.ids(),
            class_name: &|class| class_name(class as u32),
        };
        write_bytes_atomic(path, report.html().as_bytes()).map_err(|e| Failure::cannot_write(path, e))?;
        let _ = writeln!(text, "\n{}  {}", words.page, path.display());
    }
    context.console.result(text.trim_end(), || {
        let parting = |parting: &Parting| {
            let answers: Vec<String> = parting.answers.iter().map(|&class| class_name(class)).collect();
            json!({ "item": place(parting), "truth": class_name(parting.truth), "answers": answers,
                    "probabilities": parting.probabilities })
        };
        json!({
            "data": arguments.data,
            "part": part,
            "items": contest.items,
            "models": arguments.models,
            "names": names,
            "metrics": contest.metrics,
            "values": contest.models.iter().map(|model| &model.values).collect::<Vec<_>>(),
            "pairs": contest.pairs,
            "level": LEVEL,
            "partings": found.iter().map(parting).collect::<Vec<_>>(),
            "html": arguments.html,
        })
    });
    Ok(())
}

/// The names by which scores are numbered: the model's, else the data's.
fn class_names(predictor: &Predictor, data: &Dataset) -> Option<Vec<String>> {
    predictor.preprocessing().class_names.clone().or_else(|| data.class_names().map(<[String]>::to_vec))
}

/// Predictions with the classes in the order of the first model's.
fn aligned(scored: Scored, models: [&String; 2], names: [Option<&[String]>; 2]) -> Result<Scored> {
    let [Some(first), Some(own)] = names else { return Ok(scored) };
    if first == own || !matches!(scored.problem(), Problem::MultiClass | Problem::MultiLabel | Problem::Words) {
        return Ok(scored);
    }
    let order: Option<Vec<usize>> = first.iter().map(|name| own.iter().position(|other| other == name)).collect();
    match order.filter(|_| first.len() == own.len()) {
        Some(order) => Ok(scored.with_class_order(&order)?),
        None => Err(Failure::new(said!(
            "the models do not have the same labels: `{one}` has {first}, `{other}` {own}",
            "两个模型的标签不同：`{one}` 有 {first}，`{other}` 有 {own}",
            one = models[0],
            first = list(first),
            other = models[1],
            own = list(own)
        ))
        .hint("compare models that were trained for the same labels")),
    }
}

/// The shortest ends of the paths that tell them apart.
fn short_names(paths: &[PathBuf]) -> Vec<String> {
    let parts: Vec<Vec<String>> = paths
        .iter()
        .map(|path| path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect())
        .collect();
    let longest = parts.iter().map(Vec::len).max().unwrap_or(1);
    let end = |parts: &Vec<String>, count: usize| parts[parts.len().saturating_sub(count)..].join("/");
    let mut names: Vec<String> = Vec::new();
    for count in 1..=longest {
        names = parts.iter().map(|parts| end(parts, count)).collect();
        let is_distinct = |name: &String| names.iter().filter(|other| *other == name).count() == 1;
        if names.iter().all(is_distinct) {
            break;
        }
    }
    // Of the same end, such as `model.keras`, the folders tell more.
    names
}

fn contest_text(contest: &Contest, part: &str, words: &Words) -> String {
    let part = match part {
        "test" => words.test,
        "validation" => words.validation,
        _ => words.all,
    };
    let mut out = fill(words.items, &[("count", &text::count(contest.items)), ("part", part)]) + "\n";
    let mut table = Table::new(&[]);
    table.row(std::iter::once("").chain(contest.models.iter().map(|model| model.name.as_str())));
    for (place, metric) in contest.metrics.iter().enumerate() {
        let value =
            |values: &Vec<Option<_>>| values[place].map_or_else(|| "–".to_owned(), |e| estimate_text(*metric, e));
        let values = contest.models.iter().map(|model| value(&model.values));
        table.row(std::iter::once(metric.to_string()).chain(values).collect::<Vec<_>>());
    }
    out += &table.render(0);
    for pair in &contest.pairs {
        let _ = write!(out, "\n{}", pair_text(contest, pair, words));
    }
    let tests = contest.pairs.iter().flat_map(|pair| &pair.differences).filter(|d| d.p_value.is_some()).count();
    let _ = writeln!(out, "\n{}", fill(words.note, &[("count", &tests.to_string())]));
    out
}

fn pair_text(contest: &Contest, pair: &Pair, words: &Words) -> String {
    let name = |place: usize| contest.models[place].name.as_str();
    let both = [("first", name(pair.first)), ("second", name(pair.second))];
    let mut table = Table::new(&[]);
    table.row([&fill(words.against, &both), words.difference, words.corrected, ""]);
    for tested in &pair.differences {
        let Some(paired) = tested.difference else { continue };
        let (p, verdict) = match tested.corrected_p_value {
            Some(p) => (p_text(p), if tested.is_real() { words.real } else { words.may_be_chance }),
            None => ("–".to_owned(), ""),
        };
        table.row([
            tested.metric.to_string(),
            difference_text(tested.metric, paired.difference),
            p,
            verdict.to_owned(),
        ]);
    }
    let mut out = table.render(0);
    if let Some(test) = &pair.mcnemar {
        let (gained, lost) = (text::count(test.only_second), text::count(test.only_first));
        let values = [("gained", &*gained), ("lost", &*lost), both[0], both[1]];
        let _ = writeln!(out, "{}", fill(words.right_only, &values));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_short_as_tells_them_apart() {
        let names = |paths: &[&str]| short_names(&paths.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(names(&["a/b.h5", "a/c.h5"]), ["b.h5", "c.h5"]);
        assert_eq!(names(&["runs/a/model.h5", "runs/b/model.h5"]), ["a/model.h5", "b/model.h5"]);
        assert_eq!(names(&["m.h5", "m.h5"]), ["m.h5", "m.h5"], "the same file twice");
    }
}
