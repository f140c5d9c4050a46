//! Who may come in, how their connections are protected, and which pages may call.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{Checker, one_of};

/// Most origins that can be listed.
const ORIGINS_MAX: usize = 100;

/// Who may come in.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Of whom a token is asked.
    pub mode: AccessMode,
    /// The file of tokens.
    pub tokens: Option<PathBuf>,
    /// Pages of which origins may use the answers.
    pub origins: Origins,
    /// What the daemon proves with who it is, where it speaks TLS.
    pub tls: Option<TlsFiles>,
}

/// Of whom a token is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessMode {
    /// Of those who do not come from this machine; and of those who do, where tokens are given, for what changes something.
    #[default]
    Auto,
    /// Of everybody.
    Tokens,
    /// As `Auto` on loopback, at every address: who can reach it is on this machine, because whoever forwards to it sees to that.
    Local,
    /// Of nobody.
    Open,
}

/// Pages of which origins may use the answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origins {
    /// Only the daemon's own.
    #[default]
    Own,
    /// Those of anywhere.
    Any,
    /// These besides, such as `https://shop.example`.
    Listed(Vec<String>),
}

/// What the daemon proves with who it is, as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Its certificate, and those between it and an authority.
    pub certificates: PathBuf,
    /// The key of its certificate.
    pub key: PathBuf,
}

impl Access {
    /// Whether anybody who can reach `address` may call without being asked who they are.
    #[must_use]
    pub fn is_open_at(&self, address: SocketAddr) -> bool {
        match self.mode {
            AccessMode::Open | AccessMode::Local => true,
            AccessMode::Tokens => false,
            AccessMode::Auto => address.ip().is_loopback(),
        }
    }

    /// Whether those who can reach `address` count as being on this machine.
    #[must_use]
    pub fn is_local(&self, address: SocketAddr) -> bool {
        self.mode == AccessMode::Local || address.ip().is_loopback()
    }
}

impl Checker<'_> {
    pub(super) fn access(&mut self, listen: SocketAddr, admin: Option<SocketAddr>) -> Access {
        let modes = [
            ("auto", AccessMode::Auto),
            ("tokens", AccessMode::Tokens),
            ("local", AccessMode::Local),
            ("open", AccessMode::Open),
        ];
        let mode = self.parse("access", one_of(&modes));
        let tokens = self.optional("tokens", file);
        let has_tokens = self.layers.value("tokens").is_some();
        if mode == AccessMode::Tokens && !has_tokens {
            self.refuse("access", "there is no file of tokens; give one with `tokens` (`nebula token` makes it)");
        }
        for (key, address) in [("listen", Some(listen)), ("admin.listen", admin)] {
            if mode == AccessMode::Auto && !has_tokens && address.is_some_and(|address| !address.ip().is_loopback()) {
                self.refuse(
                    key,
                    "others than this machine could reach it, and nobody would be asked who they are; give a file of \
                     tokens with `tokens` (`nebula token` makes it), or ask for this with `access = \"open\"`",
                );
            }
        }
        Access { mode, tokens, origins: self.optional("cors.origins", origins).unwrap_or_default(), tls: self.tls() }
    }

    fn tls(&mut self) -> Option<TlsFiles> {
        let (certificates, key) = (self.optional("tls.cert", file), self.optional("tls.key", file));
        for (one, other) in [("tls.cert", "tls.key"), ("tls.key", "tls.cert")] {
            if self.layers.value(other).is_none() {
                self.refuse(one, &format!("TLS needs both; give `{other}` too"));
            }
        }
        Some(TlsFiles { certificates: certificates?, key: key? })
    }

    /// Notes that a value is wrong although it can be read.
    fn refuse(&mut self, key: &str, why: &str) {
        if let Some((value, origin)) = self.layers.value(key) {
            self.mistakes.push(format!("`{value}` is no good for {origin}: {why}"));
        }
    }
}

fn file(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("it must name a file".into()) } else { Ok(text.into()) }
}

fn origins(text: &str) -> Result<Origins, String> {
    if text.trim() == "*" {
        return Ok(Origins::Any);
    }
    let listed = text.split(',').map(origin).collect::<Result<Vec<_>, _>>()?;
    if listed.len() > ORIGINS_MAX {
        return Err(format!("it may list at most {ORIGINS_MAX}"));
    }
    Ok(Origins::Listed(listed))
}

