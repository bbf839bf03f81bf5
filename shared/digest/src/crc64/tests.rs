use muniment_model::Crc64Nvme;
use proptest::prelude::*;

use super::Crc64;

fn checksum(bytes: &[u8]) -> Crc64Nvme {
    let mut crc = Crc64::new();
    crc.update(bytes);
    crc.value()
}

#[test]
fn known_checksums_are_met() {
    // "123456789" is the check value of the catalogue of CRC algorithms; the empty one is zero.
    let rows: [(&[u8], u64); 2] = [(b"", 0), (b"123456789", 0xae8b_1486_0a79_9888)];

    for (bytes, expected) in rows {
        assert_eq!(checksum(bytes), Crc64Nvme(expected), "{bytes:?}");
    }
}

#[test]
fn the_base64_form_is_the_one_s3_returns() {
    // Computed bit by bit from the polynomial, apart from this code.
    assert_eq!(checksum(b"123456789").to_base64(), "rosUhgp5mIg=");
}

#[test]
fn nothing_resumed_is_nothing() {
    assert_eq!(Crc64::resume(checksum(b"")).value(), checksum(b""));
}

proptest! {
    #[test]
    fn a_resumed_checksum_equals_an_undisturbed_one(
        bytes in prop::collection::vec(any::<u8>(), 0..5_000),
        cut in any::<prop::sample::Index>(),
    ) {
        let (first, second) = bytes.split_at(cut.index(bytes.len() + 1));

        let mut resumed = Crc64::resume(checksum(first));
        resumed.update(second);

        prop_assert_eq!(resumed.value(), checksum(&bytes));
    }
}
