//! Text tables and quantities for people. Pure: what is written where is decided elsewhere.
//!
//! Names come from bags and buckets, so every cell is made printable before it is laid out: no name
//! can forge a row or send a terminal an escape sequence.

use std::time::Duration;

use muniment_model::printable;

/// Between two columns.
const GAP: &str = "  ";

/// What the last column, a sentence, is to have on a narrow terminal: the others are cut for it.
const LAST_COLUMN_WANTED: usize = 24;
/// It is never cut below this, and the others are not below that, however narrow the terminal is.
const LAST_COLUMN_MIN: usize = 8;
const COLUMN_MIN: usize = 12;

/// Rows under a header, columns as wide as their widest cell.
pub(crate) struct Table {
    /// The header, then the others.
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(headers: &[&str]) -> Self {
        let headers = headers.iter().map(ToString::to_string).collect();
        Self {
            rows: vec![headers],
        }
    }

    /// Adds a row. Cells beyond the headers are left out.
    pub(crate) fn push<const N: usize>(&mut self, cells: &[String; N]) {
        self.rows
            .push(cells.iter().map(|cell| printable(cell)).collect());
    }

    /// The whole table, no wider than `columns`: the longest names are cut first, and the last column
    /// takes what is left. Without a limit all is written in full.
    pub(crate) fn render(&self, columns: Option<usize>) -> String {
        let count = self.rows.first().map_or(0, Vec::len);
        let mut widths: Vec<usize> = (0..count).map(|n| self.width(n)).collect();
        if let Some(columns) = columns {
            narrow(&mut widths, columns);
        }
        let lines = self.rows.iter().map(|row| line(row, &widths, columns));
        lines
            .map(|line| line.trim_end().to_owned() + "\n")
            .collect()
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        let widths = cells.map(|cell| console::measure_text_width(cell));
        widths.max().unwrap_or_default()
    }
}

/// Cuts the widest columns until the last one has what it wants.
fn narrow(widths: &mut [usize], columns: usize) {
    let Some((last, others)) = widths.split_last_mut() else {
        return;
    };
    let kept = GAP.len() * others.len() + (*last).min(LAST_COLUMN_WANTED);
    let room = columns.saturating_sub(kept);
    while others.iter().sum::<usize>() > room {
        let widest = others.iter_mut().max_by_key(|width| **width);
        let Some(widest) = widest.filter(|width| **width > COLUMN_MIN) else {
            return;
        };
        *widest -= 1;
    }
}

fn line(row: &[String], widths: &[usize], columns: Option<usize>) -> String {
    let mut out = String::new();
    let last = widths.len().saturating_sub(1);
    for (n, (cell, width)) in row.iter().zip(widths).enumerate() {
        if n < last {
            let padded = console::pad_str(cell, *width, console::Alignment::Left, Some("…"));
            out += &padded;
            out += GAP;
        } else {
            let used = console::measure_text_width(&out);
            let room = columns.map_or(usize::MAX, |columns| columns.saturating_sub(used));
            out += &console::truncate_str(cell, room.max(LAST_COLUMN_MIN), "…");
        }
    }
    out
}

/// How long ago, or how long it took, in one or two units.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        86_400.. => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// A number of bytes in the binary units.
pub(crate) fn bytes(count: u64) -> String {
    indicatif::BinaryBytes(count).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["BAG", "NOTE"]);
        table.push(&["a.tar".to_owned(), "x".repeat(60)]);
        table.push(&["日本.tar".to_owned(), "fine".to_owned()]);
        table
    }

    #[test]
    fn columns_line_up_by_what_the_eye_sees() {
        let mut table = Table::new(&["BAG", "NOTE"]);
        table.push(&["日本.tar".to_owned(), "fine".to_owned()]);

        assert_eq!(
            table.render(None),
            "BAG       NOTE\n日本.tar  fine\n",
            "two characters, four columns"
        );
    }

    #[test]
    fn a_narrow_terminal_cuts_the_last_column_only() {
        let text = table().render(Some(40));

        assert!(
            text.lines()
                .all(|line| console::measure_text_width(line) <= 40)
        );
        assert!(text.contains("日本.tar  fine"), "{text}");
        assert!(text.contains('…'), "{text}");
    }

    #[test]
    fn long_names_are_cut_so_that_a_row_is_one_line() {
        let mut table = Table::new(&["ID", "BAG", "STAGE", "NOTE"]);
        let long = format!("{}.tar", "日本".repeat(40));
        let cells = ["12", &long, "Format Identification", "What happened"];
        table.push(&cells.map(str::to_owned));

        for columns in [60, 80, 120] {
            let text = table.render(Some(columns));
            let widths = text.lines().map(console::measure_text_width);
            assert!(widths.max() <= Some(columns), "{text}");
            assert!(text.contains("日本") && text.contains('…'), "{text}");
            assert!(text.contains("What happened"), "{text}");
        }
    }

    #[test]
    fn without_a_terminal_nothing_is_cut() {
        let text = table().render(None);

        assert!(text.contains(&"x".repeat(60)), "{text}");
        assert!(!text.contains('…'), "{text}");
    }

    #[test]
    fn a_name_cannot_forge_a_row() {
        let mut table = Table::new(&["BAG"]);

        table.push(&["a\nSuccess\u{1b}[2J".to_owned()]);

        let text = table.render(None);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn durations_read_naturally() {
        let rows = [
            (0, "0.0 s"),
            (59, "59 s"),
            (61, "1 min 1 s"),
            (7_260, "2 h 1 min"),
            (90_000, "1 d 1 h"),
        ];

        for (seconds, expected) in rows {
            assert_eq!(duration(Duration::from_secs(seconds)), expected);
        }
    }
}
