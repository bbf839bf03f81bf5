//! Receives the body of a request: hashes it and puts it where it will stay.
//!
//! A small body is held in memory and goes into the database row; a larger one streams into a blob
//! file, hashed and written on blocking threads a batch at a time, so memory holds two batches
//! whatever the size. Nothing refers to the bytes yet: when the request fails or its client goes
//! away, they are dropped, and the file with them.

use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use s3s::dto::StreamingBlob;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::blobs::{BlobId, Blobs, NewFile, Writing, blocking};
use crate::checksums::{Digests, Hashing};

/// Bodies up to this size live in the database row, larger ones in a file of their own.
///
/// A file costs two syncs of its own, where a row shares the sync of its batch; but a row's bytes are
/// written twice, to the log and then to the table. Measured with 32 clients on two cores and a disk of
/// 150 MB/s: at 16 KiB a row takes 0.6 of the processor time of a file and gives a third more PUTs per
/// second, at 32 KiB they are equal, at 64 KiB files give a fifth more.
pub(crate) const INLINE_MAX: u64 = 16 * 1024;
/// How much is handed to a blocking thread at once.
const BATCH_BYTES: usize = 256 * 1024;
/// How much is written before the disk is set to work on it, so that the last sync finds little to do.
const FLUSHED_TOGETHER_BYTES: u64 = 32 * 1024 * 1024;
/// How much of a refused body is read and thrown away, so that a client still sending gets to see the
/// answer instead of a closed connection. The largest part that clients of ours send: a full disk must
/// not look like a broken connection to them.
const DRAINED_MAX: usize = 128 * 1024 * 1024;

/// Bytes that no row refers to yet.
pub(crate) enum NewBytes {
    Inline { id: BlobId, body: Bytes },
    File(NewFile),
}

impl NewBytes {
    pub(crate) fn id(&self) -> BlobId {
        match self {
            Self::Inline { id, .. } => *id,
            Self::File(file) => file.id,
        }
    }

    /// Called once the row is committed.
    pub(crate) fn keep(&mut self) {
        if let Self::File(file) = self {
            file.keep();
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum IntakeError {
    #[error("the body did not arrive as announced")]
    Body(#[source] s3s::StdError),
    #[error("the body has {received} bytes and was announced with {announced}")]
    Length { announced: u64, received: u64 },
    #[error("could not write the body")]
    Write(#[source] io::Error),
}

/// Where bodies may go: a part of a multipart upload is always a file, so that ranges of it can be shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shelf {
    Any,
    FileOnly,
}

/// Receives `length` bytes.
pub(crate) async fn receive(
    blobs: &Arc<Blobs>,
    body: Option<StreamingBlob>,
    length: u64,
    hashing: Hashing,
    shelf: Shelf,
) -> Result<(NewBytes, Digests), IntakeError> {
    if length <= INLINE_MAX && shelf == Shelf::Any {
        let (body, digests) = receive_in_memory(body, length, hashing).await?;
        let id = blobs.new_id();
        return Ok((NewBytes::Inline { id, body }, digests));
    }
    let (file, digests) = receive_in_file(blobs, body, length, hashing).await?;
    Ok((NewBytes::File(file), digests))
}

/// Reads a body nobody wants, up to a limit.
pub(crate) async fn drain(body: Option<StreamingBlob>) {
    let Some(mut body) = body else { return };
    let mut seen = 0;
    while let Some(Ok(bytes)) = body.next().await {
        seen += bytes.len();
        if seen > DRAINED_MAX {
            return;
        }
    }
}

async fn receive_in_memory(
    body: Option<StreamingBlob>,
    length: u64,
    mut hashing: Hashing,
) -> Result<(Bytes, Digests), IntakeError> {
    let mut whole = BytesMut::with_capacity(usize::try_from(length).unwrap_or(0));
    if let Some(mut body) = body {
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(IntakeError::Body)?;
            whole.extend_from_slice(&bytes);
            check_length(length, whole.len() as u64, u64::le)?;
        }
    }
    check_length(length, whole.len() as u64, u64::eq)?;
    hashing.update(&whole);
    Ok((whole.freeze(), hashing.finish()))
}

async fn receive_in_file(
    blobs: &Arc<Blobs>,
    body: Option<StreamingBlob>,
    length: u64,
    hashing: Hashing,
) -> Result<(NewFile, Digests), IntakeError> {
    let blobs = Arc::clone(blobs);
    let mut pipe = Pipe::new(spawn_blocking(move || blobs.create(hashing)));
    let mut received = 0;
    if let Some(mut body) = body {
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(IntakeError::Body)?;
            received += bytes.len() as u64;
            check_length(length, received, u64::le)?;
            if let Err(cause) = pipe.push(bytes).await {
                drain(Some(body)).await;
                return Err(IntakeError::Write(cause));
            }
        }
    }
    check_length(length, received, u64::eq)?;
    pipe.finish().await.map_err(IntakeError::Write)
}

fn check_length(
    announced: u64,
    received: u64,
    holds: fn(&u64, &u64) -> bool,
) -> Result<(), IntakeError> {
    if holds(&received, &announced) {
        return Ok(());
    }
    Err(IntakeError::Length {
        announced,
        received,
    })
}

/// Collects a batch while the one before is hashed and written.
struct Pipe {
    busy: JoinHandle<io::Result<Writing>>,
    batch: Vec<Bytes>,
    batch_bytes: usize,
    unflushed: u64,
    flush: Option<JoinHandle<io::Result<()>>>,
}

impl Pipe {
    fn new(busy: JoinHandle<io::Result<Writing>>) -> Self {
        Self {
            busy,
            batch: Vec::new(),
            batch_bytes: 0,
            unflushed: 0,
            flush: None,
        }
    }

    async fn push(&mut self, bytes: Bytes) -> io::Result<()> {
        self.batch_bytes += bytes.len();
        self.batch.push(bytes);
        if self.batch_bytes >= BATCH_BYTES {
            self.hand_over().await?;
        }
        Ok(())
    }

    async fn hand_over(&mut self) -> io::Result<()> {
        let mut writing = (&mut self.busy).await.map_err(io::Error::other)??;
        self.unflushed += self.batch_bytes as u64;
        if self.unflushed >= FLUSHED_TOGETHER_BYTES {
            self.flush_behind(writing.handle()).await?;
        }
        let batch = std::mem::take(&mut self.batch);
        self.batch_bytes = 0;
        self.busy = spawn_blocking(move || {
            writing.append(&batch)?;
            Ok(writing)
        });
        Ok(())
    }

    /// One flush at a time: a disk slower than the client then slows the client down.
    async fn flush_behind(&mut self, file: Arc<File>) -> io::Result<()> {
        if let Some(flush) = self.flush.take() {
            flush.await.map_err(io::Error::other)??;
        }
        self.unflushed = 0;
        self.flush = Some(spawn_blocking(move || file.sync_data()));
        Ok(())
    }

    async fn finish(mut self) -> io::Result<(NewFile, Digests)> {
        if !self.batch.is_empty() {
            self.hand_over().await?;
        }
        let writing = self.busy.await.map_err(io::Error::other)??;
        if let Some(flush) = self.flush {
            flush.await.map_err(io::Error::other)??;
        }
        blocking(move || writing.finish()).await
    }
}
