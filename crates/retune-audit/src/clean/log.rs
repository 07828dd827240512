//! The log: a line of JSON for every item left out or repaired.

use super::{Dropped, Repaired};
use crate::collection::{Collection, Place};
use serde::Serialize;
use std::borrow::Cow;
use std::io::{self, Write};

/// A line of the log.
#[derive(Debug, Serialize)]
struct Entry<'a> {
    action: &'static str,
    rule: &'static str,
    reason: Cow<'a, str>,
    #[serde(flatten)]
    place: Place,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
}

/// Writes the log: what is left out, then what is repaired.
pub fn write(
    out: &mut impl Write,
    collection: &Collection,
    dropped: &[Dropped],
    repaired: &[&Repaired],
) -> io::Result<()> {
    let dropped = dropped.iter().map(|Dropped { item, rule, kept, reason }| Entry {
        action: "dropped",
        rule: rule.name(),
        reason: reason.into(),
        place: collection.place(*item),
        kept: kept.map(|kept| collection.place(kept)),
        text: None,
    });
    let repaired = repaired.iter().map(|Repaired { item, damage, meant }| Entry {
        action: "repaired",
        rule: "encoding",
        reason: damage.words().english().to_owned().into(),
        place: collection.place(*item),
        kept: None,
        text: Some(meant),
    });
    for entry in dropped.chain(repaired) {
        serde_json::to_writer(&mut *out, &entry)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}
