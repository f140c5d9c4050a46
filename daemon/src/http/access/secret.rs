//! The text of a token, and the hash that the daemon keeps of it.
//!
//! Passwords need slow hashes because people choose ones that can be guessed. A token is 256 random bits, which nobody
//! guesses: one BLAKE3 is enough, and costs a request a tenth of a microsecond.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use blake3::Hash;

/// Every token begins with it, so that people and scanners recognise one in a log or a repository.
pub const PREFIX: &str = "nebula_";

const HASH_PREFIX: &str = "blake3:";

const RANDOM_BYTES: usize = 32;

/// A new token.
///
/// # Errors
/// If the system has no random numbers.
pub fn make() -> Result<String, getrandom::Error> {
    let mut random = [0; RANDOM_BYTES];
    getrandom::fill(&mut random)?;
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random)))
}

pub fn hash(token: &str) -> Hash {
    blake3::hash(token.as_bytes())
}

/// The hash as the file of tokens has it.
pub fn written(hash: &Hash) -> String {
    format!("{HASH_PREFIX}{}", hash.to_hex())
}

/// Reads what [`written`] writes.
pub fn read(text: &str) -> Result<Hash, String> {
    let hash = text.strip_prefix(HASH_PREFIX).and_then(|hex| Hash::from_hex(hex).ok());
    hash.ok_or_else(|| format!("it must be `{HASH_PREFIX}` and 64 hexadecimal digits, as `nebula token` writes it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_and_never_repeat() {
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
