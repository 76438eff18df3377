//! The one layout of everything that stands in columns. Knows widths, and nothing of what the
//! cells say.

use super::text::{Mark, Text};

/// A column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    least: usize,
    most: usize,
    right: bool,
}

impl Column {
    /// As wide as its widest cell.
    pub(super) const PLAIN: Self = Self { least: 0, most: usize::MAX, right: false };

    /// So wide at least.
    pub(super) const fn least(self, least: usize) -> Self {
        Self { least, ..self }
    }

    /// So wide at most: a wider cell moves the rest of its own row only.
    pub(super) const fn most(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// With its cells to the right, as numbers stand.
    pub(super) const fn right(self) -> Self {
        Self { right: true, ..self }
    }
}

/// A cell.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    words: Vec<String>,
    mark: Option<Mark>,
    loose: bool,
}

impl Cell {
    /// A marked one.
    pub(super) fn marked(mark: Mark, text: &str) -> Self {
        Self { mark: Some(mark), ..text.into() }
    }

    /// One that no width counts.
    pub(super) fn loose(text: &str) -> Self {
        Self { loose: true, ..text.into() }
    }

    /// The last one of a row: a list that goes on below itself where the line is full.
    pub(super) fn list(words: Vec<String>) -> Self {
        Self { words, ..Self::default() }
    }

    fn text(&self) -> String {
        self.words.join(", ")
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::list(vec![text.to_string()])
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::list(vec![text])
    }
}

#[derive(Debug)]
enum Row {
    Cells(Vec<Cell>),
    Line(String),
}

/// Rows of cells, and lines between them.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<Column>,
    indent: usize,
    gap: usize,
    width: usize,
    rows: Vec<Row>,
}

impl Table {
    /// One without rows, two blanks between its columns.
    pub(super) fn new(columns: &[Column]) -> Self {
        let columns = columns.to_vec();
        Self { columns, indent: 0, gap: 2, width: usize::MAX, rows: Vec::new() }
    }

    /// So many blanks before each row.
    pub(super) fn indent(self, indent: usize) -> Self {
        Self { indent, ..self }
    }

    /// So many blanks between two columns.
    pub(super) fn gap(self, gap: usize) -> Self {
        Self { gap, ..self }
    }

    /// Lists are broken before this column.
    pub(super) fn width(self, width: usize) -> Self {
        Self { width, ..self }
    }

    /// Adds a row.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(Row::Cells(cells.into_iter().collect()));
    }

    /// Adds a line of its own.
    pub(super) fn line(&mut self, line: impl Into<String>) {
        self.rows.push(Row::Line(line.into()));
    }

    /// The table, line by line, none with blanks at its end.
    pub(super) fn lines(&self) -> Vec<Text> {
        let widths = self.widths();
        let mut lines = Vec::new();
        for row in &self.rows {
            match row {
                Row::Line(line) => lines.push(line.trim_end().into()),
                Row::Cells(cells) => lines.extend(self.cells(cells, &widths)),
            }
        }
        lines
    }

    fn widths(&self) -> Vec<usize> {
        let cells = |at: usize| {
            self.rows.iter().filter_map(move |row| match row {
                Row::Cells(cells) => cells.get(at).filter(|cell| !cell.loose),
                Row::Line(_) => None,
            })
        };
        let width = |(at, column): (usize, &Column)| {
            let widest = cells(at).map(|cell| cell.text().chars().count()).max().unwrap_or(0);
            widest.max(column.least).min(column.most)
        };
        self.columns.iter().enumerate().map(width).collect()
    }

    fn cells(&self, cells: &[Cell], widths: &[usize]) -> Vec<Text> {
        let gap = " ".repeat(self.gap);
        let last = cells.iter().rposition(|cell| !cell.text().is_empty()).unwrap_or(0);
        let mut line = Text::from(" ".repeat(self.indent));
        for ((cell, width), column) in cells.iter().zip(widths).zip(&self.columns).take(last) {
            let text = cell.text();
            let blanks = " ".repeat(width.saturating_sub(text.chars().count()));
            let text = cell.mark.map_or_else(|| text.as_str().into(), |m| Text::marked(m, &text));
            let (before, after) = if column.right { (&*blanks, "") } else { ("", &*blanks) };
            line = line.and(before).and(text).and(after).and(gap.as_str());
        }
        let start = self.indent + widths.iter().take(last).map(|w| w + self.gap).sum::<usize>();
        match cells.get(last) {
            Some(cell) if cell.words.len() > 1 => self.listed(line, start, &cell.words),
            Some(cell) => {
                let text = cell.text();
                let (column, width) = (self.columns.get(last), widths.get(last).copied());
                let right = column.is_some_and(|column| column.right);
                let short = width.unwrap_or(0).saturating_sub(text.chars().count());
                if right {
                    line.push(" ".repeat(short));
                }
                let text = text.trim_end();
                let start = line.chars().count();
                line.push(cell.mark.map_or_else(|| text.into(), |m| Text::marked(m, text)));
                vec![line.hanging(start)]
            }
            None => vec![line],
        }
    }

    /// A list in the last column, broken between two of its words.
    fn listed(&self, line: Text, start: usize, words: &[String]) -> Vec<Text> {
        let mut lines = Vec::new();
        let (mut line, mut begun) = (line, false);
        for (at, word) in words.iter().enumerate() {
            let word = format!("{word}{}", if at + 1 < words.len() { "," } else { "" });
            let fits = line.chars().count() + word.chars().count() < self.width;
            if begun && !fits {
                lines.push(std::mem::replace(&mut line, " ".repeat(start).into()).hanging(start));
                begun = false;
            }
            line.push(format!("{}{word}", if begun { " " } else { "" }));
            begun = true;
        }
        lines.push(line.hanging(start));
        lines
    }
}

/// Lines, each with its end.
pub(super) fn joined(lines: impl IntoIterator<Item = Text>) -> Text {
    lines.into_iter().map(|line| line.and("\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_cells_and_no_line_ends_in_blanks() {
        let columns = [Column::PLAIN, Column::PLAIN.right().least(5), Column::PLAIN.most(3)];
        let mut table = Table::new(&[&columns[..], &[Column::PLAIN]].concat()).indent(1);
        table.row(["a".into(), "1".into(), "long one".into(), "x".into()]);
        table.line("   between");
        table.row(["bcd".into(), "23".into(), "c".into(), Cell::default()]);
        table.row([Cell::loose("wider than all"), "4".into()]);
        let text = joined(table.lines());
        let want = " a        1  long one  x\n   between\n bcd     23  c\n wider than all      4\n";
        assert_eq!(&*text, want);
    }

    #[test]
    fn a_list_goes_on_below_itself() {
        let mut table = Table::new(&[Column::PLAIN, Column::PLAIN]).width(16);
        table.row(["eth0".into(), Cell::list(["one", "two", "three"].map(String::from).into())]);
        assert_eq!(&*joined(table.lines()), "eth0  one, two,\n      three\n");
    }

    #[test]
    fn a_marked_cell_keeps_its_mark_where_it_comes_to_stand() {
        let mut table = Table::new(&[Column::PLAIN, Column::PLAIN]);
        table.row([Cell::marked(Mark::Bad, "BAD"), "mode".into()]);
        let text = joined(table.lines());
        let marked: Vec<_> = text.pieces().filter(|(mark, _)| mark.is_some()).collect();
        assert_eq!(marked, [(Some(Mark::Bad), "BAD")]);
    }
}
