//! The REST API, version 3 (registry contract, part 2): routes, and what surrounds each of them.
//!
//! A request passes the time limit and the error writer (`failure.rs`), then one of two doors
//! (`access.rs`), then the handler of its resource. Handlers read the request, ask the rules and the
//! store, and write the reply; none holds state.

mod access;
mod checksums;
mod events;
mod failure;
mod files;
mod installation;
mod institutions;
mod items;
mod listing;
mod objects;
mod request;
mod storage_records;

use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post, put};
use axum::{Router, middleware};
use muniment_model::Namespace;

use crate::store::Store;

pub(crate) use access::{digest_of, new_key};

/// A batch of 1,000 files with four checksums, two copies and nine events each is about 9 MB.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What every handler may use.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) store: Store,
    pub(crate) namespace: Namespace,
}

pub(crate) fn router(app: App) -> Router {
    let admin = admin().layer(middleware::from_fn_with_state(
        app.clone(),
        access::admin_door,
    ));
    let member = member().layer(middleware::from_fn_with_state(
        app.clone(),
        access::member_door,
    ));
    Router::new()
        .nest("/admin-api/v3", admin)
        .nest("/member-api/v3", member)
        .route("/health", get(installation::health))
        .fallback(failure::no_such_route)
        .layer(middleware::from_fn(failure::answer_in_time))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(app)
}

/// What both doors lead to: reading, within the caller's scope. Lists also answer with a slash at
/// the end, as the original's client writes them.
fn reading() -> Router<App> {
    Router::new()
        .route("/checksums", get(checksums::list))
        .route("/checksums/", get(checksums::list))
        .route("/checksums/show/{id}", get(checksums::show))
        .route("/objects", get(objects::list))
        .route("/objects/", get(objects::list))
        .route("/objects/show/{*id}", get(objects::show))
        .route("/events", get(events::list))
        .route("/events/", get(events::list))
        .route("/events/show/{*id}", get(events::show))
        .route("/items", get(items::list))
        .route("/items/", get(items::list))
        .route("/items/show/{id}", get(items::show))
        .route("/files/show/{*id}", get(files::show))
        .fallback(failure::no_such_route)
        .method_not_allowed_fallback(failure::no_such_route)
}

fn member() -> Router<App> {
    reading()
        .route("/files", get(files::list_views))
        .route("/files/", get(files::list_views))
}

fn admin() -> Router<App> {
    reading()
        .route("/files", get(files::list))
        .route("/files/", get(files::list))
        .route("/files/create/{institution}", post(files::create))
        .route(
            "/files/create_batch/{institution}",
            post(files::create_batch),
        )
        .route("/files/update/{id}", put(files::update))
        .route("/files/lookup", post(files::lookup))
        .route("/institutions", get(institutions::list))
        .route("/institutions/", get(institutions::list))
        .route("/institutions/show/{id}", get(institutions::show))
        .route("/objects/create/{institution}", post(objects::create))
        .route("/objects/update/{id}", put(objects::update))
        .route("/events/create", post(events::create))
        .route("/storage_records", get(storage_records::list))
        .route("/storage_records/", get(storage_records::list))
        .route("/storage_records/show/{id}", get(storage_records::show))
        .route(
            "/storage_records/create/{institution}",
            post(storage_records::create),
        )
        .route("/items/create/{institution}", post(items::create))
        .route("/items/update/{id}", put(items::update))
        .route("/items/take_turn/{id}", post(items::take_turn))
        .route("/items/recorded/{id}", get(items::recorded))
        .route("/installation", get(installation::show))
}
