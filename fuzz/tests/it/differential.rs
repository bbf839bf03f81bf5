//! What we find in a tar is what GNU tar and Python find in it, or we refuse it and say why. Names of
//! tests begin with the row of the fault matrix that they are for.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use muniment_fuzz::TAR_READER;
use muniment_fuzz::differential::{Agreement, Ours, Programs, ours};
use muniment_fuzz::seeds::Seed;
use muniment_model::FindingCode;
use tempfile::TempDir;

use crate::made;
use crate::replay::{changed, inputs};

const GNU_TAR_AND_PYTHON: &str = "both programs with which tars are compared";

fn programs() -> Programs {
    Programs::start().unwrap_or_else(|missing| panic!("{GNU_TAR_AND_PYTHON}: {missing:#}"))
}

fn seed(name: &str) -> Vec<u8> {
    let seeds = (TAR_READER.seeds)();
    let seed = seeds.into_iter().find(|seed| seed.name == name);
    seed.unwrap_or_else(|| panic!("no seed {name}")).bytes
}

/// The findings for which a tar is refused.
fn refusal(tar: &[u8]) -> Vec<(FindingCode, String)> {
    match ours(tar) {
        Ours::Refused(findings) => findings,
        Ours::Members(members) => panic!("accepted, with {} members", members.len()),
    }
}

fn codes(tar: &[u8]) -> Vec<FindingCode> {
    refusal(tar).into_iter().map(|(code, _)| code).collect()
}

fn assert_agreed(name: &str, agreement: &Agreement) {
    assert!(
        !matches!(agreement, Agreement::Differs(_)),
        "{name}: {agreement:?}"
    );
}

#[test]
fn z5_the_members_are_those_of_gnu_tar_and_python_or_the_tar_is_refused_by_name() {
    let mut programs = programs();
    for Seed { name, bytes } in inputs(&TAR_READER) {
        let agreement = programs.compare(&bytes).expect("compares");
        assert_agreed(&name, &agreement);
    }
}

