//! The bodies of the contract's appendix B, and the shapes of its errors, byte by byte.

use muniment_model::WorkItemId;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::kit::{ADMIN, Site, file};

/// The request of appendix B, as the original's bucket reader sends it.
const CREATE: &str = r#"{"action":"Ingest","bag_date":"2026-01-05T10:00:00Z","bucket":"receiving.test.edu",
 "date_processed":"2026-01-05T10:05:00Z","etag":"0123456789abcdef0123456789abcdef","institution_id":1,
 "name":"bag1.tar","note":"Bag is in receiving bucket","outcome":"Item is pending ingest",
 "retry":true,"size":2048,"stage":"Receive","status":"Pending","user":"system@test.edu",
 "created_at":"0001-01-01T00:00:00Z","queued_at":"0001-01-01T00:00:00Z","stage_started_at":"0001-01-01T00:00:00Z",
 "object_identifier":"","generic_file_identifier":"","storage_option":""}"#;

/// Its reply, then the members that are ours.
const CREATED: &str = concat!(
    r#"{"id":1,"created_at":"2026-01-05T10:05:01.123456Z","updated_at":"2026-01-05T10:05:01.123456Z","#,
    r#""name":"bag1.tar","etag":"0123456789abcdef0123456789abcdef","institution_id":1,"intellectual_object_id":0,"#,
    r#""generic_file_id":0,"bucket":"receiving.test.edu","user":"system@test.edu","#,
    r#""note":"Bag is in receiving bucket","action":"Ingest","stage":"Receive","status":"Pending","#,
    r#""outcome":"Item is pending ingest","bag_date":"2026-01-05T10:00:00Z","date_processed":"2026-01-05T10:05:00Z","#,
    r#""retry":true,"node":"","pid":0,"needs_admin_review":false,"queued_at":"0001-01-01T00:00:00Z","size":2048,"#,
    r#""stage_started_at":"0001-01-01T00:00:00Z","aptrust_approver":"","inst_approver":"","deletion_request_id":0,"#,
    r#""version":1,"institution_identifier":"test.edu","object_identifier":""}"#,
);

#[tokio::test]
async fn a_created_item_reads_as_in_appendix_b() {
    let site = Site::start().await;
    let body = serde_json::from_str(CREATE).unwrap();

    let path = "/admin-api/v3/items/create/1";
    let reply = site.ask(Method::POST, path, ADMIN, Some(body)).await;

    assert_eq!(reply, (StatusCode::CREATED, CREATED.to_owned()));
}

#[tokio::test]
async fn errors_and_empty_lists_read_as_in_the_contract() {
    let site = Site::start().await;
    let mut short = serde_json::from_str::<serde_json::Value>(CREATE).unwrap();
    short["etag"] = json!("x");
    let (get, post) = (Method::GET, Method::POST);
    let rows = [
        (
            get.clone(),
            "/admin-api/v3/items",
            None,
            200,
            r#"{"count":0,"next":"","previous":"","results":null}"#,
        ),
        (
            post.clone(),
            "/admin-api/v3/items/create/1",
            Some(short),
            400,
            r#"{"StatusCode":400,"Error":"ETag: ETag is required (32-40 bytes)."}"#,
        ),
        (
            post.clone(),
            "/admin-api/v3/items/create/2",
            Some(serde_json::from_str(CREATE).unwrap()),
            400,
            r#"{"StatusCode":400,"Error":"resource or institution id mismatch"}"#,
        ),
        (
            get.clone(),
            "/admin-api/v3/objects?colour=red&b=1",
            None,
            400,
            r#"{"StatusCode":400,"Error":"Invalid query params: b, colour"}"#,
        ),
        (
            get.clone(),
            "/admin-api/v3/items/show/99",
            None,
            404,
            r#"{"StatusCode":404,"Error":"Not found: /admin-api/v3/items/show/99","error":"Not found: /admin-api/v3/items/show/99"}"#,
        ),
        (
            get,
            "/admin-api/v3/nothing",
            None,
            404,
            r#"{"error":"Missing authorization check for /admin-api/v3/nothing"}"#,
        ),
        (
            post,
            "/admin-api/v3/items",
            None,
            404,
            r#"{"error":"Missing authorization check for /admin-api/v3/items"}"#,
        ),
        (
            Method::POST,
            "/admin-api/v3/files/create_batch/1",
            Some(json!([])),
            201,
            r#"{"count":0,"next":"","previous":"","results":[]}"#,
        ),
    ];

    for (method, path, body, status, expected) in rows {
        let (found, text) = site.ask(method, path, ADMIN, body).await;
        assert_eq!(
            (found.as_u16(), text.as_str()),
            (status, expected),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_route_that_has_another_method_is_unknown() {
    let site = Site::start().await;

    for path in ["items/create/1", "files/lookup", "storage_records/create/1"] {
        let path = format!("/admin-api/v3/{path}");
        let (status, body) = site.get(&path).await;
        let expected = json!({"error": format!("Missing authorization check for {path}")});
        assert_eq!((status, body), (StatusCode::NOT_FOUND, expected));
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_is_a_bad_request() {
    let site = Site::start().await;

    let path = "/admin-api/v3/items/create/1";
    let (status, body) = site.post(path, json!("not an item")).await;

    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(body["StatusCode"], 400);
}

#[tokio::test]
async fn a_word_that_is_none_of_its_list_is_a_bad_request() {
    let site = Site::start().await;
    let made = site.object("a", WorkItemId(7)).await;
    let object = json!(made);
    let mut file = json!(file(&made, "data/1", 1));
    file["id"] = json!(0);
    let rows = [
        ("objects/create/1", &object, "/state", ""),
        ("objects/create/1", &object, "/state", "a"),
        ("objects/create/1", &object, "/access", "Consortia"),
        ("files/create/1", &file, "/state", "X"),
        (
            "files/create/1",
            &file,
            "/premis_events/0/event_type",
            "party",
        ),
        (
            "files/create/1",
            &file,
            "/premis_events/0/outcome",
            "success",
        ),
    ];

    for (path, body, member, word) in rows {
        let mut body = body.clone();
        *body.pointer_mut(member).unwrap() = json!(word);
        let (status, answer) = site.post(&format!("/admin-api/v3/{path}"), body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{member}");
        let text = answer["Error"].as_str().unwrap();
        assert!(text.contains(&format!("{word:?} is not one of")), "{text}");
    }
}

#[tokio::test]
async fn the_installation_and_its_health_are_shown() {
    let site = Site::start().await;

    let (status, installation) = site.get("/admin-api/v3/installation").await;
    let health = reqwest::get(format!("{}/health", site.url)).await.unwrap();

    assert_eq!(status, StatusCode::OK);
    assert_eq!(installation["namespace"], json!(site.registry.namespace()));
    assert_eq!(health.text().await.unwrap(), r#"{"status":"ok"}"#);
}

#[tokio::test]
async fn institutions_are_shown_by_number_and_by_name_with_every_member_of_the_contract() {
    let site = Site::start().await;

    let (_, by_id) = site.get("/admin-api/v3/institutions/show/1").await;
    let (_, by_name) = site.get("/admin-api/v3/institutions/show/test.edu").await;

    assert_eq!(by_id, by_name);
    assert_eq!(by_id["type"], "MemberInstitution");
    assert_eq!(by_id["deactivated_at"], "0001-01-01T00:00:00Z");
    assert_eq!(by_id["parent_id"], 0);
    let members = by_id.as_object().unwrap().len();
    assert_eq!(members, 18);
}
