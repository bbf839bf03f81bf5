//! The conformance suite on SQLite, and what is SQLite's alone.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use muniment_model::{BatchNumber, Class, Classify, Dependency, WorkItemId};
use muniment_testkit::MockClock;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::*;
use crate::conformance::conformance;
use crate::conformance::kit::{Backend, QUEUE, planner};
use crate::decide::model::start;
use crate::{Records, WorkLocation, WorkView};

struct OnSqlite {
    store: SqliteWork,
    clock: Arc<MockClock>,
    folder: TempDir,
}

impl OnSqlite {
    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("work.db")
    }

    /// The file, as a program of another version might change it.
    async fn raw(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.path());
        options.connect().await.expect("opens")
    }
}

async fn open(folder: &TempDir, clock: &Arc<MockClock>) -> SqliteWork {
    let clock = Arc::<MockClock>::clone(clock);
    let opened = SqliteWork::open(&folder.path().join("work.db"), clock).await;
    opened.expect("opens")
}

async fn look(path: &Path) -> Result<Box<dyn WorkView>, WorkError> {
    WorkLocation::Sqlite(path.to_path_buf()).look().await
}

#[async_trait]
impl Backend for OnSqlite {
    type Store = SqliteWork;

    async fn fresh() -> Self {
        let folder = TempDir::new().expect("a folder");
        let clock = Arc::new(MockClock::at(start()));
        Self {
            store: open(&folder, &clock).await,
            clock,
            folder,
        }
    }

    fn store(&self) -> &SqliteWork {
        &self.store
    }

    async fn another(&self) -> SqliteWork {
        open(&self.folder, &self.clock).await
    }

    async fn look(&self) -> Box<dyn WorkView> {
        look(&self.path()).await.expect("opens")
    }

    async fn reopened(self) -> Self {
        drop(self.store);
        Self {
            store: open(&self.folder, &self.clock).await,
            clock: self.clock,
            folder: self.folder,
        }
    }

    fn set_time(&self, now: DateTime<Utc>) {
        self.clock.set(now);
    }

    fn time(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    async fn revoke_all_leases(&self) -> u64 {
        self.store.revoke_all_leases().await.expect("revoked")
    }

    async fn run(&self, command: Command) -> Reply {
        self.store.run(QUEUE, command).await.expect("runs")
    }
}

conformance!(OnSqlite);

/// What keeps a claim quick behind thousands of ready messages.
#[tokio::test]
async fn a_claim_finds_messages_by_index_only() {
    let kit = OnSqlite::fresh().await;
    let explain = sqlx::AssertSqlSafe(format!(
        "EXPLAIN QUERY PLAN {}",
        crate::sqlite::queue::SELECT_CLAIMABLE
    ));

    let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain)
        .fetch_all(&mut *kit.store.store.reader.lock().await)
        .await
        .expect("explained");

    let on_messages: Vec<&str> = plan
        .iter()
        .map(|(_id, _parent, _unused, detail)| detail.as_str())
        .filter(|detail| [" m ", " r "].iter().any(|name| detail.contains(name)))
        .collect();
    assert_eq!(on_messages.len(), 6, "{plan:#?}");
    for detail in on_messages {
        assert!(detail.starts_with("SEARCH"), "{detail}");
    }
}

/// As a later version may have left them: with members of its own.
#[tokio::test]
async fn records_of_another_version_are_not_read() {
    let kit = OnSqlite::fresh().await;
    let mut connection = kit.raw().await;
    for statement in [
        r#"INSERT INTO file_run VALUES (12, 0, 0, 1, '[{"schema": 2, "tree": "x"}]', 0)"#,
        r#"INSERT INTO object_record VALUES (12, '{"schema": 2, "tree": "x"}')"#,
        r#"INSERT INTO checkpoint VALUES (12, '{"offset": 1}')"#,
    ] {
        let inserted = sqlx::query(statement).execute(&mut connection).await;
        inserted.expect("inserted");
    }
    let (item, first) = (WorkItemId(12), BatchNumber(0));

    let files = kit.store.files(item, first).await.expect_err("refused");
    let object = kit.store.object(item).await.expect_err("refused");
    let checkpoint = kit.store.checkpoint(item).await.expect_err("refused");

    assert_eq!(
        files.to_string(),
        "the file records of item 12, batch 0 has schema version 2, this program knows 1"
    );
    assert!(matches!(object, WorkError::UnknownSchema { found: 2, .. }));
    assert!(matches!(checkpoint, WorkError::Unreadable { .. }));
    // A look tells of each, and shows the rest.
    let seen = kit.look().await.item(item).await.expect("seen");
    let unknown = matches!(seen.object, Err(WorkError::UnknownSchema { found: 2, .. }));
    assert!(unknown, "{seen:?}");
    let unreadable = matches!(seen.checkpoint, Err(WorkError::Unreadable { .. }));
    assert!(unreadable, "{seen:?}");
    assert!(seen.batches.contains_key(&first), "{seen:?}");
}

/// What a killed process leaves has its last writes in the log.
#[tokio::test]
async fn a_look_at_what_a_killed_process_left_shows_its_last_writes_and_changes_no_byte() {
    let kit = OnSqlite::fresh().await;
    kit.publish(&planner(12)).await;
    let left = TempDir::new().expect("a folder");
    let (file, log) = (left.path().join("work.db"), left.path().join("work.db-wal"));
    std::fs::copy(kit.path(), &file).expect("copied");
    std::fs::copy(kit.path().with_file_name("work.db-wal"), &log).expect("copied");
    let before = [&file, &log].map(|one| std::fs::read(one).expect("read"));

    let view = look(&file).await.expect("opens");
    let seen = view.item(WorkItemId(12)).await.expect("seen");
    drop(view);

    assert_eq!(seen.messages.len(), 1, "{seen:?}");
    let after = [&file, &log].map(|one| std::fs::read(one).expect("read"));
    assert!(after == before, "the look has written");
}

