//! A bag that breaks several rules: its depositor reads of all of them at once. Single rules, and what is
//! no bag at all, are in `matrix`.

use muniment_bag_builder::BagBuilder;

use crate::checks::{assert_refused, deposit, ending_of};
use crate::site::{Site, TEST_EDU};

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_bag_is_refused_with_all_its_findings() {
    let site = Site::start().await;
    let tar = BagBuilder::aptrust("broken")
        .file("data/letter.txt", "Dear all,")
        .without_tag("Title")
        .corrupt_digest("data/letter.txt")
        .without_file_but_listed("data/gone.txt")
        .extra_unlisted_file("data/extra.txt", "x")
        .to_tar();

    let upload = deposit(&site.view, TEST_EDU, "broken.tar", &tar).await;

    let item = ending_of(&site.view, &upload).await;
    let note = item["note"].as_str().unwrap_or_default();
    for words in [
        "Required tag Title in file aptrust-info.txt is missing",
        "doesn't match manifest checksum",
        "data/gone.txt in manifest-md5.txt is missing from bag",
        "data/extra.txt is not in manifest manifest-md5.txt",
    ] {
        assert!(note.contains(words), "{words}: {note}");
    }
    assert_refused(&site.view, &upload, &tar).await;
    site.stop().await;
}
