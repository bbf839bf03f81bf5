//! Which data folder may go on with which S3 store. The stores are endpoints as that of one machine, which here
//! are elsewhere.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use aws_sdk_s3::Client;
use muniment::up::instance::{Instance, S3Access};
use muniment::up::{Options, StoreKeys, StoreOptions, System};
use muniment_embedded_s3::{Credentials, EmbeddedS3};
use muniment_fault_proxy::{Fault, FaultProxy, Method, Requests, StatusCode, Times};
use muniment_model::Chain;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::process::run;
use crate::s3::client;

const REGION: &str = "eu-north-1";
const ACCESS_KEY: &str = "the-access-key";
const SECRET_KEY: &str = "the-secret-key";
const MARKER: &str = "muniment/store.json";

#[tokio::test(flavor = "multi_thread")]
async fn a_store_belongs_to_one_folder_and_a_folder_to_one_store() {
    let (store, other) = (FarStore::start().await, FarStore::start().await);
    let (first, second) = (Folder::new(), Folder::new());
    first.start_once(store.named()).await;
    let marked = store.object("records", MARKER).await;

    let taken = second.refused(store.named()).await;
    let elsewhere = first.refused(other.named()).await;

    let expected = format!(
        "the S3 store at {}/ belongs to another data folder ({}, begun at ",
        store.url,
        first.path().display()
    );
    assert!(taken.starts_with(&expected), "{taken}");
    assert!(
        taken.contains("the object records/muniment/store.json says"),
        "{taken}"
    );
    assert!(elsewhere.contains("is not the one that"), "{elsewhere}");
    assert_eq!(second.names(), ["lock"], "nothing of a store in it");
    assert_eq!(
        other.buckets().await,
        Vec::<String>::new(),
        "it is as it was"
    );
    assert_eq!(store.object("records", MARKER).await, marked);
    // What was refused goes on where it belongs, or begins anew.
    first.start_once(store.named()).await;
    second.start_once(other.named()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_start_needs_no_address_and_takes_new_keys_and_another_address_of_the_store() {
    let store = FarStore::start().await;
    let folder = Folder::new();
    let first = folder.start_once(store.named()).await;
    let moved = FaultProxy::before(&store.url).await.expect("starts");

    let again = folder.start_once(StoreOptions::default()).await;
    let wrong = StoreOptions {
        keys: Some(keys("the-access-key", "wrong")),
        ..StoreOptions::default()
    };
    let refused = folder.refused(wrong).await;
    let at_another_address = StoreOptions {
        url: Some(moved.url().parse().expect("a URL")),
        ..StoreOptions::default()
    };
    let last = folder.start_once(at_another_address).await;

    assert!(again.s3 == first.s3);
    assert!(refused.contains("does not know these keys"), "{refused}");
    assert_eq!(last.s3.endpoint.as_str(), format!("{}/", moved.url()));
    assert_eq!(last.store_id, first.store_id);
    assert_eq!(last.s3.region, REGION);

    std::fs::remove_file(folder.path().join("instance.json")).expect("removes");
    let without_keys = folder.refused(StoreOptions::default()).await;
    assert!(
        without_keys.contains("keys to the S3 store at"),
        "{without_keys}"
    );
    let found_again = folder.start_once(keys_alone()).await;
    assert_eq!(found_again.store_id, first.store_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_began_with_its_own_buckets_keeps_them() {
    let store = FarStore::start().await;
    let folder = Folder::new();
    folder.start_once(StoreOptions::default()).await;

    let refused = folder.refused(store.named()).await;
    std::fs::remove_file(folder.path().join("instance.json")).expect("removes");
    let without_instance = folder.refused(store.named()).await;

    for said in [refused, without_instance] {
        assert!(
            said.contains("keeps its bags and copies in itself"),
            "{said}"
        );
    }
    assert_eq!(store.buckets().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_holds_something_of_others_or_lost_its_marker_is_left_as_it_is() {
    let store = FarStore::start().await;
    let folder = Folder::new();
    let staging = store.client.create_bucket().bucket("staging").send().await;
    staging.expect("is made");
    store.put("staging", "1/theirs").await;

    let in_use = folder.refused(store.named()).await;

    assert!(
        in_use.contains("the bucket staging in the S3 store"),
        "{in_use}"
    );
    assert_eq!(store.buckets().await, ["staging"]);
    store.delete("staging", "1/theirs").await;
    folder.start_once(store.named()).await;

    store.delete("records", MARKER).await;
    let unmarked = folder.refused(StoreOptions::default()).await;
    store.put("records", MARKER).await;
    let unreadable = folder.refused(StoreOptions::default()).await;

    assert!(unmarked.contains("is not the one that"), "{unmarked}");
    assert!(
        unreadable.contains("is no marker of muniment"),
        "{unreadable}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_used_is_refused_with_the_reason() {
    let store = FarStore::start().await;
    let folder = Folder::new();
    let proxy = FaultProxy::before(&store.url).await.expect("starts");
    let through = StoreOptions {
        url: Some(proxy.url().parse().expect("a URL")),
        ..store.named()
    };
    let region = StoreOptions {
        region: None,
        ..store.named()
    };
    let nobody = StoreOptions {
        keys: Some(keys("nobody", SECRET_KEY)),
        ..store.named()
    };

    let region = folder.refused(region).await;
    let nobody = folder.refused(nobody).await;
    let forbidden = Fault::status(StatusCode::FORBIDDEN);
    let puts = Requests::of(Method::PUT);
    proxy.plan(puts.clone(), Times::Always, forbidden);
    let rights = folder.refused(through.clone()).await;
    proxy.heal();
    // Of the trial, the second PUT and the first delete: taken, whatever their conditions.
    let trial = puts.containing("muniment/trial");
    let (first, at_once) = (Times::Next(1), Fault::Delay(Duration::ZERO));
    proxy.plan(trial.clone(), first, at_once);
    proxy.plan(trial, Times::Always, Fault::status(StatusCode::OK));
    let replaces = folder.refused(through).await;

    assert!(
        region.contains("has another region than us-east-1"),
        "{region}"
    );
    assert!(nobody.contains("does not know these keys"), "{nobody}");
    assert!(
        rights.contains("may not make the bucket records"),
        "{rights}"
    );
    assert!(replaces.contains("(If-None-Match)"), "{replaces}");
    assert_eq!(store.object("records", MARKER).await, None);
    assert_eq!(folder.names(), ["lock"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_does_not_answer_is_told_soon_and_without_the_keys() {
    let folder = Folder::new();
    let free = TcpListener::bind("127.0.0.1:0").expect("binds");
    let url = format!("http://{}", free.local_addr().expect("an address"));
    drop(free);
    let began = Instant::now();

    let data = folder.path().to_str().expect("its name");
    let keys = ["--s3-access-key", ACCESS_KEY, "--s3-secret-key", SECRET_KEY];
    let words = ["up", "--data", data, "--s3", &url, "--log=debug"];
    let ended = run(&[&words[..], &keys].concat()).await;

    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(
        began.elapsed() < Duration::from_mins(1),
        "{:?}",
        began.elapsed()
    );
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(
        said.contains(&format!("no S3 store answers at {url}/")),
        "{said}"
    );
    assert!(!said.contains(SECRET_KEY), "{said}");
}

/// From each request on everything is refused, and then a start that is not ends as if nothing had been.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_ends_at_any_request_is_done_again() {
    let mut requests = 0;
    loop {
        let store = FarStore::start().await;
        let folder = Folder::new();
        let proxy = FaultProxy::before(&store.url).await.expect("starts");
        let through = StoreOptions {
            url: Some(proxy.url().parse().expect("a URL")),
            ..store.named()
        };
        let before = Fault::Delay(Duration::ZERO);
        proxy.plan(Requests::any(), Times::Next(requests), before);
        let forbidden = Fault::status(StatusCode::FORBIDDEN);
        proxy.plan(Requests::any(), Times::Always, forbidden);

        let ended = folder.start(through.clone()).await;

        if let Ok(system) = ended {
            proxy.heal();
            system.stop().await;
            break;
        }
        proxy.heal();
        let begun = folder.start_once(through).await;
        let marked = store.object("records", MARKER).await.expect("a marker");
        let id = begun.store_id.expect("an id");
        assert!(marked.contains(&id), "after {requests} requests: {marked}");
        assert_eq!(store.keys("records").await, [MARKER]);
        let buckets = store.buckets().await;
        assert_eq!(
            buckets.len(),
            begun.preservation_buckets.len() + 6,
            "{buckets:?}"
        );
        requests += 1;
    }
    assert!(requests > 20, "{requests}");
}

/// Two folders that begin on one store at one time: one has it.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_folders_that_begin_at_once_one_has_the_store() {
    let store = FarStore::start().await;
    let folders = [Folder::new(), Folder::new()];

    let [first, second] = &folders;
    let (first, second) = tokio::join!(first.start(store.named()), second.start(store.named()));

    let mut refused = Vec::new();
    for (started, folder) in [first, second].into_iter().zip(&folders) {
        match started {
            Ok(system) => system.stop().await,
            Err(said) => refused.push((said, folder)),
        }
    }
    let [(said, folder)] = &refused[..] else {
        panic!("one is refused");
    };
    assert!(said.contains("belongs to another data folder"), "{said}");
    assert_eq!(folder.names(), ["lock"]);
}

/// Whose trial goes on while another folder takes the store is told that, and nothing of the trial.
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_tries_a_store_while_another_takes_it_is_told_whose_it_is() {
    let store = FarStore::start().await;
    let (slow, quick) = (Folder::new(), Folder::new());
    let proxy = FaultProxy::before(&store.url).await.expect("starts");
    let through = StoreOptions {
        url: Some(proxy.url().parse().expect("a URL")),
        ..store.named()
    };
    let trial = Requests::of(Method::PUT).containing("muniment/trial/");
    let (first, at_once) = (Times::Next(1), Fault::Delay(Duration::ZERO));
    proxy.plan(trial.clone(), first, at_once);
    let second = Fault::Delay(Duration::from_secs(5));
    proxy.plan(trial.clone(), Times::Next(1), second);

    let mut looks = tokio::time::interval(Duration::from_millis(10));
    let (refused, ()) = tokio::join!(slow.refused(through), async {
        while proxy.seen(&trial).len() < 2 {
            looks.tick().await;
        }
        quick.start_once(store.named()).await;
    });

    assert!(
        refused.contains("belongs to another data folder"),
        "{refused}"
    );
    assert_eq!(slow.names(), ["lock"]);
    assert_eq!(store.keys("records").await, [MARKER]);
    quick.start_once(store.named()).await;
}

/// An S3 endpoint that is not the data folder's own.
struct FarStore {
    url: String,
    client: Client,
    _folder: TempDir,
    _serving: JoinSet<()>,
}

impl FarStore {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let credentials = Credentials {
            access_key: ACCESS_KEY.to_owned(),
            secret_key: SECRET_KEY.to_owned(),
        };
        let options = muniment_embedded_s3::Options {
            regions: [REGION.to_owned()].into(),
            ..muniment_embedded_s3::Options::default()
        };
        let store = EmbeddedS3::open_with(folder.path(), credentials, options).await;
        let store = store.expect("opens");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("binds");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            store.serve(listener, CancellationToken::new()).await;
        });
        let access = S3Access {
            endpoint: url.parse().expect("a URL"),
            region: REGION.to_owned(),
            access_key: ACCESS_KEY.to_owned(),
            secret_key: SECRET_KEY.to_owned(),
        };
        Self {
            client: client(&access, REGION),
            url,
            _folder: folder,
            _serving: serving,
        }
    }

    /// As it is named to a first start.
    fn named(&self) -> StoreOptions {
        StoreOptions {
            url: Some(self.url.parse().expect("a URL")),
            ..keys_alone()
        }
    }

    async fn buckets(&self) -> Vec<String> {
        let listed = self.client.list_buckets().send().await.expect("lists");
        let names = listed.buckets().iter().filter_map(|one| one.name());
        names.map(str::to_owned).collect()
    }

    async fn keys(&self, bucket: &str) -> Vec<String> {
        let listed = self.client.list_objects_v2().bucket(bucket).send().await;
        let listed = listed.expect("lists");
        let keys = listed.contents().iter().filter_map(|object| object.key());
        keys.map(str::to_owned).collect()
    }

    async fn object(&self, bucket: &str, key: &str) -> Option<String> {
        let got = self.client.get_object().bucket(bucket).key(key);
        let body = got.send().await.ok()?.body.collect().await.expect("reads");
        Some(String::from_utf8_lossy(&body.into_bytes()).into_owned())
    }

    async fn put(&self, bucket: &str, key: &str) {
        let put = self.client.put_object().bucket(bucket).key(key);
        put.send().await.expect("is put");
    }

    async fn delete(&self, bucket: &str, key: &str) {
        let delete = self.client.delete_object().bucket(bucket).key(key);
        delete.send().await.expect("is deleted");
    }
}

/// A data folder.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// The system, or the words in which it is refused.
    async fn start(&self, store: StoreOptions) -> Result<System, String> {
        let options = Options {
            store,
            ..Options::on(self.path())
        };
        let started = System::start(&options).await;
        started.map_err(|error| Chain(&error).to_string())
    }

    /// A start and a stop.
    async fn start_once(&self, store: StoreOptions) -> Instance {
        let system = self.start(store).await.expect("starts");
        system.stop().await;
        system.instance().clone()
    }

    async fn refused(&self, store: StoreOptions) -> String {
        match self.start(store).await {
            Ok(_) => panic!("it starts"),
            Err(said) => said,
        }
    }

    /// Of what is in it.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path()).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<_> = names.filter_map(|name| name.into_string().ok()).collect();
        names.sort_unstable();
        names
    }
}

fn keys(access_key: &str, secret_key: &str) -> StoreKeys {
    StoreKeys {
        access_key: access_key.into(),
        secret_key: secret_key.into(),
    }
}

/// Region and keys of a [`FarStore`], without its address.
fn keys_alone() -> StoreOptions {
    StoreOptions {
        url: None,
        region: Some(REGION.to_owned()),
        keys: Some(keys(ACCESS_KEY, SECRET_KEY)),
    }
}
