use chrono::TimeDelta;
use muniment_model::{Action, InstitutionId, Stage, Status, WorkItemId};
use muniment_registry_client::RegistrySettings;

use super::*;

#[test]
fn the_table_says_how_far_each_upload_has_come_and_why() {
    let now = DateTime::UNIX_EPOCH + TimeDelta::hours(2);
    let listing = listing(vec![
        item(
            2,
            "bad.tar",
            Status::Failed,
            "Bag is missing required manifest 'md5'",
        ),
        item(
            1,
            "good.tar",
            Status::Success,
            "Finished cleanup. Ingest complete.",
        ),
    ]);

    let text = render(&listing, now, None);

    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines,
        [
            "ID  BAG       INSTITUTION  STAGE    STATUS   AGE        NOTE",
            "2   bad.tar   test.edu     Cleanup  Failed   2 h 0 min  Bag is missing required manifest 'md5'",
            "1   good.tar  test.edu     Cleanup  Success  2 h 0 min  Finished cleanup. Ingest complete.",
        ]
    );
}

#[test]
fn what_is_not_shown_is_counted() {
    let mut listing = listing(vec![item(9, "a.tar", Status::Pending, "")]);
    listing.count = 7;

    let text = render(&listing, DateTime::UNIX_EPOCH, None);

    assert!(
        text.ends_with("and 6 older ones; `--limit 7` shows them"),
        "{text}"
    );
}

#[test]
fn at_least_one_item_has_to_be_asked_for() {
    let rows = [
        ("1", Some(1)),
        ("250", Some(250)),
        ("0", None),
        ("-1", None),
        ("all", None),
    ];

    for (text, expected) in rows {
        let read = count(text);
        assert_eq!(read.as_ref().ok(), expected.as_ref(), "{text}");
        assert!(read.is_ok() || read.is_err_and(|said| said.contains("the least is 1")));
    }
}

#[test]
fn an_empty_list_says_what_to_do() {
    let text = render(&listing(Vec::new()), DateTime::UNIX_EPOCH, None);

    assert!(text.contains("muniment deposit"), "{text}");
}

#[test]
fn an_item_from_the_future_has_no_age() {
    let mut early = item(1, "a.tar", Status::Pending, "");
    early.created_at = Some(DateTime::UNIX_EPOCH + TimeDelta::hours(1));

    assert_eq!(age(&early, DateTime::UNIX_EPOCH), "0.0 s");
}

/// A registry that accepts and says nothing. The clock moves on when nothing else can happen.
#[tokio::test(start_paused = true)]
async fn a_registry_that_says_nothing_ends_the_command_with_a_message() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("listens");
    let url = format!("http://{}/", silent.local_addr().expect("an address"));
    let settings = RegistrySettings {
        registry_url: url.parse().expect("a URL"),
        registry_api_user: "a@b.edu".to_owned(),
        registry_api_key: "key".into(),
        registry_timeout: Duration::from_hours(1).into(),
    };
    let registry = settings.connect().expect("a client");

    let listed = newest_first(&registry, 1).await;

    let error = listed.expect_err("there is no answer");
    assert!(matches!(error, CommandError::RegistrySilent), "{error:?}");
}

fn listing(results: Vec<WorkItem>) -> Listing<WorkItem> {
    Listing {
        count: i64::try_from(results.len()).expect("few"),
        next: String::new(),
        previous: String::new(),
        results,
    }
}

fn item(id: i64, name: &str, status: Status, note: &str) -> WorkItem {
    WorkItem {
        id: WorkItemId(id),
        created_at: Some(DateTime::UNIX_EPOCH),
        updated_at: None,
        name: name.to_owned(),
        etag: "e".repeat(32),
        institution_id: InstitutionId(1),
        intellectual_object_id: 0,
        generic_file_id: 0,
        bucket: "receiving.test.edu".to_owned(),
        user: "system@muniment.org".to_owned(),
        note: note.to_owned(),
        action: Action::Ingest,
        stage: Stage::Cleanup,
        status,
        outcome: String::new(),
        bag_date: None,
        date_processed: None,
        retry: false,
        node: String::new(),
        pid: 0,
        needs_admin_review: false,
        queued_at: None,
        size: 0,
        stage_started_at: None,
        aptrust_approver: String::new(),
        inst_approver: String::new(),
        deletion_request_id: 0,
        version: 1,
        intended_status: None,
        reason: String::new(),
        institution_identifier: "test.edu".to_owned(),
        object_identifier: String::new(),
    }
}
