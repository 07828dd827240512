//! Tables in Markdown.

/// A table with a title above it.
pub(super) struct Table {
    text: String,
}

impl Table {
    /// A table without rows.
    pub(super) fn new(title: &str, columns: &[&str]) -> Table {
        let mut table = Table { text: format!("\n## {title}\n\n") };
        table.push_line(columns.iter().map(|&column| column.to_owned()));
        table.push_line(columns.iter().map(|_| "---".to_owned()));
        table
    }

    /// Appends a row.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.push_line(cells.into_iter());
    }

    fn push_line(&mut self, cells: impl Iterator<Item = String>) {
        self.text += "|";
        for cell in cells {
            self.text += &format!(" {cell} |");
        }
        self.text += "\n";
    }

    /// The finished text.
    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// A number of bytes in MB (10⁶).
pub(super) fn megabytes(bytes: f64) -> String {
    format!("{:.0} MB", bytes / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_lines_between_bars() {
        let mut table = Table::new("Sizes", &["what", "size"]);
        table.row(["model".to_owned(), megabytes(11_768_632.0)]);
        assert_eq!(table.finish(), "\n## Sizes\n\n| what | size |\n| --- | --- |\n| model | 12 MB |\n");
    }
}
