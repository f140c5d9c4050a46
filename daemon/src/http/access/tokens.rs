//! The tokens that a daemon knows, and the file that lists them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use blake3::Hash;
use thiserror::Error;
use toml::{Table, Value};

use super::secret;
use crate::functions::{FunctionName, Keys, KnownKeys, Mistake, Wrong, joined, quota, text};
use crate::http::role::Role;
use crate::quota::Quota;
use crate::regular_file;

/// Largest file, in bytes. One token takes about two hundred.
pub const BYTES_MAX: usize = 1 << 20;

/// Most tokens. A request's token is compared with each of them, which takes some nanoseconds each.
pub const TOKENS_MAX: usize = 1000;

const NAME_MAX: usize = 63;

/// `S_IWOTH`. Source: chmod(2).
const WRITABLE_BY_OTHERS: u32 = 0o002;

const OF_A_FILE: KnownKeys = KnownKeys { file: "a file of tokens", keys: &["tokens"] };
const OF_A_TOKEN: KnownKeys = KnownKeys {
    file: "a token",
    keys: &[
        "hash",
        "roles",
        "functions",
        "quota",
        "quota.calls_per_second",
        "quota.concurrency",
        "quota.joules_per_hour",
    ],
};

/// A token without its text.
#[derive(Debug, PartialEq)]
pub struct Token {
    pub name: String,
    /// The highest of its roles; each includes the lower ones.
    pub role: Role,
    /// `None` if it is for all functions.
    pub functions: Option<BTreeSet<String>>,
    /// What its calls may use together.
    pub quota: Quota,
}

impl Token {
    pub fn is_for(&self, function: &str) -> bool {
        self.functions.as_ref().is_none_or(|functions| functions.contains(function))
    }
}

#[derive(Debug, Error)]
pub enum TokensError {
    #[error("cannot read the tokens in `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("everybody can write `{}` and could add tokens; run `chmod o-w` on it", path.display())]
    WritableByOthers { path: PathBuf },
    #[error("`{}` has more than {BYTES_MAX} bytes, too many for a file of tokens", path.display())]
    TooLong { path: PathBuf },
    #[error("the tokens in `{}` cannot be used: {}", path.display(), joined(mistakes))]
    Wrong { path: PathBuf, mistakes: Vec<Mistake> },
}

#[derive(Debug, Default)]
pub struct Tokens(Vec<(Hash, Arc<Token>)>);

impl Tokens {
    pub fn read(path: &Path) -> Result<Self, TokensError> {
        let file = regular_file::open(path).map_err(|source| TokensError::Read { path: path.into(), source })?;
        Self::parse(&read(&file, path)?).map_err(|mistakes| TokensError::Wrong { path: path.into(), mistakes })
    }

    /// # Errors
    /// All mistakes in the text.
    pub fn parse(text: &str) -> Result<Self, Vec<Mistake>> {
        let table = text.parse::<Table>().map_err(|error| vec![Mistake::syntax(text, &error)])?;
        let mut mistakes = Vec::new();
        let mut seen = BTreeSet::new();
        let tokens = Keys::of(&table, OF_A_FILE, &mut mistakes).each("tokens", OF_A_TOKEN, check_name, |name, keys| {
            let distinct = |text: &str| {
                let hash = secret::read(text)?;
                if seen.insert(*hash.as_bytes()) { Ok(hash) } else { Err("another token has the same hash".into()) }
            };
            token(name, keys, distinct)
        });
        if tokens.len() > TOKENS_MAX {
            let why = format!("there may be at most {TOKENS_MAX} tokens");
            mistakes.push(Mistake::Value { key: "tokens".into(), value: tokens.len().to_string(), why });
        }
        if mistakes.is_empty() { Ok(Self(tokens)) } else { Err(mistakes) }
    }

