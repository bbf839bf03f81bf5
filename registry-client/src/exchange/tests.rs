use muniment_model::{ObjectIdentifier, WorkItemId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;
use crate::LockAnswer;

const OK: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 52\r\n\r\n\
                  {\"namespace\":\"b2a5e0a4-5f0d-4a7e-9a39-2f3b2b6f5c11\"}";
const BUSY: &str = "HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
const CUT: &str = "HTTP/1.1 200 OK\r\nContent-Length: 52\r\n\r\n{\"name";

#[test]
fn an_identifier_is_one_segment_of_the_path() {
    let rows = [
        ("test.edu/a b", "test.edu%2Fa%20b"),
        ("test.edu/..", "test.edu%2F.."),
        ("50%", "50%25"),
        ("é?#", "%C3%A9%3F%23"),
    ];

    for (identifier, expected) in rows {
        assert_eq!(segment(identifier), expected);
    }
}

#[tokio::test]
async fn a_call_survives_a_busy_answer_and_a_cut_connection() {
    let (settings, _server) = answering(vec![BUSY, CUT, OK]).await;
    let client = settings.connect().unwrap();

    let installation = client.installation().await;

    assert!(installation.is_ok(), "{installation:?}");
    assert_eq!(client.calls(), 3);
}

#[tokio::test]
async fn an_answer_that_is_not_the_registrys_is_an_outage() {
    let page = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 6\r\n\r\n<html>";
    let (settings, _server) = answering(vec![page]).await;

    let answer = settings.connect().unwrap().installation().await;

    assert!(
        matches!(answer, Err(ClientError::NotOurs { .. })),
        "{answer:?}"
    );
}

/// Only a lock says who has it. Whatever else is a conflict says so itself.
#[tokio::test]
async fn a_conflict_that_names_no_holder_is_the_error_it_says() {
    const HEAD: &str = "HTTP/1.1 409 Conflict\r\nConnection: close\r\n\r\n";
    let ask = async |body: &str| {
        let (settings, _server) = answering(vec![format!("{HEAD}{body}")]).await;
        let client = settings.connect().unwrap();
        let bag = ObjectIdentifier::new("test.edu", "a");
        client.take_lock(WorkItemId(7), &bag).await
    };

    let held = ask(r#"{"holder":9}"#).await;
    let refused = ask(r#"{"StatusCode":409,"Error":"taken"}"#).await;
    let page = ask("<html>").await;

    assert_eq!(held.unwrap(), LockAnswer::HeldBy(WorkItemId(9)));
    let Err(ClientError::Conflict { message, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(message, "taken");
    assert!(matches!(page, Err(ClientError::NotOurs { .. })), "{page:?}");
}

/// The answer to the first order was lost, and the registry refuses to cancel twice.
#[tokio::test]
async fn an_order_to_cancel_that_was_carried_out_already_has_succeeded() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    const REFUSED: &str = "HTTP/1.1 409 Conflict\r\nConnection: close\r\n\r\n\
                           {\"StatusCode\":409,\"Error\":\"is at Cleanup already\"}";
    let order = async |intended: &str, reason: &str| {
        let item = format!(
            r#"{{"id":7,"name":"a.tar","etag":"e","institution_id":1,"bucket":"b","user":"u",
                 "action":"Ingest","stage":"Cleanup","status":"Pending",
                 "intended_status":"{intended}","reason":"{reason}"}}"#
        );
        let answers = [CUT.to_owned(), REFUSED.to_owned(), format!("{HEAD}{item}")];
        let (settings, _server) = answering(answers.to_vec()).await;
        let client = settings.connect().unwrap();
        client.cancel(WorkItemId(7), Some("withdrawn")).await
    };

    let ours = order("Cancelled", "Cancelled by an operator: withdrawn").await;
    let anothers = order("Cancelled", "a.tar was replaced").await;
    let rejected = order("Failed", "it is no tar").await;

    assert!(ours.is_ok(), "{ours:?}");
    for refused in [anothers, rejected] {
        assert!(
            matches!(refused, Err(ClientError::Conflict { .. })),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_unreachable() {
    let (settings, server) = answering::<&str>(vec![]).await;
    drop(server);
    let stop = CancellationToken::new();
    stop.cancel();

    let client = settings.connect().unwrap().with_stop(stop);
    let answer = client.installation().await;

    assert!(
        matches!(answer, Err(ClientError::Unreachable { .. })),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_registry_that_never_answers_does_not_hold_up_a_stop() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = settings(&format!("http://{}", listener.local_addr().unwrap()));
    settings.registry_timeout = Duration::from_hours(1).into();
    let stop = CancellationToken::new();
    let client = settings.connect().unwrap().with_stop(stop.clone());

    let told_while_it_waits = async {
        let _silent = listener.accept().await.unwrap();
        stop.cancel();
        std::future::pending::<()>().await;
    };
    let during = tokio::select! {
        answer = client.installation() => answer,
        () = told_while_it_waits => unreachable!("it never ends"),
    };
    let after = client.installation().await;

    for answer in [during, after] {
        assert!(
            matches!(answer, Err(ClientError::Stopped { .. })),
            "{answer:?}"
        );
    }
}

#[test]
fn settings_that_cannot_work_are_refused_at_once() {
    let good = settings("http://registry.test/base");
    let mut no_host = good.clone();
    no_host.registry_url = "mailto:x@y".parse().unwrap();
    let mut bad_key = good.clone();
    bad_key.registry_api_key = "line\nbreak".into();

    assert_eq!(
        good.connect().unwrap().base.as_str(),
        "http://registry.test/base/"
    );
    assert!(no_host.connect().is_err());
    assert!(bad_key.connect().is_err());
}

fn settings(url: &str) -> RegistrySettings {
    RegistrySettings {
        registry_url: url.parse().unwrap(),
        registry_api_user: "worker@system.test".to_owned(),
        registry_api_key: "key".into(),
        registry_timeout: Duration::from_secs(5).into(),
    }
}

/// A server that gives these answers, one per connection, and then none.
async fn answering<A>(answers: Vec<A>) -> (RegistrySettings, JoinSet<()>)
where
    A: AsRef<[u8]> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut server = JoinSet::new();
    server.spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0; 4096];
            let read = stream.read(&mut head).await.unwrap();
            assert!(read > 0);
            stream.write_all(answer.as_ref()).await.unwrap();
        }
    });
    (settings(&url), server)
}
