//! Line charts as SVG: axes with round ticks, lines with gaps where values are missing. Colours, dashes and fonts are in
//! `style.css`; the legend is HTML around the chart.

use super::chart::Chart;
use super::markup::escape;
use super::numbers::tick;
use std::fmt::Write;

/// Size of the drawing. It is shown 300 to 500 points wide, so letters keep about their size.
const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 236.0;
const TOP: f64 = 18.0;
const RIGHT: f64 = 14.0;
const BOTTOM: f64 = 40.0;
/// Width of a character of a tick's label.
const CHARACTER: f64 = 6.4;
/// More points than that cannot be told apart at this width.
const MOST_POINTS: usize = 400;
/// Up to so many points of a line get a dot each.
const MOST_DOTS: usize = 40;
/// How many means show the course of a restless line.
const STRETCHES: usize = 80;

/// The chart, or nothing where it has no finite value. `label` says in words what it shows, `mark` what is marked.
pub(super) fn line_chart(chart: &Chart, label: &str, mark: &str) -> Option<String> {
    let lines: Vec<Vec<(f64, f64)>> = chart.series.iter().map(|series| series.thinned(MOST_POINTS)).collect();
    let points = || lines.iter().flatten().filter(|point| is_drawable(point));
    let y = Axis::rounded(Range::of(points().map(|point| point.1))?, 5);
    let x = Axis::exact(Range::of(points().map(|point| point.0))?, 6);
    let y_labels: Vec<String> = y.ticks.iter().map(|&value| tick(value, y.step, chart.unit)).collect();
    let widest = y_labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
    let frame = Frame { left: 10.0 + CHARACTER * widest as f64, x: x.range, y: y.range };

    let mut svg =
        format!("<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">", escape(label));
    for (value, label) in y.ticks.iter().zip(&y_labels) {
        let (left, at) = (frame.left, frame.y(*value));
        let _ = write!(svg, "<path class=\"grid\" d=\"M{left:.1} {at:.1}H{:.1}\"/>", WIDTH - RIGHT);
        let _ = write!(svg, "<text class=\"y\" x=\"{:.1}\" y=\"{:.1}\">{label}</text>", left - 6.0, at + 4.0);
    }
    let base = HEIGHT - BOTTOM;
    let _ = write!(svg, "<path class=\"axis\" d=\"M{:.1} {base:.1}H{:.1}\"/>", frame.left, WIDTH - RIGHT);
    for &value in &x.ticks {
        let at = frame.x(value);
        let label = tick(value, x.step, super::Unit::Number);
        let _ = write!(svg, "<path class=\"axis\" d=\"M{at:.1} {base:.1}v4\"/>");
        let _ = write!(svg, "<text class=\"x\" x=\"{at:.1}\" y=\"{:.1}\">{label}</text>", base + 17.0);
    }
    let middle = (frame.left + WIDTH - RIGHT) / 2.0;
    let x_label = escape(&chart.x_label);
    let _ = write!(svg, "<text class=\"x label\" x=\"{middle:.1}\" y=\"{:.1}\">{x_label}</text>", HEIGHT - 5.0);
    if let Some(place) = chart.marker.filter(|&place| x.range.low <= place && place <= x.range.high) {
        let at = frame.x(place);
        let _ = write!(svg, "<path class=\"mark\" d=\"M{at:.1} {TOP}V{base:.1}\"/>");
        let half = CHARACTER * mark.chars().count() as f64 / 2.0;
        let (middle, mark) = (at.min(WIDTH - half), escape(mark));
        let _ = write!(svg, "<text class=\"x\" x=\"{middle:.1}\" y=\"{:.1}\">{mark}</text>", TOP - 6.0);
    }
    for (index, line) in lines.iter().enumerate() {
        // Where a line is too restless to be read, its means are drawn over it.
        let means = chart.series[index].averaged(STRETCHES);
        svg.push_str(&draw(line, &frame, index, if means.is_some() { "line raw" } else { "line" }));
        svg.push_str(&means.map(|means| draw(&means, &frame, index, "line")).unwrap_or_default());
    }
    svg.push_str("</svg>");
    Some(svg)
}

/// Values beyond all that training can give are gaps too, so that no arithmetic here overflows.
fn is_drawable(&(x, y): &(f64, f64)) -> bool {
    x.abs() < 1e100 && y.abs() < 1e100
}

/// A line: its unbroken stretches as one path, and dots where there are few points or where a point stands alone.
fn draw(line: &[(f64, f64)], frame: &Frame, index: usize, class: &str) -> String {
    let (mut path, mut dots) = (String::new(), String::new());
    let is_drawn = |i: usize| line.get(i).is_some_and(is_drawable);
    for (i, &(x, y)) in line.iter().enumerate().filter(|&(i, _)| is_drawn(i)) {
        let (x, y) = (frame.x(x), frame.y(y));
        let starts = i == 0 || !is_drawn(i - 1);
        let _ = write!(path, "{}{x:.1} {y:.1}", if starts { 'M' } else { 'L' });
        let alone = starts && !is_drawn(i + 1);
        if alone || line.len() <= MOST_DOTS {
            let _ = write!(dots, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.4\"/>");
        }
    }
    format!("<g class=\"s{}\"><path class=\"{class}\" d=\"{path}\"/>{dots}</g>", index % 4 + 1)
}

/// Where values lie in the drawing.
struct Frame {
    left: f64,
    x: Range,
    y: Range,
}

impl Frame {
    fn x(&self, value: f64) -> f64 {
        self.left + self.x.share(value) * (WIDTH - RIGHT - self.left)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.share(value) * (HEIGHT - BOTTOM - TOP)
    }
}

#[derive(Clone, Copy)]
struct Range {
    low: f64,
    high: f64,
}

impl Range {
    /// The values' range, widened where all are the same; nothing without values.
    fn of(values: impl Iterator<Item = f64>) -> Option<Range> {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), y| (low.min(y), high.max(y)));
        if !low.is_finite() {
            return None;
        }
        // Closer together than rounding allows to tell is the same.
        let largest = low.abs().max(high.abs());
        if high - low > (largest * 1e-9).max(1e-100) {
            return Some(Range { low, high });
        }
        let room = if largest < 1e-100 { 1.0 } else { largest * 0.1 };
        Some(Range { low: low - room, high: high + room })
    }

    /// 0 at the lower end, 1 at the upper one.
    fn share(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }
}

