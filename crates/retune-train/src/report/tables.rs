//! The larger tables: results, confusion matrix, classes, counts. Each scrolls by itself where the screen is narrow.

use super::content::{ClassRow, Confusion, DataFacts, Mistake, ResultRow};
use super::markup::{element, escape, is_png_address};
use super::numbers::{count, percent, value};
use super::texts::Texts;
use crate::language::fill;
use std::fmt::Write;

/// Beyond so many classes a matrix cannot be read.
const MOST_MATRIX_CLASSES: usize = 50;
/// Beyond so many classes a matrix has narrow cells.
const MOST_WIDE_CLASSES: usize = 16;
/// How many of the worst confusions are listed instead.
const WORST_CONFUSIONS: usize = 40;
/// How many of the weakest classes are shown.
const WEAKEST_CLASSES: usize = 60;
/// How many classes are counted.
const COUNTED_CLASSES: usize = 100;

/// A table with a heading row, in a frame that scrolls. `caption` names it for readers that do not see it.
pub(super) fn table(class: &str, caption: &str, head: &str, body: &str) -> String {
    let caption = escape(caption);
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\"><table class=\"{class}\">\
         <caption class=\"unseen\">{caption}</caption>\n<thead>{head}</thead>\n<tbody>\n{body}</tbody></table></div>\n"
    )
}

/// A heading row; a leading `#` marks a column of numbers.
pub(super) fn head(columns: &[&str]) -> String {
    let cells: String = columns
        .iter()
        .map(|name| match name.strip_prefix('#') {
            Some(name) => format!("<th scope=\"col\" class=\"n\">{}</th>", escape(name)),
            None => format!("<th scope=\"col\">{}</th>", escape(name)),
        })
        .collect();
    format!("<tr>{cells}</tr>")
}

fn row_name(name: &str) -> String {
    format!("<th scope=\"row\">{}</th>", escape(name))
}

/// Results by metric, each with its interval drawn on a scale that rows of the same metric share.
pub(super) fn results(rows: &[ResultRow], t: &Texts) -> String {
    let mut metrics: Vec<&str> = Vec::new();
    for row in rows {
        if !metrics.contains(&row.metric.as_str()) {
            metrics.push(&row.metric);
        }
    }
    let mut body = String::new();
    for metric in metrics {
        let _ = writeln!(body, "<tr class=\"group\"><th scope=\"colgroup\" colspan=\"5\">{}</th></tr>", escape(metric));
        let group: Vec<&ResultRow> = rows.iter().filter(|row| row.metric == metric).collect();
        for row in &group {
            let ends = row.low.zip(row.high).filter(|(low, high)| low.is_finite() && high.is_finite());
            let interval = ends
                .map(|(low, high)| format!("{} – {}", value(low, row.unit), value(high, row.unit)))
                .unwrap_or_default();
            let whisker = ends.map(|ends| whisker(row, ends, &group)).unwrap_or_default();
            let _ = writeln!(
                body,
                "<tr>{}<td class=\"n strong\">{}</td><td class=\"n soft\">{interval}</td>\
                 <td class=\"whisker\">{whisker}</td><td class=\"n soft\">{}</td></tr>",
                row_name(t.result(&row.name)),
                value(row.value, row.unit),
                count(row.items as u64),
            );
        }
    }
    let [value, interval, items] = [t.value, t.interval_column, t.items].map(|name| format!("#{name}"));
    table("results", t.results, &head(&[t.result_name, &value, &interval, "", &items]), &body)
}

/// A value and its interval on the scale of its group.
fn whisker(row: &ResultRow, (low, high): (f64, f64), group: &[&ResultRow]) -> String {
    let ends =
        group.iter().flat_map(|row| [Some(row.value), row.low, row.high]).flatten().filter(|end| end.is_finite());
    let (least, most) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), end| (a.min(end), b.max(end)));
    let at = |value: f64| if most > least { (value - least) / (most - least) * 100.0 } else { 50.0 };
    let (low, high, middle) = (at(low), at(high), at(row.value));
    if !middle.is_finite() {
        return String::new();
    }
    format!(
        "<span aria-hidden=\"true\"><i style=\"left:{low:.1}%;width:{:.1}%\"></i><b style=\"left:{middle:.1}%\"></b></span>",
        high - low
    )
}

/// Whether [`confusion`] shows the matrix itself.
pub(super) fn is_matrix(confusion: &Confusion) -> bool {
    confusion.classes.len() <= MOST_MATRIX_CLASSES
}

