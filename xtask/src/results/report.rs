//! `docs/results.md`: a table for each task, from the figures kept.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::runs::{Run, Trainer};
use super::tasks::{Kind, TASKS, Task};
use crate::Result;

/// Where the tables are written, from the repository's root.
pub(super) const DOCUMENT: &str = "docs/results.md";

/// How many seeds are looked for.
const SEEDS: u64 = 10;

const INTRODUCTION: &str = "\
# Results on real data

What `recipes/` reach, by full fine-tuning, by training the head alone and by LoRA, and what a peer reaches under the same recipe.
Not every recipe and peer has been run yet. `cargo xtask results --data FOLDER --peer` takes everything anew, with `--missing` what is not there yet;
`cargo xtask results --from-kept` writes the tables from the figures in `bench/results/recipes`. The commands stand below each table, without
`--set model.path=…` and `--set data.path=…`, which say where model and data lie on a machine.

- **Scores** are those of the test part, with the 95 % interval that its size gives (bootstrap), of the first seed; where there were more seeds,
  their mean and range follow. The weights were chosen on the validation part.
- **Time** of retune is that of the command, from its start to its end: reading and preparing the data, the test before training, training,
  evaluation after each epoch, the final test, saving model and report. The peer's begins when Python has imported what it needs, and has one
  test in it, nothing saved. Where other work ran on the machine there is no time (—).
- **Memory** is the most that the process held; processes in which the peer decodes photos are not counted.
- **The machine** of a table: two cores of an AMD EPYC with AVX-512 and AVX512-BF16, 24 GiB, shared with other guests; retune and the peer ran
  one after the other. Some tables were taken where such a machine computes half as much in a second: compare rows of a table, not tables.
  Rows of MobileNetV2, of STS-B in English with LoRA, and peers without a time are of two cores of an Intel Xeon with AMX and slower memory.
- **The peer** of texts is transformers (with PEFT for LoRA), as its users have it: its own head on the pooler, where retune takes the mean of
  the tokens, as these models were pretrained; batches padded to their longest text; the last epoch's weights. Where the head alone is trained, that pooler stays
  as it is, though these models were not pretrained through it: hence the distance. The peer of photos is a loop in PyTorch over the network of
  timm, with the same weights and the like augmentation, without a cache of what frozen layers give. Both follow the recipe that retune's run
  has kept.
- Repeated rows are left out of SMS spam and waimai before they are divided. STS-B compares the vectors of texts, without a head to train.
";

/// The document of all runs that are kept.
pub(super) fn document() -> Result<String> {
    let mut text = INTRODUCTION.to_owned();
    for task in TASKS {
        let rows = rows(task)?;
        if rows.is_empty() {
            continue;
        }
        write!(text, "\n## {}\n\n", task.title)?;
        let before = rows.iter().find_map(|row| row.first().get("before").filter(|before| !before.is_null()));
        // Models that have an answer before they are fine-tuned.
        if let (Some(before), Kind::Pairs | Kind::SmallImages) = (before, task.kind) {
            write!(text, "Before training: {} {}.\n\n", task.metric, estimate(before, task.metric))?;
        }
        writeln!(text, "| program | method | trained weights | time | peak memory | {} |", task.metric)?;
        writeln!(text, "| --- | --- | --- | --- | --- | --- |")?;
        for row in &rows {
            writeln!(text, "{}", row.line(task.metric))?;
        }
        text += "\n```sh\n";
        for row in rows.iter().filter(|row| row.trainer == Trainer::Retune) {
            writeln!(text, "{}", row.first()["command"].as_str().unwrap_or_default())?;
        }
        text += "```\n";
    }
    Ok(text)
}

/// The runs of one program and method, by seed. There is at least one.
struct Row {
    trainer: Trainer,
    method: &'static str,
    runs: Vec<Value>,
}

fn rows(task: &Task) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for method in task.methods() {
        for trainer in [Trainer::Retune, Trainer::Peer] {
            let file = |seed| Run { task, method, seed, max_steps: None, timed: true }.kept(trainer);
            let runs = (0..SEEDS).map(file).filter(|path| path.exists()).map(read).collect::<Result<Vec<_>>>()?;
            if !runs.is_empty() {
                rows.push(Row { trainer, method: method.name(), runs });
            }
        }
    }
    Ok(rows)
}

fn read(path: PathBuf) -> Result<Value> {
    let text = fs::read_to_string(&path)?;
    serde_json::from_str(&text).map_err(|error| format!("`{}`: {error}", path.display()).into())
}

