//! Names: of every length at which a form of tars ends, in every spelling, and some that programs differ
//! about.

use muniment_bag_builder::Entry;

use super::{END, file, long_name, tar, with};
use crate::seeds::Seed;

pub(super) fn names() -> Vec<Seed> {
    let mut seeds = lengths();
    seeds.extend(spellings());
    seeds
}

fn lengths() -> Vec<Seed> {
    [99, 100, 101, 155, 255, 256, 1000]
        .into_iter()
        .flat_map(|length| {
            let name = format!("bag/data/{}", "n".repeat(length - 9));
            let folder = format!("bag/{}/", "d/e".repeat(length / 3));
            [
                Seed::new(
                    format!("name_of_{length}"),
                    tar(&[file(&name), file("bag/b")]),
                ),
                Seed::new(
                    format!("gnu_name_of_{length}"),
                    tar(&[file(&name).in_gnu_form(), file("bag/b")]),
                ),
                Seed::new(
                    format!("folder_of_{length}"),
                    tar(&[Entry::directory(folder.as_str())]),
                ),
                Seed::new(
                    format!("gnu_folder_of_{length}"),
                    tar(&[Entry::directory(folder).in_gnu_form()]),
                ),
            ]
        })
        .collect()
}

fn spellings() -> Vec<Seed> {
    let prefix = format!("bag/{}", "p".repeat(151));
    let full = with(
        &Entry::file("n".repeat(100), "hello"),
        345,
        prefix.as_bytes(),
    );
    // A name that is cut after a slash is that of a folder for who looks at the header alone.
    let cut_at_slash = format!("bag/{}/{}", "d".repeat(95), "file");
    let at_slash = Entry::file(cut_at_slash.as_str(), "hello");
    let old_letter = || Entry::of_type(0, "bag/d/", "hello");
    vec![
        Seed::new(
            "prefix",
            [with(&file("a"), 345, b"bag/data"), END.to_vec()].concat(),
        ),
        Seed::new("full_prefix", [full, END.to_vec()].concat()),
        Seed::new(
            "gnu_times",
            [
                with(&file("bag/a").in_gnu_form(), 345, b"00000000001\0"),
                END.to_vec(),
            ]
            .concat(),
        ),
        Seed::new(
            "v7_prefix",
            [
                with(&file("bag/a").in_v7_form(), 345, b"bag/p"),
                END.to_vec(),
            ]
            .concat(),
        ),
        Seed::new("not_utf_8", tar(&[Entry::file(b"bag/caf\xe9", "hello")])),
        Seed::new("utf_8", tar(&[file("bag/caf\u{e9} \u{6f22}")])),
        Seed::new(
            "utf_8_in_gnu_form",
            tar(&[file("bag/caf\u{e9}").in_gnu_form()]),
        ),
        Seed::new(
            "line_end_in_a_name",
            tar(&[file("bag/a\nb"), file("bag/b")]),
        ),
        Seed::new("backslash", tar(&[file("bag/a\\b"), file("bag/a -> b")])),
        Seed::new("slash_at_the_end", tar(&[Entry::file("bag/a/", "")])),
        Seed::new(
            "pax_slash_at_the_end",
            tar(&[Entry::file("bag/a", "").pax("path", "bag/a/")]),
        ),
        Seed::new("cut_at_slash", tar(&[at_slash.clone(), file("bag/b")])),
        Seed::new(
            "gnu_cut_at_slash",
            tar(&[at_slash.in_gnu_form(), file("bag/b")]),
        ),
        Seed::new(
            "old_letter_cut_at_slash",
            tar(&[long_name("bag/d/file\0"), old_letter(), file("bag/b")]),
        ),
        Seed::new(
            "old_letter_cut_at_slash_in_pax",
            tar(&[old_letter().pax("path", "bag/d/file"), file("bag/b")]),
        ),
    ]
}
