//! One member of a tar, well made or not.
//!
//! Used by the builder for the members of a bag, and directly for what no bag should hold: links,
//! devices, names that leave the folder, headers that contradict each other. Nothing is checked;
//! the reader is there to refuse it.

use std::io::{self, Write};

use super::content::Content;

const BLOCK: usize = 512;

/// Every built member has this time, 2024-01-01 00:00:00 UTC, so that the same bag has the same
/// bytes.
const MODIFIED_AT: u64 = 1_704_067_200;

/// The largest size that the octal digits of a header hold.
const OCTAL_SIZE_MAX: u64 = 0o777_7777_7777;

/// The most bytes of a name in a header's first name field.
const NAME_MAX: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// POSIX, with PAX records where a name needs them.
    Posix,
    /// GNU tar, with a long-name header where a name needs it.
    Gnu,
    /// Before POSIX: no magic, no type letter for files.
    V7,
}

/// A member to be written. Its name is taken as it is, with the folder in it.
#[derive(Clone, Debug)]
#[must_use]
pub struct Entry {
    name: Vec<u8>,
    typeflag: u8,
    target: Vec<u8>,
    content: Content,
    claimed_size: Option<u64>,
    size_field: Option<[u8; 12]>,
    records: Vec<(String, Vec<u8>)>,
    form: Form,
}

