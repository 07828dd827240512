//! `retune clean`: a copy of a data set without what is wrong with it.

use super::data_sources::DataArguments;
use super::parts::PartsArguments;
use super::text::{Table, count};
use super::{Context, Result, model_features};
use retune::audit::Rule;
use retune::audit::clean::{Choices, Plan, check, clean, write::left};
use retune::train::language::fill;
use serde_json::json;
use std::path::PathBuf;

retune::train::texts! {
    /// The words of what was cleaned.
    struct Words {
        dropped: "dropped", "去掉";
        repaired: "repaired", "修复";
        not_repaired: "; {count} not, for the file writes them by other characters",
            "；{count} 个未修复，因为文件中以其他字符书写";
        kept: "kept of {count}", "保留，原有 {count}";
        spared: "kept, all of them", "全部保留";
        wrote: "wrote `{output}`; every row left out is in `{log}`", "已写入 `{output}`；去掉的每一行都记录在 `{log}` 中";
        wrote_repaired: "wrote `{output}`; every row left out or repaired is in `{log}`",
            "已写入 `{output}`；去掉或修复的每一行都记录在 `{log}` 中";
    }
}

/// Write a copy of a data set without duplicates, overlap between parts, contradictions and broken rows.
///
/// The original is never changed. Rows and files that are kept are copied byte for byte, those of Parquet and Arrow with their types and
/// metadata, and the log says of every one that is left out or repaired where it stood and why. The test part stays as it is.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The data: a table, JSON, Parquet, Arrow, lines of texts, a folder of texts or images per class, or a folder of such parts
    #[arg(value_name = "DATA")]
    path: PathBuf,
    /// The file or folder to write, which must not exist
    #[arg(long, short, value_name = "NEW")]
    output: PathBuf,
    /// What is left out, one or more of: unreadable, empty, overlap (from train, not from test), conflicts (the same input with
    /// different labels), exact-duplicates (all but the first), near-duplicates, label-errors (likely wrong labels)
    #[arg(
        long,
        value_name = "RULE",
        value_delimiter = ',',
        default_value = "unreadable,empty,overlap,conflicts,exact-duplicates"
    )]
    drop: Vec<Rule>,
    /// Write texts that were read by a wrong encoding as they were meant: `cafÃ©` as `café`
    #[arg(long)]
    repair: bool,
    /// Judge labels by what this model gives out for the examples, rather than by the words of texts
    #[arg(long, value_name = "MODEL")]
    features: Option<PathBuf>,
    /// Change the test part, too
    #[arg(long)]
    include_test: bool,
    /// The log, a line of JSON for every row left out or repaired [default: NEW.log.jsonl]
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    #[command(flatten)]
    parts: PartsArguments,
    #[command(flatten)]
    data: DataArguments,
}

/// Cleans.
pub fn run(context: &Context, arguments: &Arguments) -> Result {
    let Arguments { path, output, drop: rules, repair, include_test, data, .. } = arguments;
    let log = arguments.log.clone().unwrap_or_else(|| {
        let name = output.file_name().unwrap_or_default().to_string_lossy();
        output.with_file_name(format!("{name}.log.jsonl"))
    });
    let collection = data.open(path, &arguments.parts, None)?;
    let sources = data.sources(path, &arguments.parts);
    // What cannot be written is said before the work of finding what is wrong.
    check(&collection, &sources, output, &log)?;
    let facts = data.measure(&collection);
    let judge = arguments.features.as_deref().filter(|_| rules.contains(&Rule::LabelErrors));
    let features = judge.map(|model| model_features::compute(context, &collection, model)).transpose()?;
    let choices = Choices { drop: rules, repair: *repair, with_test: *include_test, features: features.as_ref() };
    let plan = Plan::new(&collection, &facts, &choices);
    let repaired = clean(&collection, &sources, &plan, output, &log)?;
    let words = Words::of(context.language);
    let mut table = Table::new(&[1]);
    let mut dropped = serde_json::Map::new();
    for rule in Rule::ALL.into_iter().filter(|rule| rules.contains(rule)) {
        table.row([rule.name().to_owned(), count(plan.count(rule)), words.dropped.to_owned()]);
        dropped.insert(rule.name().to_owned(), json!(plan.count(rule)));
    }
    if *repair {
        let left = match plan.repaired.len() - repaired {
            0 => String::new(),
            n => fill(words.not_repaired, &[("count", &count(n))]),
        };
        table.row(["encoding".to_owned(), count(repaired), format!("{}{left}", words.repaired)]);
    }
    let mut parts = serde_json::Map::new();
    for (part, left) in collection.parts().iter().zip(left(&collection, &plan)) {
        let spared = part.split == retune::audit::collection::SplitName::Test && !include_test;
        let kept = if spared { words.spared.to_owned() } else { fill(words.kept, &[("count", &count(part.len()))]) };
        table.row([part.split.word().of(context.language).to_owned(), count(left), kept]);
        parts.insert(part.split.name().to_owned(), json!({ "examples": part.len(), "kept": left }));
    }
    let wrote = if *repair { words.wrote_repaired } else { words.wrote };
    let (output_name, log_name) = (output.display().to_string(), log.display().to_string());
    let text = format!("{}{}", table.render(0), fill(wrote, &[("output", &output_name), ("log", &log_name)]));
    context
        .console
        .result(&text, || json!({ "data": path, "output": output, "log": log, "dropped": dropped, "repaired": repaired, "parts": parts }));
    Ok(())
}
