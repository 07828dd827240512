//! `retune preview`: a sheet of examples as training sees them.

use super::failure::Failure;
use super::job::JobArguments;
use super::{Context, Result, text};
use retune::data::decode::DecodedImage;
use retune::data::pictures::{grid, pictures, png};
use retune::data::thumbnail::thumbnail;
use retune::data::{Batch, Dataset, Loader};
use retune::formats::atomic::write_bytes_atomic;
use retune::train::language::{Language, Said, fill, phrases};
use retune::train::report::png_address;
use serde_json::json;
use std::borrow::Cow;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Write a sheet of examples as training sees them.
///
/// One row for each example, one column for each epoch; augmentation, mixup and CutMix act as in training with the same seed. Mixed are
/// the examples of the sheet with one another. Beside the sheet (HTML, one file) pictures are written as one PNG; texts are shown before
/// and after their changes.
#[derive(Debug, clap::Args)]
#[command(mut_arg("output", |output| output.value_name("FILE").help("The sheet [default: preview.html]")))]
pub struct Arguments {
    #[command(flatten)]
    job: JobArguments,
    /// Examples on the sheet, the first that training meets
    #[arg(long, value_name = "N", default_value = "8", value_parser = clap::value_parser!(u16).range(1..=1000))]
    examples: u16,
    /// Epochs on the sheet, each with other augmentations
    #[arg(long, value_name = "N", default_value = "6", value_parser = clap::value_parser!(u16).range(1..=100))]
    columns: u16,
}

retune::train::texts! {
    struct Words {
        title: "Examples as training sees them", "训练所见的样本";
        pictures: "One row for each example: as it is stored, then one column for each epoch, scaling and normalization undone.",
            "每个样本一行：先是原样，然后每轮一列，缩放与归一化已还原。";
        texts: "One row for each example: as it is stored, then one column for each epoch, pale where nothing is changed.",
            "每个样本一行：先是原文，然后每轮一列，未改变的颜色较淡。";
        stored: "as stored", "原样";
        epoch: "epoch {number}", "第 {number} 轮";
    }
}

/// Pixels between pictures.
const GAP: usize = 4;

/// Sides of the pictures as they are stored, in pixels.
const STORED_SIDE: u32 = 256;

/// Writes the sheet.
pub fn run(context: &Context, arguments: &Arguments) -> Result {
    let built = arguments.job.build(context)?;
    let loader = &built.job.train;
    let sheet = arguments.job.output.clone().unwrap_or_else(|| PathBuf::from("preview.html"));
    if loader.data().texts().is_some() {
        return texts(context, arguments, loader, &sheet);
    }
    if !loader.data().has_images() {
        let failure =
            Failure::new(("the data has neither pictures nor texts to show", "数据中既没有可显示的图像，也没有文本"));
        return Err(failure.hint("`preview` shows texts, and images of 1 or 3 channels"));
    }
    let image = sheet.with_extension("png");
    if image == sheet {
        return Err(Failure::usage(Said::new(
            format!("`{}` would be both the sheet and its pictures", sheet.display()),
            format!("`{}` 会同时是页面和其中的图像", sheet.display()),
        ))
        .hint("name a file that ends in .html; the PNG is written beside it"));
    }
    let asked = first_examples(loader, arguments.examples);
    let epochs: Vec<Batch> =
        (0..u64::from(arguments.columns)).map(|epoch| loader.batch_of(&asked, epoch)).collect::<Result<_, _>>()?;
    // Without those that cannot be read.
    let ids = epochs.first().map_or(&[][..], |batch| &batch.example_ids);
    let mut rows = vec![Vec::new(); ids.len()];
    for batch in &epochs {
        let columns = pictures(loader, batch).ok_or_else(|| {
            Failure::new(Said::new("the images cannot be shown", "无法显示这些图像"))
                .hint("`preview` shows images of 1 or 3 channels")
        })?;
        rows.iter_mut().zip(columns).for_each(|(row, picture)| row.push(picture));
    }
    let whole = png(&grid(&rows, GAP)?)
        .ok_or_else(|| Failure::new(Said::new("the sheet is too large for a PNG", "整页太大，无法存为 PNG")))?;
    write(&sheet, page(loader.data(), ids, &epochs, &rows, context.language)?.as_bytes())?;
    write(&image, &whole)?;
    let (sheet_name, image_name) = (sheet.display(), image.display());
    let said = Said::new(
        format!(
            "{} in {}: `{sheet_name}`, `{image_name}`",
            text::counted(ids.len(), "example", "examples"),
            text::counted(epochs.len(), "epoch", "epochs"),
        ),
        format!("{} 个样本，{} 轮：`{sheet_name}`、`{image_name}`", ids.len(), epochs.len()),
    );
    let skipped: Vec<String> = loader.skipped().iter().map(|bad| format!("{}: {}", bad.place, bad.reason)).collect();
    for bad in &skipped {
        context.console.said(&Said::new(format!("left out {bad}"), format!("略去 {}", phrases::chinese(bad))));
    }
    context.console.result(
        said.of(context.language),
        || json!({ "sheet": sheet, "image": image, "examples": ids, "columns": arguments.columns, "skipped": skipped }),
    );
    Ok(())
}