struct Axis {
    range: Range,
    ticks: Vec<f64>,
    step: f64,
}

impl Axis {
    /// From round number to round number.
    fn rounded(range: Range, about: usize) -> Axis {
        let step = round_step(range, about);
        // A little room is taken off so that a value just past a tick does not open a whole new interval.
        let first = (range.low / step + 0.05).floor();
        let last = (range.high / step - 0.05).ceil();
        let (low, high) = (range.low.min(first * step), range.high.max(last * step));
        Axis { range: Range { low, high }, ticks: multiples(first, last, step), step }
    }

    /// Just the range, with the round numbers in it. Whole numbers only, for epochs and steps are counted.
    fn exact(range: Range, about: usize) -> Axis {
        let step = round_step(range, about).max(1.0);
        let ticks = multiples((range.low / step).ceil(), (range.high / step).floor(), step);
        Axis { range, ticks, step }
    }
}

fn multiples(first: f64, last: f64, step: f64) -> Vec<f64> {
    (0..20)
        .map(|i| first + f64::from(i))
        .take_while(|&multiple| multiple <= last)
        .map(|multiple| multiple * step)
        .collect()
}

/// 1, 2 or 5 times a power of ten that divides the range into about so many parts.
fn round_step(range: Range, about: usize) -> f64 {
    let rough = (range.high - range.low) / about as f64;
    let power = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= rough * 0.999).unwrap_or(10.0);
    factor * power
}

#[cfg(test)]
mod tests {
    use super::super::{Series, Unit};
    use super::*;

    fn chart(series: &[&[(f64, f64)]]) -> Chart {
        let series = series.iter().map(|points| Series { name: "loss".into(), points: points.to_vec() }).collect();
        Chart { title: "Loss".into(), x_label: "epoch".into(), unit: Unit::Number, marker: None, series }
    }

    fn draw_chart(series: &[&[(f64, f64)]]) -> String {
        line_chart(&chart(series), "a label", "best").unwrap()
    }

