//! Connections to one Redis: for calls, for renewals, and for waiting.
//!
//! A renewal must not queue up behind what the work sends, and a command that waits holds up all others of its
//! connection. Each of the three is made again by itself when it breaks; a call that was on its way then fails,
//! and its caller does not know whether it happened: all calls may be repeated.
//!
//! A server that answers but cannot be used may be one that was the primary, and whose name belongs to another
//! by now; one that is silent may be behind a connection that carries nothing any more. Its connections are left, and
//! the next call asks for the name again.

use std::fmt;
use std::sync::{Mutex as Held, PoisonError};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Client, cmd};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use crate::WorkError;
use crate::calls::CALL_LIMIT;

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// More than a failover takes would only hide it: the run loop waits for an outage, and says so.
const RETRIES: usize = 2;
/// A wait is answered at its end at the latest, and the network takes a moment.
const ANSWER_AFTER: Duration = Duration::from_secs(5);

/// From this version on, scripts write what they have decided by the server's own time.
const VERSION_MIN: u32 = 7;
const POLICY: &str = "noeviction";

/// Where a Redis is and what it is asked with: `redis://USER:PASSWORD@HOST:PORT/DATABASE`, or `rediss://` over
/// TLS.
#[derive(Clone)]
pub struct RedisUrl(SecretString);

impl RedisUrl {
    /// `None` for what is no such address.
    pub fn parse(url: &str) -> Option<Self> {
        let is_one = url.contains("://") && Client::open(url).is_ok();
        is_one.then(|| Self(url.into()))
    }

    fn client(&self) -> Result<Client, WorkError> {
        Client::open(self.0.expose_secret()).map_err(WorkError::from)
    }
}

/// Holds a password.
impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisUrl(hidden)")
    }
}

impl PartialEq for RedisUrl {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }
}

impl Eq for RedisUrl {}

pub(super) struct Connections {
    client: Client,
    config: ConnectionManagerConfig,
    calls: Held<ConnectionManager>,
    renewals: Held<ConnectionManager>,
    /// One that nobody waits on now.
    waits: Mutex<Option<MultiplexedConnection>>,
}

impl Connections {
    /// Connects, and refuses a server that would lose or misunderstand what it is given.
    pub(super) async fn open(url: &RedisUrl) -> Result<Self, WorkError> {
        let client = url.client()?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_LIMIT))
            .set_response_timeout(Some(CALL_LIMIT))
            .set_number_of_retries(RETRIES);
        let mut calls = ConnectionManager::new_with_config(client.clone(), config.clone()).await?;
        check(&mut calls).await?;
        let renewals = ConnectionManager::new_lazy_with_config(client.clone(), config.clone())?;
        Ok(Self {
            client,
            config,
            calls: Held::new(calls),
            renewals: Held::new(renewals),
            waits: Mutex::new(None),
        })
    }

    pub(super) fn calls(&self) -> ConnectionManager {
        held(&self.calls)
    }

    pub(super) fn renewals(&self) -> ConnectionManager {
        held(&self.renewals)
    }

    /// Leaves all connections. New ones are made by the next calls.
    pub(super) async fn leave(&self) {
        for connection in [&self.calls, &self.renewals] {
            let anew =
                ConnectionManager::new_lazy_with_config(self.client.clone(), self.config.clone());
            // What cannot be prepared stays as it was.
            if let Ok(anew) = anew {
                *connection.lock().unwrap_or_else(PoisonError::into_inner) = anew;
            }
        }
        *self.waits.lock().await = None;
    }

    /// Waits until something is in the list, and takes it. One who gives up waiting takes the connection along,
    /// since the server goes on with the command.
    pub(super) async fn wait(&self, list: &str, at_most: Duration) -> Result<(), WorkError> {
        let free = self.waits.lock().await.take();
        let mut connection = match free {
            Some(connection) => connection,
            None => self.connect_to_wait().await?,
        };
        connection.set_response_timeout(at_most + ANSWER_AFTER);
        let waited = cmd("BLPOP")
            .arg(list)
            .arg(at_most.as_secs_f64())
            .query_async::<Option<(String, String)>>(&mut connection)
            .await;
        waited?;
        *self.waits.lock().await = Some(connection);
        Ok(())
    }

    async fn connect_to_wait(&self) -> Result<MultiplexedConnection, WorkError> {
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_LIMIT));
        let connection = self
            .client
            .get_multiplexed_async_connection_with_config(&config);
        Ok(connection.await?)
    }
}

fn held(connection: &Held<ConnectionManager>) -> ConnectionManager {
    let held = connection.lock();
    held.unwrap_or_else(PoisonError::into_inner).clone()
}

/// Asks by `INFO`, which managed servers allow as well.
async fn check(connection: &mut ConnectionManager) -> Result<(), WorkError> {
    let told: String = cmd("INFO").query_async(connection).await?;
    let value = |name: &str| {
        let mut lines = told.lines().filter_map(|line| line.split_once(':'));
        lines.find_map(|(key, value)| (key == name).then_some(value.trim()))
    };
    let version = value("redis_version").unwrap_or_default();
    let major = version.split('.').next().and_then(|part| part.parse().ok());
    if major.is_none_or(|major: u32| major < VERSION_MIN) {
        return Err(WorkError::ServerTooOld {
            version: version.to_owned(),
        });
    }
    match value("maxmemory_policy") {
        Some(POLICY) => Ok(()),
        other => Err(WorkError::Evicts {
            policy: other.unwrap_or_default().to_owned(),
        }),
    }
}
