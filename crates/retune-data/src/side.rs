//! [`SideColumns`]: what a source says of its examples beside inputs and labels.

use crate::sources::{Column, SourceOptions};

/// Columns that are neither inputs nor labels, as their texts, one for each example in the order of the source. Of examples that cannot be
/// used they may be anything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SideColumns {
    /// What belongs together and may not be parted by a split, such as a patient.
    pub group: Option<Vec<String>>,
    /// When an example was made.
    pub time: Option<Vec<String>>,
    /// How often an example is drawn.
    pub weight: Option<Vec<String>>,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SideColumn {
    Group,
    Time,
    Weight,
}

impl SideColumn {
    /// Its name in messages and options.
    pub(crate) fn name(self) -> &'static str {
        match self {
            SideColumn::Group => "group",
            SideColumn::Time => "time",
            SideColumn::Weight => "weight",
        }
    }
}

impl SideColumns {
    /// The columns that options name.
    pub(crate) fn wanted(options: &SourceOptions) -> impl Iterator<Item = (SideColumn, &Column)> {
        let all = [
            (SideColumn::Group, &options.group),
            (SideColumn::Time, &options.time),
            (SideColumn::Weight, &options.weight),
        ];
        all.into_iter().filter_map(|(side, column)| Some((side, column.as_ref()?)))
    }

    /// The place of a column's texts.
    pub(crate) fn get_mut(&mut self, side: SideColumn) -> &mut Option<Vec<String>> {
        match side {
            SideColumn::Group => &mut self.group,
            SideColumn::Time => &mut self.time,
            SideColumn::Weight => &mut self.weight,
        }
    }

    /// The texts of a column, if there are any.
    pub(crate) fn get(&self, side: SideColumn) -> Option<&[String]> {
        match side {
            SideColumn::Group => self.group.as_deref(),
            SideColumn::Time => self.time.as_deref(),
            SideColumn::Weight => self.weight.as_deref(),
        }
    }

    /// Adds the texts of one example, as many as are wanted.
    pub(crate) fn push(&mut self, values: impl IntoIterator<Item = (SideColumn, String)>) {
        for (side, value) in values {
            self.get_mut(side).get_or_insert_default().push(value);
        }
    }

    /// Bytes in memory.
    pub(crate) fn size_bytes(&self) -> usize {
        let columns = [&self.group, &self.time, &self.weight].into_iter().flatten();
        columns.flatten().map(|text| size_of::<String>() + text.capacity()).sum()
    }
}