impl Row {
    fn first(&self) -> &Value {
        &self.runs[0]
    }

    fn line(&self, metric: &str) -> String {
        let first = self.first();
        let most = |key: &str| self.runs.iter().filter_map(|run| run[key].as_f64()).fold(0.0, f64::max);
        let times: Vec<f64> = self.runs.iter().filter_map(|run| run["seconds"].as_f64()).collect();
        let time = match times.len() {
            0 => "—".to_owned(),
            count => format!("{:.0} s", times.iter().sum::<f64>() / count as f64),
        };
        let program = match self.trainer {
            Trainer::Retune => "retune",
            Trainer::Peer => first["program"].as_str().unwrap_or("peer"),
        };
        let scores = first["scores"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut told: Vec<String> = scores.iter().map(|score| scored(score, metric)).collect();
        if self.runs.len() > 1 {
            let values: Vec<f64> = self.runs.iter().filter_map(|run| run["scores"][0]["value"].as_f64()).collect();
            told.push(spread(&values, metric));
        }
        format!(
            "| {program} | {} | {} | {time} | {:.0} MB | {} |",
            self.method,
            grouped(first["trainable"].as_u64().unwrap_or_default()),
            most("peak_bytes") / 1e6,
            told.join("; ")
        )
    }
}

/// A score, with the name of its part unless that is the test part.
fn scored(score: &Value, metric: &str) -> String {
    match score["part"].as_str() {
        Some("test") | None => estimate(score, metric),
        Some(part) => format!("{part}: {}", estimate(score, metric)),
    }
}

/// `93.1 % (92.0–94.2)`; correlations without per cent.
fn estimate(score: &Value, metric: &str) -> String {
    let number = |key: &str| shown(score[key].as_f64().unwrap_or(f64::NAN), metric);
    format!("{}{} ({}–{})", number("value"), unit(metric), number("low"), number("high"))
}

fn spread(values: &[f64], metric: &str) -> String {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let [least, most] = [f64::min, f64::max].map(|pick| values.iter().copied().reduce(pick).unwrap_or(f64::NAN));
    let [mean, least, most] = [mean, least, most].map(|value| shown(value, metric));
    format!("mean of {} seeds {mean}{}, {least} to {most}", values.len(), unit(metric))
}

fn shown(value: f64, metric: &str) -> String {
    if is_correlation(metric) { format!("{value:.3}") } else { format!("{:.1}", 100.0 * value) }
}

fn unit(metric: &str) -> &'static str {
    if is_correlation(metric) { "" } else { " %" }
}

fn is_correlation(metric: &str) -> bool {
    matches!(metric, "spearman" | "pearson")
}

/// A count with a comma after every three digits.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(value: f64) -> Value {
        let score = json!({ "part": "test", "items": 372, "value": value, "low": 0.8, "high": 0.95 });
        json!({ "seconds": 61.6, "peak_bytes": 5e8, "trainable": 1234567, "scores": [score] })
    }

    #[test]
    fn a_row_tells_a_run() {
        let row = Row { trainer: Trainer::Retune, method: "full", runs: vec![run(0.9)] };
        assert_eq!(row.line("accuracy"), "| retune | full | 1,234,567 | 62 s | 500 MB | 90.0 % (80.0–95.0) |");
        assert!(row.line("spearman").ends_with("| 0.900 (0.800–0.950) |"));
        let mut run = run(0.9);
        run["seconds"] = Value::Null;
        let untimed = Row { trainer: Trainer::Retune, method: "head", runs: vec![run] };
        assert!(untimed.line("accuracy").contains("| head | 1,234,567 | — | 500 MB |"));
    }

    #[test]
    fn more_seeds_have_mean_and_range() {
        let row = Row { trainer: Trainer::Retune, method: "full", runs: vec![run(0.9), run(0.88)] };
        assert!(row.line("accuracy").ends_with("90.0 % (80.0–95.0); mean of 2 seeds 89.0 %, 88.0 to 90.0 |"));
    }

    #[test]
    fn other_parts_are_named() {
        let unseen = json!({ "part": "test without texts of train", "value": 0.5, "low": 0.4, "high": 0.6 });
        assert_eq!(scored(&unseen, "accuracy"), "test without texts of train: 50.0 % (40.0–60.0)");
        assert_eq!((grouped(7), grouped(1000), grouped(12345)), ("7".into(), "1,000".into(), "12,345".into()));
    }
}
