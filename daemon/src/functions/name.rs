//! Names of functions.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The longest name: a label of a host name, so that a function can have its own host.
const NAME_MAX: usize = 63;

/// First path segments of the daemon. Neither names nor routes of functions may take them.
pub const OWN_PATHS: [&str; 14] = [
    "_page",
    "api",
    "energy",
    "events",
    "fn",
    "functions",
    "healthz",
    "invocations",
    "invoke",
    "metrics",
    "openapi.json",
    "readyz",
    "usage",
    "wasm",
];

/// The label in metrics of functions beyond the limit.
const SHARED_LABEL: &str = "other";

/// Lower-case letters, digits, `-` and `_`, beginning with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionName(Box<str>);

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    #[error("a function's name has 1 to {NAME_MAX} characters")]
    Length,
    #[error("a function's name consists of lower-case letters, digits, `-` and `_`, and begins with a letter or digit")]
    Character,
    #[error("`{0}` is reserved for the daemon")]
    Reserved(String),
}

impl FunctionName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FunctionName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() || text.len() > NAME_MAX {
            return Err(NameError::Length);
        }
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        if text.starts_with(['-', '_']) || !text.bytes().all(allowed) {
            return Err(NameError::Character);
        }
        if OWN_PATHS.contains(&text) || text == SHARED_LABEL {
            return Err(NameError::Reserved(text.into()));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_only_plain_characters() {
        for good in ["a", "hello-world", "v2_beta", "0", &"x".repeat(63)] {
            assert_eq!(good.parse::<FunctionName>().unwrap().as_str(), good);
        }
        for bad in ["", "-a", "_a", "A", "a/b", "..", "a b", "ä", "a\0", &"x".repeat(64)] {
            assert!(bad.parse::<FunctionName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn reserved_names_are_refused() {
        for own in OWN_PATHS.into_iter().filter(|own| !own.contains(['.', '_'])).chain([SHARED_LABEL]) {
            assert_eq!(own.parse::<FunctionName>(), Err(NameError::Reserved(own.into())));
        }
    }
}
