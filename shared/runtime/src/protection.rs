//! Keeps ECS from ending this task while it works: scale-in protection, by the agent that every container of ECS
//! can ask (Amazon ECS Developer Guide, "Amazon ECS task scale-in protection endpoint").
//!
//! It is taken when the first job begins, and dropped when no job has run for a moment: the agent hears of the
//! edges, and not of each job. As it holds up deployments too, it is for a quarter of an hour at a time, and taken
//! again while there are jobs. An agent that fails is logged and nothing more: a task that ECS ends hands its
//! work on, as at any SIGTERM.

use std::fmt;
use std::pin::pin;
use std::str::FromStr;
use std::time::Duration;

use http::{Request, StatusCode, Uri, header};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use muniment_model::Chain;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{debug, warn};

/// How long ECS protects a task that has not said so again.
const PROTECTED_MINUTES: u64 = 15;
/// Soon enough that a slow agent leaves no gap.
const AGAIN_AFTER: Duration = Duration::from_mins(10);
/// Between two jobs there is a moment without one.
const IDLE_FOR: Duration = Duration::from_secs(10);
/// It is on the same host.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
const PATH: &str = "task-protection/v1/state";

/// How many jobs a process does now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Busy(watch::Sender<u64>);

/// One of them, until dropped.
#[derive(Debug)]
pub(crate) struct BusyJob(watch::Sender<u64>);

impl Busy {
    pub(crate) fn begin(&self) -> BusyJob {
        self.0.send_modify(|jobs| *jobs += 1);
        BusyJob(self.0.clone())
    }

    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

impl Drop for BusyJob {
    fn drop(&mut self) {
        self.0.send_modify(|jobs| *jobs = jobs.saturating_sub(1));
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protection {
    Taken,
    Dropped,
}

/// Where the agent is, as ECS tells each container: `http://169.254.170.2/api/…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentAddress {
    authority: String,
    host: String,
    port: u16,
    /// Begins and ends with `/`.
    path: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no address of an ECS agent: write http://HOST/PATH")]
pub struct NoAgentAddress;

impl FromStr for AgentAddress {
    type Err = NoAgentAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Uri = text.parse().map_err(|_unreadable| NoAgentAddress)?;
        let authority = uri.authority().ok_or(NoAgentAddress)?;
        if uri.scheme_str() != Some("http") || uri.query().is_some() {
            return Err(NoAgentAddress);
        }
        Ok(Self {
            host: authority.host().to_owned(),
            port: authority.port_u16().unwrap_or(80),
            authority: authority.to_string(),
            path: format!("{}/", uri.path().trim_end_matches('/')),
        })
    }
}

impl fmt::Display for AgentAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.path)
    }
}

#[derive(Debug, thiserror::Error)]
enum AgentError {
    #[error("cannot connect")]
    Connect(#[from] std::io::Error),
    #[error("the exchange failed")]
    Exchange(#[from] hyper::Error),
    #[error("the request cannot be written")]
    Request(#[from] http::Error),
    #[error("it answers {0}")]
    Refused(StatusCode),
    #[error("it does not answer")]
    Silent,
}

/// Tells the agent until nobody can begin a job any more.
pub(crate) async fn keep_protected(agent: AgentAddress, busy: watch::Receiver<u64>) {
    keep(busy, |protection| agent.tell_and_log(protection)).await;
}

async fn keep<F: Future<Output = ()>>(
    mut busy: watch::Receiver<u64>,
    tell: impl Fn(Protection) -> F,
) {
    while busy.wait_for(|jobs| *jobs > 0).await.is_ok() {
        tell(Protection::Taken).await;
        while timeout(AGAIN_AFTER, idle(&mut busy)).await.is_err() {
            tell(Protection::Taken).await;
        }
        tell(Protection::Dropped).await;
    }
}

/// Ends when no job has run for a moment, or nobody can begin one any more.
async fn idle(busy: &mut watch::Receiver<u64>) {
    while busy.wait_for(|jobs| *jobs == 0).await.is_ok() {
        let begun = busy.wait_for(|jobs| *jobs > 0);
        match timeout(IDLE_FOR, begun).await {
            Ok(Ok(_jobs)) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

impl AgentAddress {
    async fn tell_and_log(&self, protection: Protection) {
        let told = timeout(ANSWERS_WITHIN, self.tell(protection)).await;
        match told.unwrap_or(Err(AgentError::Silent)) {
            Ok(()) => debug!(?protection, "the ECS agent was told"),
            Err(cause) => {
                let cause = Chain(&cause);
                warn!(agent = %self, ?protection, %cause, "the ECS agent was not told");
            }
        }
    }

    async fn tell(&self, protection: Protection) -> Result<(), AgentError> {
        let said = match protection {
            Protection::Taken => {
                json!({"ProtectionEnabled": true, "ExpiresInMinutes": PROTECTED_MINUTES})
            }
            Protection::Dropped => json!({"ProtectionEnabled": false}),
        };
        let request = Request::put(format!("{}{PATH}", self.path))
            .header(header::HOST, &self.authority)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(said.to_string())))?;
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let mut exchange = pin!(sender.send_request(request));
        let answer = tokio::select! {
            answer = &mut exchange => answer?,
            ended = connection => {
                ended?;
                // It may have answered and closed in one step.
                exchange.await?
            }
        };
        if answer.status().is_success() {
            Ok(())
        } else {
            Err(AgentError::Refused(answer.status()))
        }
    }
}

#[cfg(test)]
mod tests;
