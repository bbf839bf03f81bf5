use muniment_model::{Algorithm, Digests};
use proptest::prelude::*;

use super::{BLOCK_BYTES, FanOut, SPLIT_FROM_BYTES, digest};

#[derive(Clone, Copy, Debug)]
enum Way {
    OneThread,
    TwoThreads,
}

fn digest_in_slices<'a>(slices: impl IntoIterator<Item = (Way, &'a [u8])>) -> Digests {
    let mut fan_out = FanOut::new();
    for (way, slice) in slices {
        match way {
            Way::OneThread => fan_out.update(slice),
            Way::TwoThreads => fan_out.update_split(slice),
        }
    }
    fan_out.finish()
}

/// Bytes that do not repeat in step with any block size.
fn sample(len: usize) -> Vec<u8> {
    (0_u8..=250).cycle().take(len).collect()
}

#[test]
fn known_digests_are_met() {
    // From the specifications of the algorithms; the checksums computed bit by bit, apart from this
    // code.
    let million = vec![b'a'; 1_000_000];
    let rows: [(&[u8], [&str; 5]); 3] = [
        (
            b"",
            [
                "d41d8cd98f00b204e9800998ecf8427e",
                "da39a3ee5e6b4b0d3255bfef95601890afd80709",
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce\
                 47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
                "AAAAAAAAAAA=",
            ],
        ),
        (
            b"abc",
            [
                "900150983cd24fb0d6963f7d28e17f72",
                "a9993e364706816aba3e25717850c26c9cd0d89d",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                 2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
                "BeXKuz/B+us=",
            ],
        ),
        (
            &million,
            [
                "7707d6ae4e027c70eea2a935c2296f21",
                "34aa973cd4c4daa4f61eeb2bdbad27316534016f",
                "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
                "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb\
                 de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b",
                "OLDvUEGeC0w=",
            ],
        ),
    ];

    for (bytes, [md5, sha1, sha256, sha512, crc]) in rows {
        for way in [Way::OneThread, Way::TwoThreads] {
            let found = digest_in_slices([(way, bytes)]);
            let row = format!("{} bytes, {way:?}", bytes.len());
            assert_eq!(found.hex(Algorithm::Md5), md5, "{row}");
            assert_eq!(found.hex(Algorithm::Sha1), sha1, "{row}");
            assert_eq!(found.hex(Algorithm::Sha256), sha256, "{row}");
            assert_eq!(found.hex(Algorithm::Sha512), sha512, "{row}");
            assert_eq!(found.crc64nvme.to_base64(), crc, "{row}");
        }
    }
}

#[test]
fn both_ways_agree_around_every_limit() {
    for limit in [BLOCK_BYTES, SPLIT_FROM_BYTES, 2 * SPLIT_FROM_BYTES] {
        for len in [limit - 1, limit, limit + 1] {
            let bytes = sample(len);
            let split = digest_in_slices([(Way::TwoThreads, bytes.as_slice())]);
            assert_eq!(split, digest(&bytes), "{len} bytes");
        }
    }
}

#[test]
fn many_files_may_be_split_at_once() {
    let bytes = sample(SPLIT_FROM_BYTES);
    let expected = digest(&bytes);

    let found: Vec<Digests> = std::thread::scope(|scope| {
        let files: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| digest_in_slices([(Way::TwoThreads, bytes.as_slice())])))
            .collect();
        files
            .into_iter()
            .map(|file| file.join().expect("no panic"))
            .collect()
    });

    assert_eq!(found, [expected; 8]);
}

#[test]
fn a_saved_state_that_is_not_as_it_was_saved_is_refused() {
    let mut fan_out = FanOut::new();
    fan_out.update(&sample(1_000));
    let saved = fan_out.save();

    for at in 0..saved.len() {
        let mut other = saved.clone();
        other[at] ^= 1;
        assert!(FanOut::resume(&other).is_none(), "byte {at}");
        assert!(FanOut::resume(&saved[..at]).is_none(), "{at} bytes");
    }
    let longer = [saved.as_slice(), &[0]].concat();
    assert!(FanOut::resume(&longer).is_none());
}

/// When this fails, a digest crate saves its state in another way: raise the number of the format.
#[test]
fn states_are_saved_as_other_versions_saved_them() {
    let mut fan_out = FanOut::new();
    fan_out.update(&sample(1_000));

    let saved = fan_out.save();

    assert_eq!((saved[0], saved.len()), (1, 509));
    assert_eq!(digest(&saved).crc64nvme.to_base64(), "t8LC7gOZziM=");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_file_is_continued_from_a_saved_state_at_any_byte(
        len in 0..40_000_usize,
        cut in any::<prop::sample::Index>(),
    ) {
        let bytes = sample(len);
        let (before, after) = bytes.split_at(cut.index(len + 1));
        let mut first = FanOut::new();
        first.update(before);

        let mut second = FanOut::resume(&first.save()).expect("just saved");
        second.update(after);

        prop_assert_eq!(second.finish(), digest(&bytes));
    }

    #[test]
    fn digests_do_not_depend_on_the_cuts_nor_on_the_threads(
        seed in prop::collection::vec(any::<u8>(), 1..97),
        len in 0..3 * SPLIT_FROM_BYTES,
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..9),
    ) {
        let bytes: Vec<u8> = seed.into_iter().cycle().take(len).collect();
        let mut cuts: Vec<(usize, Way)> = cuts
            .into_iter()
            .map(|(at, split)| {
                let way = if split { Way::TwoThreads } else { Way::OneThread };
                (at.index(len + 1), way)
            })
            .collect();
        cuts.push((len, Way::TwoThreads));
        cuts.sort_by_key(|(at, _)| *at);
        let mut from = 0;
        let slices = cuts.into_iter().map(|(to, way)| {
            let slice = bytes.get(from..to).unwrap_or_default();
            from = to;
            (way, slice)
        });

        let found = digest_in_slices(slices);

        prop_assert_eq!(found, digest(&bytes));
    }
}
