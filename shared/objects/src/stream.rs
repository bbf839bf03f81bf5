//! An object as one ordered stream of bytes, fed by a few parallel ranged GETs.
//!
//! Every GET names the object's etag, so all bytes are of one upload: another one under the same
//! key is `Superseded`, never a mixture. A connection that breaks or a body that ends early is
//! resumed at the byte where it stopped. Only the recorded size is the end. At most
//! [`RANGES_AT_ONCE`] ranges of [`RANGE_BYTES`] are held, and the one that is being read; fewer and
//! smaller ones while the budget of the process has none left.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use crc_fast::{CrcAlgorithm, Digest};
use muniment_model::{Crc64Nvme, ObjectKey};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::answer::{Condition, broken_body, error_of};
use crate::bucket::{Bucket, incomplete, quoted, short_body, unquoted};
use crate::budget::HeldBytes;
use crate::connection::Limit;
use crate::error::{Resource, StorageError};
use crate::multipart::header_of;

/// Large enough that the request is a small part of the work, small enough to hold several.
pub const RANGE_BYTES: u64 = 8 * 1024 * 1024;

/// One connection to S3 gives 50 to 100 MB/s; digesting takes some 200.
pub const RANGES_AT_ONCE: usize = 3;

/// The most that a reader is given at a time: small enough to stay in a cache, large enough that
/// its own work counts and not the calls.
const FRAME_BYTES: usize = 256 * 1024;

/// How often one range is resumed after bytes did arrive. A range that breaks more often than once
/// per 128 KiB is an outage.
const RESUMES_MAX: u32 = 64;

/// The object that a stream reads, and the size it is known to have.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) bucket: Bucket,
    pub(crate) key: ObjectKey,
    pub(crate) size: u64,
}

/// The bytes of an object, or of a range of it, in order.
#[derive(Debug)]
pub struct ObjectStream {
    source: Arc<Source>,
    /// Without quotes; `None` until the first range has said it.
    etag: Option<String>,
    /// Of the next byte the caller gets.
    position: u64,
    end: u64,
    /// Where the next range to be asked for begins.
    next_range: u64,
    under_way: JoinSet<Result<(Fetched, HeldBytes), StorageError>>,
    /// Ranges that have arrived early, by their first byte.
    arrived: BTreeMap<u64, Frames>,
    current: Frames,
    stop: CancellationToken,
}

/// The tar of a bag is read as any object is.
pub type TarStream = ObjectStream;

/// The bytes of a range, and the permission to hold them.
#[derive(Debug, Default)]
struct Frames {
    frames: VecDeque<Bytes>,
    held: Option<HeldBytes>,
}

impl Frames {
    fn next(&mut self) -> Option<Bytes> {
        let frame = self.frames.front_mut()?;
        if frame.len() > FRAME_BYTES {
            return Some(frame.split_to(FRAME_BYTES));
        }
        self.frames.pop_front()
    }
}

struct Fetched {
    start: u64,
    frames: VecDeque<Bytes>,
    etag: String,
}

impl Bucket {
    /// Reads a part of an object that is known to have `size`.
    pub(crate) fn read(&self, key: &ObjectKey, size: u64, range: Range<u64>) -> ObjectStream {
        let source = Source {
            bucket: self.clone(),
            key: key.clone(),
            size,
        };
        ObjectStream::new(source, None, range, self.connection.stop().clone())
    }

    /// Reads an object of the recorded size to its end; returns the checksum of its bytes.
    pub(crate) async fn read_back(
        &self,
        key: &ObjectKey,
        size: u64,
    ) -> Result<Crc64Nvme, StorageError> {
        let mut stream = self.read(key, size, 0..size);
        let mut crc = Digest::new(CrcAlgorithm::Crc64Nvme);
        while let Some(bytes) = stream.next().await? {
            crc.update(&bytes);
        }
        Ok(Crc64Nvme(crc.finalize()))
    }
}

impl ObjectStream {
    pub(crate) fn new(
        source: Source,
        etag: Option<String>,
        range: Range<u64>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            etag,
            position: range.start,
            end: range.end.min(source.size),
            next_range: range.start,
            source: Arc::new(source),
            under_way: JoinSet::new(),
            arrived: BTreeMap::new(),
            current: Frames::default(),
            stop,
        }
    }

    /// The offset of the next byte in the object.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next bytes; `None` at the end. After an error the next call tries again
    /// from the same position.
    pub async fn next(&mut self) -> Result<Option<Bytes>, StorageError> {
        loop {
            if let Some(frame) = self.current.next() {
                self.position += frame.len() as u64;
                return Ok(Some(frame));
            }
            self.current.held = None;
            if self.position >= self.end {
                return Ok(None);
            }
            let arrived = self.arrived.remove(&self.position);
            let is_missing = arrived.is_none();
            self.current = arrived.unwrap_or_default();
            self.read_ahead();
            if is_missing && let Err(error) = self.receive().await {
                self.forget();
                return Err(error);
            }
        }
    }

    /// Asks for as many ranges as may be held. Where none may, and the reader has none, asks for a
    /// small step, so that a stream always goes on.
    fn read_ahead(&mut self) {
        // Until the etag is known, a second range could be of another upload.
        let at_once = match self.etag {
            Some(_) => RANGES_AT_ONCE,
            None => 1,
        };
        while self.next_range < self.end && self.under_way.len() + self.arrived.len() < at_once {
            let start = self.next_range;
            let wanted = RANGE_BYTES.min(self.end - start);
            let budget = self.source.bucket.connection.budget();
            let has_any = !self.current.frames.is_empty()
                || !self.under_way.is_empty()
                || !self.arrived.is_empty();
            let held = match budget.try_read_ahead(wanted) {
                Some(held) => held,
                None if has_any => return,
                None => budget.step(wanted),
            };
            let end = start + held.bytes();
            self.next_range = end;
            let source = Arc::clone(&self.source);
            let (etag, stop) = (self.etag.clone(), self.stop.clone());
            self.under_way.spawn(async move {
                let fetched = source.fetch(start..end, etag, &stop).await?;
                Ok((fetched, held))
            });
        }
    }

    /// Waits for any range.
    async fn receive(&mut self) -> Result<(), StorageError> {
        let joined = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Err(StorageError::Stopped),
            joined = self.under_way.join_next() => joined,
        };
        let resource = || self.source.bucket.resource_of(&self.source.key);
        match joined {
            Some(Ok(fetched)) => {
                let (fetched, held) = fetched?;
                self.etag = Some(fetched.etag);
                let frames = Frames {
                    frames: fetched.frames,
                    held: Some(held),
                };
                self.arrived.insert(fetched.start, frames);
                Ok(())
            }
            Some(Err(error)) => Err(broken_body(error, &resource())),
            // `read_ahead` leaves at least one range under way when bytes are missing.
            None => Err(broken_body(short_body(), &resource())),
        }
    }

    /// Drops what was read ahead, so that the next call begins at the caller's position.
    fn forget(&mut self) {
        self.under_way = JoinSet::new();
        self.arrived.clear();
        self.next_range = self.position;
    }
}

