//! Who may come in, how their connections are protected, and which pages may call.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{Checker, one_of};
use crate::http::{AccessMode, AccessSettings, Origins, TlsFiles};

impl Checker<'_> {
    pub(super) fn access(&mut self, listen: SocketAddr, admin: Option<SocketAddr>) -> AccessSettings {
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
        AccessSettings {
            mode,
            tokens,
            origins: self.optional("cors.origins", Origins::parse).unwrap_or_default(),
            tls: self.tls(),
        }
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

#[cfg(test)]
mod tests {
    use super::super::{Config, Layers, Mistakes};
    use super::*;

    fn check(flags: &[(&str, &str)]) -> Result<AccessSettings, Mistakes> {
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
    fn tls_needs_a_certificate_and_its_key() {
        let access = check(&[("tls.cert", "/c"), ("tls.key", "/k")]).unwrap();
        assert_eq!(access.tls, Some(TlsFiles { certificates: "/c".into(), key: "/k".into() }));
        assert!(check(&[("tls.cert", "/c")]).unwrap_err().to_string().contains("give `tls.key` too"));
        assert!(check(&[("tls.key", "/k")]).unwrap_err().to_string().contains("give `tls.cert` too"));
    }
}
