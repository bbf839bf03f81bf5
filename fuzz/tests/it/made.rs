//! Tars that GNU tar and Python make of real folders, at the time of the test, so that nothing of theirs
//! has to be kept here and each machine compares with what its own programs write.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use muniment_fuzz::differential::Gnu;
use tempfile::TempDir;

/// What each program calls the forms that it writes.
pub(crate) const GNU_FORMS: [&str; 5] = ["v7", "oldgnu", "gnu", "ustar", "posix"];
pub(crate) const PYTHON_FORMS: [&str; 3] = ["USTAR_FORMAT", "GNU_FORMAT", "PAX_FORMAT"];

/// A folder `bag` with what depositors have.
pub(crate) fn bag(names: &[String]) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let bag = folder.path().join("bag");
    fs::create_dir_all(bag.join("data/empty folder")).expect("folders");
    fs::write(bag.join("bagit.txt"), "BagIt-Version: 1.0\n").expect("writes");
    fs::write(bag.join("data/empty"), "").expect("writes");
    fs::write(bag.join("data/block"), [7; 512]).expect("writes");
    fs::write(bag.join("data/more"), [8; 10_000]).expect("writes");
    for name in names {
        let path = bag.join("data").join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(path, name).expect("writes");
    }
    folder
}

/// A file of 1 MiB with 5 bytes in it.
pub(crate) fn hole(folder: &Path) {
    let mut file = File::create(folder.join("bag/data/hole")).expect("creates");
    file.seek(SeekFrom::Start(500_000)).expect("seeks");
    file.write_all(b"hello").expect("writes");
    file.set_len(1024 * 1024).expect("grows");
}

/// What GNU tar makes of `bag` in the folder; its options first.
pub(crate) fn by_gnu(gnu: &Gnu, folder: &Path, options: &[&str]) -> Vec<u8> {
    let output = gnu
        .command()
        .args(["--create", "--file=-", "--sort=name"])
        .args(options)
        .arg("bag")
        .current_dir(folder)
        .output()
        .expect("runs");
    assert!(output.status.success(), "{options:?}: {output:?}");
    output.stdout
}

/// What Python makes of `bag` in the folder.
pub(crate) fn by_python(folder: &Path, form: &str) -> Vec<u8> {
    let script = "import sys, tarfile\n\
                  form = getattr(tarfile, sys.argv[1])\n\
                  with tarfile.open(fileobj=sys.stdout.buffer, mode='w|', format=form) as tar:\n    \
                  tar.add('bag')\n";
    python(folder, script, &[form])
}

/// What no unprivileged program can put into a folder, but a tar can hold.
pub(crate) fn members_of_python(kind: &str, options: &str) -> Vec<u8> {
    let script = "import io, sys, tarfile\n\
                  with tarfile.open(fileobj=sys.stdout.buffer, mode='w|') as tar:\n    \
                  kept = tarfile.TarInfo('bag/kept')\n    \
                  kept.size = 4\n    \
                  tar.addfile(kept, io.BytesIO(b'kept'))\n    \
                  member = tarfile.TarInfo('bag/it')\n    \
                  member.type = getattr(tarfile, sys.argv[1])\n    \
                  exec(sys.argv[2])\n    \
                  tar.addfile(member)\n";
    python(Path::new("."), script, &[kind, options])
}

fn python(folder: &Path, script: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("python3")
        .args(["-I", "-c", script])
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("Python 3, which the tests need");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    output.stdout
}
