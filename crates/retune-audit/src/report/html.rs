//! The report as one HTML file: no scripts, nothing from elsewhere, everything of the data escaped.

use super::Report;
use super::markup::{escape, png_address};
use super::text::place_text;
use crate::collection::{Collection, Content, Item};
use crate::findings::{Example, Finding, Remedy, Severity, counted};
use retune_data::thumbnail::thumbnail;
use std::fmt::Write;

const STYLE: &str = include_str!("style.css");
/// Whatever may have got into the page: nothing is run, nothing is loaded.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
/// Longest side of a picture.
const SIDE: u32 = 96;

pub(super) fn page(report: &Report, collection: &Collection) -> String {
    let title = format!("Check of {}", escape(&report.data));
    let mut main = format!("<header>\n<h1>{title}</h1>\n");
    for part in &report.parts {
        let _ = writeln!(
            main,
            "<p><strong>{}</strong>: {} <span class=\"soft\">{}</span></p>",
            part.split,
            counted(part.examples, part.noun),
            escape(&part.description)
        );
    }
    let count = match report.findings.len() {
        0 => "Nothing wrong was found.".to_owned(),
        n => format!("{}, the most important first.", counted(n, ("finding", "findings"))),
    };
    let _ = writeln!(main, "<p>{count}</p>\n</header>");
    report.findings.iter().for_each(|finding| section(report, collection, finding, &mut main));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{main}</main>\n</body>\n</html>\n"
    )
}

fn section(report: &Report, collection: &Collection, finding: &Finding, page: &mut String) {
    let severity = match finding.severity {
        Severity::Problem => "problem",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let _ = writeln!(
        page,
        "<section>\n<p class=\"severity {severity}\">{severity}</p>\n<h2>{}</h2>\n<p>{}</p>",
        escape(&finding.title),
        escape(&finding.why)
    );
    if !finding.details.is_empty() {
        let items: String = finding.details.iter().map(|detail| format!("<li>{}</li>", escape(detail))).collect();
        let _ = writeln!(page, "<ul>{items}</ul>");
    }
    match (&finding.remedy, report.command(finding)) {
        (Remedy::Advice(words), _) => {
            let _ = writeln!(page, "<p>{}</p>", escape(words));
        }
        (_, Some(command)) => {
            let _ = writeln!(page, "<pre tabindex=\"0\"><code>{}</code></pre>", escape(&command));
        }
        (_, None) => {}
    }
    if !finding.examples.is_empty() {
        let groups: String = finding.examples.iter().map(|example| group(collection, example)).collect();
        let _ = writeln!(
            page,
            "<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr><th scope=\"col\">Where</th><th scope=\"col\">Part</th>\
             <th scope=\"col\">Label</th><th scope=\"col\">Content</th></tr></thead>\n{groups}</table></div>"
        );
    }
    page.push_str("</section>\n");
}

fn group(collection: &Collection, example: &Example) -> String {
    let mut out = "<tbody>".to_owned();
    if !example.note.is_empty() {
        let _ = write!(out, "<tr class=\"group\"><th colspan=\"4\">{}</th></tr>", escape(&example.note));
    }
    for (place, &item) in example.places.iter().zip(&example.items) {
        let content = match picture(collection, item) {
            Some(address) => format!("<img src=\"{address}\" alt=\"\">"),
            None => escape(&place.excerpt),
        };
        let _ = write!(
            out,
            "<tr><td class=\"place\">{}</td><td>{}</td><td>{}</td><td>{content}</td></tr>",
            escape(&place_text(place)),
            place.split,
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
