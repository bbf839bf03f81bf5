//! What a depositor does: uploads a tar, and waits for what becomes of it.

use std::time::Duration;

use muniment_model::BucketName;
use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::observer::encoded;
use crate::{Observer, ObserverError};

/// Soon enough for a test; a hundred waits at a time are some hundred small requests a second.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// One upload, as its depositor knows it.
#[derive(Clone, Debug)]
pub struct Upload {
    pub bucket: BucketName,
    pub key: String,
    /// The newest work item of this bucket and key before the upload, 0 for none. Items up to it
    /// belong to earlier uploads.
    after: i64,
}

impl Observer {
    /// The bucket that an institution's bags go to.
    pub fn receiving(&self, institution: &str) -> Result<&BucketName, ObserverError> {
        let known = &self.site().receiving_buckets;
        known
            .get(institution)
            .ok_or_else(|| ObserverError::UnknownInstitution {
                institution: institution.to_owned(),
            })
    }

    /// Uploads to the receiving bucket of an institution.
    pub async fn deposit(
        &self,
        institution: &str,
        key: &str,
        tar: Vec<u8>,
    ) -> Result<Upload, ObserverError> {
        let bucket = self.receiving(institution)?;
        self.upload(bucket, key, tar).await
    }

    /// Uploads to any bucket that is read as a receiving bucket.
    pub async fn upload(
        &self,
        bucket: &BucketName,
        key: &str,
        bytes: Vec<u8>,
    ) -> Result<Upload, ObserverError> {
        let mut upload = Upload {
            bucket: bucket.clone(),
            key: key.to_owned(),
            after: 0,
        };
        let newest = self.item_of(&upload).await?;
        upload.after = newest["id"].as_i64().unwrap_or_default();
        self.put(bucket, key, bytes).await?;
        Ok(upload)
    }

    /// The newest work item of an upload, as it is now; null when it has none yet.
    pub async fn item_of(&self, upload: &Upload) -> Result<Value, ObserverError> {
        let path = format!(
            "items?bucket={}&name={}&id__gt={}&sort=id__desc&per_page=1",
            upload.bucket,
            encoded(&upload.key),
            upload.after
        );
        Ok(self.rest(&path).await?["results"][0].clone())
    }

    /// The work item of an upload, once it has ended or waits for an operator.
    ///
    /// A look that fails is repeated while that can help, so the system may be restarted meanwhile.
    pub async fn wait_for_ending(
        &self,
        upload: &Upload,
        limit: Duration,
    ) -> Result<Value, ObserverError> {
        let mut last = Value::Null;
        let mut failed = None;
        let ended = timeout(limit, async {
            let mut ticks = interval(LOOK_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                match self.item_of(upload).await {
                    Ok(item) => {
                        failed = None;
                        last = item;
                    }
                    Err(error) if error.may_pass() => failed = Some(Box::new(error)),
                    Err(error) => return Err(error),
                }
                if is_over(&last) {
                    return Ok(());
                }
            }
        })
        .await;
        match ended {
            Ok(ended) => ended.map(|()| last),
            Err(_elapsed) => Err(ObserverError::NotEnded {
                key: upload.key.clone(),
                limit,
                last,
                source: failed,
            }),
        }
    }
}

/// Whether waiting longer is in vain: the item has ended, or an operator has to act.
fn is_over(item: &Value) -> bool {
    let status = item["status"].as_str().unwrap_or_default();
    !matches!(status, "" | "Pending" | "Started")
}
