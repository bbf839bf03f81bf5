//! Where the commands write: answers to standard output, progress and trouble to standard error.
//!
//! Progress bars and log lines share standard error, so all of it goes through here and no log line
//! is torn by a bar that is drawn again. Where standard error is no terminal there are no bars, and
//! the commands say the same in plain lines.
//!
//! Names and notes come from bags and from elsewhere, so nothing is written before what does not print is
//! escaped, log lines excepted. An answer that could not be written is remembered for the exit code.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use muniment_model::is_unprintable;

/// The template of a bar over the bytes of one bag.
pub(crate) const BYTES_BAR: &str =
    "{msg} [{bar:30}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}";

/// The two streams of the process. Clones share them.
#[derive(Clone)]
pub struct Terminal {
    bars: MultiProgress,
    is_live: bool,
    answer: Arc<AtomicU8>,
}

/// All that was said has been written.
const WHOLE: u8 = 0;
/// Its reader has gone away (`muniment status | head`): that is no fault, and there is nobody left to tell.
const UNREAD: u8 = 1;
/// Something was not written, to a full disk for instance.
const LOST: u8 = 2;

impl Default for Terminal {
    fn default() -> Self {
        Self {
            bars: MultiProgress::new(),
            is_live: io::stderr().is_terminal(),
            answer: Arc::new(AtomicU8::new(WHOLE)),
        }
    }
}

impl Terminal {
    /// Whether a person watches: then there are bars, else plain lines.
    pub fn is_live(&self) -> bool {
        self.is_live
    }

    /// A line of the answer.
    pub fn say(&self, line: impl Display) {
        self.answer(&one_line(line));
    }

    /// Several lines of the answer. What is no part of their layout has been made [`one_line`] before, or
    /// is JSON.
    pub fn say_lines(&self, lines: impl Display) {
        self.answer(&escaped(&lines.to_string(), &['\n', '\t']));
    }

    fn answer(&self, text: &str) {
        // Nothing follows a gap.
        if self.answer.load(Ordering::Relaxed) != WHOLE {
            return;
        }
        let written = self.bars.suspend(|| write_line(io::stdout(), text));
        if let Err(error) = written {
            self.not_written(&error);
        }
    }

    /// Remembers that a part of the answer did not arrive, and says so, where anybody is there to read it.
    pub(crate) fn not_written(&self, error: &io::Error) {
        if error.kind() == io::ErrorKind::BrokenPipe {
            self.answer.store(UNREAD, Ordering::Relaxed);
            return;
        }
        self.answer.store(LOST, Ordering::Relaxed);
        self.tell(format_args!(
            "muniment: cannot write to standard output: {error}"
        ));
    }

    /// Whether something was said that could not be written although there is a reader.
    pub(crate) fn has_lost_lines(&self) -> bool {
        self.answer.load(Ordering::Relaxed) == LOST
    }

    /// A line about how it goes, or what went wrong.
    pub fn tell(&self, line: impl Display) {
        let line = one_line(line);
        // Who cannot be told of a fault cannot be told of this one either.
        drop(self.bars.suspend(|| write_line(io::stderr(), &line)));
    }

    /// A line of standard error that is drawn again and again. Invisible where there is no terminal.
    pub fn bar(&self, length: u64, template: &str) -> ProgressBar {
        let bar = self.bars.add(ProgressBar::new(length));
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar
    }

    /// How many columns standard output has, when it is a terminal.
    pub fn columns(&self) -> Option<usize> {
        console::Term::stdout()
            .size_checked()
            .map(|(_rows, columns)| usize::from(columns))
            .filter(|_| io::stdout().is_terminal())
    }
}

/// The text as one line that says what it says: for whatever is shown of a name or a note.
pub(crate) fn one_line(text: impl Display) -> String {
    escaped(&text.to_string(), &[])
}

/// What does not print as JSON escapes it, so that JSON stays JSON.
fn escaped(text: &str, kept: &[char]) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unprintable(character) && !kept.contains(&character) {
            // All of them have four digits.
            let escape = format!("\\u{:04x}", u32::from(character));
            out.push_str(&escape);
        } else {
            out.push(character);
        }
    }
    out
}

fn write_line(mut out: impl Write, line: &str) -> io::Result<()> {
    writeln!(out, "{line}")?;
    out.flush()
}

/// Log lines, between the bars.
impl Write for Terminal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bars.suspend(|| io::stderr().lock().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_that_changes_nothing_around_it() {
        let rows = [
            ("日本.tar", "日本.tar"),
            ("a\nb.tar: valid", "a\\u000ab.tar: valid"),
            ("\u{1b}[2Ja", "\\u001b[2Ja"),
            ("a\u{2028}b\u{202e}c", "a\\u2028b\\u202ec"),
        ];

        for (name, expected) in rows {
            assert_eq!(one_line(name), expected);
        }
    }

    #[test]
    fn json_stays_json_and_says_the_same() {
        let name = "a\u{2028}\u{202e}\u{7f}\u{85}\n";
        let json = serde_json::to_string_pretty(&[name]).expect("writes");

        let shown = escaped(&json, &['\n']);

        assert!(shown.chars().all(|one| one == '\n' || !is_unprintable(one)));
        let read: Vec<String> = serde_json::from_str(&shown).expect("reads");
        assert_eq!(read, [name]);
    }
}
