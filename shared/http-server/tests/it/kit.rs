//! A server whose requests for `/slow` wait until they are released.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
pub(crate) use muniment_http_server::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Times so long that a test which waited for one by the real clock would be noticed.
pub(crate) const LIMITS: Limits = Limits {
    connections_max: 16,
    per_address_max: 16,
    headers_max: 8,
    head_bytes_max: 16 * 1024,
    head_wait_max: Duration::from_hours(24),
    idle_wait_max: Duration::from_hours(24),
    stall_wait_max: Duration::from_hours(72),
    drain_wait_max: Duration::from_hours(48),
};

pub(crate) struct Server {
    address: SocketAddr,
    pub stop: CancellationToken,
    serving: JoinSet<()>,
    entered: Arc<Semaphore>,
    pub release: Arc<Semaphore>,
}

/// A slow request says that it has begun, and waits until it may end.
async fn answer(
    request: Request<Incoming>,
    entered: &Semaphore,
    release: &Semaphore,
) -> Response<String> {
    if request.uri().path() == "/slow" {
        entered.add_permits(1);
        release.acquire().await.unwrap().forget();
    }
    Response::new("done".to_owned())
}

impl Server {
    pub(crate) async fn start(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (entered, release) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (stop, mut serving) = (CancellationToken::new(), JoinSet::new());
        let (stopped, enter, released) = (stop.clone(), Arc::clone(&entered), Arc::clone(&release));
        serving.spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let (enter, released) = (Arc::clone(&enter), Arc::clone(&released));
                async move {
                    let answer = answer(request, &enter, &released).await;
                    Ok::<_, Infallible>(answer)
                }
            });
            muniment_http_server::serve(listener, service, &limits, &stopped).await;
        });
        Self {
            address,
            stop,
            serving,
            entered,
            release,
        }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// From another address of this machine.
    pub(crate) async fn connect_from(&self, address: [u8; 4]) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((address, 0).into()).unwrap();
        socket.connect(self.address).await.unwrap()
    }

    pub(crate) async fn send(&self, path: &str) -> TcpStream {
        let mut stream = self.connect().await;
        ask(&mut stream, path).await;
        stream
    }

    /// Waits until so many slow requests have begun.
    pub(crate) async fn entered(&self, count: u32) {
        self.entered.acquire_many(count).await.unwrap().forget();
    }

    /// Waits until the server listens no more.
    pub(crate) async fn until_refused(&self) {
        while TcpStream::connect(self.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) async fn ended(&mut self) {
        self.serving.join_next().await.unwrap().unwrap();
    }
}

pub(crate) async fn ask(stream: &mut TcpStream, path: &str) {
    let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
}

/// Reads the answer of a request that went well.
pub(crate) async fn answered(stream: &mut TcpStream) {
    assert_eq!(status(stream).await, "200");
}

/// Reads it to its last byte.
pub(crate) async fn answered_whole(stream: &mut TcpStream) {
    answered(stream).await;
    let mut last = [0; 4];
    while last != *b"done" {
        last.rotate_left(1);
        last[3] = stream.read_u8().await.unwrap();
    }
}

/// Waits until the server has closed the connection.
pub(crate) async fn closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // A reset is an end too.
    drop(stream.read_to_end(&mut rest).await);
}

pub(crate) async fn status(stream: &mut TcpStream) -> String {
    let mut line = [0; 12];
    stream.read_exact(&mut line).await.unwrap();
    let line = String::from_utf8_lossy(&line);
    line.strip_prefix("HTTP/1.1 ").unwrap().to_owned()
}
