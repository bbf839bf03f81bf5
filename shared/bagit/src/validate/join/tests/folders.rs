use super::*;

#[test]
fn a_file_that_is_also_a_folder_is_refused_in_any_order_and_any_number_of_parts() {
    let orders = [
        ["data/a", "data/a/b", "data/z"],
        ["data/a/b", "data/z", "data/a"],
        ["data/a/b/c", "data/a/b/d", "data/a"],
        ["data/z", "data/a", "data/a/b/c/d"],
    ];

    for files in orders {
        for of in [1, 2, 3, 7] {
            let lines: String = files.iter().map(|path| line(1, path)).collect();
            let files = files.map(|path| (path, 1));
            let findings = joined_in(of, &files, &[(MD5, &lines)]);
            assert_eq!(
                messages(&findings),
                ["data/a is in the bag as a file and as a folder"],
                "{files:?} in {of}"
            );
            assert_eq!(findings.error_count(), 1);
        }
    }
}

#[test]
fn a_folder_that_is_a_member_counts_as_one() {
    let orders: [fn(&mut ManifestJoin, &mut Findings); 2] = [
        |join, findings| {
            join.folder("data/a", findings);
            put(join, "data/a", 1, findings);
        },
        |join, findings| {
            put(join, "data/a", 1, findings);
            join.folder("data/a", findings);
        },
    ];

    for add in orders {
        let mut findings = Findings::default();
        let mut join = join_of(&[MD5], 1, 10);
        join.folder("data", &mut findings);
        add(&mut join, &mut findings);
        let message = "data/a is in the bag as a file and as a folder";
        assert_eq!(messages(&findings), [message]);
    }
}

#[test]
fn z10_a_million_folders_are_kept_up_to_their_limit() {
    let mut findings = Findings::default();
    let mut join = join_of(&[MD5], 1, 0);

    for number in 0..1_000_000 {
        join.folder(&format!("data/{number}"), &mut findings);
    }

    let message = "Bag has too many folders for the number of its files";
    assert_eq!(messages(&findings), [message]);
}