    /// The token with this text. The time that it takes gives nothing away.
    pub fn find(&self, text: &str) -> Option<&Arc<Token>> {
        let presented = secret::hash(text);
        // Hashes compare in constant time, and all are compared.
        self.0.iter().fold(None, |found, (hash, token)| if *hash == presented { Some(token) } else { found })
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(_, token)| token.name == name)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The text of an open file of tokens.
///
/// # Errors
/// Also if anybody else could have written it.
pub fn read(file: &File, path: &Path) -> Result<String, TokensError> {
    let failed = |source| TokensError::Read { path: path.into(), source };
    if file.metadata().map_err(failed)?.mode() & WRITABLE_BY_OTHERS != 0 {
        return Err(TokensError::WritableByOthers { path: path.into() });
    }
    let mut text = Vec::new();
    file.take(BYTES_MAX as u64 + 1).read_to_end(&mut text).map_err(failed)?;
    if text.len() > BYTES_MAX {
        return Err(TokensError::TooLong { path: path.into() });
    }
    String::from_utf8(text).map_err(|why| failed(io::Error::new(io::ErrorKind::InvalidData, why)))
}

/// # Errors
/// Says what the name of a token may look like.
pub fn check_name(name: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(plain) {
        Ok(())
    } else {
        Err(format!("a token's name has 1 to {NAME_MAX} letters, digits, `-` and `_`"))
    }
}

fn token(
    name: &str,
    keys: &mut Keys<'_, '_>,
    hash: impl FnMut(&str) -> Result<Hash, String>,
) -> Option<(Hash, Arc<Token>)> {
    let hash = std::cell::RefCell::new(hash);
    let hash = keys.needed("hash", text(|text| (hash.borrow_mut())(text)));
    let has_roles = keys.needed("roles", some).is_some();
    let roles = if has_roles { keys.list("roles", text(Role::read)) } else { Vec::new() };
    let functions = keys.value("functions", some);
    let names = functions.map(|()| keys.list("functions", text(function)).into_iter().collect());
    let quota = keys.table("quota").map(|mut keys| quota(&mut keys)).unwrap_or_default();
    Some((hash?, Arc::new(Token { name: name.into(), role: roles.into_iter().max()?, functions: names, quota })))
}

/// Refuses an empty list, which could be meant as none or as all.
fn some(value: &Value) -> Result<(), Wrong> {
    let empty = value.as_array().ok_or(Wrong::Type("a list"))?.is_empty();
    if empty { Err(Wrong::Value("it must not be empty".into())) } else { Ok(()) }
}

fn function(text: &str) -> Result<String, String> {
    text.parse::<FunctionName>().map(|name| name.as_str().to_owned()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use nebula_metering::Joules;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn hash_of(token: &str) -> String {
        secret::written(&secret::hash(token))
    }

    fn mistakes(text: &str) -> String {
        joined(&Tokens::parse(text).unwrap_err())
    }

    #[test]
    fn a_token_is_found_by_its_text() {
        let (alice, bob) = (hash_of("nebula_alice"), hash_of("nebula_bob"));
        let text = format!(
            "[tokens.alice]\nhash = {alice:?}\nroles = [\"invoke\", \"deploy\"]\nfunctions = [\"a\", \"b\"]\n\
             quota = {{ calls_per_second = 5, concurrency = 2, joules_per_hour = \"100J\" }}\n\
             [tokens.bob]\nhash = {bob:?}\nroles = [\"operate\"]\n"
        );
        let tokens = Tokens::parse(&text).unwrap();
        assert_eq!((tokens.len(), tokens.has("bob"), tokens.has("carol")), (2, true, false));
        let quota = Quota { calls_per_second: Some(5), concurrency: Some(2), joules_per_hour: Some(Joules(100.0)) };
        let found = tokens.find("nebula_alice").unwrap();
        assert_eq!((&*found.name, found.role, found.quota), ("alice", Role::Deploy, quota));
        assert!(found.is_for("a") && !found.is_for("c"));
        let found = tokens.find("nebula_bob").unwrap();
        assert!(found.role == Role::Operate && found.is_for("c") && found.quota == Quota::default());
        for stranger in ["", "nebula_", "nebula_alic", "alice", &alice] {
            assert!(tokens.find(stranger).is_none(), "{stranger}");
        }
        assert!(Tokens::parse("").unwrap().is_empty());
    }

    #[test]
    fn mistakes_are_reported_with_suggestions() {
        let hash = hash_of("x");
        let good = format!("hash = {hash:?}\nroles = [\"invoke\"]\n");
        for (text, expected) in [
            ("[token.a]".into(), "unknown key `token` in a file of tokens; did you mean `tokens`?"),
            (format!("[tokens.a]\n{good}role = 1"), "unknown key `tokens.a.role` in a token; did you mean `roles`?"),
            (
                format!("[tokens.a]\n{good}quota.calls_per_sec = 1"),
                "unknown key `tokens.a.quota.calls_per_sec` in a token; did you mean `quota.calls_per_second`?",
            ),
            (format!("[tokens.a]\n{good}quota.concurrency = 0"), "invalid value `0` for `tokens.a.quota.concurrency`"),
            (format!("[tokens.a]\n{good}functions = []"), "it must not be empty"),
            (format!("[tokens.a]\n{good}functions = [\"../x\"]"), "invalid value `../x` for `tokens.a.functions[0]`"),
            (format!("[tokens.'a b']\n{good}"), "invalid value `a b` for `tokens`: a token's name has 1 to 63"),
            (format!("[tokens.{}]\n{good}", "x".repeat(64)), "a token's name has 1 to 63"),
            (format!("[tokens.a]\n{good}[tokens.b]\n{good}"), "`tokens.b.hash`: another token has the same hash"),
            (format!("[tokens.a]\nhash = {hash:?}"), "`tokens.a.roles` is missing"),
            (format!("[tokens.a]\nhash = {hash:?}\nroles = []"), "invalid value `[]` for `tokens.a.roles`"),
            (format!("[tokens.a]\nhash = {hash:?}\nroles = [\"root\"]"), "it must be one of invoke, deploy, operate"),
            ("[tokens.a]\nroles = [\"invoke\"]".into(), "`tokens.a.hash` is missing"),
            ("[tokens.a]\nhash = \"secret\"\nroles = [\"invoke\"]".into(), "it must be `blake3:` and 64"),
            ("tokens = 3".into(), "`tokens` must be a table, not a whole number"),
            ("x\n=".into(), "line 1 is not TOML"),
        ] {
            assert!(mistakes(&text).contains(expected), "{text}: {}", mistakes(&text));
        }
    }

    #[test]
    fn the_number_of_tokens_is_bounded() {
        let list = |count: usize| {
            let one = |number| {
                format!("[tokens.t{number}]\nhash = {:?}\nroles = [\"invoke\"]\n", hash_of(&format!("{number}")))
            };
            (0..count).map(one).collect::<String>()
        };
        assert_eq!(Tokens::parse(&list(TOKENS_MAX)).unwrap().len(), TOKENS_MAX);
        assert!(mistakes(&list(TOKENS_MAX + 1)).contains("there may be at most 1000"));
    }

    #[test]
    fn a_world_writable_or_too_long_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        assert!(matches!(Tokens::read(&path), Err(TokensError::Read { .. })));
        std::fs::write(&path, "").unwrap();
        for (mode, good) in [(0o600, true), (0o664, true), (0o602, false), (0o666, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(Tokens::read(&path).is_ok(), good, "{mode:o}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "#".repeat(BYTES_MAX)).unwrap();
        assert!(Tokens::read(&path).is_ok());
        std::fs::write(&path, "#".repeat(BYTES_MAX + 1)).unwrap();
        assert!(matches!(Tokens::read(&path), Err(TokensError::TooLong { .. })));
    }
}