/// The first examples that training meets, each once.
fn first_examples(loader: &Loader, count: u16) -> Vec<u64> {
    let mut seen = std::collections::HashSet::new();
    loader.order(0).into_iter().filter(|id| seen.insert(*id)).take(usize::from(count)).collect()
}

/// Writes the sheet of texts: each as it is stored, then as it is in each epoch.
fn texts(context: &Context, arguments: &Arguments, loader: &Loader, sheet: &Path) -> Result {
    if !loader.changes_texts() {
        context.console.said(&Said::new(
            "nothing in `[augment]` changes texts, so every epoch sees them as they are stored",
            "`[augment]` 中没有改变文本的设置，因此每一轮看到的都是原文",
        ));
    }
    let data = loader.data();
    let ids = first_examples(loader, arguments.examples);
    let epochs = 0..u64::from(arguments.columns);
    let (mut body, mut shown) = (String::new(), Vec::new());
    for &id in &ids {
        let text = |(first, second): (String, Option<String>)| match second {
            Some(second) => format!("{first}\n{second}"),
            None => first,
        };
        let stored = match data.words_of(id) {
            Some(words) => words.join(" "),
            None => {
                let (first, second) = data.texts().and_then(|texts| texts.get(id as usize)).unwrap_or_default();
                text((first.into_owned(), second.map(Cow::into_owned)))
            }
        };
        let changed: Vec<String> = epochs.clone().filter_map(|epoch| loader.text_of(id, epoch).map(text)).collect();
        let class = data.labels().class_of(id as usize).map_or_else(String::new, |class| data.class_name(class));
        let place = Said::looked_up(data.place(id));
        let place = escape(place.of(context.language));
        let _ = write!(body, "<tr><th scope=\"row\">{}<small>{place}</small></th>", escape(&class));
        let _ = write!(body, "<td class=\"text\">{}</td>", escape(&stored));
        for text in &changed {
            let same = if *text == stored { " same" } else { "" };
            let _ = write!(body, "<td class=\"text{same}\">{}</td>", escape(text));
        }
        body.push_str("</tr>\n");
        shown.push(json!({ "id": id, "stored": stored, "changed": changed }));
    }
    let words = Words::of(context.language);
    write(sheet, html(words.texts, epochs.end as usize, &body, context.language).as_bytes())?;
    let said = Said::new(
        format!(
            "{} in {}: `{}`",
            text::counted(ids.len(), "example", "examples"),
            text::counted(usize::from(arguments.columns), "epoch", "epochs"),
            sheet.display()
        ),
        format!("{} 个样本，{} 轮：`{}`", ids.len(), arguments.columns, sheet.display()),
    );
    context.console.result(
        said.of(context.language),
        || json!({ "sheet": sheet, "examples": shown, "columns": arguments.columns }),
    );
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result {
    let failed = |error| Failure::cannot_write(path, error);
    write_bytes_atomic(path, bytes).map_err(failed)
}

/// The sheet: for each example its class and place, the picture as it is stored, and one column for each epoch.
fn page(
    data: &Dataset,
    ids: &[u64],
    epochs: &[Batch],
    rows: &[Vec<DecodedImage>],
    language: Language,
) -> Result<String> {
    let words = Words::of(language);
    let mut body = String::new();
    for (i, (&id, row)) in ids.iter().zip(rows).enumerate() {
        let class = data.labels().class_of(id as usize).map_or_else(String::new, |class| data.class_name(class));
        let place = Said::looked_up(data.place(id));
        let place = escape(place.of(language));
        let stored = thumbnail(data, id, STORED_SIDE).map(|file| png_address(&file)).unwrap_or_default();
        let _ = write!(body, "<tr><th scope=\"row\">{}<small>{place}</small></th>", escape(&class));
        let _ = write!(body, "<td><img alt=\"{}\" src=\"{stored}\"></td>", words.stored);
        for (batch, picture) in epochs.iter().zip(row) {
            let file = png(picture).ok_or_else(|| {
                Failure::new(Said::new("a picture is too large for a PNG", "有一张图像太大，无法存为 PNG"))
            })?;
            let mixed = escape(&shares(data, batch, i));
            let _ = write!(body, "<td><img alt=\"\" src=\"{}\">{mixed}</td>", png_address(&file));
        }
        body.push_str("</tr>\n");
    }
    Ok(html(words.pictures, epochs.len(), &body, language))
}

/// A whole page of rows, each with a column for its examples as they are stored and one for each epoch.
fn html(explained: &str, epochs: usize, body: &str, language: Language) -> String {
    let (words, code) = (Words::of(language), language.code());
    let epoch = |number: usize| fill(words.epoch, &[("number", &number.to_string())]);
    let columns: String = (1..=epochs).map(|number| format!("<th scope=\"col\">{}</th>", epoch(number))).collect();
    let Words { title, stored, .. } = words;
    format!(
        "<!doctype html>
<html lang=\"{code}\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<title>{title}</title>
<style>
{STYLE}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{explained}</p>
<div class=\"scroll\" tabindex=\"0\"><table>
<thead><tr><th></th><th scope=\"col\">{stored}</th>{columns}</tr></thead>
<tbody>
{body}</tbody>
</table></div>
</main>
</body>
</html>
"
    )
}

/// The classes of example `i` of a batch and their shares, where it was mixed of several.
fn shares(data: &Dataset, batch: &Batch, i: usize) -> String {
    let Some(targets) = batch.targets.dense() else { return String::new() };
    let width = targets.len() / batch.len().max(1);
    let row = targets.as_f32().and_then(|values| values.get(i * width..(i + 1) * width)).unwrap_or_default();
    let classes: Vec<String> = (row.iter().enumerate())
        .filter(|(_, share)| **share > 0.0)
        .map(|(class, share)| format!("{} {share:.2}", data.class_name(class)))
        .collect();
    if classes.len() > 1 { classes.join(", ") } else { String::new() }
}

/// The text with everything that means something in HTML replaced.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const STYLE: &str = ":root { color-scheme: light dark; background: Canvas; color: CanvasText; }
body { font: 14px/1.4 system-ui, sans-serif; margin: 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { padding: 3px; font-weight: 500; text-align: left; vertical-align: middle; }
th small { display: block; min-width: 8rem; max-width: 14rem; overflow-wrap: anywhere; font-weight: 400; opacity: .7; }
img { display: block; min-width: 72px; image-rendering: pixelated; }
.text { min-width: 14rem; max-width: 24rem; padding: .5rem; vertical-align: top; white-space: pre-wrap; overflow-wrap: anywhere; font-weight: 400; }
.same { opacity: .5; }
";
