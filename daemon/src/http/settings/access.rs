//! Who needs a token, and which pages may read answers.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::http::host::Host;
use crate::settings::{Checker, file_path, one_of, options};

/// Most origins that can be listed.
const ORIGINS_MAX: usize = 100;

/// Most names that can be listed: a request's is compared with each of them.
const NAMES_MAX: usize = 100;

options! {
    #[derive(Clone, Debug, Default)]
    pub struct AccessSettings {
        /// Who needs a token. `auto`: remote clients always, local ones only to make changes, once `tokens` is set.
        /// `tokens`: everybody. `local`: as `auto`, but every client counts as local (for a container whose port is
        /// published on 127.0.0.1 only). `open`: nobody
        mode: AccessMode => "access", WHO = "auto", one_of(&MODES);
        /// Accept the tokens in this TOML file (`nebula token` adds to it); reread when it changes
        tokens: Option<PathBuf> => "tokens", FILE, file_path;
        /// Let pages of these origins read answers: https://a.example,https://b.example, or * for any
        origins: Origins => "cors.origins", ORIGINS, origins, or Origins::Own;
        /// Let local clients without a token call the daemon by these names too: nebula,shop.example. Any other name than
        /// localhost or an address is refused, since a web page may have made it lead here
        names: Names => "http.names", NAMES, names, or Names::default();
    }
}

const MODES: [(&str, AccessMode); 4] = [
    ("auto", AccessMode::Auto),
    ("tokens", AccessMode::Tokens),
    ("local", AccessMode::Local),
    ("open", AccessMode::Open),
];

/// Who needs a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessMode {
    /// Remote clients always; local ones only to make changes, once there are tokens.
    #[default]
    Auto,
    /// Everybody.
    Tokens,
    /// As `Auto`, where every client counts as local: whoever forwards to the port sees to that.
    Local,
    /// Nobody.
    Open,
}

/// The origins whose pages may read answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origins {
    /// Only the daemon's own.
    #[default]
    Own,
    Any,
    /// The daemon's own and these, such as `https://shop.example`.
    Listed(Vec<String>),
}

/// Names of the daemon besides those that mean this machine wherever they are resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

impl Names {
    pub fn contains(&self, name: &str) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name);
        self.0.iter().any(|listed| listed.eq_ignore_ascii_case(name))
    }
}

impl AccessSettings {
    /// Refuses what would let strangers in without a word, or nobody.
    pub fn validate(&self, check: &mut Checker<'_>, addresses: [(&str, Option<SocketAddr>); 2]) {
        let has_tokens = check.text("tokens").is_some();
        if self.mode == AccessMode::Tokens && !has_tokens {
            check.refuse("access", "there are no tokens; pass --tokens FILE (`nebula token` makes one)");
        }
        let is_public = |address: SocketAddr| !address.ip().is_loopback();
        for (key, address) in addresses {
            if self.mode == AccessMode::Auto && !has_tokens && address.is_some_and(is_public) {
                check.refuse(
                    key,
                    "refusing to listen on a public address without authentication; pass --tokens FILE (`nebula token` \
                     makes one), or --access open to allow it",
                );
            }
        }
    }

    /// Whether everybody who can reach `address` may call without a token.
    pub fn is_open_at(&self, address: SocketAddr) -> bool {
        match self.mode {
            AccessMode::Open | AccessMode::Local => true,
            AccessMode::Tokens => false,
            AccessMode::Auto => address.ip().is_loopback(),
        }
    }

    /// Whether everybody who can reach `address` counts as being on this machine.
    pub fn is_local(&self, address: SocketAddr) -> bool {
        self.mode == AccessMode::Local || address.ip().is_loopback()
    }
}

fn origins(text: &str) -> Result<Origins, String> {
    if text.trim() == "*" {
        return Ok(Origins::Any);
    }
    let listed = text.split(',').map(origin).collect::<Result<Vec<_>, _>>()?;
    if listed.len() > ORIGINS_MAX {
        return Err(format!("it may list at most {ORIGINS_MAX} origins"));
    }
    Ok(Origins::Listed(listed))
}

fn names(text: &str) -> Result<Names, String> {
    let name = |name: &str| match Host::parse(name.trim()) {
        Some(Host { name, port: None }) if !name.contains('*') => Ok(name.to_owned()),
        _ => Err(format!("`{}` is not a host name such as shop.example; separate several by commas", name.trim())),
    };
    let listed = text.split(',').map(name).collect::<Result<Vec<_>, _>>()?;
    if listed.len() > NAMES_MAX {
        return Err(format!("it may list at most {NAMES_MAX} names"));
    }
    Ok(Names(listed))
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
            "`{text}` is not an origin such as https://shop.example; separate several by commas, or use * for any"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::settings::Settings;
    use crate::settings::{Mistakes, checked};

    fn check(flags: &[(&str, &str)]) -> Result<AccessSettings, Mistakes> {
        checked(Settings::options(), flags, Settings::check).map(|settings| settings.access)
    }

    #[test]
    fn a_public_address_needs_tokens_or_permission_to_be_open() {
        let everywhere = ("listen", "0.0.0.0:0");
        let refused = check(&[everywhere, ("admin.listen", "[::]:0")]).unwrap_err();
        assert_eq!(refused.0.len(), 2, "{refused}");
        assert!(refused.0[0].starts_with("invalid value `0.0.0.0:0` for --listen: refusing to listen"), "{refused}");
        assert!(refused.0[1].starts_with("invalid value `[::]:0` for --admin-listen"), "{refused}");
        assert!(check(&[("admin.listen", "192.0.2.1:1")]).is_err());
        assert!(check(&[("listen", "127.9.9.9:0"), ("admin.listen", "[::1]:0")]).is_ok());
        for instead in [("tokens", "/t"), ("access", "open"), ("access", "local")] {
            assert!(check(&[everywhere, instead]).is_ok(), "{instead:?}");
        }
        assert!(check(&[("access", "tokens")]).unwrap_err().to_string().contains("`nebula token` makes one"));
        assert!(check(&[("access", "tokens"), ("tokens", "/t")]).is_ok());
        assert!(check(&[("access", "closed")]).unwrap_err().to_string().contains("one of auto, tokens, local, open"));
        assert!(check(&[("tokens", "")]).is_err());
    }

    #[test]
    fn the_mode_and_the_address_decide_who_needs_a_token() {
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
    fn origins_have_the_form_that_browsers_send() {
        let origins = |text| check(&[("cors.origins", text)]).map(|access| access.origins);
        assert_eq!(check(&[]).unwrap().origins, Origins::Own);
        assert_eq!(origins("*").unwrap(), Origins::Any);
        let two = vec!["https://a.example".to_owned(), "http://[::1]:81".to_owned()];
        assert_eq!(origins("https://A.example, http://[::1]:81").unwrap(), Origins::Listed(two));
        for wrong in ["", "a.example", "https://", "https://a/", "https://a,", "https://*.a", "null", "https://me@a"] {
            assert!(origins(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_are_hosts_without_a_port() {
        let names = |text| check(&[("http.names", text)]).map(|access| access.names);
        let listed = names("nebula, Shop.example").unwrap();
        assert!(listed.contains("nebula") && listed.contains("shop.EXAMPLE.") && !listed.contains("example"));
        for wrong in ["", "a,", "a:80", "https://a", "*", "*.a", "a b"] {
            assert!(names(wrong).is_err(), "{wrong}");
        }
        let many = vec!["a"; NAMES_MAX + 1].join(",");
        assert!(names(&many).unwrap_err().to_string().contains("at most 100") && names(&many[2..]).is_ok());
    }
}
