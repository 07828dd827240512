//! What a timed program reports: one line of JSON, an object of numbers.

use std::process::Command;

use crate::Result;
use crate::process::output;

/// The numbers that a program reported, by name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measurement(Vec<(String, f64)>);

impl Measurement {
    /// Runs a program and reads the last line that it writes.
    pub(super) fn of(command: &mut Command) -> Result<Measurement> {
        let text = output(command)?;
        let line = text.lines().last().unwrap_or_default();
        Measurement::parse(line).ok_or_else(|| format!("expected an object of numbers, got `{line}`").into())
    }

    fn parse(line: &str) -> Option<Measurement> {
        let inside = line.trim().strip_prefix('{')?.strip_suffix('}')?;
        let fields = inside.split(',').map(|field| {
            let (name, value) = field.split_once(':')?;
            let name = name.trim().strip_prefix('"')?.strip_suffix('"')?;
            Some((name.to_owned(), value.trim().parse().ok()?))
        });
        fields.collect::<Option<Vec<_>>>().map(Measurement)
    }

    /// The number of this name.
    pub(super) fn get(&self, name: &str) -> Result<f64> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|&(_, value)| value).ok_or_else(|| format!("the program did not report `{name}`").into())
    }
}

/// The number of this name over several runs.
pub(super) fn all(runs: &[Measurement], name: &str) -> Result<Vec<f64>> {
    runs.iter().map(|run| run.get(name)).collect()
}

/// The median; of an even count, the mean of the middle two.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_of_numbers_is_read() {
        let measurement = Measurement::parse(r#"{"median_ms": 41.5, "flops":3.2e9}"#).unwrap();
        assert_eq!(measurement.get("median_ms").unwrap(), 41.5);
        assert_eq!(measurement.get("flops").unwrap(), 3.2e9);
        assert!(measurement.get("peak_bytes").unwrap_err().to_string().contains("`peak_bytes`"));
    }

    #[test]
    fn anything_else_is_not() {
        for line in ["", "41.5", r#"{"a": "b"}"#, r#"{"a": 1"#, r#"{a: 1}"#] {
            assert_eq!(Measurement::parse(line), None, "{line}");
        }
    }

    #[test]
    fn medians() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
