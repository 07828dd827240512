//! Numbers as people read them. A number that is not finite is a dash.

use super::content::Unit;

const NONE: &str = "–";
const MINUS: char = '\u{2212}';
/// Between a number and its unit; does not break across lines.
const SPACE: char = '\u{202F}';

/// A metric's value: percent with one decimal, or three decimals so that a column is aligned; where that is not apt, as
/// [`number`].
pub(super) fn value(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Share => percent(value),
        Unit::Number if (0.01..10.0).contains(&value.abs()) => sign(format!("{value:.3}")),
        Unit::Number => number(value),
    }
}

/// `0.9341` → `93.4 %`.
pub(super) fn percent(share: f64) -> String {
    if !share.is_finite() {
        return NONE.into();
    }
    sign(format!("{:.1}{SPACE}%", share * 100.0))
}

/// Four significant digits; very small and very large ones with a power of ten.
pub(super) fn number(value: f64) -> String {
    if !value.is_finite() {
        return NONE.into();
    }
    if value == 0.0 {
        return "0".into();
    }
    let magnitude = value.abs().log10().floor() as i32;
    if !(-3..6).contains(&magnitude) {
        return scientific(value, 3);
    }
    let text = format!("{value:.*}", (3 - magnitude).clamp(0, 6) as usize);
    sign(trim_zeros(&text).to_owned())
}

/// `0.00025` → `2.5×10⁻⁴`.
fn scientific(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: String = exponent.chars().map(superscript).collect();
    sign(format!("{}×10{exponent}", trim_zeros(mantissa)))
}

fn superscript(digit: char) -> char {
    match digit {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        _ => digit.to_digit(10).and_then(|digit| char::from_u32(0x2070 + digit)).unwrap_or(digit),
    }
}

/// The label of a tick, with as many decimals as tell neighbours apart that are `step` away.
pub(super) fn tick(value: f64, step: f64, unit: Unit) -> String {
    if unit == Unit::Share {
        let decimals = (-(step * 100.0).log10().floor()).clamp(0.0, 3.0) as usize;
        return sign(format!("{:.decimals$}{SPACE}%", value * 100.0));
    }
    // Rounding errors of multiples of a step must not show as 1e-17.
    if value.abs() < step * 1e-6 {
        return "0".into();
    }
    if step < 1e-4 || value.abs() >= 1e6 {
        let digits = (value.abs().log10().floor() - step.log10().floor()).clamp(0.0, 4.0) as usize;
        return scientific(value, digits);
    }
    if step >= 1.0 {
        let whole = count(value.abs().round() as u64);
        return if value < 0.0 { format!("{MINUS}{whole}") } else { whole };
    }
    let decimals = (-step.log10().floor()).clamp(0.0, 6.0) as usize;
    sign(format!("{value:.decimals$}"))
}

/// `1234567` → `1,234,567`.
pub(super) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1234567890` → `1.23 GB`, powers of 1000.
pub(super) fn bytes(value: u64) -> String {
    scaled(value as f64, &["B", "kB", "MB", "GB", "TB"])
}

/// `41_000_000_000` → `41 GFLOP`, powers of 1000.
pub(super) fn flops(value: u64) -> String {
    scaled(value as f64, &["FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP"])
}

/// `41_000.0` joules → `11.4 Wh`; less than 0.1 Wh as joules.
pub(super) fn energy(joules: f64) -> String {
    let hours = joules / 3600.0;
    if hours >= 0.1 { scaled(hours, &["Wh", "kWh", "MWh"]) } else { scaled(joules, &["J"]) }
}

fn scaled(mut value: f64, units: &[&str]) -> String {
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let decimals = if unit == 0 || value >= 99.95 {
        0
    } else if value >= 9.995 {
        1
    } else {
        2
    };
    format!("{value:.decimals$}{SPACE}{}", units[unit])
}

/// `3725` → `1 h 2 min`, `75` → `1 min 15 s`, `8.25` → `8.3 s`, `0.031` → `31 ms`.
pub(super) fn duration(secs: f64) -> String {
    if !secs.is_finite() || secs < 0.0 {
        return NONE.into();
    }
    if secs < 0.9995 {
        return format!("{:.0}{SPACE}ms", secs * 1000.0);
    }
    if secs < 59.95 {
        return format!("{secs:.1}{SPACE}s");
    }
    let whole = secs.round() as u64;
    if whole < 3600 {
        return format!("{}{SPACE}min {}{SPACE}s", whole / 60, whole % 60);
    }
    let minutes = (secs / 60.0).round() as u64;
    format!("{}{SPACE}h {}{SPACE}min", minutes / 60, minutes % 60)
}

/// A probability by chance: small ones only as being small.
pub(super) fn p_value(p: f64) -> String {
    if !p.is_finite() {
        return NONE.into();
    }
    if p < 0.0001 {
        return "&lt;\u{202F}0.0001".into();
    }
    let text = format!("{p:.*}", if p < 0.1 { 4 } else { 2 });
    format!("=\u{202F}{text}")
}

fn trim_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// A true minus sign, as wide as the figures.
fn sign(text: String) -> String {
    match text.strip_prefix('-') {
        Some(rest) => format!("{MINUS}{rest}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_as_many_digits_as_mean_something() {
        assert_eq!(number(0.123456), "0.1235");
        assert_eq!(number(-12.5), "\u{2212}12.5");
        assert_eq!(number(123456.7), "123457");
        assert_eq!(number(0.00025), "2.5×10⁻⁴");
        assert_eq!(number(1e10), "1×10¹⁰");
        assert_eq!(number(f64::NAN), "–");
        assert_eq!(percent(0.93412), "93.4\u{202F}%");
        assert_eq!([value(1.0, Unit::Number), value(0.7421, Unit::Number)], ["1.000", "0.742"]);
        assert_eq!([value(0.001, Unit::Number), value(f64::NAN, Unit::Share)], ["0.001", "–"]);
    }

    #[test]
    fn ticks_tell_neighbours_apart() {
        assert_eq!(tick(0.30000000000000004, 0.1, Unit::Number), "0.3");
        assert_eq!(tick(1e-18, 0.1, Unit::Number), "0");
        assert_eq!([tick(15_000.0, 5000.0, Unit::Number), tick(-5.0, 5.0, Unit::Number)], ["15,000", "\u{2212}5"]);
        assert_eq!(tick(0.0015, 0.0005, Unit::Number), "0.0015");
        assert_eq!(tick(1.5e-5, 5e-6, Unit::Number), "1.5×10⁻⁵");
        assert_eq!(tick(0.85, 0.05, Unit::Share), "85\u{202F}%");
        assert_eq!(tick(0.855, 0.005, Unit::Share), "85.5\u{202F}%");
    }

    #[test]
    fn counts_sizes_and_times() {
        assert_eq!([count(0), count(999), count(1000), count(1_234_567)], ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [bytes(12), bytes(999_900), bytes(3_140_000_000)],
            ["12\u{202F}B", "1.00\u{202F}MB", "3.14\u{202F}GB"]
        );
        assert_eq!(flops(41_000_000_000), "41.0\u{202F}GFLOP");
        assert_eq!(duration(0.031), "31\u{202F}ms");
        assert_eq!(duration(59.99), "1\u{202F}min 0\u{202F}s");
        assert_eq!(duration(3725.0), "1\u{202F}h 2\u{202F}min");
        assert_eq!(p_value(0.0215), "=\u{202F}0.0215");
        assert_eq!(p_value(1e-9), "&lt;\u{202F}0.0001");
    }
}