/// An origin as browsers write it. Source: RFC 6454, section 6.2.
fn origin(text: &str) -> Result<String, String> {
    let text = text.trim();
    let of_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    match text.split_once("://") {
        Some((scheme, host))
            if !host.is_empty()
                && host.bytes().all(of_host)
                && !scheme.is_empty()
                && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) =>
        {
            Ok(text.to_ascii_lowercase())
        }
        _ => Err(format!(
            "`{text}` is no origin, such as https://shop.example; several have commas between them, and * is any"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Layers, Mistakes};
    use super::*;

    fn check(flags: &[(&str, &str)]) -> Result<Access, Mistakes> {
        let find = |key: &str| flags.iter().find(|(name, _)| *name == key).map(|(_, value)| (*value).to_owned());
        let mut mistakes = Vec::new();
        let layers = Layers::stack(find, |_| None, &std::collections::BTreeMap::new(), &mut mistakes);
        Config::check(&layers, mistakes).map(|config| config.access)
    }

    #[test]
    fn an_address_for_others_needs_tokens_or_openness_that_is_asked_for() {
        let everywhere = ("listen", "0.0.0.0:0");
        let told = check(&[everywhere, ("admin.listen", "[::]:0")]).unwrap_err();
        assert_eq!(told.0.len(), 2, "{told}");
        assert!(told.0[0].starts_with("`0.0.0.0:0` is no good for --listen: others than this machine"), "{told}");
        assert!(told.0[1].starts_with("`[::]:0` is no good for --admin-listen"), "{told}");
        assert!(check(&[("admin.listen", "192.0.2.1:1")]).is_err());
        assert!(check(&[("listen", "127.9.9.9:0"), ("admin.listen", "[::1]:0")]).is_ok());
        for instead in [("tokens", "/t"), ("access", "open"), ("access", "local")] {
            assert!(check(&[everywhere, instead]).is_ok(), "{instead:?}");
        }
        assert!(check(&[("access", "tokens")]).unwrap_err().to_string().contains("`nebula token` makes it"));
        assert!(check(&[("access", "tokens"), ("tokens", "/t")]).is_ok());
        assert!(check(&[("access", "closed")]).unwrap_err().to_string().contains("one of auto, tokens, local, open"));
        assert!(check(&[("tokens", "")]).is_err());
    }

    #[test]
    fn openness_depends_on_the_address_unless_it_is_said() {
        let (here, there) = ("127.0.0.1:1".parse().unwrap(), "192.0.2.1:1".parse().unwrap());
        let tokens = ("tokens", "/t");
        for (mode, open, local) in [
            ("auto", [true, false], [true, false]),
            ("tokens", [false; 2], [true, false]),
            ("local", [true; 2], [true; 2]),
            ("open", [true; 2], [true, false]),
        ] {
            let access = check(&[tokens, ("access", mode)]).unwrap();
            assert_eq!([here, there].map(|address| access.is_open_at(address)), open, "{mode}");
            assert_eq!([here, there].map(|address| access.is_local(address)), local, "{mode}");
        }
    }

    #[test]
    fn tls_needs_a_certificate_and_its_key() {
        let access = check(&[("tls.cert", "/c"), ("tls.key", "/k")]).unwrap();
        assert_eq!(access.tls, Some(TlsFiles { certificates: "/c".into(), key: "/k".into() }));
        assert!(check(&[("tls.cert", "/c")]).unwrap_err().to_string().contains("give `tls.key` too"));
        assert!(check(&[("tls.key", "/k")]).unwrap_err().to_string().contains("give `tls.cert` too"));
    }

    #[test]
    fn origins_are_what_browsers_write() {
        let origins = |text| check(&[("cors.origins", text)]).map(|access| access.origins);
        assert_eq!(check(&[]).unwrap().origins, Origins::Own);
        assert_eq!(origins("*").unwrap(), Origins::Any);
        let two = vec!["https://a.example".to_owned(), "http://[::1]:81".to_owned()];
        assert_eq!(origins("https://A.example, http://[::1]:81").unwrap(), Origins::Listed(two));
        for wrong in ["", "a.example", "https://", "https://a/", "https://a,", "https://*.a", "null", "https://me@a"] {
            assert!(origins(wrong).is_err(), "{wrong}");
        }
    }
}
