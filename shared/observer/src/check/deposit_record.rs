//! The deposit record: JSON lines with a closing digest, and in them what is preserved nowhere else.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use muniment_model::Algorithm;
use serde_json::Value;

use super::Expected;
use crate::{Differences, Observer, ObserverError, Subject};

const SUBJECT: &Subject = &Subject::DepositRecord;

impl Observer {
    /// What was found of a bag that was accepted, in the words of its deposit record; nothing where there
    /// is no record.
    pub async fn recorded_findings(
        &self,
        object: &str,
        item: &Value,
    ) -> Result<Vec<String>, ObserverError> {
        let key = format!("{object}/{}.jsonl.zst", item["id"]);
        let packed = self.bytes(&self.site().records_bucket, &key).await?;
        let text = unpacked(&packed.unwrap_or_default()).unwrap_or_default();
        let lines = text.lines().map(json);
        let findings = lines.filter(|line| line["line"] == "finding");
        Ok(findings
            .filter_map(|line| Some(line["message"].as_str()?.to_owned()))
            .collect())
    }

    pub(super) async fn check_deposit_record(
        &self,
        differences: &mut Differences,
        item: &Value,
        expected: &Expected,
    ) -> Result<(), ObserverError> {
        let key = format!("{}/{}.jsonl.zst", expected.object, item["id"]);
        match self.bytes(&self.site().records_bucket, &key).await? {
            Some(packed) => check(differences, &packed, expected),
            None => differences.compare(SUBJECT, "key", Value::Null, key),
        }
        Ok(())
    }
}

fn check(differences: &mut Differences, packed: &[u8], expected: &Expected) {
    let Some(text) = unpacked(packed) else {
        differences.compare(SUBJECT, "format", Value::Null, "UTF-8 packed by zstd");
        return;
    };
    let before_end = text.trim_end().rfind('\n').map_or(0, |at| at + 1);
    let (before, last) = text.split_at(before_end);
    let end = json(last);
    for (what, value) in [
        ("line", Value::from("end")),
        ("files", expected.tar.preserved().count().into()),
        ("sha256", sha256_of(before.as_bytes()).into()),
    ] {
        differences.compare(SUBJECT, what, end[what].clone(), value);
    }

    let kept = kept_in(before);
    // What a restoration makes anew has its bytes here; a file without any needs no line.
    let missing = expected.tar.made_anew().filter(|member| {
        let bytes = kept.get(&member.path).map_or(&[][..], Vec::as_slice);
        muniment_digest::digest(bytes) != member.digests
    });
    let missing: Vec<&str> = missing.map(|member| member.path.as_str()).collect();
    differences.compare(
        SUBJECT,
        "tag files without their bytes",
        missing,
        Vec::<&str>::new(),
    );
}

fn unpacked(packed: &[u8]) -> Option<String> {
    let bytes = zstd::decode_all(packed).ok()?;
    String::from_utf8(bytes).ok()
}

/// The bytes of each tag file. A long one is in pieces, each a line with its offset.
fn kept_in(lines: &str) -> HashMap<String, Vec<u8>> {
    let mut kept: HashMap<String, Vec<u8>> = HashMap::new();
    for line in lines.lines().map(json) {
        let (Some(path), Some(base64)) = (line["path"].as_str(), line["base64"].as_str()) else {
            continue;
        };
        let bytes = kept.entry(path.to_owned()).or_default();
        // A piece in a wrong place is left out, so that the file differs.
        if line["offset"] == bytes.len() {
            bytes.extend(STANDARD.decode(base64).unwrap_or_default());
        }
    }
    kept
}

fn sha256_of(bytes: &[u8]) -> String {
    muniment_digest::digest(bytes).hex(Algorithm::Sha256)
}

/// Null for what is no JSON, which then differs from what is expected of it.
fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use muniment_model::StorageOption;

    use super::*;
    use crate::TarListing;

    const BAGIT_TXT: &[u8] = b"BagIt-Version: 1.0";

    fn expected() -> Expected {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, bytes) in [("bag/bagit.txt", BAGIT_TXT), ("bag/data/a", b"a")] {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            tar.append_data(&mut header, path, bytes).expect("a member");
        }
        let tar = tar.into_inner().expect("a tar");
        Expected {
            object: "test.edu/bag".to_owned(),
            option: StorageOption::Standard,
            tar: TarListing::read(tar.as_slice()).expect("a listing"),
        }
    }

    /// A record that keeps these bytes of bagit.txt, in two pieces, and says that it has this many files.
    fn record(bagit_txt: &[u8], files: u64) -> String {
        let (first, second) = bagit_txt.split_at(bagit_txt.len() / 2);
        let before: String = [(0, first), (first.len(), second)]
            .map(|(offset, piece)| {
                let base64 = STANDARD.encode(piece);
                format!(r#"{{"path":"bagit.txt","offset":{offset},"base64":"{base64}"}}"#) + "\n"
            })
            .concat();
        let sha256 = sha256_of(before.as_bytes());
        format!(r#"{before}{{"line":"end","files":{files},"sha256":"{sha256}"}}"#) + "\n"
    }

    fn differences(text: &str) -> Vec<&'static str> {
        let packed = zstd::encode_all(text.as_bytes(), 0).expect("zstd");
        let mut differences = Differences::default();
        check(&mut differences, &packed, &expected());
        differences.list().iter().map(|one| one.what).collect()
    }

    #[test]
    fn each_way_a_record_can_be_wrong_is_found() {
        let good = record(BAGIT_TXT, 1);
        let rows = [
            ("good", good.clone(), vec![]),
            ("fewer files", record(BAGIT_TXT, 0), vec!["files"]),
            (
                "changed",
                good.replace("bagit.txt", "BAGIT.txt"),
                vec!["sha256", "tag files without their bytes"],
            ),
            (
                "other bytes",
                record(b"", 1),
                vec!["tag files without their bytes"],
            ),
            (
                "nothing",
                String::new(),
                vec!["line", "files", "sha256", "tag files without their bytes"],
            ),
        ];

        for (name, text, expected) in rows {
            assert_eq!(differences(&text), expected, "{name}");
        }
    }
}
