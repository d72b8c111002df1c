//! Where a repository lies, as a person writes it.

use std::path::PathBuf;
use std::str::FromStr;

use object_store::path::Path;

/// A folder, or a prefix in an S3 bucket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Address {
    /// A folder.
    Folder(PathBuf),
    /// `s3://BUCKET/PREFIX`; who we are there, and which server it is, the environment says.
    S3 {
        /// The bucket.
        bucket: String,
        /// Before every name in it; may be empty.
        prefix: Path,
    },
}

/// Why a text is no address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AddressError {
    /// Some other kind of URL.
    #[error("an address is a folder or s3://BUCKET/PREFIX")]
    Scheme,
    /// Not the name of a bucket.
    #[error("a bucket has 3 to 63 small letters, digits, dots and hyphens")]
    Bucket,
    /// A prefix with a part that cannot be.
    #[error("the prefix in the bucket cannot be")]
    Prefix,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Address, AddressError> {
        let Some(rest) = text.strip_prefix("s3://") else {
            // A mistyped URL would otherwise make a folder of that name.
            return if text.contains("://") {
                Err(AddressError::Scheme)
            } else {
                Ok(Address::Folder(text.into()))
            };
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_name = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-');
        // Credentials do not go into an address: `@` and `?` are in no name.
        if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(is_name) {
            return Err(AddressError::Bucket);
        }
        if prefix.contains(['?', '#', '\\']) {
            return Err(AddressError::Prefix);
        }
        let prefix = Path::parse(prefix).map_err(|_| AddressError::Prefix)?;
        Ok(Address::S3 { bucket: bucket.to_owned(), prefix })
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Address::Folder(folder) => folder.display().fmt(f),
            Address::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_folder_or_a_place_in_a_bucket() {
        let check = |text: &str, expected: Address| {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        };
        let s3 = |bucket: &str, prefix: &str| Address::S3 {
            bucket: bucket.into(),
            prefix: Path::parse(prefix).unwrap(),
        };
        check("out", Address::Folder("out".into()));
        check("/srv/lists", Address::Folder("/srv/lists".into()));
        check("s3://lists", s3("lists", ""));
        check("s3://lists/", s3("lists", ""));
        check("s3://lists/fieldcheck/demo", s3("lists", "fieldcheck/demo"));
    }

    #[test]
    fn what_is_no_address_is_refused_for_its_reason() {
        let check = |text: &str, expected| {
            assert_eq!(text.parse::<Address>(), Err(expected), "{text}");
        };
        check("https://example.org/lists", AddressError::Scheme);
        check("S3://lists", AddressError::Scheme);
        check("s3://", AddressError::Bucket);
        check("s3:///lists", AddressError::Bucket);
        check("s3://key:secret@lists", AddressError::Bucket);
        check("s3://lists?region=x", AddressError::Bucket);
        check("s3://lists/a/../b", AddressError::Prefix);
        check("s3://lists/a//b", AddressError::Prefix);
        check("s3://lists/a?versionId=1", AddressError::Prefix);
    }
}
