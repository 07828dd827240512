//! [`TableColumns`]: a table as it is stored.

use std::collections::HashMap;

/// Texts that stand for nothing, beside the empty one.
const MISSING: [&str; 9] = ["?", "NA", "N/A", "NaN", "nan", "null", "NULL", "<NA>", "n/a"];

/// The number of a missing value.
const NOTHING: u32 = u32::MAX;

/// Columns of one length, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TableColumns {
    columns: Vec<TextColumn>,
    rows: usize,
    label: Option<String>,
}

/// A column: each row one of its different texts, or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TextColumn {
    name: String,
    codes: Vec<u32>,
    values: Vec<String>,
}

impl TableColumns {
    /// Columns of one length.
    ///
    /// # Panics
    /// Columns of different lengths.
    pub fn new(columns: Vec<TextColumn>) -> TableColumns {
        let rows = columns.first().map_or(0, |column| column.codes.len());
        assert!(columns.iter().all(|column| column.codes.len() == rows), "columns have one length");
        TableColumns { columns, rows, label: None }
    }

    /// Says which column of the file holds the labels; it is none of these.
    pub fn with_label(self, label: Option<String>) -> TableColumns {
        TableColumns { label, ..self }
    }

    /// The name of the column of labels, where there is one.
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// The columns.
    pub fn columns(&self) -> &[TextColumn] {
        &self.columns
    }

    /// The column of this name.
    pub fn named(&self, name: &str) -> Option<&TextColumn> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// A row as texts, nothing for missing values.
    pub fn row(&self, row: usize) -> Vec<Option<&str>> {
        self.columns.iter().map(|column| column.get(row)).collect()
    }

    /// Bytes in memory.
    pub fn size_bytes(&self) -> usize {
        self.columns.iter().map(TextColumn::size_bytes).sum()
    }
}

impl TextColumn {
    /// A column of these texts. Nothing stands for the empty text, `?`, `NA`, `N/A`, `NaN` and `null`.
    pub fn new<'a>(name: impl Into<String>, texts: impl IntoIterator<Item = &'a str>) -> TextColumn {
        let mut column = TableColumnBuilder::new(name.into());
        texts.into_iter().for_each(|text| column.push(text));
        column.finish()
    }

    /// Its name: that of the header, else its number from 0.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// The different texts.
    pub fn values(&self) -> &[String] {
        &self.values
    }

    /// The number of a row's text in [`values`](Self::values); nothing where it is missing.
    pub fn code(&self, row: usize) -> Option<usize> {
        self.codes.get(row).filter(|&&code| code != NOTHING).map(|&code| code as usize)
    }

    /// A row's text; nothing where it is missing.
    pub fn get(&self, row: usize) -> Option<&str> {
        self.code(row).map(|code| self.values[code].as_str())
    }

    /// The column with more rows.
    pub(crate) fn extended(&self, texts: &[Option<String>]) -> TextColumn {
        let own = (0..self.len()).map(|row| self.get(row).unwrap_or_default());
        TextColumn::new(self.name.clone(), own.chain(texts.iter().map(|text| text.as_deref().unwrap_or_default())))
    }

    fn size_bytes(&self) -> usize {
        let texts = self.values.iter().map(|text| size_of::<String>() + text.capacity()).sum::<usize>();
        texts + size_of_val(self.codes.as_slice())
    }
}

/// A column as its rows are read.
#[derive(Debug)]
pub(crate) struct TableColumnBuilder {
    column: TextColumn,
    known: HashMap<String, u32>,
}

impl TableColumnBuilder {
    /// A column without rows.
    pub(crate) fn new(name: String) -> TableColumnBuilder {
        TableColumnBuilder { column: TextColumn { name, ..TextColumn::default() }, known: HashMap::new() }
    }

    /// Adds a row, see [`TextColumn::new`].
    pub(crate) fn push(&mut self, text: &str) {
        let text = text.trim();
        let code = match self.known.get(text) {
            _ if text.is_empty() || MISSING.contains(&text) => NOTHING,
            Some(&code) => code,
            None => {
                let next = self.column.values.len() as u32;
                self.known.insert(text.to_owned(), next);
                self.column.values.push(text.to_owned());
                next
            }
        };
        self.column.codes.push(code);
    }

    /// The column.
    pub(crate) fn finish(self) -> TextColumn {
        self.column
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_kept_once_and_missing_ones_not_at_all() {
        let column = TextColumn::new("c", ["a", "b", " a ", "?", "", "NaN"]);
        assert_eq!(column.values(), ["a", "b"]);
        let found: Vec<Option<&str>> = (0..6).map(|row| column.get(row)).collect();
        assert_eq!(found, [Some("a"), Some("b"), Some("a"), None, None, None]);
        let longer = column.extended(&[Some("c".into()), None]);
        assert_eq!((longer.len(), longer.get(6), longer.get(7)), (8, Some("c"), None));
    }
}
