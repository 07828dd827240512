//! The report as one HTML file: no scripts, nothing from elsewhere, everything of the data escaped.

use super::Report;
use super::markup::{escape, png_address};
use super::text::place_text;
use super::words::Words;
use crate::collection::{Collection, Content, Item};
use crate::findings::{Example, Finding, Remedy, Severity};
use crate::language::{Language, Said, fill};
use retune_data::thumbnail::thumbnail;
use std::fmt::Write;

const STYLE: &str = include_str!("style.css");
/// Whatever may have got into the page: nothing is run, nothing is loaded.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
/// Longest side of a picture.
const SIDE: u32 = 96;

pub(super) fn page(report: &Report, collection: &Collection, language: Language) -> String {
    let words = Words::of(language);
    let title = fill(words.title, &[("data", &escape(&report.data))]);
    let mut main = format!("<header>\n<h1>{title}</h1>\n");
    for part in &report.parts {
        let _ = writeln!(
            main,
            "<p><strong>{}</strong>{}{} <span class=\"soft\">{}</span></p>",
            part.split.word().of(language),
            words.colon,
            part.noun.counted(part.examples).of(language),
            escape(Said::looked_up(&part.description).of(language))
        );
    }
    let _ = writeln!(main, "<p>{}</p>\n</header>", words.count(report.findings.len()));
    report.findings.iter().for_each(|finding| section(report, collection, finding, language, &mut main));
    format!(
        "<!DOCTYPE html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{main}</main>\n</body>\n</html>\n",
        language.code()
    )
}

fn section(report: &Report, collection: &Collection, finding: &Finding, language: Language, page: &mut String) {
    let words = Words::of(language);
    let class = match finding.severity {
        Severity::Problem => "problem",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let _ = writeln!(
        page,
        "<section>\n<p class=\"severity {class}\">{}</p>\n<h2>{}</h2>\n<p>{}</p>",
        finding.severity.word().of(language),
        escape(finding.title.of(language)),
        escape(finding.why.of(language))
    );
    if !finding.details.is_empty() {
        let item = |detail: &Said| format!("<li>{}</li>", escape(detail.of(language)));
        let items: String = finding.details.iter().map(item).collect();
        let _ = writeln!(page, "<ul>{items}</ul>");
    }
    match (&finding.remedy, report.command(finding)) {
        (Remedy::Advice(advice), _) => {
            let _ = writeln!(page, "<p>{}</p>", escape(advice.of(language)));
        }
        (_, Some(command)) => {
            let _ = writeln!(page, "<pre tabindex=\"0\"><code>{}</code></pre>", escape(&command));
        }
        (_, None) => {}
    }
    if !finding.examples.is_empty() {
        let groups: String = finding.examples.iter().map(|example| group(collection, example, language)).collect();
        let _ = writeln!(
            page,
            "<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr><th scope=\"col\">{}</th><th scope=\"col\" class=\"word\">{}</th>\
             <th scope=\"col\" class=\"word\">{}</th><th scope=\"col\">{}</th></tr></thead>\n{groups}</table></div>",
            words.place, words.part, words.label, words.content
        );
    }
    page.push_str("</section>\n");
}

fn group(collection: &Collection, example: &Example, language: Language) -> String {
    let mut out = "<tbody>".to_owned();
    if !example.note.is_empty() {
        let _ = write!(out, "<tr class=\"group\"><th colspan=\"4\">{}</th></tr>", escape(example.note.of(language)));
    }
    for (place, &item) in example.places.iter().zip(&example.items) {
        let content = match picture(collection, item) {
            Some(address) => format!("<img src=\"{address}\" alt=\"\">"),
            None => escape(&place.excerpt),
        };
        let _ = write!(
            out,
            "<tr><td class=\"place\">{}</td><td class=\"word\">{}</td><td class=\"label\">{}</td><td class=\"content\">{content}</td></tr>",
            escape(&place_text(place)),
            place.split.word().of(language),
            escape(place.label.as_deref().unwrap_or_default())
        );
    }
    out + "</tbody>\n"
}

fn picture(collection: &Collection, item: Item) -> Option<String> {
    let (part, index) = collection.at(item);
    match &part.content {
        Content::Examples(data) => thumbnail(data, index as u64, SIDE).map(|png| png_address(&png)),
        Content::Table(_) => None,
    }
}
