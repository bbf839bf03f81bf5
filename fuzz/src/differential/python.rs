//! Python's tarfile, asked by a small script that answers for one tar after the other.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::{Answer, Found, Kind, without_slashes};

const SCRIPT: &str = include_str!("members.py");

/// Ends with the process that started it: its input ends then.
#[derive(Debug)]
pub struct Python {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    folder: TempDir,
}

impl Python {
    pub fn start() -> Result<Self> {
        let missing = "Python 3 with its module tarfile is not installed, as python3: on Debian \
                       `apt-get install python3`, with Homebrew `brew install python`";
        let folder = TempDir::new()?;
        let mut child = Command::new("python3")
            .args(["-I", "-c", SCRIPT])
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context(missing)?;
        let (Some(questions), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("python3 has no input or output");
        };
        let mut python = Self {
            child,
            questions,
            answers: BufReader::new(answers),
            folder,
        };
        // A file that is not there: one that answers is ready for those that are.
        python
            .ask("nothing")
            .context(missing)?
            .err()
            .context(missing)?;
        Ok(python)
    }

    pub fn read(&mut self, tar: &[u8]) -> Result<Answer> {
        fs::write(self.folder.path().join("x.tar"), tar)?;
        self.ask("x.tar")
    }

    fn ask(&mut self, path: &str) -> Result<Answer> {
        writeln!(self.questions, "{path}")?;
        self.questions.flush()?;
        let mut found = Vec::new();
        loop {
            let mut line = String::new();
            self.answers.read_line(&mut line)?;
            let words: Vec<&str> = line.trim_end().splitn(4, ' ').collect();
            match words.as_slice() {
                ["member", kind, name, bytes] => found.push(Found {
                    name: without_slashes(&from_hex(name)?).to_vec(),
                    kind: match *kind {
                        "file" => Kind::File,
                        "folder" => Kind::Folder,
                        _ => Kind::Other,
                    },
                    bytes: from_hex(bytes)?,
                }),
                ["end"] => return Ok(Ok(found)),
                ["error", said @ ..] => return Ok(Err(said.join(" "))),
                _ => bail!("python3 ended, or said {line:?}"),
            }
        }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // It may have ended already, and there is nobody to tell otherwise.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Reads `=68656c6c6f`; the sign is there so that no word is empty.
fn from_hex(text: &str) -> Result<Vec<u8>> {
    let digits = text.strip_prefix('=').context("no bytes")?.as_bytes();
    let pairs = digits.chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair)?;
        Ok(u8::from_str_radix(pair, 16)?)
    });
    pairs.collect()
}