/// The matrix, or the worst confusions where there are too many classes.
pub(super) fn confusion(confusion: &Confusion, t: &Texts) -> String {
    if !is_matrix(confusion) {
        return worst_confusions(confusion, t);
    }
    let names = &confusion.classes;
    let columns: String =
        names.iter().map(|name| format!("<th scope=\"col\"><span>{}</span></th>", escape(name))).collect();
    let head = format!("<tr><th scope=\"col\" class=\"corner\">{}</th>{columns}</tr>", escape(t.confusion_corner));
    let mut body = String::new();
    for (truth, name) in names.iter().enumerate() {
        let total = confusion.row_total(truth).max(1) as f64;
        body.push_str("<tr>");
        body.push_str(&row_name(name));
        for answer in 0..names.len() {
            let items = confusion.count(truth, answer);
            let share = items as f64 / total;
            // Mistakes are mostly small shares: the root makes them visible.
            let (kind, shade) = if truth == answer { ("hit", share) } else { ("miss", share.sqrt()) };
            let _ = match items {
                0 => write!(body, "<td class=\"none\">0</td>"),
                _ => write!(
                    body,
                    "<td class=\"{kind}{}\" style=\"--a:{shade:.2}\">{}</td>",
                    ink(kind == "hit", shade),
                    count(items)
                ),
            };
        }
        body.push_str("</tr>\n");
    }
    let class = if names.len() > MOST_WIDE_CLASSES { "matrix dense" } else { "matrix" };
    element("p", "note", t.confusion_note) + &table(class, t.confusion, &head, &body)
}

/// Classes of a cell by which its number is legible: `lit`, white in the light scheme; `inked`, black in the dark one. In between,
/// black in the light scheme and white in the dark one tell themselves from the cell.
fn ink(is_hit: bool, shade: f64) -> &'static str {
    /// Ground, right and wrong, as `style.css` has them.
    const LIGHT: [[f64; 3]; 3] = [[253.0, 253.0, 251.0], [28.0, 92.0, 150.0], [168.0, 72.0, 10.0]];
    const DARK: [[f64; 3]; 3] = [[21.0, 24.0, 27.0], [110.0, 172.0, 230.0], [236.0, 148.0, 80.0]];
    /// Here black and white have the same contrast, by the formula of WCAG.
    const MIDDLE: f64 = 0.179;
    let luminance = |[ground, hit, miss]: [[f64; 3]; 3]| {
        let colour = if is_hit { hit } else { miss };
        let linear = |channel: usize| {
            let value = (shade * colour[channel] + (1.0 - shade) * ground[channel]) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(0) + 0.7152 * linear(1) + 0.0722 * linear(2)
    };
    match (luminance(LIGHT) < MIDDLE, luminance(DARK) > MIDDLE) {
        (true, true) => " lit inked",
        (true, false) => " lit",
        (false, true) => " inked",
        (false, false) => "",
    }
}

fn worst_confusions(confusion: &Confusion, t: &Texts) -> String {
    let classes = confusion.classes.len();
    let mut mistakes: Vec<(u64, usize, usize)> = Vec::new();
    for truth in 0..classes {
        for answer in (0..classes).filter(|&answer| answer != truth) {
            match confusion.count(truth, answer) {
                0 => {}
                items => mistakes.push((items, truth, answer)),
            }
        }
    }
    if mistakes.is_empty() {
        return element("p", "note", t.no_confusions);
    }
    mistakes.sort_by_key(|&(items, truth, answer)| (std::cmp::Reverse(items), truth, answer));
    mistakes.truncate(WORST_CONFUSIONS);
    let mut body = String::new();
    for &(items, truth, answer) in &mistakes {
        let share = items as f64 / confusion.row_total(truth).max(1) as f64;
        let _ = writeln!(
            body,
            "<tr>{}{}<td class=\"n\">{}</td><td class=\"n soft\">{}</td></tr>",
            row_name(&confusion.classes[truth]),
            element("td", "", &confusion.classes[answer]),
            count(items),
            percent(share),
        );
    }
    let note =
        fill(t.worst_confusions_note, &[("shown", &count(mistakes.len() as u64)), ("classes", &count(classes as u64))]);
    let columns = [t.truth, t.answer, &format!("#{}", t.items), &format!("#{}", t.share_of_class)];
    format!("<p class=\"note\">{note}</p>\n{}", table("", t.worst_confusions, &head(&columns), &body))
}

