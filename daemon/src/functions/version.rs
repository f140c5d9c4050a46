//! The version of a function is a digest of its content.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Digits of the short form: 48 bits, enough for the versions of one function.
const SHORT: usize = 12;

/// The BLAKE3 digest of a function's module and manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version([u8; blake3::OUT_LEN]);

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a version is a digest of 64 hexadecimal digits")]
pub struct VersionError;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "{0} versions have been deployed since the daemon started, which is the limit (`limits.versions`); restart the daemon"
)]
pub struct TooManyVersions(pub usize);

impl Version {
    /// No manifest counts as an empty one.
    pub fn of(module: &[u8], manifest: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        // The length separates module from manifest.
        hasher.update(&(module.len() as u64).to_le_bytes());
        hasher.update(module);
        hasher.update(manifest.as_bytes());
        Self(*hasher.finalize().as_bytes())
    }

    /// Its first digits, for people.
    pub fn short(&self) -> String {
        self.to_string()[..SHORT].to_owned()
    }

    pub fn begins_with(&self, digits: &str) -> bool {
        self.to_string().starts_with(digits)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        blake3::Hash::from_hex(text).map(|hash| Self(hash.into())).map_err(|_| VersionError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_depends_on_all_of_the_content() {
        let version = Version::of(b"module", "manifest");
        assert_eq!(version, Version::of(b"module", "manifest"));
        for other in
            [Version::of(b"module", ""), Version::of(b"modulem", "anifest"), Version::of(b"", "modulemanifest")]
        {
            assert_ne!(version, other);
        }
    }

    #[test]
    fn a_version_is_parsed_from_its_text() {
        let version = Version::of(b"", "");
        assert_eq!(version.to_string().parse(), Ok(version));
        assert!(version.begins_with(&version.short()) && !version.begins_with("x"));
        for bad in ["", "12", &"g".repeat(64), &"0".repeat(65)] {
            assert_eq!(bad.parse::<Version>(), Err(VersionError), "{bad}");
        }
    }
}