#[test]
fn z5_changed_tars_have_the_members_that_gnu_tar_and_python_find_or_are_refused() {
    let mut programs = programs();
    let inputs = inputs(&TAR_READER);
    let (mut same, mut differences) = (0, Vec::new());
    for seed in 0..1500 {
        let (name, bytes) = changed(&TAR_READER, &inputs, seed);
        match programs.compare(&bytes).expect("compares") {
            Agreement::Same(_) => same += 1,
            Agreement::Refused(_) | Agreement::Excepted(_) => {}
            Agreement::Differs(difference) => differences.push(format!("{name}: {difference}")),
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
    // Were all refused, nothing would have been compared.
    assert!(same > 150, "only {same} were compared");
}

/// What is refused, and for what; all other seeds are accepted, which the test before this one compares.
#[test]
fn z5_only_what_can_be_read_in_two_ways_is_refused() {
    let refused = [
        ("pax_size_of_zero", FindingCode::TarSizesDisagree),
        ("pax_size_is_less", FindingCode::TarSizesDisagree),
        ("size_behind_nul", FindingCode::TarSizesDisagree),
        ("size_of_blanks", FindingCode::TarDamaged),
        ("size_with_sign", FindingCode::TarDamaged),
        ("size_in_base_64", FindingCode::TarDamaged),
        ("size_with_underscore", FindingCode::TarDamaged),
        ("folder_with_bytes", FindingCode::TarSizesDisagree),
        ("folder_by_name_with_bytes", FindingCode::TarSizesDisagree),
        ("folder_that_claims_bytes", FindingCode::TarSizesDisagree),
        ("hard_link_with_bytes", FindingCode::TarSizesDisagree),
        ("two_pax_headers", FindingCode::TarDamaged),
        ("two_long_names", FindingCode::TarDamaged),
        ("two_kinds_of_names", FindingCode::TarDamaged),
        ("long_name_with_nul", FindingCode::MemberNameInvalid),
        ("path_with_nul", FindingCode::MemberNameInvalid),
        ("path_of_nothing", FindingCode::TarDamaged),
        ("no_member_after", FindingCode::TarDamaged),
        ("global_path", FindingCode::TarGlobalHeader),
        ("global_size", FindingCode::TarGlobalHeader),
        ("global_between", FindingCode::TarDamaged),
        ("short_record", FindingCode::TarDamaged),
        ("long_record", FindingCode::TarDamaged),
        ("record_with_blanks", FindingCode::TarDamaged),
        ("record_and_nul", FindingCode::TarDamaged),
    ];

    for (name, code) in refused {
        assert!(
            codes(&seed(name)).contains(&code),
            "{name}: {:?}",
            refusal(&seed(name))
        );
    }
}

/// CVE-2025-62518: readers that go by the size of the header find the members of the inner tar.
#[test]
fn z5_a_tar_inside_a_tar_stays_the_bytes_of_its_file() {
    let mut programs = programs();
    for name in ["tar_in_a_tar", "pax_size_over_zero"] {
        let tar = seed(name);

        let agreement = programs.compare(&tar).expect("compares");

        assert_eq!(agreement, Agreement::Same(2), "{name}");
    }
}

#[test]
fn z5_what_gnu_tar_and_python_write_is_read_as_they_read_it() {
    let mut programs = programs();
    let short = ["caf\u{e9} \u{6f22}", "a -> b\\n", " blanks  "].map(str::to_owned);
    let long = ["n".repeat(255), "folder/".repeat(50) + "file"];
    let (plain, every) = (made::bag(&short), made::bag(&[&short[..], &long].concat()));
    let mut tars = Vec::new();
    for form in made::GNU_FORMS {
        // Neither has a place for a long name.
        let is_short = ["v7", "ustar"].contains(&form);
        let folder = if is_short { &plain } else { &every };
        let option = format!("--format={form}");
        let tar = made::by_gnu(&programs.gnu, folder.path(), &[&option]);
        tars.push((option, tar));
    }
    for form in made::PYTHON_FORMS {
        let is_short = form == "USTAR_FORMAT";
        let folder = if is_short { &plain } else { &every };
        tars.push((form.to_owned(), made::by_python(folder.path(), form)));
    }

    for (form, tar) in tars {
        let agreement = programs.compare(&tar).expect("compares");
        let is_same = matches!(agreement, Agreement::Same(members) if members >= 10);
        assert!(is_same, "{form}: {agreement:?}");
    }
}

#[test]
fn z1_sizes_that_cannot_be_are_refused_by_arithmetic() {
    let rows = [
        ("ten_gigabytes_claimed", FindingCode::TarTruncated),
        ("pax_header_of_a_gigabyte", FindingCode::TarMetaTooLarge),
        ("negative_size", FindingCode::TarDamaged),
        ("size_of_2_63", FindingCode::TarDamaged),
        ("size_beyond_64_bits", FindingCode::TarDamaged),
        ("sparse_of_ten_gigabytes", FindingCode::TarSparse),
    ];

    for (name, code) in rows {
        assert_eq!(
            codes(&seed(name)),
            [code],
            "{name}: {:?}",
            refusal(&seed(name))
        );
    }
}

#[test]
fn z3_what_is_no_file_or_folder_is_refused_by_name_whichever_program_wrote_it() {
    let folder = made::bag(&[]);
    let data = folder.path().join("bag/data");
    fs::hard_link(data.join("block"), data.join("same")).expect("links");
    symlink("/etc/passwd", data.join("passwords")).expect("links");
    let programs = programs();
    let gnu = made::by_gnu(&programs.gnu, folder.path(), &[]);
    let python = made::by_python(folder.path(), "PAX_FORMAT");
    let of_python = |kind, options| made::members_of_python(kind, options);
    let rows = [
        ("links of GNU tar", gnu, "data/passwords is a symbolic link"),
        ("links of Python", python, "data/same is a hard link"),
        ("a pipe", of_python("FIFOTYPE", ""), "it is a named pipe"),
        (
            "a device",
            of_python("CHRTYPE", "member.devmajor = 1"),
            "it is a character device",
        ),
        (
            "a disk",
            of_python("BLKTYPE", "member.devmajor = 8"),
            "it is a block device",
        ),
    ];

    for (name, tar, message) in rows {
        let findings = refusal(&tar);
        let is_named = |found: &(FindingCode, String)| {
            found.0 == FindingCode::MemberNotRegular && found.1.starts_with(message)
        };
        assert!(findings.iter().any(is_named), "{name}: {findings:?}");
    }
}

#[test]
fn z4_a_sparse_file_of_gnu_tar_is_refused_by_name_in_each_of_its_forms() {
    let folder = made::bag(&[]);
    made::hole(folder.path());
    let programs = programs();
    let forms: [&[&str]; 5] = [
        &["--sparse", "--format=oldgnu"],
        &["--sparse", "--format=gnu"],
        &["--sparse", "--format=posix", "--sparse-version=0.0"],
        &["--sparse", "--format=posix", "--sparse-version=0.1"],
        &["--sparse", "--format=posix", "--sparse-version=1.0"],
    ];

    for form in forms {
        let tar = made::by_gnu(&programs.gnu, folder.path(), form);
        let findings = refusal(&tar);
        assert_eq!(
            codes(&tar),
            [FindingCode::TarSparse],
            "{form:?}: {findings:?}"
        );
        assert!(
            findings[0]
                .1
                .starts_with("data/hole is stored as a sparse file"),
            "{findings:?}"
        );
    }
}

/// Where a tar is cut between two members, no program can tell; the manifests do.
#[test]
fn z11_a_tar_that_is_cut_is_refused_or_has_the_members_that_all_programs_find() {
    let mut programs = programs();
    let tar = seed("ustar");
    let blocks = (0..tar.len()).step_by(512);
    let cuts = blocks.flat_map(|at| [at, at + 1, at + 256, at + 511]);
    let mut same = Vec::new();
    for cut in cuts {
        let part = tar.get(..cut).unwrap_or(&tar);
        let agreement = programs.compare(part).expect("compares");
        assert_agreed(&format!("cut at {cut}"), &agreement);
        match agreement {
            Agreement::Same(members) => same.push((cut, members)),
            Agreement::Refused(findings) => {
                let code = findings[0].0;
                let codes = [FindingCode::TarTruncated, FindingCode::NotATar];
                assert!(codes.contains(&code), "cut at {cut}: {findings:?}");
            }
            Agreement::Excepted(_) | Agreement::Differs(_) => panic!("cut at {cut}: {agreement:?}"),
        }
    }
    // After each member, and after the first block of the end.
    assert_eq!(same, [(512, 1), (1536, 2), (2560, 3), (3072, 3)]);
}

#[test]
fn z11_what_follows_the_end_changes_no_member() {
    let mut programs = programs();
    let rows = [
        "no_end",
        "one_zero_block",
        "a_record_of_zeros",
        "bytes_after_the_end",
        "a_second_tar",
    ];

    for name in rows {
        let agreement = programs.compare(&seed(name)).expect("compares");
        assert_eq!(agreement, Agreement::Same(2), "{name}");
    }
    let lone = codes(&seed("a_second_tar_after_one_zero_block"));
    assert_eq!(lone, [FindingCode::TarDamaged]);
}

/// A comparison with a program that is not there must not look like one that found nothing.
#[test]
fn a_program_that_is_missing_is_named_and_fails_the_comparison() {
    let (nothing, tar_alone) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let fake = tar_alone.path().join("tar");
    fs::write(&fake, "#!/bin/sh\necho 'tar (GNU tar) 1.34'\n").expect("writes");
    fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).expect("may be run");
    let rows = [
        (&nothing, "GNU tar is not installed", "apt-get install tar"),
        (
            &tar_alone,
            "Python 3 with its module tarfile",
            "apt-get install python3",
        ),
    ];

    for (path, missing, advice) in rows {
        let output = Command::new(env!("CARGO_BIN_EXE_differential"))
            .arg("0")
            .env("PATH", path.path())
            .output()
            .expect("runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{missing}: {output:?}");
        assert!(said.contains(missing) && said.contains(advice), "{said}");
    }
}
