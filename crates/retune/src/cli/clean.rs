//! `retune clean`: a copy of a data set without what is wrong with it.

use super::data_sources::DataArguments;
use super::text::{Table, count};
use super::{Context, Result};
use retune::audit::Rule;
use retune::audit::clean::{Plan, clean, write::left};
use serde_json::json;
use std::path::PathBuf;

/// Write a copy of a data set without duplicates, overlap between parts, contradictions and broken rows.
///
/// The original is never changed. Rows and files that are kept are copied byte for byte, and the log says of every one that is
/// left out where it stood and why. The test part stays as it is.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The data: a table, JSON, lines of texts, a folder of texts or images per class, or a folder of such parts
    #[arg(value_name = "DATA")]
    path: PathBuf,
    /// The file or folder to write, which must not exist
    #[arg(long, short, value_name = "NEW")]
    output: PathBuf,
    /// What is left out, one or more of: unreadable, empty, overlap (from train, not from test), conflicts (the same input with
    /// different labels), exact-duplicates (all but the first), near-duplicates
    #[arg(
        long,
        value_name = "RULE",
        value_delimiter = ',',
        default_value = "unreadable,empty,overlap,conflicts,exact-duplicates"
    )]
    drop: Vec<Rule>,
    /// Apply the rules to the test part, too
    #[arg(long)]
    include_test: bool,
    /// The log, a line of JSON for every row left out [default: NEW.log.jsonl]
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    #[command(flatten)]
    data: DataArguments,
}

/// Cleans.
pub fn run(context: &Context, arguments: &Arguments) -> Result {
    let Arguments { path, output, drop: rules, include_test, data, .. } = arguments;
    let log = arguments.log.clone().unwrap_or_else(|| {
        let name = output.file_name().unwrap_or_default().to_string_lossy();
        output.with_file_name(format!("{name}.log.jsonl"))
    });
    let (collection, facts) = data.open(path)?;
    let plan = Plan::new(&collection, &facts, rules, *include_test);
    clean(&collection, &data.sources(path), &plan, output, &log)?;
    let mut table = Table::new(&[1]);
    let mut dropped = serde_json::Map::new();
    for rule in Rule::ALL.into_iter().filter(|rule| rules.contains(rule)) {
        table.row([rule.name().to_owned(), count(plan.count(rule)), "dropped".to_owned()]);
        dropped.insert(rule.name().to_owned(), json!(plan.count(rule)));
    }
    let mut parts = serde_json::Map::new();
    for (part, left) in collection.parts().iter().zip(left(&collection, &plan)) {
        let spared = part.split == retune::audit::collection::SplitName::Test && !include_test;
        let kept = if spared { "kept, all of them".to_owned() } else { format!("kept of {}", count(part.len())) };
        table.row([part.split.name().to_owned(), count(left), kept]);
        parts.insert(part.split.name().to_owned(), json!({ "examples": part.len(), "kept": left }));
    }
    let text = format!("{}wrote `{}`; every row left out is in `{}`", table.render(0), output.display(), log.display());
    context
        .console
        .result(&text, || json!({ "data": path, "output": output, "log": log, "dropped": dropped, "parts": parts }));
    Ok(())
}
