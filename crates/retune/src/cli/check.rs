//! `retune check`: everything that can be known before training, of a recipe or of data by itself.

use super::check_data::{self, CheckDataArguments};
use super::failure::Failure;
use super::job::JobArguments;
use super::text::{self, Table};
use super::{Context, Result, paths};
use retune::data::{BatchSize, TableSchema, TokenStatistics};
use retune::train::fit::{StagePlan, plan};
use retune::train::language::{Language, Said};
use retune::train::recipe::Built;
use retune::train::schedules::{Decay, Schedule};
use retune::train::trainer::{FeaturePlan, Job, Stage, StepTimes};
use serde_json::json;
use std::path::Path;

/// Steps that are done to estimate the time of one.
const TRIAL_STEPS: u64 = 4;

/// Say what training would take, and what is wrong with the data.
///
/// A recipe, or a model and data: whether they fit together, and the memory and time that training takes. Data alone (in place of the
/// recipe): duplicates, overlap between parts, contradicting labels, broken rows and more, each with the command that deals with it.
#[derive(Debug, clap::Args)]
#[command(mut_arg("recipe", |recipe| recipe.value_name("RECIPE|DATA").help("A recipe (TOML), or data")))]
pub struct Arguments {
    #[command(flatten)]
    job: JobArguments,
    /// Do not run a few steps to estimate the time
    #[arg(long)]
    no_timing: bool,
    #[command(flatten)]
    data: CheckDataArguments,
}

