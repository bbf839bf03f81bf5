//! A registry with two depositors, and ways to speak to it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use muniment_model::registry::{
    GenericFile, Institution, InstitutionKind, IntellectualObject, WorkItem,
};
use muniment_model::{Clock, InstitutionId, WorkItemId};
use muniment_registry::{Registry, Role};
use muniment_registry_client::{RegistryClient, RegistrySettings};
use muniment_testkit::MockClock;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// 2026-01-05T10:05:01.123456Z
fn start() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_767_607_501_123_456).unwrap()
}

pub(crate) const ADMIN: &str = "admin@system.test";
pub(crate) const MEMBER: &str = "member@test.edu";
pub(crate) const MANAGER: &str = "manager@test.edu";
pub(crate) const FOREIGN: &str = "member@example.edu";

/// A served registry. Ends when it is dropped.
pub(crate) struct Site {
    pub(crate) registry: Registry,
    pub(crate) clock: Arc<MockClock>,
    pub(crate) url: String,
    /// test.edu
    pub(crate) institution: InstitutionId,
    /// example.edu
    pub(crate) other: InstitutionId,
    keys: Vec<(&'static str, String)>,
    http: reqwest::Client,
    _server: JoinSet<()>,
    _folder: tempfile::TempDir,
}

impl Site {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(MockClock::at(start()));
        let shared: Arc<dyn Clock> = Arc::<MockClock>::clone(&clock);
        let registry = Registry::open(folder.path().join("registry.db"), shared)
            .await
            .unwrap();
        let institution = registry.ensure_institution(&depositor("test.edu")).await;
        let other = registry.ensure_institution(&depositor("example.edu")).await;
        let (institution, other) = (institution.unwrap().id, other.unwrap().id);
        let users = [
            (ADMIN, Role::Admin, None),
            (MEMBER, Role::InstitutionalUser, Some(institution)),
            (MANAGER, Role::InstitutionalAdmin, Some(institution)),
            (FOREIGN, Role::InstitutionalUser, Some(other)),
        ];
        let mut keys = Vec::new();
        for (email, role, home) in users {
            registry.ensure_user(email, role, home).await.unwrap();
            keys.push((email, registry.issue_api_key(email).await.unwrap()));
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut server = JoinSet::new();
        let serving = registry.clone();
        server.spawn(async move {
            let stop = CancellationToken::new();
            serving.serve(listener, stop).await.unwrap();
        });
        Self {
            registry,
            clock,
            url,
            institution,
            other,
            keys,
            http: reqwest::Client::new(),
            _server: server,
            _folder: folder,
        }
    }

    pub(crate) fn client(&self) -> RegistryClient {
        let settings = RegistrySettings {
            registry_url: self.url.parse().unwrap(),
            registry_api_user: ADMIN.to_owned(),
            registry_api_key: self.key(ADMIN).into(),
            registry_timeout: std::time::Duration::from_secs(30).into(),
        };
        settings.connect().unwrap()
    }

    pub(crate) fn key(&self, email: &str) -> String {
        let (_, key) = self.keys.iter().find(|(known, _)| *known == email).unwrap();
        key.clone()
    }

    /// One request, sent as it is, and what comes back.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        user: &str,
        body: Option<Value>,
    ) -> (StatusCode, String) {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.url))
            .header("X-Pharos-API-User", user)
            .header("X-Pharos-API-Key", self.key(user));
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let response = request.send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        let (status, text) = self.ask(Method::GET, path, ADMIN, None).await;
        (status, serde_json::from_str(&text).unwrap())
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        let (status, text) = self.ask(Method::POST, path, ADMIN, Some(body)).await;
        (status, serde_json::from_str(&text).unwrap())
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> (StatusCode, Value) {
        let (status, text) = self.ask(Method::PUT, path, ADMIN, Some(body)).await;
        (status, serde_json::from_str(&text).unwrap())
    }

    /// What an operator orders: a PUT of a form.
    pub(crate) async fn order(
        &self,
        path: &str,
        user: &str,
        form: &'static str,
    ) -> (StatusCode, String) {
        let request = self
            .http
            .put(format!("{}{path}", self.url))
            .header("X-Pharos-API-User", user)
            .header("X-Pharos-API-Key", self.key(user))
            .body(form);
        let response = request.send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }

    /// An item for `<name>.tar` of test.edu, uploaded at the given second.
    pub(crate) async fn item(&self, name: &str, second: u32) -> WorkItem {
        let item = upload(self.institution, "test.edu", name, second);
        self.client()
            .create_work_item(&item)
            .await
            .unwrap()
            .into_item()
    }

    /// An object of test.edu as this item records it.
    pub(crate) async fn object(&self, name: &str, item: WorkItemId) -> IntellectualObject {
        let object = object(self.institution, "test.edu", name, item);
        self.client().save_object(&object).await.unwrap()
    }
}

