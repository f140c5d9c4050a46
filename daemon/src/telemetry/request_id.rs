//! The id of a request: the same for its caller, the log, the function and the services that the function calls.

use bytes::Bytes;
use uuid::Uuid;

/// Longest id that is accepted from a caller.
const LENGTH_MAX: usize = 128;

/// Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestId(Bytes);

impl RequestId {
    /// The id that the caller chose, if it is visible ASCII and not too long.
    pub fn given(name: &[u8]) -> Option<Self> {
        let good = (1..=LENGTH_MAX).contains(&name.len()) && name.iter().all(u8::is_ascii_graphic);
        good.then(|| Self(Bytes::copy_from_slice(name)))
    }

    /// The id of a request whose caller chose none: that of the invocation.
    pub fn made(id: Uuid) -> Self {
        Self(Bytes::copy_from_slice(id.as_hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes()))
    }

    pub fn as_str(&self) -> &str {
        // It is ASCII.
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The bytes of its header.
    pub fn bytes(&self) -> Bytes {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_visible_ascii_and_not_too_long() {
        let long = "x".repeat(LENGTH_MAX);
        for good in ["7", "0190-ab.c/d=+:{}\"", &long] {
            assert_eq!(RequestId::given(good.as_bytes()).unwrap().as_str(), good);
        }
        for bad in ["", " ", "a b", "a\tb", "a\x7f", "ä", &format!("{long}x")] {
            assert_eq!(RequestId::given(bad.as_bytes()), None, "{bad:?}");
        }
        let id = Uuid::now_v7();
        assert_eq!(RequestId::made(id).as_str(), id.to_string());
    }
}
