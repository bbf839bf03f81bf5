//! GNU tar, asked for a list of members and for their bytes.
//!
//! Cannot ask for both at once: the list has the sizes by which the bytes are parted.

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::{Answer, Found, Kind, without_slashes};

/// What it may write before it is stopped: far more than any tar that is compared can hold.
const OUTPUT_MAX: u64 = 64 * 1024 * 1024;

/// That of `2024-01-01 00:00`.
const TIME_WIDTH: usize = 16;

/// What GNU tar is called, here and where `tar` is another one.
const NAMES: [&str; 2] = ["tar", "gtar"];

#[derive(Debug)]
pub struct Gnu {
    program: &'static str,
    folder: TempDir,
}

impl Gnu {
    pub fn find() -> Result<Self> {
        let is_gnu = |program: &&str| {
            let output = Command::new(program).arg("--version").output();
            output.is_ok_and(|output| output.stdout.starts_with(b"tar (GNU tar)"))
        };
        let Some(program) = NAMES.into_iter().find(is_gnu) else {
            bail!(
                "GNU tar is not installed, as tar or gtar: on Debian `apt-get install tar`, with \
                 Homebrew `brew install gnu-tar`"
            );
        };
        Ok(Self {
            program,
            folder: TempDir::new()?,
        })
    }

    /// The command, in a folder of its own and with a language of its own.
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.program);
        command.env_clear().env("LC_ALL", "C").env("TZ", "UTC");
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    pub fn read(&self, tar: &[u8]) -> Result<Answer> {
        fs::write(self.folder.path().join("x.tar"), tar)?;
        let listed = self.run(&[
            "--list",
            "--verbose",
            "--quoting-style=escape",
            "--numeric-owner",
        ])?;
        let lines = match &listed {
            Ok(list) => list.split_inclusive(|byte| *byte == b'\n'),
            Err(said) => return Ok(Err(said.clone())),
        };
        let bytes = match self.run(&["--extract", "--to-stdout"])? {
            Ok(bytes) => bytes,
            Err(said) => return Ok(Err(said)),
        };
        let mut rest = bytes.as_slice();
        let mut found = Vec::new();
        let mut width = TIME_WIDTH;
        for line in lines {
            let shown = || format!("a line of GNU tar's list: {}", line.escape_ascii());
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let (kind, size, name) = member(line, &mut width).with_context(shown)?;
            let size = if kind == Kind::File { size } else { 0 };
            let parts = rest.split_at_checked(size);
            let (own, after) = parts.with_context(shown)?;
            rest = after;
            found.push(Found {
                name: without_slashes(&name).to_vec(),
                kind,
                bytes: own.to_vec(),
            });
        }
        if !rest.is_empty() {
            return Ok(Err(format!("{} bytes more than it lists", rest.len())));
        }
        Ok(Ok(found))
    }

    /// What it writes; what it says, when it fails.
    fn run(&self, arguments: &[&str]) -> Result<Result<Vec<u8>, String>> {
        let mut command = self.command();
        command.args(arguments);
        command.args(["--absolute-names", "--force-local", "--file=x.tar"]);
        let errors = fs::File::create(self.folder.path().join("errors"))?;
        let mut child = command.stdout(Stdio::piped()).stderr(errors).spawn()?;
        let mut written = Vec::new();
        if let Some(output) = child.stdout.take() {
            output.take(OUTPUT_MAX).read_to_end(&mut written)?;
        }
        if written.len() as u64 == OUTPUT_MAX {
            child.kill()?;
        }
        if child.wait()?.success() {
            return Ok(Ok(written));
        }
        let said = fs::read(self.folder.path().join("errors"))?;
        let said = String::from_utf8_lossy(&said).into_owned();
        let is_complete = said.lines().all(changes_no_member);
        Ok(if is_complete { Ok(written) } else { Err(said) })
    }
}

/// Whether a line of errors is about a field of a header that decides nothing about members: a time, an
/// owner. The program fails, but not before it has gone through all of them.
fn changes_no_member(line: &str) -> bool {
    const TYPES: [&str; 6] = ["time_t", "uid_t", "gid_t", "mode_t", "major_t", "minor_t"];
    let is_of = |kind: &str| {
        line.ends_with(&format!("where numeric {kind} value expected"))
            || line.ends_with(&format!("is out of {kind} range"))
    };
    let is_last = line.ends_with("Exiting with failure status due to previous errors");
    is_last || TYPES.into_iter().any(is_of)
}

/// Reads `-rw-r--r-- 0/0  5 2024-01-01 00:00 bag/a`. Times are padded to the longest one so far.
fn member(line: &[u8], width: &mut usize) -> Option<(Kind, usize, Vec<u8>)> {
    let (mode, rest) = word(line)?;
    let (_owner, rest) = word(rest)?;
    let (size, rest) = word(rest)?;
    let time = rest.get(1..)?;
    let (date, hour) = word(time)?;
    // A time that no calendar has is one number.
    let is_date = date.iter().skip(1).any(|byte| *byte == b'-');
    let hour = if is_date { 1 + word(hour)?.0.len() } else { 0 };
    *width = (*width).max(date.len() + hour);
    let name = unescaped(time.get(*width + 1..)?);
    let kind = match mode.first()? {
        b'-' | b'C' => Kind::File,
        b'd' => Kind::Folder,
        _ => return Some((Kind::Other, 0, name)),
    };
    let size = std::str::from_utf8(size).ok()?.parse().ok()?;
    Some((kind, size, name))
}

/// The first word and what follows it, with the blank between them.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = text.iter().position(|byte| *byte != b' ')?;
    let text = text.get(start..)?;
    let end = text.iter().position(|byte| *byte == b' ')?;
    text.split_at_checked(end)
}

/// A name without the escapes of a C program.
fn unescaped(name: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = name;
    while let [first, after @ ..] = rest {
        let (byte, tail) = match (first, after) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..]) => {
                (((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'), tail)
            }
            (b'\\', [letter, tail @ ..]) => (escape(*letter), tail),
            (byte, tail) => (*byte, tail),
        };
        bytes.push(byte);
        rest = tail;
    }
    bytes
}

fn escape(letter: u8) -> u8 {
    match letter {
        b'a' => 7,
        b'b' => 8,
        b't' => b'\t',
        b'n' => b'\n',
        b'v' => 11,
        b'f' => 12,
        b'r' => b'\r',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_list_are_read() {
        let rows: [(&[u8], _); 5] = [
            (
                b"-rw-r--r-- 0/0    5 2024-01-01 00:00 bag/a",
                (Kind::File, 5, b"bag/a".to_vec()),
            ),
            (
                b"drwxr-xr-x 0/0    0 2024-01-01 00:00  b\\n\\303\\251\\\\/",
                (Kind::Folder, 0, " b\n\u{e9}\\/".into()),
            ),
            (
                b"crw-r--r-- 0/0  1,3 2024-01-01 00:00 bag/c",
                (Kind::Other, 0, b"bag/c".to_vec()),
            ),
            (
                b"-rw-r--r-- 0/0    5 99999999999999999999 bag/a b",
                (Kind::File, 5, b"bag/a b".to_vec()),
            ),
            (
                b"-rw-r--r-- 0/0    5 2024-01-01 00:00     bag/a",
                (Kind::File, 5, b"bag/a".to_vec()),
            ),
        ];
        let mut width = TIME_WIDTH;

        for (line, expected) in rows {
            let found = member(line, &mut width);
            assert_eq!(found, Some(expected), "{}", line.escape_ascii());
        }
    }
}
