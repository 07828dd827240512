//! The report as a browser shows it: nothing runs out of the page or into something else, all is legible in light and in dark.
//!
//! The pages stand unchanged in frames of a host page, whose script measures them and writes what it found as JSON; headless Chromium
//! prints that. Without Chromium the test says so and passes, unless `RETUNE_BROWSER=required` is set, as continuous integration does.

use crate::support::Workplace;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Widths of a phone, a tablet and a desk, in CSS pixels.
const WIDTHS: [u32; 3] = [375, 768, 1280];

const HOST: &str = include_str!("browser.html");

/// Names that Chromium and its relatives go by.
const NAMES: [&str; 5] =
    ["chromium", "chromium-browser", "chrome-headless-shell", "google-chrome", "google-chrome-stable"];

fn browser() -> Option<PathBuf> {
    let given = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    let found = folders.iter().flat_map(|folder| NAMES.map(|name| folder.join(name))).find(|path| path.is_file());
    let browser = given.or(found);
    let is_required = std::env::var_os("RETUNE_BROWSER").is_some_and(|value| value == "required");
    assert!(browser.is_some() || !is_required, "no browser: install Chromium, or name one with CHROMIUM");
    browser
}

/// What the host page's script found of pages in frames of every width, light and dark: one object for each.
fn measured(place: &Workplace, browser: &PathBuf, pages: &[&str]) -> Vec<Value> {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('"', "&quot;");
    let mut frames = String::new();
    for page in pages {
        let html = escaped(&String::from_utf8(place.read(page)).unwrap());
        for width in WIDTHS {
            for scheme in ["light", "dark"] {
                frames += &format!(
                    "<iframe data-page=\"{page}\" data-scheme=\"{scheme}\" width=\"{width}\" height=\"900\" \
                     style=\"color-scheme: {scheme}; border: 0\" srcdoc=\"{html}\"></iframe>\n"
                );
            }
        }
    }
    place.write("host.html", HOST.replace("<!-- frames -->", &frames));
    let profile = place.path("profile");
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"])
        .args(["--no-first-run", "--disable-extensions", "--virtual-time-budget=20000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("file://{}", place.path("host.html").display()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&output.stdout);
    let found = dom.split_once("<pre id=\"found\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    let Some((found, _)) = found else {
        panic!("the browser gave nothing: {dom:.2000}\n{}", String::from_utf8_lossy(&output.stderr));
    };
    let text = found.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text:.2000}"))
}

#[test]
fn pages_are_legible_and_nothing_overlaps() {
    let Some(browser) = browser() else {
        eprintln!("no Chromium here: the report is not looked at");
        return;
    };
    let place = Workplace::new();
    let more = ["--set", "split.test=0.3", "--set", "output.log-every-steps=1", "--set", "eval.temperature=true"];
    for (name, language, epochs) in [("first", "en", "6"), ("second", "zh", "2")] {
        let output = format!("runs/{name}");
        let arguments = ["-q", "--lang", language, "fit", "tiny.toml", "--epochs", epochs, "--output", &output];
        place.run(&[&arguments[..], &more].concat()).ok();
    }
    let models = ["runs/first/model.keras", "runs/second/model.keras"];
    place.run(&["compare", models[0], models[1], "--data", "digits.npz", "--html", "compared.html"]).ok();
    let pages = ["runs/first/report.html", "runs/second/report.html", "compared.html"];
    let all = measured(&place, &browser, &pages);
    assert_eq!(all.len(), pages.len() * WIDTHS.len() * 2);
    for page in &all {
        let name = format!("{} at {} {}", page["page"], page["width"], page["scheme"]);
        assert_eq!(page["overflow"], json!([]), "{name}: runs out of the page");
        assert_eq!(page["overlaps"], json!([]), "{name}: lie over each other");
        assert_eq!(page["faint"], json!([]), "{name}: hardly to be told from the ground");
        assert_eq!(page["outside"], json!([]), "{name}: labels outside of their drawing");
        assert_eq!(page["broken"], json!([]), "{name}: pictures that are not shown");
        assert!(page["texts"].as_u64().unwrap() > 60, "{name}: hardly any text is seen: {page}");
        let [ground, ink] = ["ground", "ink"].map(|key| page[key].as_f64().unwrap());
        let is_dark = page["scheme"] == "dark";
        assert_eq!((ground < 0.1, ink > 0.5), (is_dark, is_dark), "{name}: ground {ground}, ink {ink}");
    }
    let of = |page: &str, key: &str| all.iter().find(|found| found["page"] == page).unwrap()[key].clone();
    assert!(of(pages[0], "charts").as_u64().unwrap() >= 5, "curves, rates, norms and the reliability diagram");
    assert!(of(pages[0], "pictures").as_u64().unwrap() >= 12, "digits that are hard");
    let headings = |page: &str| of(page, "headings").to_string();
    for (page, heading) in
        [(pages[0], "Are probabilities right?"), (pages[1], "概率可信吗？"), (pages[2], "Pair by pair")]
    {
        assert!(headings(page).contains(heading), "{}", headings(page));
    }
    assert!(headings(pages[1]).contains("请注意"), "the second run on the same test items is warned about");
}

/// Pieces of a Chinese page in which two English words stand side by side.
fn english_in(page: &Value) -> Vec<&str> {
    let is_word = |word: &str| word.len() > 1 && word.chars().all(|c| c.is_ascii_lowercase());
    let has_english = |text: &&str| {
        let outside: String = text.split('`').step_by(2).collect::<Vec<_>>().join("`");
        let words: Vec<&str> = outside.split_whitespace().collect();
        words.windows(2).any(|pair| pair.iter().all(|word| is_word(word)))
    };
    page["said"].as_array().unwrap().iter().filter_map(Value::as_str).filter(has_english).collect()
}

#[test]
fn chinese_pages_are_in_chinese() {
    let Some(browser) = browser() else {
        eprintln!("no Chromium here: the pages are not looked at");
        return;
    };
    let place = Workplace::new();
    let more = ["--set", "split.test=0.3", "--set", "eval.temperature=true", "--method", "head"];
    let fit = ["-q", "--lang", "zh", "fit", "tiny.toml", "--epochs", "2", "--output", "runs/zh"];
    place.run(&[&fit[..], &more].concat()).ok();
    place.write("texts.tsv", "a dull film\tbad\na dull film\tgood\na fine film\tgood\n\tbad\na fine film\tgood\n");
    place.run(&["--lang", "zh", "check", "texts.tsv", "--html", "check.html"]).fails(1);
    let flips = ["--set", "augment.horizontal-flip=0.5", "--output", "sheet.html"];
    place.run(&[&["-q", "--lang", "zh", "preview", "tiny.toml"], &flips[..]].concat()).ok();
    let pages = ["runs/zh/report.html", "check.html", "sheet.html"];
    for page in &measured(&place, &browser, &pages) {
        let name = format!("{} at {} {}", page["page"], page["width"], page["scheme"]);
        assert_eq!(english_in(page), Vec::<&str>::new(), "{name}");
        assert_eq!(page["overflow"], json!([]), "{name}: runs out of the page");
        assert!(page["said"].as_array().unwrap().len() > 5, "{name}: {page}");
    }
}
