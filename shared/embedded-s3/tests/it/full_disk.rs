//! A disk without room, as the operating system tells it: the test runs itself under a limit on the size
//! of files, which any user can set and any shell knows.

use std::process::Command;

use aws_sdk_s3::primitives::ByteStream;

use crate::kit::{BUCKET, MIB, bytes, code, files, start, status, until_files};

const NAME: &str =
    "full_disk::a_full_disk_is_answered_as_an_outage_and_all_goes_on_where_there_is_room";
/// Set for the run under the limit.
const LIMITED: &str = "MUNIMENT_TEST_FILE_LIMIT";
/// Without the signal that a write beyond the limit would send: it ends in an error then. In blocks of
/// 512 bytes or, for some shells, of 1,024.
const SCRIPT: &str = r#"trap '' XFSZ; ulimit -f 4096; exec "$0" "$@""#;
/// Beyond the limit either way, and as much as a part of our writer.
const TOO_LARGE: usize = 16 * MIB;

#[tokio::test]
async fn a_full_disk_is_answered_as_an_outage_and_all_goes_on_where_there_is_room() {
    if std::env::var_os(LIMITED).is_some() {
        return under_the_limit().await;
    }
    let this = std::env::current_exe().unwrap();
    let run = Command::new("sh")
        .args(["-c", SCRIPT])
        .arg(this)
        .args(["--exact", NAME, "--nocapture"])
        .env(LIMITED, "1")
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{output}");
    assert!(output.contains("1 passed"), "{output}");
}

async fn under_the_limit() {
    let endpoint = start().await;
    endpoint.put("before", &bytes(1, 100_000)).await;

    for _time in 0..2 {
        let put = endpoint.client.put_object().bucket(BUCKET).key("k");
        let put = put.body(ByteStream::from(bytes(2, TOO_LARGE)));
        let refused = put.send().await.unwrap_err();
        assert_eq!(
            (status(&refused), code(&refused).as_str()),
            (507, "DiskFull")
        );
    }

    until_files(endpoint.folder.path(), 1).await;
    assert_eq!(endpoint.get("before").await, Some(bytes(1, 100_000)));
    assert_eq!(endpoint.get("k").await, None);
    endpoint.put("k", &bytes(3, 100_000)).await;
    assert_eq!(endpoint.get("k").await, Some(bytes(3, 100_000)));
    assert_eq!(files(endpoint.folder.path()).len(), 2);
}