/// Neither does its writer wait for the look.
#[tokio::test]
async fn a_look_does_not_wait_for_a_writer() {
    let kit = OnSqlite::fresh().await;
    let view = kit.look().await;
    let mut writer = kit.raw().await;
    let begun = sqlx::raw_sql("BEGIN IMMEDIATE; DELETE FROM message;");
    begun.execute(&mut writer).await.expect("begins");

    let while_written = view.item(WorkItemId(12)).await.map(|_| ());
    let opened = kit.look().await.item(WorkItemId(12)).await.map(|_| ());
    let ended = sqlx::raw_sql("COMMIT").execute(&mut writer).await.map(drop);

    let all = (while_written, opened, ended);
    assert!(matches!(all, (Ok(()), Ok(()), Ok(()))), "{all:?}");
}

#[tokio::test]
async fn a_look_makes_no_file_and_no_layout() {
    let kit = OnSqlite::fresh().await;
    let absent = kit.path().with_file_name("absent.db");

    let no_file = look(&absent).await.map(drop).expect_err("refused");
    let mut raw = kit.raw().await;
    let mut refused = Vec::new();
    for layout in ["2", "9"] {
        let set = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {layout}"));
        sqlx::raw_sql(set).execute(&mut raw).await.expect("set");
        refused.push(look(&kit.path()).await.map(drop).expect_err("refused"));
    }

    assert!(matches!(no_file, WorkError::Unusable { .. }), "{no_file:?}");
    assert!(!absent.exists(), "a file was made");
    let expected = matches!(
        refused[..],
        [
            WorkError::OlderLayout { found: 2, known: 4 },
            WorkError::NewerLayout { found: 9, known: 4 }
        ]
    );
    assert!(expected, "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_open_a_new_file_at_once_make_it_once() {
    for _ in 0..10 {
        let folder = TempDir::new().expect("a folder");
        let mut openings = JoinSet::new();
        for _ in 0..4 {
            let path = folder.path().join("work.db");
            let clock = Arc::new(MockClock::default());
            openings.spawn(async move { SqliteWork::open(&path, clock).await.map(drop) });
        }

        let opened: Vec<_> = openings.join_all().await;

        assert!(opened.iter().all(Result::is_ok), "{opened:?}");
    }
}

#[tokio::test]
async fn a_file_of_a_later_program_is_refused() {
    let kit = OnSqlite::fresh().await;
    let raised = sqlx::query("PRAGMA user_version = 9")
        .execute(&mut kit.raw().await)
        .await;
    raised.expect("raised");

    let opened = SqliteWork::open(&kit.path(), Arc::clone(&kit.store.store.clock)).await;

    let error = opened.map(drop).expect_err("refused");
    let refused = matches!(error, WorkError::NewerLayout { found: 9, known: 4 });
    assert!(refused, "{error:?}");
}

/// The messages go, since the registry can give them again; the records stay.
#[tokio::test]
async fn a_file_of_the_first_layout_is_brought_up_to_date() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("work.db");
    let options = SqliteConnectOptions::new().filename(&path);
    let mut old = options
        .create_if_missing(true)
        .connect()
        .await
        .expect("opens");
    for script in [
        include_str!("../../migrations/0001_work.sql"),
        "PRAGMA user_version = 1;
         INSERT INTO message VALUES (12, 'ingest_validator', -1, 1, 1, 0, 0, 0, 'ready', NULL, NULL, 0);
         INSERT INTO done_batch VALUES (12, 'ingest_validator', 3);",
    ] {
        sqlx::raw_sql(script).execute(&mut old).await.expect("made");
    }
    old.close().await.expect("closed");

    let clock = Arc::new(MockClock::at(start()));
    let store = SqliteWork::open(&path, clock).await.expect("opens");

    assert_eq!(
        store.claim(QUEUE, Duration::ZERO).await.expect("answers"),
        None
    );
    let done = store
        .done_batches(WorkItemId(12), QUEUE)
        .await
        .expect("read");
    assert_eq!(done, [BatchNumber(3)].into());
}

#[tokio::test]
async fn a_path_that_cannot_be_used_is_an_outage() {
    let kit = OnSqlite::fresh().await;

    let nowhere = kit.path().with_file_name("missing").join("work.db");
    let opened = SqliteWork::open(&nowhere, Arc::clone(&kit.store.store.clock)).await;

    let error = opened.map(drop).expect_err("refused");
    assert_eq!(
        error.class(),
        Class::Outage(Dependency::WorkStore),
        "{error:?}"
    );
}

/// Both connections are taken and never given back, as by a disk that has stopped answering.
#[tokio::test]
async fn a_call_that_hangs_ends_within_its_time_limit() {
    let kit = OnSqlite::fresh().await;
    let _reader = kit.store.store.reader.lock().await;
    let _writer = kit.store.store.writer.begin().await.expect("begins");
    tokio::time::pause();

    let answers = [
        kit.store.backlog().await.map(drop),
        kit.store.object(WorkItemId(1)).await.map(drop),
        kit.store.claim(QUEUE, Duration::ZERO).await.map(drop),
    ];

    for answer in answers {
        assert!(matches!(answer, Err(WorkError::Silent)), "{answer:?}");
    }
}
