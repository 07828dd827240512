//! Columns of tables that teach nothing, or too much: constant ones, identifiers, mostly missing ones, and such that tell the label
//! by themselves.

use super::{Finding, Kind, Remedy, Severity, counted, grouped, listed, verb};
use crate::collection::{Collection, Content, Table};
use crate::language::Said;
use crate::report::quoted;
use std::collections::HashMap;

/// Rows from which on a column can be an identifier, or tell the label.
const LEAST_ROWS: usize = 20;
/// Most different values of a column that tells the label.
const MOST_VALUES: usize = 50;
/// Share of different values among the rows of a column of names.
const DIFFERENT: f64 = 0.95;
/// Share of rows without value from which on a column is mostly missing.
const MISSING: f64 = 0.5;
/// Cells that mean that there is none.
const NONE: [&str; 6] = ["", "?", "na", "nan", "null", "none"];

/// What is wrong with a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Each of its few values comes with one label only.
    TellsLabel,
    /// Every row has another value: a number or name of the row.
    Identifier,
    /// All rows have the same value.
    Constant,
    /// Most rows have none.
    MostlyMissing,
}

impl Fault {
    /// What is wrong, behind the names of columns, in English and Chinese.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Fault::TellsLabel => (
                "by itself tells the label: is it known before the label is?",
                "单独就能决定标签：在得知标签之前，它是已知的吗？",
            ),
            Fault::Identifier => (
                "has another value in every row, like an identifier: it can be learned by heart, and means nothing in new data.",
                "每行的值都不同，像是编号：它会被死记硬背，对新数据毫无意义。",
            ),
            Fault::Constant => ("has the same value in every row.", "每行的值都相同。"),
            Fault::MostlyMissing => ("has no value in most rows.", "大多数行没有值。"),
        }
    }
}

/// Whether a cell means that there is no value.
pub(crate) fn is_none(cell: &str) -> bool {
    NONE.contains(&cell.to_ascii_lowercase().as_str())
}

/// What is wrong with a column; `None` for a good one.
pub fn fault(table: &Table, column: usize) -> Option<Fault> {
    let rows: Vec<usize> = (0..table.rows().len()).filter(|&row| table.is_whole(row)).collect();
    let cells: Vec<(usize, &str)> = rows
        .iter()
        .filter_map(|&row| Some((row, table.cell(row, column)?)))
        .filter(|(_, cell)| !is_none(cell))
        .collect();
    let mut labels: HashMap<&str, Option<&str>> = HashMap::new();
    let mut is_told = true;
    for &(row, cell) in &cells {
        let label = table.label(row);
        is_told &= *labels.entry(cell).or_insert(label) == label;
    }
    let distinct = labels.len();
    let classes = table.class_names().map_or(0, <[String]>::len);
    let is_full = cells.len() == rows.len();
    match () {
        _ if distinct <= 1 && is_full => Some(Fault::Constant),
        _ if ((rows.len() - cells.len()) as f64) > MISSING * rows.len() as f64 => Some(Fault::MostlyMissing),
        _ if rows.len() < LEAST_ROWS => None,
        _ if is_told && classes > 1 && is_full && (2..=MOST_VALUES.min(rows.len() / 4)).contains(&distinct) => {
            Some(Fault::TellsLabel)
        }
        _ if is_identifier(&cells, distinct) => Some(Fault::Identifier),
        _ => None,
    }
}

/// Whole numbers that are all different and lie close together, or texts that are nearly all different.
fn is_identifier(cells: &[(usize, &str)], distinct: usize) -> bool {
    let numbers: Vec<i64> = cells.iter().filter_map(|(_, cell)| cell.parse().ok()).collect();
    let rows = cells.len();
    if numbers.len() == rows {
        let (least, most) = (numbers.iter().min().copied().unwrap_or(0), numbers.iter().max().copied().unwrap_or(0));
        return distinct == rows && most.saturating_sub(least) < (rows as i64).saturating_mul(2);
    }
    let are_numbers = cells.iter().filter(|(_, cell)| cell.parse::<f64>().is_ok()).count() * 2 > rows;
    !are_numbers && distinct as f64 >= DIFFERENT * rows as f64
}

/// The finding, of the training part.
pub fn find(collection: &Collection) -> Option<Finding> {
    let Content::Table(table) = &collection.parts().first()?.content else { return None };
    let columns = (0..table.width()).filter(|&column| Some(column) != table.label_column());
    let mut faults: Vec<(Fault, usize)> =
        columns.filter_map(|column| fault(table, column).map(|fault| (fault, column))).collect();
    if faults.is_empty() {
        return None;
    }
    faults.sort_unstable();
    let names = |wanted: Fault| {
        let columns = faults.iter().filter(|(fault, _)| *fault == wanted).map(|(_, column)| *column);
        columns.map(|column| format!("`{}`", table.column_name(column))).collect::<Vec<_>>()
    };
    let mut details = Vec::new();
    for fault in [Fault::TellsLabel, Fault::Identifier, Fault::Constant, Fault::MostlyMissing] {
        let names = names(fault);
        if !names.is_empty() {
            let (english, chinese) = fault.words();
            details.push(Said::new(format!("{} {english}", names.join(", ")), format!("{} {chinese}", listed(&names))));
        }
    }
    let values: Vec<String> = faults
        .iter()
        .map(|(_, column)| match table.column_name(*column) {
            name if name == column.to_string() => name,
            name => serde_json::Value::from(name).to_string(),
        })
        .collect();
    Some(Finding {
        kind: Kind::Columns,
        severity: if faults[0].0 == Fault::TellsLabel { Severity::Problem } else { Severity::Warning },
        title: Said::new(
            format!(
                "{} {} nothing, or too much.",
                counted(faults.len(), ("column", "columns")),
                verb(faults.len(), "teaches", "teach")
            ),
            format!("{} 列没有信息，或泄露了标签。", grouped(faults.len())),
        ),
        why: Said::new(
            format!(
                "Of {} columns these make training worse, or figures too good to be true.",
                grouped(table.width().saturating_sub(1))
            ),
            format!("在 {} 列之中，这些列会让训练变差，或让指标好得不真实。", grouped(table.width().saturating_sub(1))),
        ),
        count: faults.len(),
        details,
        examples: Vec::new(),
        remedy: Remedy::Setting(format!(
            "retune fit RECIPE --set {}",
            quoted(&format!("data.drop-columns=[{}]", values.join(", ")))
        )),
    })
}