/// Checks a recipe, or data by itself.
pub fn run(context: &Context, arguments: &Arguments) -> Result {
    let job = &arguments.job;
    let by_position = job.recipe.as_deref().filter(|path| is_data(path));
    let by_flag = job.data.as_deref().filter(|_| job.model.is_none() && job.recipe.is_none());
    if let Some(path) = by_position.or(by_flag) {
        paths::must_exist(path)?;
        return check_data::run(context, path, &job.parts, &arguments.data);
    }
    if arguments.data.are_given() {
        let failure = Failure::usage(Said::new(
            "the options under `Data by itself` go with data in place of a recipe",
            "`Data by itself` 之下的选项要用于数据，而不是配方",
        ));
        return Err(failure.hint("retune check DATA"));
    }
    let Built { job, facts, output, .. } = arguments.job.build(context)?;
    let epochs = job.settings.epochs;
    let rates = rates_text(&job);
    let columns = job.train.preprocessing().table.as_ref().map(columns_text);
    let plan = plan(job, if arguments.no_timing { 0 } else { TRIAL_STEPS })?;
    let mut table = Table::new(&[]);
    let language = context.language;
    let mut put = |name: Said, value: Said| table.row([name.of(language).to_owned(), value.of(language).to_owned()]);
    let mut row = |name: (&str, &str), value: Said| put(name.into(), value);
    let [train, validation, test] = plan.examples.map(text::count);
    row(
        ("examples", "样本"),
        Said::new(
            format!("{train} to train, {validation} to validate, {test} to test"),
            format!("训练 {train} 个，验证 {validation} 个，测试 {test} 个"),
        ),
    );
    match &plan.tokens {
        None => {
            let shape = || format!("{:?}", facts.input_shape.as_deref().unwrap_or_default());
            row(("input", "输入"), columns.unwrap_or_else(|| Said::as_it_is(shape())));
        }
        Some(tokens) => {
            let TokenStatistics { examples, mean, p95, most, truncated, words_cut, .. } = tokens.statistics;
            let share = 100.0 * truncated as f64 / examples.max(1) as f64;
            row(
                ("tokens of a text", "每条文本的词元"),
                Said::new(
                    format!("{mean:.1} in the mean, 95 % up to {p95}, at most {most}"),
                    format!("平均 {mean:.1} 个，95 % 不超过 {p95} 个，最多 {most} 个"),
                ),
            );
            if tokens.is_estimate {
                let (english, chinese) = (
                    "estimates: by lengths before texts are changed, or by a sample of very many texts",
                    "估计值：按改变之前的长度，或在文本极多时按样本计算",
                );
                row(("tokens and batches", "词元和批次"), Said::new(english, chinese));
            }
            row(("texts cut off", "被截断的文本"), Said::as_it_is(format!("{}, {share:.1} %", text::count(truncated))));
            if words_cut > 0 {
                row(
                    ("words cut off", "被截去的词"),
                    Said::new(
                        format!("{}; they are neither learned nor judged", text::count(words_cut)),
                        format!("{}；它们既不参与学习也不参与评判", text::count(words_cut)),
                    ),
                );
            }
            row(("batch in the mean", "平均批次"), batch_text(tokens.mean_batch));
            row(("largest batch", "最大批次"), batch_text(tokens.largest_batch));
        }
    }
    row(("output", "输出"), Said::as_it_is(format!("{:?}", facts.output_shape)));
    row(
        ("weights", "权重"),
        Said::new(
            format!("{}, {} of them trained", text::count(facts.parameters), text::count(facts.trainable_parameters)),
            format!("{}，其中训练 {}", text::count(facts.parameters), text::count(facts.trainable_parameters)),
        ),
    );
    row(("trained layers", "训练的层"), layers_text(&facts.trainable_layers));
    row(("frozen layers", "冻结的层"), layers_text(&facts.frozen_layers));
    if let Some(tokens) = &plan.tokens {
        row(("memory of a step", "每步内存"), in_the_mean(text::bytes(tokens.mean_step_bytes as u64)));
    }
    let of_a_step =
        if plan.tokens.is_some() { ("largest step", "最大一步") } else { ("memory of a step", "每步内存") };
    row(of_a_step, Said::as_it_is(text::bytes(plan.step_bytes as u64)));
    row(("optimizer", "优化器"), Said::as_it_is(text::bytes(plan.optimizer_bytes as u64)));
    row(("learning rate", "学习率"), rates.clone());
    if let Some(features) = plan.stages.first().and_then(|stage| stage.features.as_ref()) {
        for (name, value) in feature_rows(features) {
            row(name, value);
        }
    }
    if plan.dropouts_left_out > 0 {
        let left_out = plan.dropouts_left_out;
        let count = text::counted(left_out, "dropout", "dropouts");
        row(
            ("frozen layers", "冻结的层"),
            Said::new(
                format!("{count} left out, as in the finished model; `train.frozen-dropout` keeps them"),
                format!("略去 {left_out} 个 dropout，与成品模型一致；`train.frozen-dropout` 可保留它们"),
            ),
        );
    }
    row(("memory of the run", "运行内存"), Said::as_it_is(text::bytes(plan.run_bytes as u64)));
    let step_flops = plan.tokens.map_or(plan.step_flops, |tokens| tokens.mean_step_flops);
    row(("work of a step", "每步计算量"), Said::as_it_is(text::flops(step_flops)));
    row(
        ("steps", "步数"),
        Said::new(
            format!(
                "{}: {} of {}",
                text::count(plan.steps as usize),
                counted_epochs(epochs),
                text::count(plan.steps_per_epoch as usize)
            ),
            format!(
                "{}：{epochs} 轮，每轮 {}",
                text::count(plan.steps as usize),
                text::count(plan.steps_per_epoch as usize)
            ),
        ),
    );
    if let Some(secs) = plan.secs_per_step {
        match plan.stages.as_slice() {
            [StagePlan { step_times: Some(times), .. }] if times.first_secs > times.later_secs => {
                row(
                    ("time of a step", "每步用时"),
                    Said::new(
                        format!("{} in the first epoch", text::seconds(times.first_secs)),
                        format!("第一轮 {}", text::seconds(times.first_secs)),
                    ),
                );
                row(("in later epochs", "后续各轮"), Said::as_it_is(text::seconds(times.later_secs)));
            }
            [_] => {
                let rate = step_flops as f64 / secs / 1e9;
                row(
                    ("time of a step", "每步用时"),
                    Said::as_it_is(format!("{}, {rate:.0} GFLOP/s", text::seconds(secs))),
                );
            }
            // Of several stages the work of a step differs.
            _ => row(("time of a step", "每步用时"), in_the_mean(text::seconds(secs))),
        }
        row(("time to train", "训练用时"), {
            let time = text::seconds(secs * plan.steps as f64);
            Said::new(format!("about {time}, evaluation not counted"), format!("约 {time}，不含评估"))
        });
    }
    for (index, stage) in plan.stages.iter().enumerate().filter(|_| plan.stages.len() > 1) {
        let [start, end] = stage.epochs;
        let kept = stage.features.as_ref().map_or_else(Said::default, |kept| {
            let bytes = text::bytes(kept.bytes);
            Said::new(format!(", {bytes} kept"), format!("，保存 {bytes}"))
        });
        let secs = |StepTimes { first_secs, later_secs }: StepTimes| {
            let (first, later) = (text::seconds(first_secs), text::seconds(later_secs));
            match first_secs > later_secs {
                true => Said::new(format!(", {first} a step, later {later}"), format!("，每步 {first}，之后 {later}")),
                false => Said::new(format!(", {first} a step"), format!("，每步 {first}")),
            }
        };
        let secs = stage.step_times.map_or_else(Said::default, secs);
        let (number, start, name) = (index + 1, start + 1, &stage.name);
        let (weights, bytes) = (text::count(stage.trainable_parameters), text::bytes(stage.step_bytes as u64));
        row(
            (&format!("stage {number}"), &format!("阶段 {number}")),
            Said::new(
                format!("epoch {start} to {end}: {name}, {weights} weights, {bytes} a step{kept}{secs}"),
                format!(
                    "第 {start} 至 {end} 轮：{name}，{weights} 个权重，每步 {bytes}{}{}",
                    kept.of(Language::Chinese),
                    secs.of(Language::Chinese)
                ),
            ),
        );
    }
    row(("run's folder", "运行文件夹"), Said::as_it_is(output.display().to_string()));
    let sound = Said::new("no problems found", "没有发现问题");
    let text = format!("{}\n{}", table.render(0), sound.of(language));
    context.console.result(&text, || {
        json!({
            "problems": [],
            "facts": facts,
            "examples": { "train": plan.examples[0], "validation": plan.examples[1], "test": plan.examples[2] },
            "batch_size": plan.batch_size,
            "tokens": plan.tokens,
            "epochs": epochs,
            "learning_rate": rates,
            "steps": plan.steps,
            "stages": plan.stages,
            "step_bytes": plan.step_bytes,
            "optimizer_bytes": plan.optimizer_bytes,
            "features": plan.stages.first().and_then(|stage| stage.features.as_ref()),
            "dropouts_left_out": plan.dropouts_left_out,
            "run_bytes": plan.run_bytes,
            "step_flops": plan.step_flops,
            "seconds_per_step": plan.secs_per_step,
            "run": output,
        })
    });
    Ok(())
}

