//! The digests that pass one takes of every file, and their names.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// A digest algorithm that manifests may use and the registry records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

impl Algorithm {
    pub const ALL: [Self; 4] = [Self::Md5, Self::Sha1, Self::Sha256, Self::Sha512];

    /// The name used in manifest file names and in the registry.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// How many hexadecimal digits one digest has.
    pub const fn hex_len(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha1 => 40,
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a digest algorithm we know")]
pub struct UnknownAlgorithm(pub String);

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    /// Case does not matter; hyphens do not either (`SHA-256`).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = text.to_ascii_lowercase().replace('-', "");
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == plain)
            .ok_or_else(|| UnknownAlgorithm(text.to_owned()))
    }
}

/// A CRC-64/NVME checksum, the one S3 computes over a whole object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crc64Nvme(pub u64);

impl Crc64Nvme {
    /// Base64 of the eight bytes, most significant first, as in `x-amz-checksum-crc64nvme`.
    pub fn to_base64(self) -> String {
        STANDARD.encode(self.0.to_be_bytes())
    }

    /// The inverse of [`Self::to_base64`]; `None` for anything else.
    pub fn from_base64(text: &str) -> Option<Self> {
        let bytes: [u8; 8] = STANDARD.decode(text).ok()?.try_into().ok()?;
        Some(Self(u64::from_be_bytes(bytes)))
    }
}

impl Serialize for Crc64Nvme {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_base64())
    }
}

impl<'de> Deserialize<'de> for Crc64Nvme {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_base64(&text).ok_or_else(|| serde::de::Error::custom("not a crc64nvme checksum"))
    }
}

/// Everything pass one learns from a file's bytes. The reference for every later write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digests {
    #[serde(with = "hex::serde")]
    pub md5: [u8; 16],
    #[serde(with = "hex::serde")]
    pub sha1: [u8; 20],
    #[serde(with = "hex::serde")]
    pub sha256: [u8; 32],
    #[serde(with = "hex_64")]
    pub sha512: [u8; 64],
    pub crc64nvme: Crc64Nvme,
}

impl Digests {
    /// The digest's raw bytes.
    pub fn bytes(&self, algorithm: Algorithm) -> &[u8] {
        match algorithm {
            Algorithm::Md5 => &self.md5,
            Algorithm::Sha1 => &self.sha1,
            Algorithm::Sha256 => &self.sha256,
            Algorithm::Sha512 => &self.sha512,
        }
    }

    /// The digest in lower-case hexadecimal.
    pub fn hex(&self, algorithm: Algorithm) -> String {
        hex::encode(self.bytes(algorithm))
    }
}

mod hex_64 {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 64], out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 64], D::Error> {
        let text = String::deserialize(from)?;
        let mut bytes = [0; 64];
        hex::decode_to_slice(text, &mut bytes).map_err(serde::de::Error::custom)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_algorithm_is_found_under_every_usual_spelling() {
        let rows = [
            ("md5", Algorithm::Md5),
            ("MD5", Algorithm::Md5),
            ("SHA-256", Algorithm::Sha256),
            ("sha512", Algorithm::Sha512),
        ];

        for (text, expected) in rows {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        assert!("blake3".parse::<Algorithm>().is_err());
    }

    #[test]
    fn a_crc_survives_its_base64_form() {
        let crc = Crc64Nvme(0x0123_4567_89ab_cdef);

        assert_eq!(crc.to_base64(), "ASNFZ4mrze8=");
        assert_eq!(Crc64Nvme::from_base64("ASNFZ4mrze8="), Some(crc));
        assert_eq!(Crc64Nvme::from_base64("AAAA"), None);
    }
}
