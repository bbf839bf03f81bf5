//! Writes one bag and remembers the digests that its manifests list.
//!
//! Made by the builder for the time of one writing. Each file's bytes are made, digested and
//! written in one pass, unless the manifests come before them.

use std::io::{self, Write};

use muniment_model::{Algorithm, Digests};

use super::content::Content;
use super::entry::{Entry, write_padding};
use super::{BagBuilder, File, is_payload};

pub(super) struct Writing<'a, W> {
    builder: &'a BagBuilder,
    /// Path and digests of each file.
    listed: Vec<(String, Digests)>,
    out: &'a mut W,
}

impl<'a, W: Write> Writing<'a, W> {
    pub(super) fn new(builder: &'a BagBuilder, out: &'a mut W) -> Self {
        Self {
            builder,
            listed: Vec::new(),
            out,
        }
    }

    pub(super) fn directory(&mut self, path: &str) -> io::Result<()> {
        Entry::directory(self.name(path)).write_to(self.out)
    }

    /// Writes and lists a file.
    pub(super) fn file(&mut self, file: &File) -> io::Result<()> {
        if !(file.is_present && file.is_listed) {
            self.list(file)?;
            return self.write(file);
        }
        Entry::with_content(self.name(&file.path), Content::Bytes(Vec::new()))
            .claiming(file.content.size())
            .write_headers(self.out)?;
        let digests = file.content.write_digested(self.out)?;
        self.listed.push((file.path.clone(), digests));
        write_padding(file.content.size(), self.out)
    }

    /// Lists a file that is written elsewhere, or not at all.
    pub(super) fn list(&mut self, file: &File) -> io::Result<()> {
        if file.is_listed {
            let digests = file.content.write_digested(&mut io::sink())?;
            self.listed.push((file.path.clone(), digests));
        }
        Ok(())
    }

    /// Writes a file that is listed elsewhere, or not at all.
    pub(super) fn write(&mut self, file: &File) -> io::Result<()> {
        if file.is_present {
            Entry::with_content(self.name(&file.path), file.content.clone()).write_to(self.out)?;
        }
        Ok(())
    }

    /// Writes the payload manifests, then the tag manifests, which list those too.
    pub(super) fn manifests(&mut self) -> io::Result<()> {
        let builder = self.builder;
        for algorithm in &builder.manifests {
            let mut text = self.lines(*algorithm, is_payload)?;
            for n in 0..builder.phantom_lines {
                let width = algorithm.hex_len();
                writeln!(text, "{n:0width$x}  data/phantom-{n}")?;
            }
            self.generated(format!("manifest-{algorithm}.txt"), text)?;
        }
        let is_tag_file = |path: &str| !is_payload(path) && !path.starts_with("tagmanifest-");
        for algorithm in &builder.tag_manifests {
            let text = self.lines(*algorithm, is_tag_file)?;
            self.generated(format!("tagmanifest-{algorithm}.txt"), text)?;
        }
        Ok(())
    }

    /// A file of ours, unless the builder was given another in its place.
    fn generated(&mut self, path: String, text: Vec<u8>) -> io::Result<()> {
        if self.builder.holds(&path) {
            return Ok(());
        }
        self.file(&File::new(path, Content::Bytes(text)))
    }

    fn lines(&self, algorithm: Algorithm, is_wanted: impl Fn(&str) -> bool) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        for (path, digests) in self.listed.iter().filter(|(path, _)| is_wanted(path)) {
            let mut hex = digests.hex(algorithm);
            if self.builder.corrupt.contains(path) {
                let other = if hex.starts_with('0') { "1" } else { "0" };
                hex.replace_range(..1, other);
            }
            writeln!(text, "{hex}  {}", in_manifest(path))?;
        }
        Ok(text)
    }

    fn name(&self, path: &str) -> String {
        format!("{}/{path}", self.builder.name)
    }
}

/// RFC 8493 2.1.3: line ends and the percent sign are percent-encoded, and nothing else.
fn in_manifest(path: &str) -> String {
    path.replace('%', "%25")
        .replace('\n', "%0A")
        .replace('\r', "%0D")
}
