use super::*;
use crate::checksums::Hashing;

#[test]
fn an_object_has_the_crc64nvme_of_its_bytes_and_the_etag_of_its_parts() {
    let (first, second) = (vec![1_u8; 5 * 1024 * 1024], b"the end".to_vec());
    let stored = [part(1, &first), part(3, &second)];

    let content = assemble(
        &[named(&stored[0]), named(&stored[1])],
        &stored,
        Promise::Nothing,
        &WholeClaims::default(),
    )
    .expect("assembles");

    let mut whole = Hashing::for_copy(None);
    whole.update(&first);
    whole.update(&second);
    assert_eq!(content.crc64nvme, whole.finish().crc64nvme);
    assert_eq!(content.size_bytes, PART_MIN + 7);
    let md5s = format!("{}{}", stored[0].content.etag, stored[1].content.etag);
    let expected = hex::encode(Md5::digest(hex::decode(md5s).unwrap()));
    assert_eq!(content.etag, format!("{expected}-2"));
}

#[test]
fn wrong_parts_follow_the_table() {
    let stored = [part(1, &[0; 10]), part(2, &[1; 10])];
    let (one, two) = (named(&stored[0]), named(&stored[1]));
    let other_etag = NamedPart {
        etag: stored[1].content.etag.clone(),
        ..one.clone()
    };
    let other_checksum = NamedPart {
        checksums: vec![Checksum::of_crc64nvme(7)],
        ..one.clone()
    };
    let absent = NamedPart {
        number: 9,
        ..one.clone()
    };
    let descending = vec![two.clone(), one.clone()];
    let twice = vec![two.clone(), two.clone()];
    let rows = [
        ("no part", vec![], AssemblyFault::Empty),
        ("descending", descending, AssemblyFault::Order(1)),
        ("twice the same", twice, AssemblyFault::Order(2)),
        ("too small", vec![one, two], AssemblyFault::TooSmall(1)),
        ("wrong etag", vec![other_etag], AssemblyFault::Part(1)),
        (
            "wrong checksum",
            vec![other_checksum],
            AssemblyFault::Part(1),
        ),
        ("absent", vec![absent], AssemblyFault::Part(9)),
    ];

    for (name, named, expected) in rows {
        let result = assemble(&named, &stored, Promise::Nothing, &WholeClaims::default());
        assert_eq!(result, Err(expected), "{name}");
    }
}

#[test]
fn claims_about_the_whole_follow_the_table() {
    let stored = [part(1, &[0; 10])];
    let size = |size_bytes| WholeClaims {
        size_bytes: Some(size_bytes),
        ..WholeClaims::default()
    };
    let crc = |crc| WholeClaims {
        checksums: vec![Checksum::of_crc64nvme(crc)],
        ..WholeClaims::default()
    };
    let rows = [
        ("right size", size(10), Ok(())),
        ("wrong size", size(11), Err(AssemblyFault::WrongSize)),
        ("right checksum", crc(stored[0].content.crc64nvme), Ok(())),
        ("wrong checksum", crc(1), Err(AssemblyFault::WrongChecksum)),
    ];

    for (name, whole, expected) in rows {
        let result = assemble(&[named(&stored[0])], &stored, Promise::Nothing, &whole);
        assert_eq!(result.map(drop), expected, "{name}");
    }
}

#[test]
fn a_promised_checksum_is_formed_from_the_parts() {
    let stored = [with_checksum(
        part(1, b"123456789"),
        Algorithm::Crc32,
        b"123456789",
    )];
    let form = |promise| {
        assemble(
            &[named(&stored[0])],
            &stored,
            promise,
            &WholeClaims::default(),
        )
        .map(|content| content.checksum.map(|checksum| checksum.value))
    };

    assert_eq!(
        form(Promise::Whole(Algorithm::Crc32)),
        Ok(Some("y/Q5Jg==".to_owned()))
    );
    let composite = checksums::compose(Algorithm::Crc32, &[vec![0xcb, 0xf4, 0x39, 0x26]]);
    assert_eq!(
        form(Promise::Composite(Algorithm::Crc32)),
        Ok(Some(composite.value))
    );
    assert_eq!(
        form(Promise::Composite(Algorithm::Sha256)),
        Err(AssemblyFault::NoChecksum(Algorithm::Sha256))
    );
}

#[test]
fn the_etag_of_a_copied_part_is_as_long_as_an_md5() {
    assert_eq!(
        copied_part_etag(0xae8b_1486_0a79_9888, 9),
        "ae8b14860a7998880000000000000009"
    );
}

fn part(number: u32, bytes: &[u8]) -> StoredPart {
    let mut hashing = Hashing::for_body(None);
    hashing.update(bytes);
    let content = Content::of_body(hashing.finish());
    StoredPart { number, content }
}

fn with_checksum(mut part: StoredPart, algorithm: Algorithm, bytes: &[u8]) -> StoredPart {
    let mut hashing = Hashing::for_copy(Some(algorithm));
    hashing.update(bytes);
    part.content.checksum = hashing.finish().extra;
    part
}

fn named(part: &StoredPart) -> NamedPart {
    NamedPart {
        number: part.number,
        etag: part.content.etag.clone(),
        checksums: Vec::new(),
    }
}
