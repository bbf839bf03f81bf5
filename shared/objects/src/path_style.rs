//! Where requests to a store with an address of its own go: `URL/BUCKET/KEY`, path style.
//!
//! The SDK works this out for each request by the rules of all of AWS, twice, which takes a tenth of
//! what it takes for a small request. Of those rules a store with an address of its own needs one.

use aws_sdk_s3::config::endpoint::{Endpoint, EndpointFuture, Params, ResolveEndpoint};
use url::Url;

/// The address of a store that is not AWS. Region, service name and how paths are encoded for the
/// signature are those of the client's settings, as the address says nothing of them.
#[derive(Clone, Debug)]
pub(crate) struct PathStyle {
    /// Ends with `/`.
    base: String,
}

impl PathStyle {
    pub(crate) fn at(url: &Url) -> Self {
        let mut base = url.as_str().to_owned();
        if !base.ends_with('/') {
            base.push('/');
        }
        Self { base }
    }

    /// A bucket's name needs no escapes: its type allows none that would.
    fn of(&self, bucket: Option<&str>) -> Endpoint {
        let url = format!("{}{}", self.base, bucket.unwrap_or_default());
        Endpoint::builder().url(url).build()
    }
}

impl ResolveEndpoint for PathStyle {
    fn resolve_endpoint<'a>(&'a self, params: &'a Params) -> EndpointFuture<'a> {
        EndpointFuture::ready(Ok(self.of(params.bucket())))
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::config::endpoint::DefaultResolver;

    use super::*;

    #[tokio::test]
    async fn an_address_is_the_one_that_the_rules_of_aws_come_to() {
        let rules = DefaultResolver::new();
        let buckets = [Some("aptrust.preservation"), Some("a-1"), None];
        for url in [
            "http://127.0.0.1:9000",
            "http://127.0.0.1:9000/",
            "https://s3.example.org",
            "https://example.org/store/",
        ] {
            let ours = PathStyle::at(&url.parse().expect("url"));
            for bucket in buckets {
                let params = Params::builder()
                    .endpoint(url.to_owned())
                    .region("us-east-1".to_owned())
                    .force_path_style(true)
                    .set_bucket(bucket.map(str::to_owned))
                    .build()
                    .expect("params");

                let expected = ResolveEndpoint::resolve_endpoint(&rules, &params).await;
                let expected = expected.expect("an address by the rules");
                let address = ours.resolve_endpoint(&params).await.expect("an address");

                let trimmed = |endpoint: &Endpoint| endpoint.url().trim_end_matches('/').to_owned();
                assert_eq!(trimmed(&address), trimmed(&expected), "{url} {bucket:?}");
            }
        }
    }

    /// The rules of AWS come to `/storephotos` here.
    #[test]
    fn a_path_in_the_address_need_not_end_with_a_slash() {
        let url = "https://example.org/store".parse().expect("url");

        let address = PathStyle::at(&url).of(Some("photos"));

        assert_eq!(address.url(), "https://example.org/store/photos");
    }
}