/// What is kept of frozen layers, and where.
fn feature_rows(features: &FeaturePlan) -> Vec<((&'static str, &'static str), Said)> {
    let there = match features.present {
        0 => Said::new("none of them there yet", "尚无"),
        n if n == features.examples => Said::new("all of them there already", "已全部存在"),
        n => {
            let n = text::count(n as usize);
            Said::new(format!("{n} of them there already"), format!("已有 {n} 个"))
        }
    };
    let of = match features.in_training {
        true => Said::default(),
        false => Said::new(" to validate and to test", "验证和测试"),
    };
    let (bytes, examples) = (text::bytes(features.bytes), features.examples as usize);
    let kept = Said::new(
        format!("{bytes} for {}{of}, {there}", text::counted(examples, "example", "examples")),
        format!(
            "{bytes}，用于 {} 个{}样本，{}",
            text::count(examples),
            of.of(Language::Chinese),
            there.of(Language::Chinese)
        ),
    );
    let mut rows = vec![
        (("kept of frozen layers", "保存的冻结层的值"), kept),
        (("kept in", "保存于"), Said::as_it_is(features.folder.display().to_string())),
    ];
    if features.present < features.examples && features.bytes > features.available_bytes {
        let room = text::bytes(features.available_bytes);
        let room = Said::new(
            format!("{room}: what does not fit is computed in each epoch"),
            format!("{room}：放不下的在每一轮中计算"),
        );
        rows.push((("room there", "可用空间"), room));
    }
    rows
}

