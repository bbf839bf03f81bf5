//! What is known of one connection: what its client owes, and since when nothing has moved.
//!
//! Kept beside `hyper`, whose one time limit would have to be that of a head and of an idle connection
//! at once. Only looked at and written here, so it may be asked at any time.

use std::future::pending;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::Limits;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// The last request was answered, and no byte of the next has come.
    Idle,
    /// The head of a request is on its way, or the first one has not begun.
    Head,
    /// A request is being answered.
    Busy,
}

#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub phase: Phase,
    /// When the head was due to begin, or else when the last byte moved.
    pub since: Instant,
}

pub(crate) struct Watch {
    now: Mutex<Moment>,
    closing: CancellationToken,
}

impl Watch {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            now: Mutex::new(Moment {
                phase: Phase::Head,
                since: Instant::now(),
            }),
            closing: CancellationToken::new(),
        })
    }

    pub(crate) fn moment(&self) -> Moment {
        *self.lock()
    }

    /// Ends the connection, whatever it is doing.
    pub(crate) fn close(&self) {
        self.closing.cancel();
    }

    /// Answers when the connection has to end: it was told to, or its client took too long.
    pub(crate) async fn overdue(&self, limits: &Limits) {
        let too_long = async {
            loop {
                let due = self.due(limits);
                if due <= Instant::now() {
                    return;
                }
                // Whether anything moved meanwhile is looked at then: most timers never matter.
                let waited: Result<(), _> = timeout_at(due, pending()).await;
                drop(waited);
            }
        };
        tokio::select! {
            () = self.closing.cancelled() => {}
            () = too_long => {}
        }
    }

    fn due(&self, limits: &Limits) -> Instant {
        let Moment { phase, since } = self.moment();
        since
            + match phase {
                Phase::Idle => limits.idle_wait_max,
                Phase::Head => limits.head_wait_max,
                Phase::Busy => limits.stall_wait_max,
            }
    }

    fn read(&self) {
        let mut now = self.lock();
        match now.phase {
            Phase::Idle => *now = moment(Phase::Head),
            // The limit is one for the whole head: a byte now and then does not extend it.
            Phase::Head => {}
            Phase::Busy => now.since = Instant::now(),
        }
    }

    fn wrote(&self) {
        let mut now = self.lock();
        match now.phase {
            Phase::Idle | Phase::Busy => now.since = Instant::now(),
            Phase::Head => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, Moment> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn moment(phase: Phase) -> Moment {
    Moment {
        phase,
        since: Instant::now(),
    }
}

/// Lives while a request is being answered, to the last byte of the answer.
pub(crate) struct Answering(Arc<Watch>);

impl Answering {
    pub(crate) fn begin(watch: &Arc<Watch>) -> Self {
        *watch.lock() = moment(Phase::Busy);
        Self(Arc::clone(watch))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        *self.0.lock() = moment(Phase::Idle);
    }
}

/// A stream whose bytes are noticed.
pub(crate) struct Watched {
    pub stream: TcpStream,
    pub watch: Arc<Watch>,
}

impl Watched {
    fn note_write(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.watch.wrote();
        }
        written
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(task, buffer);
        if buffer.filled().len() > before {
            self.watch.read();
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(task, bytes);
        self.note_write(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(task, bytes);
        self.note_write(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(task)
    }
}
