use proptest::prelude::*;

use super::{WINDOW_BYTES, Window};

fn sample(len: usize) -> Vec<u8> {
    (0_u8..=250).cycle().take(len).collect()
}

fn first(bytes: &[u8]) -> &[u8] {
    bytes.get(..WINDOW_BYTES).unwrap_or(bytes)
}

fn last(bytes: &[u8]) -> &[u8] {
    bytes.rchunks(WINDOW_BYTES).next().unwrap_or_default()
}

#[test]
fn both_ends_are_right_around_every_limit() {
    let limits = [0, WINDOW_BYTES, 2 * WINDOW_BYTES, 3 * WINDOW_BYTES];

    for limit in limits {
        for len in [limit.saturating_sub(1), limit, limit + 1] {
            let bytes = sample(len);
            let window = Window::of(&bytes);
            assert_eq!(window.len(), len as u64, "{len} bytes");
            assert_eq!(window.head(), first(&bytes), "head of {len} bytes");
            assert_eq!(*window.tail(), *last(&bytes), "tail of {len} bytes");
        }
    }
}

#[test]
fn a_window_goes_on_after_any_number_of_bytes() {
    let whole = sample(3 * WINDOW_BYTES);
    let expected = Window::of(&whole);

    for limit in [0, WINDOW_BYTES, 2 * WINDOW_BYTES, 3 * WINDOW_BYTES] {
        for len in [limit.saturating_sub(1), limit, limit + 1] {
            let (before, after) = whole.split_at(len.min(whole.len()));
            let passed = before.len() as u64;
            let mut window = Window::resume(first(before), last(before), passed).expect("fits");
            window.push(after);
            assert_eq!(window.len(), expected.len(), "after {len} bytes");
            assert_eq!(window.head(), expected.head(), "after {len} bytes");
            assert_eq!(window.tail(), expected.tail(), "after {len} bytes");
            let missing = Window::resume(first(before), last(before), passed + 1);
            assert_eq!(
                missing.is_none(),
                before.len() < WINDOW_BYTES,
                "{len} bytes"
            );
        }
    }
}

#[test]
fn a_small_file_is_kept_once() {
    let window = Window::of(&sample(WINDOW_BYTES));

    assert_eq!(window.tail.capacity(), 0);
    assert!(matches!(window.tail(), std::borrow::Cow::Borrowed(_)));
}

#[test]
fn memory_is_bounded_whatever_the_size() {
    let slice = sample(16 * 1024);
    let mut window = Window::new();

    for _ in 0..1_000 {
        window.push(&slice);
        assert!(window.head.capacity() + window.tail.capacity() <= 4 * WINDOW_BYTES);
    }

    assert_eq!(window.len(), 16_384_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn cuts_do_not_matter(
        lens in prop::collection::vec(
            prop_oneof![0_usize..50, 0_usize..90_000, 150_000_usize..400_000],
            0..8,
        ),
    ) {
        let bytes = sample(lens.iter().sum());
        let mut window = Window::new();
        let mut rest = bytes.as_slice();
        for len in lens {
            let (slice, after) = rest.split_at(len);
            window.push(slice);
            rest = after;
        }

        prop_assert_eq!(window.len(), bytes.len() as u64);
        prop_assert_eq!(window.head(), first(&bytes));
        prop_assert_eq!(&*window.tail(), last(&bytes));
    }
}
