//! The text of a token, and what is kept of it.
//!
//! Passwords are kept under hashes that are made slow, since people choose passwords that can be guessed. A token is 256
//! bits of chance: who tried a billion hashes a second since the beginning of the universe would have seen a part in 10⁵⁰ of
//! them. So one BLAKE3 is enough, and a request pays a tenth of a microsecond for it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use blake3::Hash;

/// How every token begins: who finds one in a log or a repository knows what it is, and scanners can search for it.
pub const PREFIX: &str = "nebula_";

/// How a hash begins in the file.
const HASH_PREFIX: &str = "blake3:";

/// Bits of chance, in bytes.
const CHANCE: usize = 32;

/// A new token.
///
/// # Errors
/// When the system gives no random numbers.
pub fn make() -> Result<String, getrandom::Error> {
    let mut chance = [0; CHANCE];
    getrandom::fill(&mut chance)?;
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(chance)))
}

/// What is kept of a token.
pub fn hash(token: &str) -> Hash {
    blake3::hash(token.as_bytes())
}

/// A hash as it stands in the file.
pub fn written(hash: &Hash) -> String {
    format!("{HASH_PREFIX}{}", hash.to_hex())
}

/// Reads what [`written`] writes.
///
/// # Errors
/// Says what a hash looks like.
pub fn read(text: &str) -> Result<Hash, String> {
    let hash = text.strip_prefix(HASH_PREFIX).and_then(|hex| Hash::from_hex(hex).ok());
    hash.ok_or_else(|| format!("it is `{HASH_PREFIX}` and 64 hexadecimal digits, as `nebula token` writes them"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_and_never_the_same() {
        let (one, other) = (make().unwrap(), make().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), PREFIX.len() + 43);
        assert!(
            one.starts_with(PREFIX) && one.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        );
    }

    #[test]
    fn a_hash_is_read_as_it_was_written() {
        let hash = hash("nebula_x");
        assert_eq!(read(&written(&hash)), Ok(hash));
        let digits = "0".repeat(64);
        for wrong in ["", "blake3:", "blake3:00", &digits, &format!("sha256:{digits}"), &format!("blake3:{digits}0")] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