pub(crate) fn depositor(identifier: &str) -> Institution {
    Institution {
        name: format!("University of {identifier}"),
        identifier: identifier.to_owned(),
        kind: InstitutionKind::Member,
        receiving_bucket: format!("receiving.{identifier}"),
        restore_bucket: format!("restore.{identifier}"),
        ..Institution::default()
    }
}

pub(crate) fn upload(
    institution: InstitutionId,
    domain: &str,
    name: &str,
    second: u32,
) -> WorkItem {
    serde_json::from_value(json!({
        "name": format!("{name}.tar"),
        "etag": "0123456789abcdef0123456789abcdef",
        "institution_id": institution,
        "bucket": format!("receiving.{domain}"),
        "user": "system@test.edu",
        "note": "Bag is in receiving bucket",
        "action": "Ingest",
        "stage": "Receive",
        "status": "Pending",
        "outcome": "Item is pending ingest",
        "bag_date": format!("2026-01-05T10:00:{second:02}Z"),
        "date_processed": "2026-01-05T10:05:00Z",
        "retry": true,
        "size": 2048,
    }))
    .unwrap()
}

pub(crate) fn object(
    institution: InstitutionId,
    domain: &str,
    name: &str,
    item: WorkItemId,
) -> IntellectualObject {
    serde_json::from_value(json!({
        "title": name,
        "identifier": format!("{domain}/{name}"),
        "access": "institution",
        "bag_name": name,
        "institution_id": institution,
        "state": "A",
        "storage_option": "Standard",
        "work_item_id": item,
    }))
    .unwrap()
}

/// A file with four digests, two copies and nine events, all derived from `seed` and the path.
pub(crate) fn file(object: &IntellectualObject, path: &str, seed: u128) -> GenericFile {
    let identifier = format!("{}/{path}", object.identifier);
    let derive = |part: &str| {
        Uuid::new_v5(
            &Uuid::from_u128(seed),
            format!("{identifier}\0{part}").as_bytes(),
        )
    };
    let uuid = derive("file");
    let digits = |count: usize| -> String {
        uuid.simple()
            .to_string()
            .chars()
            .cycle()
            .take(count)
            .collect()
    };
    let checksums: Vec<_> = [("md5", 32), ("sha1", 40), ("sha256", 64), ("sha512", 128)]
        .into_iter()
        .map(|(algorithm, count)| {
            json!({"algorithm": algorithm, "digest": digits(count),
                   "datetime": "2026-01-05T10:07:00Z"})
        })
        .collect();
    let copies: Vec<_> = ["va", "or"]
        .into_iter()
        .map(|place| json!({"url": format!("https://s3.example.com/preservation-{place}/{uuid}")}))
        .collect();
    let events: Vec<_> = (0..9)
        .map(|number| {
            json!({"identifier": derive(&format!("event {number}")), "event_type": "ingestion",
                   "date_time": "2026-01-05T10:07:00Z", "agent": "https://example.com/agent",
                   "object": "preservation-services + Minio S3 client", "outcome": "Success",
                   "detail": "Completed copy to preservation storage",
                   "outcome_detail": digits(64),
                   "outcome_information": "Multipart put using s3"})
        })
        .collect();
    serde_json::from_value(json!({
        "file_format": "text/plain",
        "size": 5,
        "identifier": identifier,
        "intellectual_object_id": object.id,
        "institution_id": object.institution_id,
        "state": "A",
        "storage_option": "Standard",
        "uuid": uuid,
        "checksums": checksums,
        "storage_records": copies,
        "premis_events": events,
    }))
    .unwrap()
}
