use super::*;

/// The check values of the algorithms' own definitions, over "123456789".
#[test]
fn every_algorithm_gives_its_published_check_value() {
    let rows = [
        (Algorithm::Crc32, "cbf43926"),
        (Algorithm::Crc32c, "e3069283"),
        (Algorithm::Crc64Nvme, "ae8b14860a799888"),
        (Algorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
        (
            Algorithm::Sha256,
            "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
        ),
    ];

    for (algorithm, expected) in rows {
        let mut extra = Extra::new(algorithm);
        extra.update(b"1234");
        extra.update(b"56789");
        let bytes = extra.finish().bytes().expect("a plain value");
        assert_eq!(hex::encode(bytes), expected, "{algorithm:?}");
    }
}

#[test]
fn a_crc_of_parts_combines_into_that_of_the_whole() {
    let parts: [&[u8]; 3] = [b"12", b"3456", b"789"];
    for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
        let values: Vec<_> = parts
            .iter()
            .map(|part| (value_of(algorithm, part), part.len() as u64))
            .collect();

        let whole = combine(algorithm, &values).expect("a CRC combines");

        let expected = value_of(algorithm, b"123456789");
        assert_eq!(whole.bytes(), Some(expected), "{algorithm:?}");
    }
}

#[test]
fn a_sha_does_not_combine() {
    assert_eq!(combine(Algorithm::Sha256, &[(vec![0; 32], 1)]), None);
}

#[test]
fn a_composed_checksum_names_its_parts() {
    let parts = [vec![1_u8; 32], vec![2_u8; 32]];

    let composed = compose(Algorithm::Sha256, &parts);

    let expected = BASE64.encode(Sha256::digest(parts.concat()));
    assert_eq!(composed.value, format!("{expected}-2"));
    assert!(composed.is_composite());
    assert_eq!(composed.bytes(), None);
}

#[test]
fn names_are_read_in_either_case() {
    assert_eq!(Algorithm::named("crc64nvme"), Some(Algorithm::Crc64Nvme));
    assert_eq!(Algorithm::named("SHA256"), Some(Algorithm::Sha256));
    assert_eq!(Algorithm::named("md5"), None);
}

fn value_of(algorithm: Algorithm, bytes: &[u8]) -> Vec<u8> {
    let mut extra = Extra::new(algorithm);
    extra.update(bytes);
    extra.finish().bytes().expect("a plain value")
}
