//! No input makes a parser hold more than two megabytes, whatever sizes it claims.
//!
//! Measured with an allocator that counts what the present thread holds, and how much that was at most.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use muniment_fuzz::seeds::Seed;
use muniment_fuzz::{Random, TARGETS};

use crate::replay::{changed, inputs};

/// Ten thousand tags in a list that doubles as it grows take the most. What an input claims to have may be
/// a million times as much.
const HELD_MAX: usize = 2 * 1024 * 1024;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static MOST: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

#[expect(
    unsafe_code,
    reason = "an allocator is unsafe by its type; this one leaves all to another"
)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.get().saturating_add(layout.size());
        HELD.set(held);
        MOST.set(MOST.get().max(held));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.set(HELD.get().saturating_sub(layout.size()));
        unsafe { System.dealloc(place, layout) }
    }
}

/// The most bytes that were held at once while it ran, without those held before.
fn most_held(run: impl FnOnce()) -> usize {
    let before = HELD.get();
    MOST.set(before);
    run();
    MOST.get() - before
}

#[test]
fn no_input_makes_a_parser_hold_more_than_two_megabytes() {
    for target in &TARGETS {
        let inputs = inputs(target);
        for Seed { name, bytes } in &inputs {
            let held = most_held(|| (target.parse)(bytes));
            assert!(held <= HELD_MAX, "{}: {held} bytes for {name}", target.name);
        }
        for seed in 0..500 {
            let (name, bytes) = changed(target, &inputs, seed);
            let held = most_held(|| (target.parse)(&bytes));
            assert!(held <= HELD_MAX, "{}: {held} bytes for {name}", target.name);
        }
    }
}

/// A claim in a header of the tar costs nothing but the header.
#[test]
fn z1_sizes_that_are_only_claimed_take_no_memory() {
    let rows = [
        "ten_gigabytes_claimed",
        "pax_header_of_a_gigabyte",
        "negative_size",
        "size_of_2_63",
        "size_beyond_64_bits",
        "sparse_of_ten_gigabytes",
        "old_sparse",
    ];
    let target = &muniment_fuzz::TAR_READER;
    let inputs = inputs(target);

    for row in rows {
        let input = inputs.iter().find(|input| input.name == row).expect(row);
        let held = most_held(|| (target.parse)(&input.bytes));
        assert!(held <= 16 * 1024, "{held} bytes for {row}");
    }
}

#[test]
fn what_is_held_is_counted() {
    let mut random = Random::new(1);
    let size = 100_000 + random.below(100_000);

    let held = most_held(|| drop(std::hint::black_box(vec![1_u8; size])));

    assert!((size..size + 1000).contains(&held), "{held} of {size}");
}
