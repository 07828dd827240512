//! `retune clean`: a copy of a data set without what is wrong with it.

use super::data_sources::DataArguments;
use super::parts::PartsArguments;
use super::text::{Table, count};
use super::{Context, Result, model_features};
use retune::audit::Rule;
use retune::audit::clean::{Choices, Plan, clean, write::left};
use serde_json::json;
use std::path::PathBuf;

/// Write a copy of a data set without duplicates, overlap between parts, contradictions and broken rows.
///
/// The original is never changed. Rows and files that are kept are copied byte for byte, and the log says of every one that is
/// left out or repaired where it stood and why. The test part stays as it is.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The data: a table, JSON, lines of texts, a folder of texts or images per class, or a folder of such parts
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
    let (collection, facts) = data.open(path, &arguments.parts, None)?;
    let judge = arguments.features.as_deref().filter(|_| rules.contains(&Rule::LabelErrors));
    let features = judge.map(|model| model_features::compute(context, &collection, model)).transpose()?;
    let choices = Choices { drop: rules, repair: *repair, with_test: *include_test, features: features.as_ref() };
    let plan = Plan::new(&collection, &facts, &choices);
    let repaired = clean(&collection, &data.sources(path, &arguments.parts), &plan, output, &log)?;
    let mut table = Table::new(&[1]);
    let mut dropped = serde_json::Map::new();
    for rule in Rule::ALL.into_iter().filter(|rule| rules.contains(rule)) {
        table.row([rule.name().to_owned(), count(plan.count(rule)), "dropped".to_owned()]);
        dropped.insert(rule.name().to_owned(), json!(plan.count(rule)));
    }
    if *repair {
        let left = match plan.repaired.len() - repaired {
            0 => String::new(),
            n => format!("; {} not, for the file writes them by other characters", count(n)),
        };
        table.row(["encoding".to_owned(), count(repaired), format!("repaired{left}")]);
    }
    let mut parts = serde_json::Map::new();
    for (part, left) in collection.parts().iter().zip(left(&collection, &plan)) {
        let spared = part.split == retune::audit::collection::SplitName::Test && !include_test;
        let kept = if spared { "kept, all of them".to_owned() } else { format!("kept of {}", count(part.len())) };
        table.row([part.split.name().to_owned(), count(left), kept]);
        parts.insert(part.split.name().to_owned(), json!({ "examples": part.len(), "kept": left }));
    }
    let text = format!(
        "{}wrote `{}`; every row {} is in `{}`",
        table.render(0),
        output.display(),
        if *repair { "left out or repaired" } else { "left out" },
        log.display()
    );
    context
        .console
        .result(&text, || json!({ "data": path, "output": output, "log": log, "dropped": dropped, "repaired": repaired, "parts": parts }));
    Ok(())
}
