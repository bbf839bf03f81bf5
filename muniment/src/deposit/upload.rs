//! Sends one bag to its receiving bucket.
//!
//! A thread reads (or packs) the bag and hands over pieces; a few of them are in memory at a time.
//! Nothing is visible in the bucket before the last byte, so its readers never see half a bag.
//! Sending the same bag again is a new upload, and a new work item. An upload that is told to stop is
//! aborted, so that nothing of it stays in the bucket.

use std::fs::File;
use std::future::pending;
use std::io::{self, BufReader, Write};
use std::time::Duration;

use bytes::Bytes;
use indicatif::ProgressBar;
use muniment_model::ObjectKey;
use muniment_objects::{DepositBucket, ObjectWriter, StorageError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::bags::{Bag, Source};

/// Large enough to be read quickly, small enough to show progress.
const PIECE_BYTES: usize = 1 << 20;
/// How many pieces may wait for the network.
const PIECES_WAITING: usize = 4;
/// How long a stop waits for what is just being sent. An upload that has begun is then known by its
/// id, so that it can be aborted; a part that takes longer is given up.
const STOP_GRACE: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    #[error("cannot read {key}")]
    Unreadable { key: ObjectKey, source: io::Error },
    #[error("{key} was changed while it was uploaded: {sent} bytes instead of {expected}")]
    Changed {
        key: ObjectKey,
        sent: u64,
        expected: u64,
    },
    #[error("cannot upload {key}")]
    Storage {
        key: ObjectKey,
        source: StorageError,
    },
    #[error("{key} was not uploaded to its end: told to stop")]
    Stopped { key: ObjectKey },
}

/// Uploads the bag and answers its etag; `None` when it was taken in and removed before we could
/// ask for it. Once all of it has arrived a stop comes too late: only the answer is missing, and
/// without it nobody would know whether the bag is deposited.
pub(crate) async fn upload(
    bucket: &DepositBucket,
    bag: Bag,
    bar: &ProgressBar,
    stop: &CancellationToken,
) -> Result<Option<String>, UploadError> {
    let key = bag.key.clone();
    let storage = |source| UploadError::Storage {
        key: key.clone(),
        source,
    };
    let mut writer = bucket.writer(&key);
    if let Err(error) = fill(&mut writer, bag, bar, stop).await {
        writer.abort().await;
        return Err(error);
    }
    writer.finish(None).await.map_err(storage)?;
    match bucket.head(&key).await {
        Ok(head) => Ok(Some(head.etag)),
        Err(StorageError::NotFound { .. }) => Ok(None),
        Err(error) => Err(storage(error)),
    }
}

/// Writes the whole bag, or says why not.
async fn fill(
    writer: &mut ObjectWriter,
    bag: Bag,
    bar: &ProgressBar,
    stop: &CancellationToken,
) -> Result<(), UploadError> {
    let Bag { key, size, .. } = bag;
    let (pieces, mut arriving) = mpsc::channel(PIECES_WAITING);
    let mut reading = JoinSet::new();
    reading.spawn_blocking(move || read(&bag.source, pieces));
    let mut sent = 0;
    while let Some(Some(piece)) = stop.run_until_cancelled(arriving.recv()).await {
        let length = piece.len() as u64;
        let written = tokio::select! {
            written = writer.write(piece) => written,
            () = graceful(stop) => return Err(UploadError::Stopped { key }),
        };
        if let Err(source) = written {
            return Err(UploadError::Storage { key, source });
        }
        sent += length;
        bar.inc(length);
    }
    if stop.is_cancelled() {
        return Err(UploadError::Stopped { key });
    }
    // The pieces end as well when reading them has failed: only its own word counts.
    let read = reading.join_next().await;
    let read = read.map_or(Ok(()), |joined| joined.map_err(io::Error::other).flatten());
    if let Err(source) = read {
        return Err(UploadError::Unreadable { key, source });
    }
    if sent != size {
        return Err(UploadError::Changed {
            key,
            sent,
            expected: size,
        });
    }
    let of_stop = key.clone();
    tokio::select! {
        arrived = writer.arrived() => arrived.map_err(|source| UploadError::Storage { key, source }),
        () = graceful(stop) => Err(UploadError::Stopped { key: of_stop }),
    }
}

async fn graceful(stop: &CancellationToken) {
    stop.cancelled().await;
    // The time is up, which is no error here.
    drop(timeout(STOP_GRACE, pending::<()>()).await);
}

fn read(source: &Source, pieces: mpsc::Sender<Bytes>) -> io::Result<()> {
    let mut out = Pieces {
        waiting: Vec::new(),
        pieces,
    };
    match source {
        Source::Tar(path) => {
            let mut file = BufReader::with_capacity(PIECE_BYTES, File::open(path)?);
            io::copy(&mut file, &mut out)?;
        }
        Source::Folder(folder) => folder.write(&mut out)?,
    }
    out.flush()
}

/// Collects what is written into pieces of one size.
struct Pieces {
    waiting: Vec<u8>,
    pieces: mpsc::Sender<Bytes>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = PIECE_BYTES - self.waiting.len();
        let (now, _later) = bytes.split_at(room.min(bytes.len()));
        self.waiting.extend_from_slice(now);
        if self.waiting.len() == PIECE_BYTES {
            self.flush()?;
        }
        Ok(now.len())
    }

    /// Waits while the network has enough to do; fails when nobody sends any more.
    fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::take(&mut self.waiting));
        self.pieces
            .blocking_send(piece)
            .map_err(|_closed| io::ErrorKind::BrokenPipe.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_written_arrives_in_order_and_in_full() {
        let bytes: Vec<u8> = (0..=255).cycle().take(PIECE_BYTES * 2 + 17).collect();
        let (pieces, mut arriving) = mpsc::channel(8);
        let mut out = Pieces {
            waiting: Vec::new(),
            pieces,
        };

        for chunk in bytes.chunks(70_001) {
            out.write_all(chunk).expect("writes");
        }
        out.flush().expect("flushes");
        drop(out);

        let mut arrived = Vec::new();
        while let Some(piece) = arriving.blocking_recv() {
            assert!(piece.len() <= PIECE_BYTES);
            arrived.extend(piece);
        }
        assert!(arrived == bytes);
    }

    #[test]
    fn reading_ends_when_nobody_sends_any_more() {
        let (pieces, arriving) = mpsc::channel(1);
        drop(arriving);
        let mut out = Pieces {
            waiting: Vec::new(),
            pieces,
        };

        let error = out.write_all(&vec![0; PIECE_BYTES]).expect_err("an error");

        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
