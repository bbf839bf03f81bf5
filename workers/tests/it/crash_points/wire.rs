//! Between a process and its Redis: each command is a call that the process may die at.
//!
//! A call of the work store may be several commands, so it is the commands that are counted. Those that make a
//! connection ready, or wait on it, are not: they change nothing.

use std::collections::VecDeque;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};

use muniment_redis_server::RedisServer;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::JoinSet;

use super::crash::CallsTo;
use crate::kit::listen;

const UNCOUNTED: [&str; 6] = ["AUTH", "BLPOP", "CLIENT", "HELLO", "INFO", "SELECT"];
/// Words of a command that name it: the rest are records.
const NAME_WORDS_MAX: usize = 6;
const NAME_WORD_BYTES_MAX: usize = 60;

/// Listens for one process. Ends with the value.
pub(super) struct Wire {
    pub(super) url: String,
    _tasks: JoinSet<()>,
}

impl Wire {
    pub(super) async fn before(server: &RedisServer, calls: &CallsTo) -> Self {
        let listener = listen().await;
        let port = listener.local_addr().expect("an address").port();
        let mut tasks = JoinSet::new();
        let (to, calls) = (server.port(), calls.clone());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.expect("accepted");
                let calls = calls.clone();
                // How a connection ends tells nothing: it is the process that goes.
                connections.spawn(async move { drop(carry(client, to, &calls).await) });
            }
        });
        Self {
            url: format!("redis://127.0.0.1:{port}/"),
            _tasks: tasks,
        }
    }
}

/// The commands of one connection whose answers are awaited: with their numbers, if they are counted.
type Awaited = Mutex<VecDeque<Option<u64>>>;

async fn carry(client: TcpStream, to: u16, calls: &CallsTo) -> io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let awaited = Awaited::default();
    tokio::select! {
        there = commands(from_client, to_server, (calls, &awaited)) => there,
        back = answers(from_server, to_client, (calls, &awaited)) => back,
    }
}

async fn commands(
    client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    (calls, awaited): (&CallsTo, &Awaited),
) -> io::Result<()> {
    let mut client = BufReader::new(client);
    loop {
        let command = Value::read(&mut client).await?;
        let number = if command.is_counted() {
            Some(calls.begin(&command.name()).await)
        } else {
            None
        };
        let queue = awaited.lock();
        queue
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(number);
        server.write_all(&command.bytes).await?;
    }
}

async fn answers(
    server: OwnedReadHalf,
    mut client: OwnedWriteHalf,
    (calls, awaited): (&CallsTo, &Awaited),
) -> io::Result<()> {
    let mut server = BufReader::new(server);
    loop {
        let answer = Value::read(&mut server).await?;
        let number = {
            let queue = awaited.lock();
            let mut queue = queue.unwrap_or_else(PoisonError::into_inner);
            queue.pop_front().flatten()
        };
        if let Some(number) = number {
            calls.end(number).await;
        }
        client.write_all(&answer.bytes).await?;
    }
}

/// A command or an answer: its bytes as they came, and the strings in it.
#[derive(Default)]
struct Value {
    bytes: Vec<u8>,
    words: Vec<String>,
}

impl Value {
    /// By the protocol that clients of Redis speak unless they ask for another (RESP2).
    async fn read(from: &mut BufReader<OwnedReadHalf>) -> io::Result<Self> {
        let mut value = Self::default();
        let mut to_come = 1;
        while to_come > 0 {
            to_come -= 1;
            let begins = value.bytes.len();
            if from.read_until(b'\n', &mut value.bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = String::from_utf8_lossy(&value.bytes[begins..]).into_owned();
            let (kind, rest) = line.split_at(1);
            // Minus one is a null.
            let length: Option<usize> = rest.trim_end().parse().ok();
            match (kind, length) {
                ("*", Some(values)) => to_come += values,
                ("$", Some(length)) => {
                    let mut word = vec![0; length + 2];
                    from.read_exact(&mut word).await?;
                    value.bytes.extend_from_slice(&word);
                    let word = String::from_utf8_lossy(&word[..length]);
                    value.words.push(word.into_owned());
                }
                _ => {}
            }
        }
        Ok(value)
    }

    fn is_counted(&self) -> bool {
        let command = self.words.first();
        command.is_some_and(|word| !UNCOUNTED.contains(&word.to_uppercase().as_str()))
    }

    fn name(&self) -> String {
        let words = self.words.iter().take(NAME_WORDS_MAX);
        let words = words.filter(|word| word.len() <= NAME_WORD_BYTES_MAX);
        let words: Vec<&str> = words.map(String::as_str).collect();
        words.join(" ")
    }
}
