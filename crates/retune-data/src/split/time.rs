//! Divisions by time.

use super::classes::sorted;
use crate::dataset::Dataset;
use crate::error::DataError;

/// What is left, the latest of that for validation, and the latest of all for test.
///
/// # Errors
/// Data without times, a time that is neither number nor date, fewer different times than parts.
pub(super) fn shares(data: &Dataset, ids: Vec<u64>, [validation, test]: [f64; 2]) -> Result<[Vec<u64>; 3], DataError> {
    let times = times(data, &ids)?;
    let count = ids.len() as f64;
    let mut rest: Vec<(Time, u64)> = times.into_iter().zip(ids).collect();
    rest.sort_by(|a, b| a.0.compare(&b.0).then(a.1.cmp(&b.1)));
    let mut latest = |share: f64| {
        let wanted = (share * count).round() as usize;
        if wanted == 0 {
            return Ok(Vec::new());
        }
        let begins = |at: usize| at < rest.len() && (at == 0 || rest[at - 1].0.compare(&rest[at].0).is_lt());
        let cut = rest.len().saturating_sub(wanted).max(1);
        // Not through the middle of one time; rather a smaller part than a larger one.
        let Some(start) = (cut..rest.len()).find(|&at| begins(at)).or((1..cut).rev().find(|&at| begins(at))) else {
            let expected = "at least as many different times as parts";
            return Err(DataError::setting("split by time", expected, "fewer different times"));
        };
        Ok(sorted(rest.split_off(start).into_iter().map(|(_, id)| id).collect()))
    };
    let test = latest(test)?;
    let validation = latest(validation)?;
    Ok([sorted(rest.into_iter().map(|(_, id)| id).collect()), validation, test])
}

/// A time that can be compared with others of its data.
enum Time {
    Number(f64),
    /// Its text; dates of the form year, month, day stand in the order of time as texts do.
    Date(String),
}

impl Time {
    fn compare(&self, other: &Time) -> std::cmp::Ordering {
        match (self, other) {
            (Time::Number(a), Time::Number(b)) => a.total_cmp(b),
            (Time::Date(a), Time::Date(b)) => a.cmp(b),
            (Time::Number(_), Time::Date(_)) => std::cmp::Ordering::Less,
            (Time::Date(_), Time::Number(_)) => std::cmp::Ordering::Greater,
        }
    }
}

/// The times of examples: numbers, or dates with or without a time of day behind them.
fn times(data: &Dataset, ids: &[u64]) -> Result<Vec<Time>, DataError> {
    let Some(column) = &data.side().time else {
        let expected = "a column of times, as `time = \"date\"`";
        return Err(DataError::setting("split by time", expected, format!("none in {}", data.description())));
    };
    let are_numbers = ids.iter().all(|&id| column[id as usize].parse::<f64>().is_ok_and(f64::is_finite));
    let time = |&id: &u64| {
        let text = &column[id as usize];
        match text.parse() {
            Ok(number) if are_numbers => Ok(Time::Number(number)),
            _ if is_date(text) => Ok(Time::Date(text.replace('/', "-").replace(' ', "T"))),
            _ => {
                let expected = "a number in every row, or a date such as 2024-05-31 or 2024-05-31T18:00";
                Err(DataError::setting(format!("time of {}", data.place(id)), expected, format!("`{text}`")))
            }
        }
    };
    ids.iter().map(time).collect()
}

/// Whether a text begins with four digits, two and two, between dashes or slashes.
fn is_date(text: &str) -> bool {
    let form = text.bytes().take(10).map(|byte| match byte {
        b'0'..=b'9' => b'0',
        b'/' => b'-',
        other => other,
    });
    form.eq(*b"0000-00-00")
}
