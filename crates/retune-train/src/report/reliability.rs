//! The reliability diagram: how often answers of each probability are right.

use super::content::Unit;
use super::markup::{element, escape};
use super::numbers::{count, percent};
use super::tables;
use super::texts::Texts;
use crate::language::fill;
use crate::metrics::ReliabilityBin;
use std::fmt::Write;

/// Size of the drawing, and room for its labels.
const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 48.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 44.0;
/// Radius of the dot of all answers.
const LARGEST_DOT: f64 = 13.0;
const SMALLEST_DOT: f64 = 2.4;

/// `Σ w / W · |accuracy − confidence|` of the bins.
fn expected_error(bins: &[ReliabilityBin]) -> f64 {
    let total: f64 = bins.iter().map(|bin| bin.weight).sum();
    bins.iter().map(|bin| bin.weight * (bin.accuracy - bin.confidence).abs()).sum::<f64>()
        / total.max(f64::MIN_POSITIVE)
}

/// The diagram with its note and its values; nothing without answers.
pub(super) fn diagram(bins: &[ReliabilityBin], t: &Texts) -> String {
    let filled: Vec<&ReliabilityBin> = bins.iter().filter(|bin| bin.weight > 0.0).collect();
    if filled.is_empty() {
        return String::new();
    }
    let error = percent(expected_error(bins));
    let note = fill(t.reliability_note, &[("error", &error)]);
    let total: f64 = filled.iter().map(|bin| bin.weight).sum();
    let (base, end) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
    let x = |share: f64| LEFT + share * (end - LEFT);
    let y = |share: f64| base - share * (base - TOP);
    let mut svg = format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
        escape(&format!("{}. {note}", t.reliability))
    );
    for tick in 0..=5 {
        let share = f64::from(tick) / 5.0;
        let label = super::numbers::tick(share, 0.2, Unit::Share);
        let (across, up) = (x(share), y(share));
        let _ = write!(svg, "<path class=\"grid\" d=\"M{LEFT} {up:.1}H{end}\"/>");
        let _ = write!(svg, "<text class=\"y\" x=\"{:.1}\" y=\"{:.1}\">{label}</text>", LEFT - 6.0, up + 4.0);
        let _ = write!(svg, "<path class=\"axis\" d=\"M{across:.1} {base}v4\"/>");
        let _ = write!(svg, "<text class=\"x\" x=\"{across:.1}\" y=\"{:.1}\">{label}</text>", base + 20.0);
    }
    let _ = write!(svg, "<path class=\"axis\" d=\"M{LEFT} {base}H{end}\"/>");
    let _ = write!(svg, "<path class=\"mark ideal\" d=\"M{:.1} {:.1}L{:.1} {:.1}\"/>", x(0.0), y(0.0), x(1.0), y(1.0));
    let middle = (LEFT + end) / 2.0;
    let _ = write!(
        svg,
        "<text class=\"x label\" x=\"{middle:.1}\" y=\"{:.1}\">{}</text>",
        HEIGHT - 5.0,
        escape(t.confidence)
    );
    let mut path = String::new();
    let mut dots = String::new();
    for (place, bin) in filled.iter().enumerate() {
        let (across, up) = (x(bin.confidence), y(bin.accuracy));
        let _ = write!(path, "{}{across:.1} {up:.1}", if place == 0 { 'M' } else { 'L' });
        let radius = SMALLEST_DOT + (LARGEST_DOT - SMALLEST_DOT) * (bin.weight / total).sqrt();
        let _ = write!(dots, "<circle cx=\"{across:.1}\" cy=\"{up:.1}\" r=\"{radius:.1}\"/>");
    }
    let _ = write!(svg, "<g class=\"s1 reliability\"><path class=\"line\" d=\"{path}\"/>{dots}</g></svg>");
    let rows: String = filled
        .iter()
        .map(|bin| {
            let cell = |text: &str| element("td", "n", text);
            format!(
                "<tr><th scope=\"row\">{} – {}</th>{}{}{}</tr>\n",
                percent(bin.low),
                percent(bin.high),
                cell(&percent(bin.confidence)),
                cell(&percent(bin.accuracy)),
                cell(&count(bin.weight.round() as u64))
            )
        })
        .collect();
    let numeric = [t.confidence, t.share_right, t.answers].map(|name| format!("#{name}"));
    let head = tables::head(&["", &numeric[0], &numeric[1], &numeric[2]]);
    let table = tables::table("", t.reliability, &head, &rows);
    format!(
        "{}<figure>\n{svg}\n<details><summary>{}</summary>\n{table}</details>\n</figure>\n",
        element("p", "note", &note),
        t.values_as_table
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;

    #[test]
    fn dots_stand_where_the_answers_are() {
        let bin = |low: f64, weight: f64, confidence: f64, accuracy: f64| ReliabilityBin {
            low,
            high: low + 0.5,
            weight,
            confidence,
            accuracy,
        };
        let bins = [bin(0.0, 0.0, 0.0, 0.0), bin(0.5, 8.0, 0.75, 0.5)];
        let html = diagram(&bins, Texts::of(Language::English));
        assert_eq!(html.matches("<circle").count(), 1, "an empty bin has no dot");
        assert!(html.contains("cx=\"294.0\" cy=\"144.0\" r=\"13.0\""), "{html}");
        assert!(html.contains("calibration error 25.0\u{202F}%"), "{html}");
        assert_eq!(diagram(&bins[..1], Texts::of(Language::English)), "");
    }
}
