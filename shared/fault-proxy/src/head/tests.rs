use std::io::ErrorKind;

use super::{HEAD_BYTES_MAX, Head};

async fn read(text: &str) -> Result<Head, ErrorKind> {
    let head = Head::read(&mut text.as_bytes(), Vec::new()).await;
    head.map_err(|error| error.kind())
}

#[tokio::test]
async fn only_the_connection_header_changes() {
    let text = "PUT /a%20b?x HTTP/1.1\r\nHost: S3.example:80\r\nCONNECTION: keep-alive\r\nx-Odd:  y \r\n\r\nbody";

    let head = read(text).await.expect("a head");

    assert_eq!(head.rest, b"body");
    let sent = String::from_utf8(head.last()).expect("text");
    assert_eq!(
        sent,
        "PUT /a%20b?x HTTP/1.1\r\nHost: S3.example:80\r\nx-Odd:  y \r\nconnection: close\r\n\r\n"
    );
}

#[tokio::test]
async fn a_head_that_is_cut_off_or_has_no_end_is_refused() {
    let line = "x-long: y\r\n";
    let long = format!(
        "GET / HTTP/1.1\r\n{}",
        line.repeat(HEAD_BYTES_MAX / line.len())
    );
    let rows = [
        ("", Some(ErrorKind::UnexpectedEof)),
        (
            "GET / HTTP/1.1\r\nhost: s3\r\n",
            Some(ErrorKind::UnexpectedEof),
        ),
        (&long, Some(ErrorKind::InvalidData)),
        ("GET / HTTP/1.1\r\n\r\n", None),
    ];

    for (text, expected) in rows {
        assert_eq!(read(text).await.err(), expected, "{} bytes", text.len());
    }
}

#[tokio::test]
async fn a_length_is_made_shorter_and_never_longer() {
    let rows = [("7", "5"), ("5", "5"), ("3", "3"), ("many", "many")];

    for (promised, expected) in rows {
        let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {promised}\r\n\r\n");
        let mut head = read(&text).await.expect("a head");

        head.shorten(5);

        let sent = String::from_utf8(head.last()).expect("text");
        assert!(
            sent.contains(&format!(": {expected}\r\n")),
            "{promised}: {sent}"
        );
    }
}

#[tokio::test]
async fn an_interim_answer_is_told_from_the_last() {
    for (status, expected) in [
        ("100 Continue", true),
        ("200 OK", false),
        ("503 Away", false),
    ] {
        let head = read(&format!("HTTP/1.1 {status}\r\n\r\n")).await;

        assert_eq!(head.expect("a head").is_interim(), expected, "{status}");
    }
}
