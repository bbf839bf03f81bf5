//! Reads runs of bytes out of blob files: as a stream of frames, into a digest, or into another file.
//!
//! Each frame is read on a blocking thread, one frame ahead of the client, and no thread waits for a
//! slow client. Memory per reader: two frames. Where the checksum of the bytes is known, the last
//! frame is held back until it has been compared: a client never gets damaged bytes to their end.
//! Reading changes nothing, so it may be repeated.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::Stream;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{BlobId, Blobs, Pins, Writing, blocking, path_of};
use crate::checksums::{Digests, Hashing};

/// Large enough that the trip to a blocking thread is small beside the copy, small enough for memory.
const FRAME_BYTES: u64 = 256 * 1024;
/// How much is hashed or copied by one trip to a blocking thread; a request that ends stops within it.
const FRAMES_TOGETHER: usize = 64;

/// A run of bytes of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub blob: BlobId,
    pub skip: u64,
    pub length: u64,
}

/// The runs of bytes still to be read. Blocking.
struct Cursor {
    blobs: Arc<Blobs>,
    segments: std::vec::IntoIter<Segment>,
    /// The rest of the current segment, and its file.
    current: Option<(Segment, File)>,
    /// What the bytes are to have in the end, when that is known.
    check: Option<(Hashing, Crc64)>,
    _pins: Pins,
}

/// The bytes were read, and they are not those that were stored.
#[derive(Debug, thiserror::Error)]
#[error("the bytes on the disk do not have the recorded checksum")]
pub(crate) struct Damaged;

/// A full-object crc64nvme.
type Crc64 = u64;

impl Cursor {
    fn new(blobs: Arc<Blobs>, segments: Vec<Segment>, pins: Pins) -> Self {
        Self {
            blobs,
            segments: segments.into_iter(),
            current: None,
            check: None,
            _pins: pins,
        }
    }

    /// With the checksum that all bytes together are to have.
    fn checked(mut self, crc64nvme: Option<Crc64>) -> Self {
        self.check = crc64nvme.map(|crc64nvme| (Hashing::for_copy(None), crc64nvme));
        self
    }

    /// Ends in an error when this was the last frame and the bytes are not those that were stored.
    fn compare(&mut self, frame: &[u8]) -> io::Result<()> {
        let Some((mut hashing, expected)) = self.check.take() else {
            return Ok(());
        };
        hashing.update(frame);
        if self.current.is_some() || self.segments.len() > 0 {
            self.check = Some((hashing, expected));
            return Ok(());
        }
        compare(hashing, expected)
    }

    /// The next frame, or nothing at the end. A file shorter than its row says is an error.
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        let (mut segment, file) = if let Some(current) = self.current.take() {
            current
        } else if let Some(segment) = self.segments.next() {
            let file = File::open(path_of(&self.blobs.root, segment.blob))?;
            (segment, file)
        } else {
            return Ok(None);
        };
        let length = segment.length.min(FRAME_BYTES);
        let mut frame = BytesMut::zeroed(usize::try_from(length).unwrap_or(0));
        file.read_exact_at(&mut frame, segment.skip)?;
        segment.skip += length;
        segment.length -= length;
        if segment.length > 0 {
            self.current = Some((segment, file));
        }
        self.compare(&frame)?;
        Ok(Some(frame.freeze()))
    }
}

fn compare(hashing: Hashing, crc64nvme: Crc64) -> io::Result<()> {
    if hashing.finish().crc64nvme == crc64nvme {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, Damaged))
}

/// The bytes of a row as [`stream`] gives those of files.
pub(crate) fn of_row(bytes: Bytes, crc64nvme: Option<Crc64>) -> io::Result<Bytes> {
    if let Some(crc64nvme) = crc64nvme {
        let mut hashing = Hashing::for_copy(None);
        hashing.update(&bytes);
        compare(hashing, crc64nvme)?;
    }
    Ok(bytes)
}

type Ahead = JoinHandle<io::Result<(Cursor, Option<Bytes>)>>;

fn read_ahead(mut cursor: Cursor) -> Ahead {
    spawn_blocking(move || {
        let frame = cursor.next()?;
        Ok((cursor, frame))
    })
}

/// The bytes of `segments`, in order. With a checksum, the last frame comes only if all bytes together
/// have it.
pub(crate) fn stream(
    blobs: Arc<Blobs>,
    segments: Vec<Segment>,
    pins: Pins,
    crc64nvme: Option<Crc64>,
) -> impl Stream<Item = io::Result<Bytes>> + Send + Sync + 'static {
    let ahead = read_ahead(Cursor::new(blobs, segments, pins).checked(crc64nvme));
    futures::stream::try_unfold(ahead, |ahead| async move {
        let (cursor, frame) = ahead.await.map_err(io::Error::other)??;
        Ok(frame.map(|frame| (frame, read_ahead(cursor))))
    })
}

/// Hashes the bytes of `segments`, in order.
pub(crate) async fn hash(
    blobs: Arc<Blobs>,
    segments: Vec<Segment>,
    pins: Pins,
    hashing: Hashing,
) -> io::Result<Digests> {
    let cursor = Cursor::new(blobs, segments, pins);
    let take = |sink: &mut Hashing, frame: Bytes| {
        sink.update(&frame);
        Ok(())
    };
    Ok(pour(cursor, hashing, take).await?.finish())
}

/// Appends the bytes of `segments`, in order, to a file of their own.
///
/// Read and written rather than cloned by the file system: a clone would lie on the same blocks of the
/// disk, and one bad block would be both.
pub(crate) async fn copy(
    blobs: Arc<Blobs>,
    segments: Vec<Segment>,
    pins: Pins,
    writing: Writing,
) -> io::Result<Writing> {
    let cursor = Cursor::new(blobs, segments, pins);
    pour(cursor, writing, |writing, frame| writing.append(&[frame])).await
}

/// Gives every frame to `take`, so many at a time.
async fn pour<T: Send + 'static>(
    mut cursor: Cursor,
    mut sink: T,
    take: fn(&mut T, Bytes) -> io::Result<()>,
) -> io::Result<T> {
    loop {
        let step = blocking(move || {
            for _ in 0..FRAMES_TOGETHER {
                let Some(frame) = cursor.next()? else {
                    return Ok((cursor, sink, true));
                };
                take(&mut sink, frame)?;
            }
            Ok((cursor, sink, false))
        });
        let at_end;
        (cursor, sink, at_end) = step.await?;
        if at_end {
            return Ok(sink);
        }
    }
}