/// A mean of the steps.
fn in_the_mean(value: String) -> Said {
    Said::new(format!("{value} in the mean"), format!("平均 {value}"))
}

/// `0.00005 by adamw, linear after 12 steps of warmup`, for each stage.
fn rates_text(job: &Job) -> Said {
    let of = |stage: &Stage| {
        let Schedule { learning_rate, warmup, decay } = &stage.schedule;
        let decay = match decay {
            Decay::Constant => ("constant", "恒定"),
            Decay::Step(_) => ("in steps", "阶梯衰减"),
            Decay::Exponential(_) => ("exponential", "指数衰减"),
            Decay::Cosine(_) => ("cosine", "余弦衰减"),
            Decay::Linear(_) => ("linear", "线性衰减"),
            Decay::Polynomial(_) => ("polynomial", "多项式衰减"),
            _ => ("changing", "变化"),
        };
        let after = match warmup.steps {
            0 => Said::default(),
            steps => Said::new(
                format!(" after {} of warmup", text::counted(steps as usize, "step", "steps")),
                format!("预热 {} 步后", text::count(steps as usize)),
            ),
        };
        let (optimizer, (english, chinese)) = (job.optimizer.optimizer.name(), decay);
        Said::new(
            format!("{learning_rate} by {optimizer}, {english}{after}"),
            format!("{learning_rate}，{optimizer}，{}{chinese}", after.of(Language::Chinese)),
        )
    };
    let stages: Vec<Said> = job.stages.iter().map(of).collect();
    let joined = |language, then| stages.iter().map(|stage| stage.of(language)).collect::<Vec<_>>().join(then);
    Said::new(joined(Language::English, "; then "), joined(Language::Chinese, "；然后 "))
}

/// `6 columns of numbers, 8 of categories`
fn columns_text(schema: &TableSchema) -> Said {
    let (numbers, categories) = (schema.numbers().count(), schema.category_width());
    Said::new(
        format!("{} of numbers, {categories} of categories", text::counted(numbers, "column", "columns")),
        format!("{numbers} 列数值，{categories} 列类别"),
    )
}

/// `32 texts, 745 tokens`
fn batch_text(size: BatchSize) -> Said {
    let BatchSize { examples, tokens, .. } = size;
    Said::new(
        format!("{}, {}", text::counted(examples, "text", "texts"), text::counted(tokens, "token", "tokens")),
        format!("{} 条文本，{} 个词元", text::count(examples), text::count(tokens)),
    )
}

/// Whether a path is that of data, not of a recipe.
fn is_data(path: &Path) -> bool {
    path.is_dir() || (path.exists() && path.extension().is_none_or(|extension| extension != "toml"))
}

fn counted_epochs(epochs: u64) -> String {
    text::counted(epochs as usize, "epoch", "epochs")
}

/// The layers' names, the middle ones left out where there are many.
fn layers_text(layers: &[String]) -> Said {
    match layers {
        [] => Said::new("none", "无"),
        [first, .., last] if layers.len() > 6 => Said::new(
            format!("{first} … {last} ({} layers)", layers.len()),
            format!("{first} … {last}（{} 层）", layers.len()),
        ),
        layers => Said::as_it_is(layers.join(", ")),
    }
}
