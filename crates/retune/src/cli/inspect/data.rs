//! Data: kind, counts per class, shapes, and every example that cannot be used.

use crate::cli::text::{self, Table};
use crate::cli::{Context, Result};
use retune::data::{self, BadExample, Dataset, ImageSource, Inputs, LabelKind, SourceOptions, TextColumn};
use retune::train::language::{Language, Said, fill, phrases};
use retune::train::said;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;

/// How many problems are listed before they are only counted.
const LISTED: usize = 20;

retune::train::texts! {
    struct Words {
        part: "part", "部分";
        data: "data", "数据";
        examples: "examples", "样本";
        inputs: "inputs", "输入";
        labels: "labels", "标签";
        classes: "classes", "类别";
        problems: "problems  {count}", "问题  {count} 个";
        no_problems: "problems  none found", "问题  未发现";
        more: "… and {count} more", "… 还有 {count} 个";
    }
}

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
        part.describe(title, context.language, &mut report);
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
    problems: Vec<Said>,
}

impl Part {
    fn new(data: Dataset, fast: bool) -> Part {
        let mut problems: Vec<Said> = data.excluded().map(problem).collect();
        if !fast {
            problems.extend(data.verify().iter().map(problem));
        }
        if let Some(counts) = data.class_counts(&data.ids()) {
            let empty = counts.iter().enumerate().filter(|(_, n)| **n == 0);
            problems.extend(empty.map(|(class, _)| {
                said!("class `{name}` has no examples", "类别 `{name}` 没有样本", name = data.class_name(class))
            }));
        }
        Part { data, problems }
    }

    fn describe(&self, title: &str, language: Language, report: &mut String) {
        let (data, words) = (&self.data, Words::of(language));
        let mut table = Table::new(&[]);
        if !title.is_empty() {
            let parts = [("train", "训练集"), ("validation", "验证集"), ("test", "测试集")];
            let part = parts.into_iter().find(|(name, _)| *name == title).map(Said::from);
            table.row([words.part, part.as_ref().map_or(title, |part| part.of(language))]);
        }
        table.row([words.data, Said::looked_up(data.description()).of(language)]);
        table.row([words.examples, &text::count(data.len())]);
        table.row([words.inputs, inputs_text(data.inputs()).of(language)]);
        table.row([words.labels, labels_text(&data.label_kind()).of(language)]);
        report.push_str(&table.render(0));
        if let Some(counts) = data.class_counts(&data.ids()) {
            let _ = writeln!(report, "{}", words.classes);
            let total = counts.iter().sum::<usize>().max(1);
            let mut table = Table::new(&[0, 2, 3]);
            for (class, &count) in counts.iter().enumerate() {
                let share = format!("{:.1} %", 100.0 * count as f64 / total as f64);
                table.row([class.to_string(), data.class_name(class), text::count(count), share]);
            }
            report.push_str(&table.render(2));
        }
        match self.problems.len() {
            0 => report.push_str(&format!("{}\n", words.no_problems)),
            n => {
                let _ = writeln!(report, "{}", fill(words.problems, &[("count", &text::count(n))]));
                for problem in self.problems.iter().take(LISTED) {
                    let _ = writeln!(report, "  {}", problem.of(language));
                }
                if n > LISTED {
                    let _ = writeln!(report, "  {}", fill(words.more, &[("count", &text::count(n - LISTED))]));
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
            "labels": labels_text(&data.label_kind()).english(),
            "classes": classes,
            "problems": self.problems,
        })
    }
}

/// An example that cannot be used.
fn problem(bad: &BadExample) -> Said {
    let [place, reason] = [&bad.place, &bad.reason].map(|text| phrases::chinese(text));
    Said::new(bad.to_string(), format!("`{place}`：{reason}"))
}

fn inputs_text(inputs: &Inputs) -> Said {
    match inputs {
        Inputs::Images(t) => {
            said!("images {shape:?} of {dtype}", "{dtype} 图像 {shape:?}", shape = &t.shape()[1..], dtype = t.dtype())
        }
        Inputs::Features(t) => {
            said!("features {shape:?} of {dtype}", "{dtype} 特征 {shape:?}", shape = &t.shape()[1..], dtype = t.dtype())
        }
        Inputs::Texts(texts) => {
            let of = |texts: &TextColumn| texts.iter().map(|text| text.chars().count()).sum::<usize>();
            let characters = of(&texts.first) + texts.second.as_ref().map_or(0, of);
            let mean = characters as f64 / texts.first.len().max(1) as f64;
            match texts.second {
                Some(_) => {
                    said!("pairs of texts, {mean:.0} characters in the mean", "成对的文本，平均 {mean:.0} 个字符")
                }
                None => said!("texts, {mean:.0} characters in the mean", "文本，平均 {mean:.0} 个字符"),
            }
        }
        Inputs::Encoded(images) => {
            let (english, chinese) = match images.source {
                ImageSource::Files { .. } => ("image files", "图像文件"),
                ImageSource::Column(_) => ("encoded images", "编码的图像"),
            };
            match images.size {
                Some([height, width]) => {
                    Said::new(format!("{english}, {height}×{width}"), format!("{chinese}，{height}×{width}"))
                }
                None => Said::new(format!("{english} of different sizes"), format!("{chinese}，大小不一")),
            }
        }
        Inputs::Table(table) => {
            said!("a table of {count} columns", "有 {count} 列的表格", count = table.columns().len())
        }
        _ => Said::new("unknown", "未知"),
    }
}

fn labels_text(kind: &LabelKind) -> Said {
    match kind {
        LabelKind::None => Said::new("none", "无"),
        LabelKind::ClassIndex { classes } => {
            said!("one of {classes} classes, as integers", "{classes} 个类别之一（整数）")
        }
        LabelKind::OneHot { classes } => said!("one of {classes} classes, one-hot", "{classes} 个类别之一（one-hot）"),
        LabelKind::MultiHot { classes } => {
            said!("any of {classes} classes, as 0 and 1", "{classes} 个类别中的任意几个（0 和 1）")
        }
        LabelKind::Real { shape } => said!("real values {shape:?}", "实数值 {shape:?}"),
        LabelKind::WordClasses { classes } => {
            said!("one of {classes} classes for each word", "每个词 {classes} 个类别之一")
        }
    }
}
