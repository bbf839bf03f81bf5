//! Where the commands write: answers to standard output, progress and trouble to standard error.
//!
//! Progress bars and log lines share standard error, so all of it goes through here and no log line
//! is torn by a bar that is drawn again. Where standard error is no terminal there are no bars, and
//! the commands say the same in plain lines.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// The template of a bar over the bytes of one bag.
pub(crate) const BYTES_BAR: &str =
    "{msg} [{bar:30}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}";

/// The two streams of the process. Clones share them.
#[derive(Clone)]
pub struct Terminal {
    bars: MultiProgress,
    is_live: bool,
}

impl Default for Terminal {
    fn default() -> Self {
        Self {
            bars: MultiProgress::new(),
            is_live: io::stderr().is_terminal(),
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
        self.bars.suspend(|| write_line(io::stdout(), line));
    }

    /// A line about how it goes, or what went wrong.
    pub fn tell(&self, line: impl Display) {
        self.bars.suspend(|| write_line(io::stderr(), line));
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

/// A reader that has gone away (`muniment status | head`) is not our fault, and there is nobody
/// left to be told.
fn write_line(mut out: impl Write, line: impl Display) {
    drop(writeln!(out, "{line}").and_then(|()| out.flush()));
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
