//! Z19: whose a bag is says the bucket that it came to, and nothing in the bag.

use muniment_bag_builder::BagBuilder;
use muniment_model::StorageOption;
use muniment_observer::Observer;
use serde_json::Value;

use super::{LETTER, TEXT, assert_passed_over};
use crate::checks::{Deposited, assert_preserved, deposit, deposit_bag, ending_of};
use crate::site::{EXAMPLE_EDU, Site, TEST_EDU};

const INFO: &str = "bag-info.txt";

/// A bag of one institution that names the other wherever a bag can name one.
fn naming(name: &str, other: &str, letter: &str) -> BagBuilder {
    let object = format!("{other}/{name}");
    [
        "Source-Organization",
        "Organization-Address",
        "Bag-Group-Identifier",
        "Internal-Sender-Identifier",
        "External-Identifier",
        "Institution",
        "Institution-Identifier",
    ]
    .into_iter()
    .fold(BagBuilder::aptrust(name), |bag, tag| {
        bag.tag(INFO, tag, object.as_str())
    })
    .tag("aptrust-info.txt", "Title", object)
    .file(LETTER, letter)
}

async fn preserved(view: &Observer, institution: &str, bag: &BagBuilder) -> Deposited {
    let deposited = deposit_bag(view, institution, bag, StorageOption::Standard).await;
    assert_preserved(view, &deposited).await;
    deposited
}

#[tokio::test(flavor = "multi_thread")]
async fn z19_an_institution_is_known_by_its_bucket_and_touches_no_other() {
    let site = Site::start().await;
    let view = &site.view;
    let own = naming("photos", TEST_EDU, "of example.edu");
    let theirs = preserved(view, EXAMPLE_EDU, &own).await;
    let before = rows_of(view, EXAMPLE_EDU, "photos").await;

    // The same name, the whole of the other's identifier as a name, and names that end alike.
    for name in ["photos", "example.edu.photos", "tos", "my-photos"] {
        preserved(view, TEST_EDU, &naming(name, EXAMPLE_EDU, TEXT)).await;
    }
    let again = naming("photos", EXAMPLE_EDU, "changed");
    let again = deposit(view, TEST_EDU, "photos.tar", &again.to_tar()).await;
    let again = ending_of(view, &again).await;

    assert_eq!(again["status"], "Success", "{again:#}");
    assert_eq!(rows_of(view, EXAMPLE_EDU, "photos").await, before);
    assert_preserved(view, &theirs).await;
    site.stop().await;
}

/// Of an object and its letter, as the registry shows them.
async fn rows_of(view: &Observer, institution: &str, name: &str) -> [Value; 2] {
    let identifier = format!("{institution}/{name}");
    let object = view.object(&identifier).await.expect("an answer");
    let letter = view.file(&format!("{identifier}/{LETTER}")).await;
    let found = [object, letter.expect("an answer")];
    found.map(|row| row.expect("a row"))
}

#[tokio::test(flavor = "multi_thread")]
async fn z19_a_name_with_the_other_institution_before_a_slash_is_refused() {
    let site = Site::start().await;
    let view = &site.view;
    let bag = naming("photos", EXAMPLE_EDU, TEXT);
    let theirs = preserved(view, EXAMPLE_EDU, &bag).await;
    let tar = bag.to_tar();

    for key in ["example.edu/photos.tar", "/photos.tar", "../photos.tar"] {
        let upload = deposit(view, TEST_EDU, key, &tar).await;
        let note = "The upload is in a folder; put bags at the top of the bucket";
        assert_passed_over(view, &upload, &tar, note).await;
    }
    let none = view.object(&format!("{TEST_EDU}/photos")).await;
    assert_eq!(none.expect("an answer"), None);
    assert_preserved(view, &theirs).await;
    site.stop().await;
}
