use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct Binary {
    #[command(flatten)]
    receiving: ReceivingSettings,
    #[command(flatten)]
    staging: StagingSettings,
    #[command(flatten)]
    preservation: PreservationSettings,
    #[command(flatten)]
    records: RecordsSettings,
}

const NEEDED: [&str; 13] = [
    "binary",
    "--receiving-access-key=a",
    "--receiving-secret-key=hidden",
    "--staging-access-key=a",
    "--staging-secret-key=hidden",
    "--staging-bucket=staging",
    "--aws-access-key=a",
    "--aws-secret-key=hidden",
    "--records-access-key=a",
    "--records-secret-key=hidden",
    "--records-bucket=records",
    "--wasabi-access-key=a",
    "--preservation-bucket=standard-va=copies-va,standard-or=copies-or",
];

fn parsed(more: &[&str]) -> Result<Binary, clap::Error> {
    Binary::try_parse_from(NEEDED.iter().chain(more))
}

#[test]
fn one_binary_may_have_every_set_of_buckets() {
    let binary = parsed(&["--preservation-bucket=glacier-oh=copies-oh"]).expect("parses");
    let connections = Connections::default();

    let buckets = binary.preservation.connect(&connections).expect("connects");

    let mut targets: Vec<_> = buckets.targets().collect();
    targets.sort();
    assert_eq!(
        targets,
        [
            StorageTarget::StandardVa,
            StorageTarget::StandardOr,
            StorageTarget::GlacierOh
        ]
    );
    assert_eq!(
        buckets
            .url(
                StorageTarget::StandardOr,
                &"k".to_owned().try_into().expect("key")
            )
            .expect("configured"),
        "https://s3.us-west-2.amazonaws.com/copies-or/k"
    );
    assert_eq!(
        binary.staging.connect(&connections).name().as_str(),
        "staging"
    );
    assert_eq!(
        binary.records.connect(&connections).name().as_str(),
        "records"
    );
}

#[test]
fn requests_are_signed_for_the_region_of_the_bucket_unless_another_is_set() {
    let rows: [(&[&str], [&str; 2]); 2] = [
        (&[], ["us-west-2", "us-west-1"]),
        (
            &["--aws-region=here", "--wasabi-region=there"],
            ["here", "there"],
        ),
    ];

    for (arguments, expected) in rows {
        let wasabi = ["--wasabi-secret-key=s"];
        let binary = parsed(&[&wasabi, arguments].concat()).expect("parses");
        let targets = [StorageTarget::StandardOr, StorageTarget::WasabiOr];

        let regions = targets.map(|target| {
            let endpoint = binary.preservation.endpoint(target).expect("an endpoint");
            endpoint.region
        });

        assert_eq!(regions, expected);
        let url = binary.preservation.wasabi_url("us-west-1").expect("a URL");
        assert_eq!(url.as_str(), "https://s3.us-west-1.wasabisys.com/");
    }
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let rows = [
        (
            "target twice",
            "--preservation-bucket=standard-va=other",
            InvalidSettings::TargetTwice(StorageTarget::StandardVa),
        ),
        (
            "bucket twice",
            "--preservation-bucket=glacier-oh=copies-va",
            InvalidSettings::BucketTwice("copies-va".parse().expect("name")),
        ),
        (
            "half the keys",
            "--preservation-bucket=wasabi-or=copies-w",
            InvalidSettings::NoKeys(StorageTarget::WasabiOr),
        ),
    ];

    for (name, argument, expected) in rows {
        let binary = parsed(&[argument]).expect("parses");

        let result = binary.preservation.connect(&Connections::default());

        assert_eq!(result.map(|_| ()), Err(expected), "{name}");
    }
}

#[test]
fn a_bucket_is_named_as_target_and_bucket() {
    let rows = [
        ("standard-va=copies", true),
        (" wasabi-tx=copies", true),
        ("standard-va", false),
        ("standard-xx=copies", false),
        ("standard-va=No Bucket", false),
    ];

    for (text, expected) in rows {
        assert_eq!(text.parse::<TargetBucket>().is_ok(), expected, "{text}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let binary = parsed(&[]).expect("parses");

    assert!(!format!("{binary:?}").contains("hidden"));
}
