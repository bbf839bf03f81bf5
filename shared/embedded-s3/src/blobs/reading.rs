//! Reads runs of bytes out of blob files, as a stream of frames or into a digest.
//!
//! Each frame is read on a blocking thread, one frame ahead of the client, and no thread waits for a
//! slow client. Memory per reader: two frames.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::Stream;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{BlobId, Blobs, Pins, blocking, path_of};
use crate::checksums::{Digests, Hashing};

/// Large enough that the trip to a blocking thread is small beside the copy, small enough for memory.
const FRAME_BYTES: u64 = 256 * 1024;
/// How much is hashed by one trip to a blocking thread; a request that ends stops within it.
const HASHED_TOGETHER_FRAMES: usize = 64;

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
    _pins: Pins,
}

impl Cursor {
    fn new(blobs: Arc<Blobs>, segments: Vec<Segment>, pins: Pins) -> Self {
        Self {
            blobs,
            segments: segments.into_iter(),
            current: None,
            _pins: pins,
        }
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
        Ok(Some(frame.freeze()))
    }
}

type Ahead = JoinHandle<io::Result<(Cursor, Option<Bytes>)>>;

fn read_ahead(mut cursor: Cursor) -> Ahead {
    spawn_blocking(move || {
        let frame = cursor.next()?;
        Ok((cursor, frame))
    })
}

/// The bytes of `segments`, in order.
pub(crate) fn stream(
    blobs: Arc<Blobs>,
    segments: Vec<Segment>,
    pins: Pins,
) -> impl Stream<Item = io::Result<Bytes>> + Send + Sync + 'static {
    let ahead = read_ahead(Cursor::new(blobs, segments, pins));
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
    mut hashing: Hashing,
) -> io::Result<Digests> {
    let mut cursor = Cursor::new(blobs, segments, pins);
    loop {
        let step = blocking(move || {
            for _ in 0..HASHED_TOGETHER_FRAMES {
                let Some(frame) = cursor.next()? else {
                    return Ok((cursor, hashing, true));
                };
                hashing.update(&frame);
            }
            Ok((cursor, hashing, false))
        });
        let at_end;
        (cursor, hashing, at_end) = step.await?;
        if at_end {
            return Ok(hashing.finish());
        }
    }
}