    /// Every number in the coordinates of the drawing.
    fn coordinates(svg: &str) -> Vec<(f64, f64)> {
        svg.split("<path class=\"line\" d=\"")
            .skip(1)
            .flat_map(|rest| {
                rest.split_once('"').unwrap().0.split(['M', 'L']).skip(1).map(str::to_owned).collect::<Vec<_>>()
            })
            .map(|pair| pair.split_once(' ').map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap())).unwrap())
            .collect()
    }

    #[test]
    fn lines_fill_the_frame_and_stay_in_it() {
        let svg = draw_chart(&[&[(1.0, 2.3), (2.0, 1.1), (3.0, 0.7)], &[(1.0, 2.0), (3.0, 0.9)]]);
        let points = coordinates(&svg);
        assert_eq!(points.len(), 5);
        assert!(points.iter().all(|(x, y)| (0.0..=WIDTH - RIGHT).contains(x) && (TOP..=HEIGHT - BOTTOM).contains(y)));
        assert_eq!(points[2].0, WIDTH - RIGHT);
        assert!(points[0].1 < points[1].1 && points[1].1 < points[2].1, "smaller values lie lower");
        assert_eq!(svg.matches("<circle").count(), 5);
        assert!(svg.contains("class=\"s1\"") && svg.contains("class=\"s2\""));
    }

    #[test]
    fn one_point_is_a_dot_in_the_middle() {
        let svg = draw_chart(&[&[(1.0, 0.5)]]);
        assert_eq!(svg.matches("<circle").count(), 1);
        let points = coordinates(&svg);
        assert!((points[0].1 - (TOP + HEIGHT - BOTTOM) / 2.0).abs() < 20.0, "{points:?}");
        assert!(svg.contains(">1</text>"));
    }

    #[test]
    fn marks_stand_at_their_place_or_nowhere() {
        let drawing = |marker| {
            let marked = Chart { marker, ..chart(&[&[(0.0, 1.0), (10.0, 2.0)]]) };
            line_chart(&marked, "", "best").unwrap()
        };
        let end = format!("<path class=\"mark\" d=\"M{:.1} ", WIDTH - RIGHT);
        assert!(drawing(Some(10.0)).contains(&end) && drawing(Some(10.0)).contains(">best</text>"));
        for nowhere in [None, Some(11.0), Some(f64::NAN)] {
            assert!(!drawing(nowhere).contains("mark"));
        }
    }

    #[test]
    fn gaps_break_the_line() {
        let nan = f64::NAN;
        let svg = draw_chart(&[&[(1.0, 1.0), (2.0, nan), (3.0, 2.0), (4.0, 3.0), (5.0, f64::INFINITY)]]);
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        let path = svg.split("class=\"line\" d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!((path.matches('M').count(), path.matches('L').count()), (2, 1));
        assert!(line_chart(&chart(&[&[(1.0, nan)]]), "", "").is_none());
        assert!(line_chart(&chart(&[]), "", "").is_none());
    }

    #[test]
    fn extreme_values_make_no_nonsense() {
        for points in [
            [(1.0, 1e-300), (2.0, 3e-300)],
            [(1.0, 1e-38), (2.0, 3e38)],
            [(1.0, 2.0), (2.0, f64::MAX)],
            [(1.0, 1.0), (2.0, 1.0 + 1e-15)],
            [(0.0, -5e-324), (1e18, 5e-324)],
        ] {
            let svg = draw_chart(&[&points]);
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            assert!(svg.matches("<text").count() <= 40);
        }
    }

    #[test]
    fn long_runs_stay_small() {
        let points: Vec<(f64, f64)> = (0..200_000).map(|i| (f64::from(i), 1.0 / f64::from(i + 1))).collect();
        let svg = draw_chart(&[&points]);
        assert!(svg.len() < 20_000, "{}", svg.len());
        assert!(!svg.contains("<circle"));
    }

    #[test]
    fn ticks_are_round_and_enclose_the_values() {
        let axis = Axis::rounded(Range { low: 0.13, high: 2.31 }, 5);
        assert_eq!(axis.ticks, [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]);
        let axis = Axis::exact(Range { low: 1.0, high: 10.0 }, 6);
        assert_eq!(axis.ticks, [2.0, 4.0, 6.0, 8.0, 10.0]);
        let axis = Axis::exact(Range { low: 1.0, high: 2.0 }, 6);
        assert_eq!(axis.ticks, [1.0, 2.0]);
    }
}
