//! Z13, Z15 and Z16: tag files, what they claim, and addresses that must never be asked.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};

use muniment_bag_builder::BagBuilder;
use serde_json::Value;

use super::{Case, assert_endings, assert_endings_at, bag};
use crate::checks::{deposit, ending_of};
use crate::site::{Site, TEST_EDU};

const INFO: &str = "bag-info.txt";
const APTRUST: &str = "aptrust-info.txt";
const ORGANISATION: &str = "Source-Organization: Test University\n";

/// A bag whose bag-info.txt has these bytes.
fn informed(name: &str, text: impl Into<Vec<u8>>) -> BagBuilder {
    bag(name).file(INFO, text)
}

/// A bag with this text after what has to be in its bag-info.txt.
fn with_lines(name: &str, lines: &str) -> BagBuilder {
    informed(name, format!("{ORGANISATION}{lines}"))
}

fn utf_16(text: &str) -> Vec<u8> {
    let units = text.encode_utf16();
    units.flat_map(u16::to_le_bytes).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn z13_tag_files_are_read_by_the_standard_or_refused_with_the_line() {
    let marked = format!("\u{feff}{ORGANISATION}");
    let declared = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
    let no_colon = "Line 2 of bag-info.txt";
    assert_endings(vec![
        Case::preserved(&informed("mark", marked)).warned("byte order mark"),
        Case::refused(
            "declaration",
            bag("declaration")
                .file("bagit.txt", format!("\u{feff}{declared}"))
                .to_tar(),
            "bagit.txt begins with a byte order mark",
        ),
        Case::refused(
            "utf16",
            informed("utf16", utf_16(ORGANISATION)).to_tar(),
            "bag-info.txt",
        ),
        Case::refused(
            "garbled",
            informed("garbled", b"Source-Organization: caf\xe9\n").to_tar(),
            "Line 1 of bag-info.txt has bytes that mean nothing",
        ),
        Case::preserved(&informed(
            "carriage-returns",
            format!("{ORGANISATION}Bagging-Date: 2024-01-01\n").replace('\n', "\r"),
        )),
        Case::refused(
            "large",
            with_lines("large", &"Note: x\n".repeat((16 << 20) / 8)).to_tar(),
            "bag-info.txt",
        ),
        Case::preserved(&with_lines(
            "continued",
            &format!("Note: begins\n{}", "  and goes on\n".repeat(100_000)),
        ))
        .warned("bag-info.txt"),
        Case::preserved(&bag("titles").repeated_tag(APTRUST, "Title", "Another"))
            .warned("In file aptrust-info.txt, tag Title is repeated: the first one counts"),
        Case::preserved(&with_lines("no-colon", "no colon here\n")).warned(no_colon),
        Case::preserved(&with_lines("no-label", ": no label\n")).warned(no_colon),
        Case::refused(
            "untitled",
            bag("untitled").without_tag("Title").to_tar(),
            "Required tag Title in file aptrust-info.txt is missing",
        ),
        Case::refused(
            "empty",
            bag("empty").tag(APTRUST, "Title", "").to_tar(),
            "In file aptrust-info.txt, required tag Title has no value",
        ),
        Case::refused(
            "undeclared",
            bag("undeclared").without_bagit_txt().to_tar(),
            "Missing required tag bagit.txt/BagIt-Version.",
        ),
    ])
    .await;
}

/// What is recorded of values that could be taken for several.
#[tokio::test(flavor = "multi_thread")]
async fn z13_colons_and_continued_lines_are_part_of_a_value() {
    let site = Site::start().await;
    let colons = bag("colons").tag(
        APTRUST,
        "Title",
        "Letters: a: https://example.edu/x\n\t of 1912",
    );
    let first = bag("first").repeated_tag(APTRUST, "Title", "Another");

    let mut titles = Vec::new();
    for bag in [colons, first] {
        let upload = deposit(&site.view, TEST_EDU, &bag.key(), &bag.to_tar()).await;
        let item = ending_of(&site.view, &upload).await;
        assert_eq!(item["status"], "Success", "{item:#}");
        titles.push(title_of(&site, bag.name()).await);
    }

    assert_eq!(
        titles,
        [
            "Letters: a: https://example.edu/x of 1912",
            "Papers of first"
        ]
    );
    site.stop().await;
}

async fn title_of(site: &Site, name: &str) -> Value {
    let object = site.view.object(&format!("{TEST_EDU}/{name}")).await;
    let object = object.expect("an answer").expect("an object");
    object["title"].clone()
}

/// Neither what fetch.txt wants to have fetched, nor a profile, be it on our own machine.
#[tokio::test(flavor = "multi_thread")]
async fn z15_no_address_in_a_bag_is_ever_asked() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listens");
    listener.set_nonblocking(true).expect("does not wait");
    let here = format!("http://{}", listener.local_addr().expect("an address"));
    let fetch = format!(
        "{here}/far.bin 12 data/far.bin\n\
         {here}/any.bin - data/any.bin\n\
         http://169.254.169.254/latest/meta-data/ - data/credentials.txt\n\
         file:///etc/passwd - data/passwd\n\
         http://localhost/x - data/x\n"
    );
    let wants = |bag: BagBuilder| {
        let bag = bag.without_file_but_listed("data/far.bin");
        bag.file("fetch.txt", fetch.as_str()).to_tar()
    };
    let profile = format!("{here}/profile.json");
    let site = Site::start().await;
    let not_allowed = "Bag has fetch.txt file which profile does not allow";

    assert_endings_at(
        &site.view,
        vec![
            Case::refused("fetch", wants(bag("fetch")), not_allowed),
            Case::refused(
                "btr",
                wants(BagBuilder::btr("btr").file("data/a", "a")),
                not_allowed,
            ),
            Case::preserved(&bag("profile").tag(INFO, "BagIt-Profile-Identifier", profile)),
        ],
    )
    .await;

    let asked = listener.accept().map_err(|error| error.kind());
    assert!(matches!(asked, Err(ErrorKind::WouldBlock)), "{asked:?}");
    site.stop().await;
}

/// A number in a tag file is a claim: it is compared and never trusted.
#[tokio::test(flavor = "multi_thread")]
async fn z16_a_payload_oxum_that_is_wrong_or_absurd_is_a_warning() {
    let claims = [
        "1.1",
        "9.1.",
        "-9.-1",
        "0.0",
        "18446744073709551615.18446744073709551615",
        "99999999999999999999999999.99999999999999999999999999",
        "a lot",
        "1e9.1",
    ];
    let cases = claims.iter().zip(0..).map(|(claim, number)| {
        let bag = bag(&format!("oxum-{number}")).tag(INFO, "Payload-Oxum", *claim);
        Case::preserved(&bag).warned("but the payload has 9.1")
    });
    let right = bag("right").tag(INFO, "Payload-Oxum", "009.01");
    assert_endings(cases.chain([Case::preserved(&right)]).collect()).await;
}
