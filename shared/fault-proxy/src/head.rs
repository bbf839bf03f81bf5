//! The first line and the headers of a request or an answer, as bytes: what is not understood is passed
//! on as it came.

use std::io;

use http::Method;
use tokio::io::{AsyncRead, AsyncReadExt};

/// A head that is longer is refused. Servers refuse such heads as well; S3 allows 8 KiB of headers.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// The only header that is not passed on. Each side is told instead that this is the last exchange.
const CONNECTION: &str = "connection";

/// A request as the proxy saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub method: Method,
    /// Path and query, as sent.
    pub target: String,
    head: String,
}

impl Seen {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

pub(crate) struct Head {
    /// Every line with its line end; the empty line that ends a head is left out.
    lines: Vec<Vec<u8>>,
    /// What came with the head: the beginning of the body.
    pub(crate) rest: Vec<u8>,
}

impl Head {
    /// Reads up to the empty line. `bytes` are those that have been read before.
    pub(crate) async fn read(
        source: &mut (impl AsyncRead + Unpin),
        mut bytes: Vec<u8>,
    ) -> io::Result<Self> {
        loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = bytes.split_off(end + 4);
                bytes.truncate(end + 2);
                let lines = bytes.split_inclusive(|byte| *byte == b'\n');
                return Ok(Self {
                    lines: lines.map(<[u8]>::to_vec).collect(),
                    rest,
                });
            }
            if bytes.len() > HEAD_BYTES_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if source.read_buf(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// The head of a request, to be looked at. `None` when its first line is not one of HTTP.
    pub(crate) fn seen(&self) -> Option<Seen> {
        let head = String::from_utf8_lossy(&self.lines.concat()).into_owned();
        let mut words = head.lines().next()?.split(' ');
        Some(Seen {
            method: words.next()?.parse().ok()?,
            target: words.next()?.to_owned(),
            head,
        })
    }

    /// Whether another head follows, as after `100 Continue`.
    pub(crate) fn is_interim(&self) -> bool {
        self.lines
            .first()
            .is_some_and(|line| line.get(9) == Some(&b'1'))
    }

    /// Drops the headers whose names begin with `prefix`.
    pub(crate) fn remove(&mut self, prefix: &str) {
        self.lines.retain(|line| !begins(line, prefix));
    }

    pub(crate) fn add(&mut self, name: &str, value: &str) {
        self.lines.push(format!("{name}: {value}\r\n").into_bytes());
    }

    /// Limits the length that the head promises.
    pub(crate) fn shorten(&mut self, length_max: u64) {
        for line in self.lines.iter_mut().skip(1) {
            let value = line.splitn(2, |byte| *byte == b':').nth(1);
            let length = value.and_then(|value| str::from_utf8(value).ok()?.trim().parse().ok());
            if begins(line, "content-length:") && length > Some(length_max) {
                *line = format!("content-length: {length_max}\r\n").into_bytes();
            }
        }
    }

    /// As it is sent on, as the last of its connection.
    pub(crate) fn last(mut self) -> Vec<u8> {
        self.remove(&format!("{CONNECTION}:"));
        self.lines
            .push(format!("{CONNECTION}: close\r\n\r\n").into_bytes());
        self.lines.concat()
    }

    /// As it came.
    pub(crate) fn unchanged(&self) -> Vec<u8> {
        [self.lines.concat().as_slice(), b"\r\n"].concat()
    }
}

fn begins(line: &[u8], prefix: &str) -> bool {
    line.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}

#[cfg(test)]
mod tests;
