//! Which users may use which API, and whose records they see.

use muniment_model::WorkItemId;
use muniment_registry::Role;
use reqwest::{Method, StatusCode};

use crate::kit::{ADMIN, FOREIGN, MANAGER, MEMBER, Site, file, object, upload};

#[tokio::test]
async fn a_request_without_valid_credentials_gets_nothing() {
    let site = Site::start().await;
    let good = site.key(ADMIN);
    let rows = [
        (None, None),
        (Some(ADMIN), None),
        (None, Some(good.as_str())),
        (Some(ADMIN), Some("")),
        (Some(ADMIN), Some("0123456789abcdef0123456789abcdef")),
        (Some("nobody@test.edu"), Some(good.as_str())),
        (Some("ADMIN@system.test"), Some(good.as_str())),
        (Some(MEMBER), Some(good.as_str())),
    ];

    for (user, key) in rows {
        let paths = [
            "/admin-api/v3/items",
            "/member-api/v3/items",
            "/admin-api/v3/x",
        ];
        for path in paths {
            let mut request = reqwest::Client::new().get(format!("{}{path}", site.url));
            if let Some(user) = user {
                request = request.header("X-Pharos-API-User", user);
            }
            if let Some(key) = key {
                request = request.header("X-Pharos-API-Key", key);
            }
            let response = request.send().await.unwrap();
            assert_eq!(
                response.status(),
                StatusCode::UNAUTHORIZED,
                "{user:?} {key:?}"
            );
            assert_eq!(
                response.text().await.unwrap(),
                r#"{"Error":"API credentials are missing or invalid.","StatusCode":401}"#
            );
        }
    }
}

#[tokio::test]
async fn a_new_key_replaces_the_one_before() {
    let site = Site::start().await;

    site.registry.issue_api_key(ADMIN).await.unwrap();

    let (status, _) = site
        .ask(Method::GET, "/admin-api/v3/items", ADMIN, None)
        .await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_admin_api_is_for_administrators_only() {
    let site = Site::start().await;
    let routes = [
        (Method::GET, "/admin-api/v3/items"),
        (Method::GET, "/admin-api/v3/institutions"),
        (Method::GET, "/admin-api/v3/installation"),
        (Method::POST, "/admin-api/v3/items/create/1"),
        (Method::PUT, "/admin-api/v3/items/update/1"),
        (Method::POST, "/admin-api/v3/files/create_batch/1"),
        (Method::GET, "/admin-api/v3/nothing"),
    ];

    for user in [MEMBER, MANAGER, FOREIGN] {
        for (method, path) in &routes {
            let (status, text) = site.ask(method.clone(), path, user, None).await;
            let expected = format!(
                "Permission denied for {path} (institution 0). non-admins must use the member api"
            );
            let body: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(status, StatusCode::FORBIDDEN, "{user} {path}");
            assert_eq!(body["error"], expected, "{user} {path}");
        }
    }
}

#[tokio::test]
async fn the_member_api_has_no_way_to_write() {
    let site = Site::start().await;
    let routes = [
        (Method::POST, "/member-api/v3/items/create/1"),
        (Method::POST, "/member-api/v3/items"),
        (Method::PUT, "/member-api/v3/objects/update/1"),
        (Method::POST, "/member-api/v3/files/lookup"),
        (Method::GET, "/member-api/v3/institutions"),
        (Method::GET, "/member-api/v3/storage_records"),
    ];

    for user in [MEMBER, ADMIN] {
        for (method, path) in &routes {
            let (status, _) = site.ask(method.clone(), path, user, None).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{user} {path}");
        }
    }
}

/// Every list and every look-up of the member API, as its owner and as a stranger.
#[tokio::test]
async fn another_institutions_records_never_appear() {
    let site = Site::start().await;
    let client = site.client();
    let item = upload(site.institution, "test.edu", "a", 1);
    client.create_work_item(&item).await.unwrap();
    let made = object(site.institution, "test.edu", "a", WorkItemId(1));
    let made = client.save_object(&made).await.unwrap();
    let files = [file(&made, "data/1", 1)];
    let saved = client
        .save_files(site.institution, WorkItemId(1), &files)
        .await
        .unwrap();
    let event = saved[0].premis_events[0].identifier;

    for list in ["items", "objects", "files", "checksums", "events"] {
        let path = format!("/member-api/v3/{list}");
        let (_, foreign) = site.ask(Method::GET, &path, FOREIGN, None).await;
        let empty = r#"{"count":0,"next":"","previous":"","results":null}"#;
        assert_eq!(foreign, empty, "{list}");
        for user in [MEMBER, MANAGER, ADMIN] {
            let (status, own) = site.ask(Method::GET, &path, user, None).await;
            assert_eq!(status, StatusCode::OK, "{user} {list}");
            assert_ne!(own, empty, "{user} {list}");
        }
        let (status, _) = site
            .ask(
                Method::GET,
                &format!("{path}?institution_id=1"),
                FOREIGN,
                None,
            )
            .await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{list}");
    }
    let shown = [
        "items/show/1".to_owned(),
        "objects/show/1".to_owned(),
        "objects/show/test.edu/a".to_owned(),
        "files/show/1".to_owned(),
        "files/show/test.edu%2Fa%2Fdata%2F1".to_owned(),
        "checksums/show/1".to_owned(),
        "events/show/1".to_owned(),
        format!("events/show/{event}"),
    ];
    for path in shown {
        let path = format!("/member-api/v3/{path}");
        let (foreign, body) = site.ask(Method::GET, &path, FOREIGN, None).await;
        assert_eq!(foreign, StatusCode::FORBIDDEN, "{path}");
        assert!(!body.contains("data/1\""), "{path}: {body}");
        let (own, _) = site.ask(Method::GET, &path, MEMBER, None).await;
        assert_eq!(own, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn everybody_but_an_administrator_belongs_to_an_institution() {
    let site = Site::start().await;

    let homeless = site
        .registry
        .ensure_user("x@test.edu", Role::InstitutionalAdmin, None)
        .await;

    assert!(homeless.is_err());
}
