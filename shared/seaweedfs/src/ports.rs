//! The eight ports of a `SeaweedFS`, and the questions that tell when it is ready.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Of its four parts, each with one for HTTP and one for the other parts.
#[derive(Clone, Debug)]
pub(crate) struct Ports {
    pub(crate) s3: u16,
    master: u16,
    others: [(&'static str, u16); 6],
}

impl Ports {
    /// Nobody listens on them at this moment.
    pub(crate) fn free() -> io::Result<Self> {
        // All are held until the last is known, so no two are alike.
        let held: Vec<TcpListener> = (0..8)
            .map(|_port| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .collect::<Result<_, _>>()?;
        let mut free = held.iter();
        let mut next = || free.next().map_or(Ok(0), port_of);
        Ok(Self {
            s3: next()?,
            master: next()?,
            others: [
                ("s3.port.grpc", next()?),
                ("master.port.grpc", next()?),
                ("volume.port", next()?),
                ("volume.port.grpc", next()?),
                ("filer.port", next()?),
                ("filer.port.grpc", next()?),
            ],
        })
    }

    /// As its command line wants them. What we have no use for gets none.
    pub(crate) fn flags(&self) -> Vec<String> {
        let unused = [("s3.port.iceberg", 0), ("s3.port.lance", 0)];
        let all = [("s3.port", self.s3), ("master.port", self.master)];
        let all = all.into_iter().chain(self.others).chain(unused);
        all.map(|(name, port)| format!("-{name}={port}")).collect()
    }

    /// The sockets that it makes in /tmp beside its ports, under names of its own.
    pub(crate) fn sockets(&self) -> Vec<PathBuf> {
        let of_grpc = self.others.iter().filter_map(|(flag, port)| {
            let part = flag.strip_suffix(".port.grpc")?;
            Some(format!("/tmp/seaweedfs-{part}-grpc-{port}.sock").into())
        });
        of_grpc.collect()
    }

    /// Whether S3 is up, and there is a place for an object.
    pub(crate) async fn answer(&self) -> bool {
        is_ok(self.s3, "/status").await && is_ok(self.master, "/dir/assign").await
    }
}

fn port_of(listener: &TcpListener) -> io::Result<u16> {
    Ok(listener.local_addr()?.port())
}

async fn is_ok(port: u16, path: &str) -> bool {
    let answer = ask(port, path).await.unwrap_or_default();
    answer.starts_with(b"HTTP/1.0 200") || answer.starts_with(b"HTTP/1.1 200")
}

async fn ask(port: u16, path: &str) -> io::Result<Vec<u8>> {
    let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await?;
    Ok(answer)
}