/// What one GET brought: bytes, and why it ended early if it did.
struct Piece {
    bytes: BytesMut,
    length: u64,
    etag: String,
    fault: Option<StorageError>,
}

impl Source {
    /// One range, complete.
    async fn fetch(
        &self,
        range: Range<u64>,
        mut etag: Option<String>,
        stop: &CancellationToken,
    ) -> Result<Fetched, StorageError> {
        let resource = self.bucket.resource_of(&self.key);
        let mut frames = VecDeque::new();
        let mut position = range.start;
        let mut resumes = 0;
        loop {
            let rest = position..range.end;
            let limit = Limit::body(rest.end - rest.start);
            let connection = &self.bucket.connection;
            let piece = connection
                .call_until(stop, &resource, limit, || {
                    self.attempt(rest.clone(), etag.as_deref(), &resource)
                })
                .await?;
            position += piece.length;
            frames.push_back(piece.bytes.freeze());
            let Some(fault) = piece.fault else {
                return Ok(Fetched {
                    start: range.start,
                    frames,
                    etag: piece.etag,
                });
            };
            etag = Some(piece.etag);
            resumes += 1;
            if resumes > RESUMES_MAX {
                return Err(fault);
            }
            tracing::debug!(%resource, position, "a body ended early, resuming");
        }
    }

    /// One GET. It fails only if it brought no byte; otherwise it says why it ended early.
    async fn attempt(
        &self,
        range: Range<u64>,
        etag: Option<&str>,
        resource: &Resource,
    ) -> Result<Piece, StorageError> {
        let output = self
            .bucket
            .connection
            .client()
            .get_object()
            .bucket(self.bucket.name.as_str())
            .key(self.key.as_str())
            .range(header_of(&range))
            .set_if_match(etag.map(quoted))
            .send()
            .await
            .map_err(|error| error_of(error, resource, Condition::IfMatch))?;
        self.check_range(output.content_range(), range.start, resource)?;
        let wanted = range.end - range.start;
        let mut piece = Piece {
            bytes: BytesMut::with_capacity(usize::try_from(wanted).unwrap_or_default()),
            length: 0,
            etag: unquoted(output.e_tag()),
            fault: None,
        };
        let mut body = output.body;
        while piece.length < wanted {
            let mut frame = match body.next().await {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return piece.ended_by(broken_body(error, resource)),
                None => return piece.ended_by(broken_body(short_body(), resource)),
            };
            // A body that goes on after the last byte of the range has nothing for us.
            let missing = usize::try_from(wanted - piece.length).unwrap_or(usize::MAX);
            frame.truncate(missing);
            piece.length += frame.len() as u64;
            // Copied, because what the connection hands out keeps far larger buffers alive.
            piece.bytes.extend_from_slice(&frame);
        }
        Ok(piece)
    }

    /// The answer must be about the range we asked for, of an object of the size we know.
    fn check_range(
        &self,
        header: Option<&str>,
        start: u64,
        resource: &Resource,
    ) -> Result<(), StorageError> {
        let Some((first, total)) = header.and_then(parse_content_range) else {
            return Err(incomplete(resource, "a range without Content-Range"));
        };
        if first != start {
            return Err(incomplete(resource, "another range than was asked for"));
        }
        self.bucket.must_have_size(&self.key, self.size, total)
    }
}

impl Piece {
    fn ended_by(mut self, fault: StorageError) -> Result<Self, StorageError> {
        if self.length == 0 {
            return Err(fault);
        }
        self.fault = Some(fault);
        Ok(self)
    }
}

/// First byte and size of the object in `bytes 0-99/1234`.
fn parse_content_range(header: &str) -> Option<(u64, u64)> {
    let (range, total) = header.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = range.split_once('-')?;
    Some((first.parse().ok()?, total.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_range_is_read_or_refused() {
        let rows = [
            ("bytes 0-99/1234", Some((0, 1234))),
            ("bytes 8-8/9", Some((8, 9))),
            ("bytes 0-99/*", None),
            ("bytes */1234", None),
            ("0-99/1234", None),
            ("", None),
        ];

        for (header, expected) in rows {
            assert_eq!(parse_content_range(header), expected, "{header}");
        }
    }
}