impl Entry {
    /// A member with any type letter.
    pub fn of_type(typeflag: u8, name: impl Into<Vec<u8>>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            typeflag,
            target: Vec::new(),
            content: Content::Bytes(bytes.into()),
            claimed_size: None,
            size_field: None,
            records: Vec::new(),
            form: Form::Posix,
        }
    }

    pub fn file(name: impl Into<Vec<u8>>, bytes: impl Into<Vec<u8>>) -> Self {
        Self::of_type(b'0', name, bytes)
    }

    /// A file whose bytes follow from `seed`; it takes no memory.
    pub fn generated(name: impl Into<Vec<u8>>, size: u64, seed: u64) -> Self {
        Self::with_content(name, Content::Generated { size, seed })
    }

    pub(super) fn with_content(name: impl Into<Vec<u8>>, content: Content) -> Self {
        Self {
            content,
            ..Self::file(name, [])
        }
    }

    pub fn directory(name: impl Into<Vec<u8>>) -> Self {
        Self::of_type(b'5', name, [])
    }

    pub fn hard_link(name: impl Into<Vec<u8>>, target: impl Into<Vec<u8>>) -> Self {
        Self {
            target: target.into(),
            ..Self::of_type(b'1', name, [])
        }
    }

    pub fn symbolic_link(name: impl Into<Vec<u8>>, target: impl Into<Vec<u8>>) -> Self {
        Self {
            target: target.into(),
            ..Self::of_type(b'2', name, [])
        }
    }

    pub fn character_device(name: impl Into<Vec<u8>>) -> Self {
        Self::of_type(b'3', name, [])
    }

    pub fn block_device(name: impl Into<Vec<u8>>) -> Self {
        Self::of_type(b'4', name, [])
    }

    pub fn fifo(name: impl Into<Vec<u8>>) -> Self {
        Self::of_type(b'6', name, [])
    }

    /// A sparse file as GNU tar wrote it before PAX: `bytes` is what its map (left empty here)
    /// would spread.
    pub fn old_sparse(name: impl Into<Vec<u8>>, bytes: impl Into<Vec<u8>>) -> Self {
        Self::of_type(b'S', name, bytes).in_gnu_form()
    }

    /// A PAX header that counts for all members after it.
    pub fn global_pax(key: &str, value: impl AsRef<[u8]>) -> Self {
        Self::of_type(b'g', "pax_global_header", record(key, value.as_ref()))
    }

    /// Adds a record to the PAX header before the member. Repeated keys are written repeatedly.
    pub fn pax(mut self, key: &str, value: impl Into<Vec<u8>>) -> Self {
        self.records.push((key.to_owned(), value.into()));
        self
    }

    /// Writes `size` into the header, whatever follows it.
    pub fn claiming(mut self, size: u64) -> Self {
        self.claimed_size = Some(size);
        self
    }

    /// Writes these bytes as the header's size field.
    pub fn with_size_field(mut self, field: [u8; 12]) -> Self {
        self.size_field = Some(field);
        self
    }

    pub fn in_gnu_form(mut self) -> Self {
        self.form = Form::Gnu;
        self
    }

    pub fn in_v7_form(mut self) -> Self {
        self.form = Form::V7;
        self
    }

    /// Writes headers, bytes and padding.
    pub fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        self.write_headers(out)?;
        self.content.write_to(out)?;
        write_padding(self.content.size(), out)
    }

    pub(super) fn write_headers(&self, out: &mut impl Write) -> io::Result<()> {
        let size = self.claimed_size.unwrap_or(self.content.size());
        let mut records = Vec::new();
        if self.form == Form::Posix && needs_record(&self.name) {
            records.extend(record("path", &self.name));
        }
        if self.form == Form::Posix && size > OCTAL_SIZE_MAX {
            records.extend(record("size", size.to_string().as_bytes()));
        }
        for (key, value) in &self.records {
            records.extend(record(key, value));
        }
        if !records.is_empty() {
            Self::of_type(b'x', "PaxHeader", records).write_to(out)?;
        }
        if self.form == Form::Gnu && self.name.len() > NAME_MAX {
            let body = [self.name.as_slice(), b"\0"].concat();
            Self::of_type(b'L', "././@LongLink", body).write_to(out)?;
        }
        out.write_all(self.header(size).as_bytes())
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        super::in_memory(|out| self.write_to(out))
    }

    fn header(&self, size: u64) -> tar::Header {
        let mut header = match self.form {
            Form::Posix => tar::Header::new_ustar(),
            Form::Gnu => tar::Header::new_gnu(),
            Form::V7 => tar::Header::new_old(),
        };
        header.set_mode(if self.typeflag == b'5' { 0o755 } else { 0o644 });
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(MODIFIED_AT);
        // In POSIX form a larger size is in a PAX record.
        header.set_size(match self.form {
            Form::Posix if size > OCTAL_SIZE_MAX => 0,
            Form::Posix | Form::Gnu | Form::V7 => size,
        });
        let fields = header.as_old_mut();
        copy(&self.name, &mut fields.name);
        copy(&self.target, &mut fields.linkname);
        fields.linkflag = match (self.form, self.typeflag) {
            (Form::V7, b'0' | b'5') => [0],
            (Form::Posix | Form::Gnu | Form::V7, letter) => [letter],
        };
        if let Some(field) = self.size_field {
            fields.size = field;
        }
        header.set_cksum();
        header
    }
}

/// Copies what fits.
fn copy(text: &[u8], field: &mut [u8; NAME_MAX]) {
    for (to, from) in field.iter_mut().zip(text) {
        *to = *from;
    }
}

/// Names that are too long for a header, or whose letters its reader could take for another
/// encoding. Invalid UTF-8 has no PAX form and stays in the header.
fn needs_record(name: &[u8]) -> bool {
    name.len() > NAME_MAX || (!name.is_ascii() && std::str::from_utf8(name).is_ok())
}

/// A PAX record, whose length counts its own digits.
fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + " =\n".len();
    let digits = |length: usize| length.to_string().len();
    let length = rest + digits(rest + digits(rest));
    [format!("{length} {key}=").as_bytes(), value, b"\n"].concat()
}

pub(super) fn write_padding(size: u64, out: &mut impl Write) -> io::Result<()> {
    let used = usize::try_from(size % BLOCK as u64).unwrap_or_default();
    match used {
        0 => Ok(()),
        _ => out.write_all([0; BLOCK].get(used..).unwrap_or_default()),
    }
}
