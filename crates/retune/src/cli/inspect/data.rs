//! Data: kind, counts per class, shapes, and every example that cannot be used.

use crate::cli::text::{self, Table};
use crate::cli::{Context, Result};
use retune::data::{self, Dataset, ImageSource, Inputs, LabelKind, SourceOptions, TextColumn};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;

/// How many problems are listed before they are only counted.
const LISTED: usize = 20;

/// Prints the description.
pub fn inspect(context: &Context, path: &Path, fast: bool) -> Result {
    // Bad examples are what the user wants to see here, so none of them is an error.
    let options = SourceOptions { tolerance: usize::MAX, ..SourceOptions::default() };
    let parts = data::open(path, &options)?;
    let parts: Vec<(&str, Part)> =
        [("train", Some(parts.train)), ("validation", parts.validation), ("test", parts.test)]
            .into_iter()
            .filter_map(|(name, data)| Some((name, Part::new(data?, fast))))
            .collect();
    let mut report = String::new();
    for (name, part) in &parts {
        let title = if parts.len() == 1 { "" } else { name };
        part.describe(title, &mut report);
    }
    context.console.result(report.trim_end(), || {
        json!({
            "path": path,
            "parts": parts.iter().map(|(name, part)| (name.to_string(), part.json())).collect::<serde_json::Map<_, _>>(),
        })
    });
    Ok(())
}

/// A part of the source, with what is wrong with it.
struct Part {
    data: Dataset,
    problems: Vec<String>,
}

impl Part {
    fn new(data: Dataset, fast: bool) -> Part {
        let mut problems: Vec<String> = data.excluded().map(ToString::to_string).collect();
        if !fast {
            problems.extend(data.verify().iter().map(ToString::to_string));
        }
        if let Some(counts) = data.class_counts(&data.ids()) {
            let empty = counts.iter().enumerate().filter(|(_, n)| **n == 0);
            problems.extend(empty.map(|(class, _)| format!("class `{}` has no examples", data.class_name(class))));
        }
        Part { data, problems }
    }

    fn describe(&self, title: &str, report: &mut String) {
        let data = &self.data;
        let mut table = Table::new(&[]);
        if !title.is_empty() {
            table.row(["part", title]);
        }
        table.row(["data", data.description()]);
        table.row(["examples".to_owned(), text::count(data.len())]);
        table.row(["inputs".to_owned(), inputs_text(data.inputs())]);
        table.row(["labels".to_owned(), labels_text(&data.label_kind())]);
        report.push_str(&table.render(0));
        if let Some(counts) = data.class_counts(&data.ids()) {
            report.push_str("classes\n");
            let total = counts.iter().sum::<usize>().max(1);
            let mut table = Table::new(&[0, 2, 3]);
            for (class, &count) in counts.iter().enumerate() {
                let share = format!("{:.1} %", 100.0 * count as f64 / total as f64);
                table.row([class.to_string(), data.class_name(class), text::count(count), share]);
            }
            report.push_str(&table.render(2));
        }
        match self.problems.len() {
            0 => report.push_str("problems  none found\n"),
            n => {
                let _ = writeln!(report, "problems  {}", text::count(n));
                self.problems.iter().take(LISTED).for_each(|problem| report.push_str(&format!("  {problem}\n")));
                if n > LISTED {
                    let _ = writeln!(report, "  … and {} more", n - LISTED);
                }
            }
        }
        report.push('\n');
    }

    fn json(&self) -> Value {
        let data = &self.data;
        let counts = data.class_counts(&data.ids());
        let classes = counts.map(|counts| {
            let class = |(class, count)| json!({ "name": data.class_name(class), "examples": count });
            counts.into_iter().enumerate().map(class).collect::<Vec<_>>()
        });
        let size = match data.inputs() {
            Inputs::Encoded(images) => images.size.map(|s| s.to_vec()),
            _ => None,
        };
        json!({
            "description": data.description(),
            "examples": data.len(),
            "input_shape": data.input_shape(),
            "image_size": size,
            "labels": labels_text(&data.label_kind()),
            "classes": classes,
            "problems": self.problems,
        })
    }
}

fn inputs_text(inputs: &Inputs) -> String {
    match inputs {
        Inputs::Images(t) => format!("images {:?} of {}", &t.shape()[1..], t.dtype()),
        Inputs::Features(t) => format!("features {:?} of {}", &t.shape()[1..], t.dtype()),
        Inputs::Texts(texts) => {
            let of = |texts: &TextColumn| texts.iter().map(|text| text.chars().count()).sum::<usize>();
            let characters = of(&texts.first) + texts.second.as_ref().map_or(0, of);
            let mean = characters as f64 / texts.first.len().max(1) as f64;
            let kind = if texts.second.is_some() { "pairs of texts" } else { "texts" };
            format!("{kind}, {mean:.0} characters in the mean")
        }
        Inputs::Encoded(images) => {
            let kind = match images.source {
                ImageSource::Files { .. } => "image files",
                ImageSource::Column(_) => "encoded images",
            };
            match images.size {
                Some([height, width]) => format!("{kind}, {height}×{width}"),
                None => format!("{kind} of different sizes"),
            }
        }
        Inputs::Table(table) => format!("a table of {} columns", table.columns().len()),
        _ => "unknown".to_owned(),
    }
}

fn labels_text(kind: &LabelKind) -> String {
    match kind {
        LabelKind::None => "none".to_owned(),
        LabelKind::ClassIndex { classes } => format!("one of {classes} classes, as integers"),
        LabelKind::OneHot { classes } => format!("one of {classes} classes, one-hot"),
        LabelKind::MultiHot { classes } => format!("any of {classes} classes, as 0 and 1"),
        LabelKind::Real { shape } => format!("real values {shape:?}"),
        LabelKind::WordClasses { classes } => format!("one of {classes} classes for each word"),
    }
}
