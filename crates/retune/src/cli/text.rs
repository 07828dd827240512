//! Tables, numbers and units as people read them.

use retune::graph::Shape;
use std::fmt::Write;

/// Columns of text, each as wide as its longest entry.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
    numeric: &'static [usize],
}

impl Table {
    /// A table whose columns `numeric` (counted from 0) are aligned to the right.
    pub fn new(numeric: &'static [usize]) -> Table {
        Table { rows: Vec::new(), numeric }
    }

    /// Appends a row.
    pub fn row<S: Into<String>>(&mut self, entries: impl IntoIterator<Item = S>) {
        self.rows.push(entries.into_iter().map(Into::into).collect());
    }

    /// The lines of the table, each begun with `indent` spaces and ended with a line feed.
    pub fn render(&self, indent: usize) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|c| self.rows.iter().filter_map(|row| row.get(c)).map(|entry| width(entry)).max().unwrap_or(0))
            .collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = " ".repeat(indent);
            for (column, entry) in row.iter().enumerate() {
                let padding = " ".repeat(widths[column] - width(entry));
                let gap = if column == 0 { "" } else { "  " };
                if self.numeric.contains(&column) {
                    let _ = write!(line, "{gap}{padding}{entry}");
                } else {
                    let _ = write!(line, "{gap}{entry}{padding}");
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Columns that a text takes in a terminal: two for each character of East Asian scripts.
fn width(text: &str) -> usize {
    let is_wide = |c: char| {
        matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}'
            | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{20000}'..='\u{3fffd}')
    };
    text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

/// `969418` as `969,418`.
pub fn count(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 layer`, `2 layers`.
pub fn counted(n: usize, singular: &str, plural: &str) -> String {
    format!("{} {}", count(n), if n == 1 { singular } else { plural })
}

/// Bytes in the largest unit that leaves at least 1, powers of 1024.
pub fn bytes(n: u64) -> String {
    scaled(n as f64, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB"])
}

/// Floating-point operations in the largest unit that leaves at least 1.
pub fn flops(n: u64) -> String {
    scaled(n as f64, 1000.0, &["FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP"])
}

/// Energy: `11.4 Wh`; less than 0.1 Wh as joules.
pub fn energy(joules: f64) -> String {
    let hours = joules / 3600.0;
    if hours >= 0.1 { scaled(hours, 1000.0, &["Wh", "kWh", "MWh"]) } else { scaled(joules, 1000.0, &["J"]) }
}

fn scaled(mut value: f64, step: f64, units: &[&str]) -> String {
    let mut unit = 0;
    // What would be printed as 1000 of a unit is 1 of the next.
    while value >= step - 0.5 && unit + 1 < units.len() {
        value /= step;
        unit += 1;
    }
    let digits = if unit == 0 || value >= 100.0 { 0 } else { 1 };
    format!("{value:.digits$} {}", units[unit])
}

/// A duration: `0.8 s`, `42 s`, `3 min 5 s`, `2 h 10 min`.
pub fn seconds(secs: f64) -> String {
    if secs < 0.1 {
        return format!("{:.0} ms", secs * 1000.0);
    }
    if secs < 9.95 {
        return format!("{secs:.1} s");
    }
    let whole = secs.round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// A shape as `[batch, 32, 32, 3]`.
pub fn shape(shape: &Shape) -> String {
    shape.to_string().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!((count(7), count(969_418), count(1_000)), ("7".into(), "969,418".into(), "1,000".into()));
        assert_eq!((bytes(512), bytes(1536), bytes(1 << 30)), ("512 B".into(), "1.5 KiB".into(), "1.0 GiB".into()));
        assert_eq!(flops(9_990_000_000), "10.0 GFLOP");
        assert_eq!((energy(90.0), energy(41_000.0)), ("90 J".into(), "11 Wh".into()));
        assert_eq!(
            (seconds(0.05), seconds(2.25), seconds(185.0)),
            ("50 ms".into(), "2.2 s".into(), "3 min 5 s".into())
        );
        assert_eq!((seconds(9.99), seconds(7800.0)), ("10 s".into(), "2 h 10 min".into()));
        assert_eq!(shape(&Shape::batch_of(&[32, 3])), "[batch, 32, 3]");
    }

    #[test]
    fn columns_align() {
        let mut table = Table::new(&[1]);
        table.row(["a", "10", "x"]);
        table.row(["猫猫", "5"]);
        assert_eq!(table.render(2), "  a     10  x\n  猫猫   5\n");
    }
}
