//! Seeds, corpus and changed seeds through every target.

use std::fs;
use std::panic::catch_unwind;
use std::path::PathBuf;

use muniment_fuzz::seeds::Seed;
use muniment_fuzz::{MANIFEST, MEMBER_NAME, Random, TAG_FILE, TAR_READER, TARGETS, Target};

/// All inputs of a target that are kept: those made in code, and those that a fuzzer found.
pub(crate) fn inputs(target: &Target) -> Vec<Seed> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target.name);
    let mut inputs = (target.seeds)();
    for entry in fs::read_dir(folder).expect("a corpus") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a plain name");
        inputs.push(Seed::new(name, fs::read(entry.path()).expect("reads")));
    }
    inputs.sort_by(|one, other| one.name.cmp(&other.name));
    inputs
}

/// The input that follows from a seed, and the name of the one it was made of.
pub(crate) fn changed(target: &Target, inputs: &[Seed], seed: u64) -> (String, Vec<u8>) {
    let mut random = Random::new(seed);
    let one = random.one_of(inputs).expect("an input");
    let other = random.one_of(inputs).expect("an input");
    let mut bytes = one.bytes.clone();
    (target.mutate)(&mut bytes, &other.bytes, &mut random);
    (format!("{} changed by seed {seed}", one.name), bytes)
}

fn hold(target: &Target, name: &str, bytes: &[u8]) {
    let kept = catch_unwind(|| (target.check)(bytes));
    assert!(
        kept.is_ok(),
        "{}: {name} breaks a promise of the parser, as said above",
        target.name
    );
}

#[test]
fn every_seed_and_every_input_that_was_ever_found_keeps_what_parsers_promise() {
    for target in &TARGETS {
        for Seed { name, bytes } in inputs(target) {
            hold(target, &name, &bytes);
        }
    }
}

#[test]
fn names_of_seeds_are_those_of_one_input_each() {
    for target in &TARGETS {
        let inputs = inputs(target);
        for pair in inputs.windows(2) {
            assert_ne!(pair[0].name, pair[1].name, "{}", target.name);
        }
    }
}

#[test]
fn changed_tars_keep_what_the_reader_of_tars_promises() {
    run(&TAR_READER, 3000);
}

#[test]
fn changed_manifests_keep_what_their_parser_promises() {
    run(&MANIFEST, 600);
}

#[test]
fn changed_tag_files_keep_what_their_parser_promises() {
    run(&TAG_FILE, 600);
}

#[test]
fn changed_names_keep_what_the_rules_for_names_promise() {
    run(&MEMBER_NAME, 30_000);
}

fn run(target: &Target, count: u64) {
    let inputs = inputs(target);
    for seed in 0..count {
        let (name, bytes) = changed(target, &inputs, seed);
        hold(target, &name, &bytes);
    }
}
