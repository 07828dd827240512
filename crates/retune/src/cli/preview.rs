//! `retune preview`: a sheet of examples as training sees them.

use super::failure::Failure;
use super::job::JobArguments;
use super::{Context, Result, text};
use retune::data::decode::DecodedImage;
use retune::data::pictures::{grid, pictures, png};
use retune::data::thumbnail::thumbnail;
use retune::data::{Batch, Dataset, Loader};
use retune::formats::atomic::write_bytes_atomic;
use retune::train::language::Said;
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
        let failure = Failure::new("the data has neither pictures nor texts to show");
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
    write(&sheet, page(loader.data(), ids, &epochs, &rows)?.as_bytes())?;
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
        context.console.said(&Said::new(format!("left out {bad}"), format!("略去 {bad}")));
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
        context.console.note("nothing in `[augment]` changes texts, so every epoch sees them as they are stored");
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
        let place = escape(&data.place(id));
        let _ = write!(body, "<tr><th scope=\"row\">{}<small>{place}</small></th>", escape(&class));
        let _ = write!(body, "<td class=\"text\">{}</td>", escape(&stored));
        for text in &changed {
            let same = if *text == stored { " same" } else { "" };
            let _ = write!(body, "<td class=\"text{same}\">{}</td>", escape(text));
        }
        body.push_str("</tr>\n");
        shown.push(json!({ "id": id, "stored": stored, "changed": changed }));
    }
    let columns: String = (1..=epochs.end).map(|epoch| format!("<th scope=\"col\">epoch {epoch}</th>")).collect();
    let head = format!("<thead><tr><th></th><th scope=\"col\">as stored</th>{columns}</tr></thead>");
    let page = format!("{HEAD}{TEXTS}<table>\n{head}\n<tbody>\n{body}</tbody>\n</table>\n</body>\n</html>\n");
    write(sheet, page.as_bytes())?;
    let said = format!(
        "{} in {}: `{}`",
        text::counted(ids.len(), "example", "examples"),
        text::counted(usize::from(arguments.columns), "epoch", "epochs"),
        sheet.display()
    );
    context.console.result(&said, || json!({ "sheet": sheet, "examples": shown, "columns": arguments.columns }));
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result {
    let failed = |error| Failure::cannot_write(path, error);
    write_bytes_atomic(path, bytes).map_err(failed)
}

/// The sheet: for each example its class and place, the picture as it is stored, and one column for each epoch.
fn page(data: &Dataset, ids: &[u64], epochs: &[Batch], rows: &[Vec<DecodedImage>]) -> Result<String> {
    let mut body = String::new();
    for (i, (&id, row)) in ids.iter().zip(rows).enumerate() {
        let class = data.labels().class_of(id as usize).map_or_else(String::new, |class| data.class_name(class));
        let place = escape(&data.place(id));
        let stored = thumbnail(data, id, STORED_SIDE).map(|file| png_address(&file)).unwrap_or_default();
        let _ = write!(body, "<tr><th scope=\"row\">{}<small>{place}</small></th>", escape(&class));
        let _ = write!(body, "<td><img alt=\"as stored\" src=\"{stored}\"></td>");
        for (batch, picture) in epochs.iter().zip(row) {
            let file = png(picture).ok_or_else(|| {
                Failure::new(Said::new("a picture is too large for a PNG", "有一张图像太大，无法存为 PNG"))
            })?;
            let mixed = escape(&shares(data, batch, i));
            let _ = write!(body, "<td><img alt=\"\" src=\"{}\">{mixed}</td>", png_address(&file));
        }
        body.push_str("</tr>\n");
    }
    let columns: String = (1..=epochs.len()).map(|epoch| format!("<th scope=\"col\">epoch {epoch}</th>")).collect();
    let head = format!("<thead><tr><th></th><th scope=\"col\">as stored</th>{columns}</tr></thead>");
    Ok(format!("{HEAD}{PICTURES}<table>\n{head}\n<tbody>\n{body}</tbody>\n</table>\n</body>\n</html>\n"))
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

const HEAD: &str = "<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<title>Examples as training sees them</title>
<style>
:root { color-scheme: light dark; }
body { font: 14px/1.4 system-ui, sans-serif; margin: 1rem; overflow-x: auto; }
table { border-collapse: collapse; }
th, td { padding: 3px; font-weight: 500; text-align: left; vertical-align: middle; }
th small { display: block; max-width: 14rem; overflow-wrap: anywhere; font-weight: 400; opacity: .7; }
img { display: block; min-width: 72px; image-rendering: pixelated; }
.text { min-width: 14rem; max-width: 24rem; padding: .5rem; vertical-align: top; white-space: pre-wrap; overflow-wrap: anywhere; font-weight: 400; }
.same { opacity: .5; }
</style>
</head>
<body>
<h1>Examples as training sees them</h1>
";

const PICTURES: &str = "<p>One row for each example: as it is stored, then one column for each epoch, scaling and normalization undone.</p>\n";

const TEXTS: &str = "<p>One row for each example: as it is stored, then one column for each epoch, pale where nothing is changed.</p>\n";
