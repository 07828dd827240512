//! The log: a line of JSON for every item left out.

use super::Dropped;
use crate::collection::{Collection, Place};
use serde::Serialize;
use std::io::{self, Write};

/// A line of the log.
#[derive(Debug, Serialize)]
struct Entry<'a> {
    action: &'static str,
    rule: &'static str,
    reason: &'a str,
    #[serde(flatten)]
    place: Place,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<Place>,
}

/// Writes the log.
pub fn write(out: &mut impl Write, collection: &Collection, dropped: &[Dropped]) -> io::Result<()> {
    for Dropped { item, rule, kept, reason } in dropped {
        let entry = Entry {
            action: "dropped",
            rule: rule.name(),
            reason,
            place: collection.place(*item),
            kept: kept.map(|kept| collection.place(kept)),
        };
        serde_json::to_writer(&mut *out, &entry)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}
