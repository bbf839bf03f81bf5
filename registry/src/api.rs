//! The REST API, version 3 (registry contract, part 2): routes, and what surrounds each of them.
//!
//! A request passes the time limit and the error writer (`error.rs`), then the check that its sender
//! belongs to the audience of the API (`access.rs`), then the handler of its resource. Lists and
//! look-ups of all resources share two handlers (`reading.rs`). Handlers read the request, ask the
//! rules and the store, and write the reply; none holds state.

mod access;
mod error;
mod events;
mod files;
mod installation;
mod items;
mod listing;
mod objects;
mod reading;
mod request;
mod storage_records;

use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post, put};
use axum::{Router, middleware};
use muniment_model::Namespace;
use muniment_model::registry::GenericFile;

use self::reading::{list, show};
use crate::rules::access::Audience;
use crate::store::Store;
use crate::store::query::View;
use crate::views::{
    ChecksumView, CopyView, EventView, FileView, InstitutionView, ItemView, ObjectView,
};

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
    let api = |routes: Router<App>, audience: Audience| {
        let state = (app.clone(), audience);
        routes
            .fallback(error::no_such_route)
            .method_not_allowed_fallback(error::no_such_route)
            .layer(middleware::from_fn_with_state(state, access::authorise))
    };
    Router::new()
        .nest("/admin-api/v3", api(admin(), Audience::Admin))
        .nest("/member-api/v3", api(member(), Audience::Member))
        .route("/health", get(installation::health))
        .fallback(error::no_such_route)
        .layer(middleware::from_fn(error::answer_in_time))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(app)
}

/// A list. It also answers with a slash at the end, as the original's client writes it.
fn listed<V: View>(path: &str) -> Router<App> {
    Router::new()
        .route(path, get(list::<V>))
        .route(&format!("{path}/"), get(list::<V>))
}

/// What both audiences may read.
fn shared() -> Router<App> {
    Router::new()
        .merge(listed::<ChecksumView>("/checksums"))
        .route("/checksums/show/{id}", get(show::<ChecksumView>))
        .merge(listed::<ObjectView>("/objects"))
        .route("/objects/show/{*id}", get(show::<ObjectView>))
        .merge(listed::<EventView>("/events"))
        .route("/events/show/{*id}", get(show::<EventView>))
        .merge(listed::<ItemView>("/items"))
        .route("/items/show/{id}", get(show::<ItemView>))
        .route("/files/show/{*id}", get(show::<GenericFile>))
}

fn member() -> Router<App> {
    shared().merge(listed::<FileView>("/files"))
}

fn admin() -> Router<App> {
    let create_batch = post(files::create_batch);
    let create_record = post(storage_records::create);
    shared()
        .merge(listed::<GenericFile>("/files"))
        .route("/files/create/{institution}", post(files::create))
        .route("/files/create_batch/{institution}", create_batch)
        .route("/files/update/{id}", put(files::update))
        .route("/files/lookup", post(files::lookup))
        .route("/files/sizes/{object}", get(files::sizes))
        .merge(listed::<InstitutionView>("/institutions"))
        .route("/institutions/show/{id}", get(show::<InstitutionView>))
        .route("/objects/create/{institution}", post(objects::create))
        .route("/objects/update/{id}", put(objects::update))
        .route("/events/create", post(events::create))
        .merge(listed::<CopyView>("/storage_records"))
        .route("/storage_records/show/{id}", get(show::<CopyView>))
        .route("/storage_records/create/{institution}", create_record)
        .route("/items/create/{institution}", post(items::create))
        .route("/items/update/{id}", put(items::update))
        .route("/items/requeue/{id}", put(items::requeue))
        .route("/items/cancel/{id}", put(items::cancel))
        .route("/items/take_lock/{id}", post(items::take_lock))
        .route("/items/recorded/{id}", get(items::recorded))
        .route("/installation", get(installation::show))
}
