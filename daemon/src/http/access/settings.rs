//! What the options say about access.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Most origins that can be listed.
const ORIGINS_MAX: usize = 100;

/// What the options say about access.
#[derive(Clone, Debug, Default)]
pub struct AccessSettings {
    pub mode: AccessMode,
    /// The file of tokens.
    pub tokens: Option<PathBuf>,
    pub origins: Origins,
    /// `None` where the daemon speaks plain HTTP.
    pub tls: Option<TlsFiles>,
}

/// Who needs a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessMode {
    /// Remote clients always; local ones only to make changes, and only if there is a file of tokens.
    #[default]
    Auto,
    /// Everybody.
    Tokens,
    /// As `Auto`, with every client counted as local: whatever forwards to the daemon admits nobody else.
    Local,
    /// Nobody.
    Open,
}

/// Which web pages of other origins may read answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origins {
    /// None.
    #[default]
    Own,
    /// All.
    Any,
    /// Pages of these origins, such as `https://shop.example`.
    Listed(Vec<String>),
}

/// The files of a TLS certificate, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The daemon's certificate, followed by the intermediate ones.
    pub certificates: PathBuf,
    pub key: PathBuf,
}

impl AccessSettings {
    /// Whether clients of `address` may call functions without a token.
    #[must_use]
    pub fn is_open_at(&self, address: SocketAddr) -> bool {
        match self.mode {
            AccessMode::Open | AccessMode::Local => true,
            AccessMode::Tokens => false,
            AccessMode::Auto => address.ip().is_loopback(),
        }
    }

    /// Whether clients of `address` count as being on this machine.
    #[must_use]
    pub fn is_local(&self, address: SocketAddr) -> bool {
        self.mode == AccessMode::Local || address.ip().is_loopback()
    }
}

impl Origins {
    /// Reads `*`, or origins with commas between them.
    ///
    /// # Errors
    /// Names the entry that is not an origin.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim() == "*" {
            return Ok(Self::Any);
        }
        let listed = text.split(',').map(origin).collect::<Result<Vec<_>, _>>()?;
        if listed.len() > ORIGINS_MAX {
            return Err(format!("it may list at most {ORIGINS_MAX}"));
        }
        Ok(Self::Listed(listed))
    }
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
    use super::*;

    #[test]
    fn openness_depends_on_the_address_unless_the_mode_says_otherwise() {
        let (here, there) = ("127.0.0.1:1".parse().unwrap(), "192.0.2.1:1".parse().unwrap());
        for (mode, open, local) in [
            (AccessMode::Auto, [true, false], [true, false]),
            (AccessMode::Tokens, [false; 2], [true, false]),
            (AccessMode::Local, [true; 2], [true; 2]),
            (AccessMode::Open, [true; 2], [true, false]),
        ] {
            let settings = AccessSettings { mode, ..AccessSettings::default() };
            assert_eq!([here, there].map(|address| settings.is_open_at(address)), open, "{mode:?}");
            assert_eq!([here, there].map(|address| settings.is_local(address)), local, "{mode:?}");
        }
    }

    #[test]
    fn origins_are_what_browsers_write() {
        assert_eq!(Origins::parse("*").unwrap(), Origins::Any);
        let two = vec!["https://a.example".to_owned(), "http://[::1]:81".to_owned()];
        assert_eq!(Origins::parse("https://A.example, http://[::1]:81").unwrap(), Origins::Listed(two));
        for wrong in ["", "a.example", "https://", "https://a/", "https://a,", "https://*.a", "null", "https://me@a"] {
            assert!(Origins::parse(wrong).is_err(), "{wrong}");
        }
    }
}
