use std::future::ready;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::{Instant, advance, pause};

use super::*;

type Told = Arc<Mutex<Vec<(u64, Protection)>>>;

/// What an agent is told, with the second.
fn kept(busy: &Busy) -> (Told, impl Future<Output = ()> + use<>) {
    let told = Told::default();
    let (watched, noted) = (busy.watch(), Arc::clone(&told));
    let began = Instant::now();
    let keeping = async move {
        keep(watched, |protection| {
            let at = began.elapsed().as_secs();
            noted.lock().expect("lock").push((at, protection));
            ready(())
        })
        .await;
    };
    (told, keeping)
}

async fn seconds(count: u64) {
    for _ in 0..count {
        advance(Duration::from_secs(1)).await;
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_agent_hears_of_the_edges_and_not_of_each_job() {
    pause();
    let busy = Busy::default();
    let (told, keeping) = kept(&busy);
    let working = async {
        seconds(5).await;
        for _ in 0..20 {
            let job = busy.begin();
            seconds(1).await;
            drop(job);
            seconds(1).await;
        }
        seconds(60).await;
    };

    tokio::select! {
        () = keeping => panic!("it ends"),
        () = working => {}
    }

    let told = told.lock().expect("lock").clone();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0].1, Protection::Taken);
    assert_eq!(told[1].1, Protection::Dropped);
    assert!(told[1].0 >= 40 + IDLE_FOR.as_secs(), "{told:?}");
}

#[tokio::test]
async fn protection_is_taken_again_while_a_long_job_goes_on() {
    pause();
    let busy = Busy::default();
    let (told, keeping) = kept(&busy);
    let working = async {
        let _job = busy.begin();
        seconds(40 * 60).await;
    };

    tokio::select! {
        () = keeping => panic!("it ends"),
        () = working => {}
    }

    let told = told.lock().expect("lock").clone();
    let times: Vec<u64> = told.iter().map(|(at, _)| *at).collect();
    let longest = times.windows(2).map(|two| two[1] - two[0]).max();
    assert!(longest < Some(PROTECTED_MINUTES * 60), "{told:?}");
    assert!(told.iter().all(|(_, told)| *told == Protection::Taken));
}

/// An agent that reads one request and gives one answer.
async fn one_exchange(answer: &'static str, protection: Protection) -> (String, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let address = listener.local_addr().expect("an address");
    let agent: AgentAddress = format!("http://{address}/api/task-1/")
        .parse()
        .expect("one");
    let served = async {
        let (mut stream, _) = listener.accept().await.expect("accepted");
        let mut asked = String::new();
        let mut bytes = [0; 1024];
        while !asked.ends_with('}') {
            let read = stream.read(&mut bytes).await.expect("read");
            asked += &String::from_utf8_lossy(&bytes[..read]);
        }
        let head = format!("HTTP/1.1 {answer}\r\ncontent-length: 2\r\n\r\n{{}}");
        stream.write_all(head.as_bytes()).await.expect("answered");
        asked
    };
    let (asked, told) = tokio::join!(served, agent.tell(protection));
    let told = told.map_or_else(|error| error.to_string(), |()| "told".to_owned());
    (asked, told)
}

#[tokio::test]
async fn the_agent_is_asked_as_ecs_says() {
    let (taken, told) = one_exchange("200 OK", Protection::Taken).await;
    let (dropped, _) = one_exchange("200 OK", Protection::Dropped).await;
    let (_, refused) = one_exchange("400 Bad Request", Protection::Taken).await;

    let line = "PUT /api/task-1/task-protection/v1/state HTTP/1.1\r\n";
    assert!(taken.starts_with(line), "{taken}");
    let body = |asked: &str| asked.split("\r\n\r\n").nth(1).map(str::to_owned);
    assert_eq!(
        body(&taken).as_deref(),
        Some(r#"{"ExpiresInMinutes":15,"ProtectionEnabled":true}"#)
    );
    assert_eq!(
        body(&dropped).as_deref(),
        Some(r#"{"ProtectionEnabled":false}"#)
    );
    assert_eq!(told, "told");
    assert_eq!(refused, "it answers 400 Bad Request");
}

#[test]
fn an_address_is_one_of_plain_http() {
    let rows = [
        (
            "http://169.254.170.2/api/x",
            Some("http://169.254.170.2/api/x/"),
        ),
        ("http://127.0.0.1:5/", Some("http://127.0.0.1:5/")),
        ("http://host", Some("http://host/")),
        ("https://host/", None),
        ("http://host/?a=b", None),
        ("host", None),
        ("", None),
    ];

    for (text, expected) in rows {
        let address = text.parse::<AgentAddress>().ok();
        let address = address.map(|address| address.to_string());

        assert_eq!(address.as_deref(), expected, "{text}");
    }
}
