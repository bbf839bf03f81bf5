//! Cuts the bytes of a text file into lines, whatever its encoding and its line ends.
//!
//! Holds one line at most, and never more of it than it was told to keep. The lines are the same
//! however the bytes are cut.
//!
//! Cannot see a line end that is not LF, CRLF or CR (RFC 8493 section 2.1.3).

use encoding_rs::{Decoder, DecoderResult};

use super::encoding::{Beginning, Oddity, START_BYTES, TagEncoding};

/// How much text is decoded at a time.
const DECODED_BYTES: usize = 8 * 1024;

/// Why a line is not as the file has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFault {
    /// Longer than is kept; the text is its beginning.
    TooLong,
    /// Holds bytes that mean nothing in the file's encoding; U+FFFD takes their place.
    Undecodable,
}

/// One line, without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Counted from 1, empty lines included.
    pub number: u64,
    pub text: &'a str,
    pub fault: Option<LineFault>,
}

/// Receives the lines, in order.
pub type EachLine<'a> = dyn FnMut(Line<'_>) + 'a;

/// A push parser: bytes in, lines out.
pub struct LineReader {
    source: Source,
    splitter: Splitter,
    decoded: String,
    oddity: Option<Oddity>,
}

/// The first bytes decide which decoder is right.
enum Source {
    Beginning {
        encoding: TagEncoding,
        start: Vec<u8>,
    },
    Decoding(Decoder),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Input {
    Continues,
    Ends,
}

impl LineReader {
    /// `line_bytes_max` is how much of a line is kept, in bytes of UTF-8.
    pub fn new(encoding: TagEncoding, line_bytes_max: usize) -> Self {
        Self {
            source: Source::Beginning {
                encoding,
                start: Vec::with_capacity(START_BYTES),
            },
            splitter: Splitter {
                held: String::new(),
                held_max: line_bytes_max,
                number: 0,
                fault: None,
                after_carriage_return: false,
            },
            decoded: String::with_capacity(DECODED_BYTES),
            oddity: None,
        }
    }

    /// What is odd about the first bytes of the file. Known at its end.
    pub fn oddity(&self) -> Option<Oddity> {
        self.oddity
    }

    pub fn push(&mut self, bytes: &[u8], each: &mut EachLine<'_>) {
        let mut rest = bytes;
        if let Source::Beginning { start, .. } = &mut self.source {
            let wanted = START_BYTES.saturating_sub(start.len());
            let (head, tail) = rest.split_at(wanted.min(rest.len()));
            start.extend_from_slice(head);
            rest = tail;
            if start.len() < START_BYTES {
                return;
            }
            self.begin(each);
        }
        self.decode(rest, Input::Continues, each);
    }

    /// The end of the file: its last line may lack an end.
    pub fn end(&mut self, each: &mut EachLine<'_>) {
        self.begin(each);
        self.decode(&[], Input::Ends, each);
        self.splitter.end(each);
    }

    /// Decides on a decoder, if none has been yet.
    fn begin(&mut self, each: &mut EachLine<'_>) {
        let Source::Beginning { encoding, start } = &mut self.source else {
            return;
        };
        let start = std::mem::take(start);
        let Beginning {
            decoder,
            mark_bytes,
            oddity,
        } = encoding.beginning(&start);
        self.oddity = oddity;
        self.source = Source::Decoding(decoder);
        let text = start.get(mark_bytes..).unwrap_or_default();
        self.decode(text, Input::Continues, each);
    }

    fn decode(&mut self, bytes: &[u8], input: Input, each: &mut EachLine<'_>) {
        let Source::Decoding(decoder) = &mut self.source else {
            return;
        };
        let last = input == Input::Ends;
        let mut rest = bytes;
        loop {
            self.decoded.clear();
            let (result, read) =
                decoder.decode_to_string_without_replacement(rest, &mut self.decoded, last);
            self.splitter.text(&self.decoded, each);
            rest = rest.get(read..).unwrap_or_default();
            match result {
                DecoderResult::InputEmpty => return,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => self.splitter.undecodable(),
            }
        }
    }
}

/// Cuts decoded text at line ends.
struct Splitter {
    /// The beginning of a line whose end has not come yet.
    held: String,
    held_max: usize,
    number: u64,
    fault: Option<LineFault>,
    /// A line feed that comes next belongs to the line end before it.
    after_carriage_return: bool,
}

impl Splitter {
    fn text(&mut self, text: &str, each: &mut EachLine<'_>) {
        let mut rest = text;
        if rest.is_empty() {
            return;
        }
        if std::mem::take(&mut self.after_carriage_return) {
            rest = rest.strip_prefix('\n').unwrap_or(rest);
        }
        while let Some(at) = rest.bytes().position(|byte| byte == b'\n' || byte == b'\r') {
            let (line, tail) = rest.split_at(at);
            self.emit(line, each);
            if tail == "\r" {
                self.after_carriage_return = true;
            }
            rest = tail
                .strip_prefix("\r\n")
                .or_else(|| tail.strip_prefix(['\r', '\n']))
                .unwrap_or_default();
        }
        self.hold(rest);
    }

    fn undecodable(&mut self) {
        self.after_carriage_return = false;
        self.hold("\u{fffd}");
        self.fault.get_or_insert(LineFault::Undecodable);
    }

    fn end(&mut self, each: &mut EachLine<'_>) {
        if !self.held.is_empty() || self.fault.is_some() {
            self.emit("", each);
        }
    }

    fn emit(&mut self, last_part: &str, each: &mut EachLine<'_>) {
        self.number += 1;
        if self.held.is_empty() && self.fault.is_none() && last_part.len() <= self.held_max {
            each(Line {
                number: self.number,
                text: last_part,
                fault: None,
            });
            return;
        }
        self.hold(last_part);
        each(Line {
            number: self.number,
            text: &self.held,
            fault: self.fault.take(),
        });
        self.held.clear();
    }

    fn hold(&mut self, part: &str) {
        let room = self.held_max - self.held.len();
        if part.len() > room {
            // What is missing matters more than what is garbled.
            self.fault = Some(LineFault::TooLong);
        }
        let kept = part.split_at(part.floor_char_boundary(room)).0;
        self.held.push_str(kept);
    }
}