/// Precision, recall and F1 as bars; of many classes the weakest.
pub(super) fn classes(rows: &[ClassRow], t: &Texts) -> String {
    let mut shown: Vec<&ClassRow> = rows.iter().collect();
    let mut note = String::new();
    if shown.len() > WEAKEST_CLASSES {
        shown.sort_by(|a, b| a.f1.total_cmp(&b.f1));
        shown.truncate(WEAKEST_CLASSES);
        let values = [("shown", &*count(shown.len() as u64)), ("classes", &*count(rows.len() as u64))];
        note = format!("<p class=\"note\">{}</p>\n", fill(t.weakest_classes_note, &values));
    }
    let mut body = String::new();
    for row in shown {
        let bars: String = [row.precision, row.recall, row.f1].map(bar).concat();
        let _ = writeln!(body, "<tr>{}{bars}<td class=\"n soft\">{}</td></tr>", row_name(&row.name), count(row.items));
    }
    let columns = [t.class, t.precision, t.recall, t.f1, &format!("#{}", t.items)];
    note + &table("bars", t.classes, &head(&columns), &body)
}

/// A share as a bar with its number.
fn bar(share: f64) -> String {
    let width = if share.is_finite() { (share * 100.0).clamp(0.0, 100.0) } else { 0.0 };
    format!("<td class=\"bar\"><span><i style=\"width:{width:.1}%\"></i></span>{}</td>", percent(share))
}

/// Whether the items have one class each, so that answers have probabilities.
pub(super) fn are_classes(mistakes: &[Mistake]) -> bool {
    mistakes.iter().any(|mistake| mistake.probability.is_some())
}

/// Items with what is true and what the network gave. `caption` names the table, `probability` its last column.
pub(super) fn items(mistakes: &[Mistake], caption: &str, probability: &str, t: &Texts) -> String {
    let picture = |mistake: &Mistake| mistake.picture.clone().filter(|address| is_png_address(address));
    let pictures = mistakes.iter().any(|mistake| picture(mistake).is_some());
    let classes = are_classes(mistakes);
    let mut body = String::new();
    for mistake in mistakes {
        body.push_str("<tr>");
        if pictures {
            let image = picture(mistake).map(|address| format!("<img src=\"{address}\" alt=\"\">")).unwrap_or_default();
            let _ = write!(body, "<td class=\"picture\">{image}</td>");
        }
        let _ = write!(
            body,
            "<th scope=\"row\" class=\"place\">{}</th>{}{}",
            escape(&mistake.place),
            element("td", "", &mistake.truth),
            element("td", "", &mistake.answer),
        );
        if classes {
            let _ = write!(body, "<td class=\"n\">{}</td>", mistake.probability.map(percent).unwrap_or_default());
        }
        body.push_str("</tr>\n");
    }
    let probability = format!("#{probability}");
    let mut columns = vec![t.place, if classes { t.truth } else { t.true_values }, t.answer];
    if pictures {
        columns.insert(0, "");
    }
    if classes {
        columns.push(&probability);
    }
    table("mistakes", caption, &head(&columns), &body)
}

/// Items by part and class.
pub(super) fn counts(data: &DataFacts, t: &Texts) -> String {
    let cells = |items: &[u64]| -> String {
        (0..data.splits.len())
            .map(|i| {
                items
                    .get(i)
                    .map_or_else(|| "<td></td>".into(), |&items| format!("<td class=\"n\">{}</td>", count(items)))
            })
            .collect()
    };
    let mut body = format!("<tr class=\"sum\">{}{}</tr>\n", row_name(t.all_items), cells(&data.items));
    for class in data.classes.iter().take(COUNTED_CLASSES) {
        let _ = writeln!(body, "<tr>{}{}</tr>", row_name(&class.name), cells(&class.items));
    }
    let splits: Vec<String> = data.splits.iter().map(|split| format!("#{}", t.name(split))).collect();
    let mut columns = vec![if data.classes.is_empty() { "" } else { t.class }];
    columns.extend(splits.iter().map(String::as_str));
    let mut note = String::new();
    if data.classes.len() > COUNTED_CLASSES {
        let values = [("shown", &*count(COUNTED_CLASSES as u64)), ("classes", &*count(data.classes.len() as u64))];
        note = format!("<p class=\"note\">{}</p>\n", fill(t.first_classes_note, &values));
    }
    note + &table("", t.data, &head(&columns), &body)
}
