//! S3 as any client speaks it: a key pair, and every operation the endpoint has.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, Delete, ObjectIdentifier};
use muniment::up::instance::S3Access;

/// The object that is asked for.
const KEY: &str = "probe";
/// No upload has it: what is allowed is answered with `NoSuchUpload`.
const NO_UPLOAD: &str = "00000000-0000-0000-0000-000000000000";
const GOOD_FOR: Duration = Duration::from_hours(1);

/// Each asks for something in or about one bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operation {
    HeadBucket,
    Location,
    List,
    ListV2,
    ListUploads,
    Get,
    Head,
    Put,
    PresignedGet,
    PresignedPut,
    StartUpload,
    UploadPart,
    ListParts,
    Complete,
    Abort,
    CopyInto,
    CopyPartInto,
    CopyFrom,
    CopyPartFrom,
    DeleteMany,
    Delete,
}

impl Operation {
    pub(crate) const ALL: [Self; 21] = [
        Self::HeadBucket,
        Self::Location,
        Self::List,
        Self::ListV2,
        Self::ListUploads,
        Self::Get,
        Self::Head,
        Self::Put,
        Self::PresignedGet,
        Self::PresignedPut,
        Self::StartUpload,
        Self::UploadPart,
        Self::ListParts,
        Self::Complete,
        Self::Abort,
        Self::CopyInto,
        Self::CopyPartInto,
        Self::CopyFrom,
        Self::CopyPartFrom,
        Self::DeleteMany,
        Self::Delete,
    ];
}

/// What came back: the status, and the code when there was an error that has one.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) code: Option<String>,
}

pub(crate) fn client(s3: &S3Access, region: &'static str) -> Client {
    let (access_key, secret_key) = (&s3.access_key, &s3.secret_key);
    let keys = Credentials::new(access_key, secret_key, None, None, "test");
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(keys)
        .endpoint_url(s3.endpoint.as_str())
        .force_path_style(true)
        // A refusal must be seen as such, not asked for again.
        .retry_config(RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}

/// Makes the object that is asked for.
pub(crate) async fn put(client: &Client, bucket: &str) {
    let put = client.put_object().bucket(bucket).key(KEY);
    put.body(body()).send().await.expect("is stored");
}

/// Asks for one operation in `bucket`. What needs a second bucket has `other`, in which everything is
/// allowed.
pub(crate) async fn ask(
    client: &Client,
    operation: Operation,
    bucket: &str,
    other: &str,
) -> Answer {
    macro_rules! of {
        ($operation:ident) => {
            answer(&client.$operation().bucket(bucket).send().await)
        };
        ($operation:ident, $($name:ident: $value:expr),+) => {
            answer(&client.$operation().bucket(bucket).key(KEY)$(.$name($value))+.send().await)
        };
    }
    match operation {
        Operation::HeadBucket => of!(head_bucket),
        Operation::Location => of!(get_bucket_location),
        Operation::List => of!(list_objects),
        Operation::ListV2 => of!(list_objects_v2),
        Operation::ListUploads => of!(list_multipart_uploads),
        Operation::Get => of!(get_object, key: KEY),
        Operation::Head => of!(head_object, key: KEY),
        Operation::Put => of!(put_object, body: body()),
        Operation::StartUpload => of!(create_multipart_upload, key: KEY),
        Operation::UploadPart => {
            of!(upload_part, upload_id: NO_UPLOAD, part_number: 1, body: body())
        }
        Operation::ListParts => of!(list_parts, upload_id: NO_UPLOAD),
        Operation::Complete => {
            let parts = CompletedMultipartUpload::builder().build();
            of!(complete_multipart_upload, upload_id: NO_UPLOAD, multipart_upload: parts)
        }
        Operation::Abort => of!(abort_multipart_upload, upload_id: NO_UPLOAD),
        Operation::Delete => of!(delete_object, key: KEY),
        Operation::DeleteMany => {
            let object = ObjectIdentifier::builder().key(KEY).build();
            let delete = Delete::builder().objects(object.expect("a key")).build();
            let delete = delete.expect("objects");
            let asked = client.delete_objects().bucket(bucket).delete(delete);
            answer(&asked.send().await)
        }
        Operation::PresignedGet => {
            let asked = client.get_object().bucket(bucket).key(KEY);
            send(asked.presigned(for_a_while()).await.expect("is signed")).await
        }
        Operation::PresignedPut => {
            let asked = client.put_object().bucket(bucket).key(KEY);
            send(asked.presigned(for_a_while()).await.expect("is signed")).await
        }
        Operation::CopyInto => copy(client, other, bucket).await,
        Operation::CopyFrom => copy(client, bucket, other).await,
        Operation::CopyPartInto => copy_part(client, other, bucket).await,
        Operation::CopyPartFrom => copy_part(client, bucket, other).await,
    }
}

async fn copy(client: &Client, from: &str, to: &str) -> Answer {
    let copy = client.copy_object().bucket(to).key("copy");
    answer(&copy.copy_source(format!("{from}/{KEY}")).send().await)
}

async fn copy_part(client: &Client, from: &str, to: &str) -> Answer {
    let copy = client.upload_part_copy().bucket(to).key("copy");
    let copy = copy.upload_id(NO_UPLOAD).part_number(1);
    answer(&copy.copy_source(format!("{from}/{KEY}")).send().await)
}

/// What came back of a request that reached the endpoint.
pub(crate) fn answer<T, E: ProvideErrorMetadata>(
    answered: &Result<T, SdkError<E, HttpResponse>>,
) -> Answer {
    match answered {
        Ok(_) => Answer {
            status: 200,
            code: None,
        },
        Err(error) => Answer {
            status: error.raw_response().map_or(0, |raw| raw.status().as_u16()),
            code: error.code().map(str::to_owned),
        },
    }
}

async fn send(signed: PresignedRequest) -> Answer {
    let method = signed.method().parse().expect("a method");
    let request = reqwest::Client::new().request(method, signed.uri());
    let answered = request.send().await.expect("is answered");
    let status = answered.status().as_u16();
    let text = answered.text().await.expect("has a body");
    let code = text.split_once("<Code>").map(|(_, code)| code);
    let code = code.and_then(|code| code.split_once("</Code>"));
    Answer {
        status,
        code: code.map(|(code, _)| code.to_owned()),
    }
}

fn for_a_while() -> PresigningConfig {
    PresigningConfig::expires_in(GOOD_FOR).expect("not too long")
}

fn body() -> ByteStream {
    ByteStream::from_static(b"bytes")
}
