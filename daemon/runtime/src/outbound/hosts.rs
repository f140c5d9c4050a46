//! Which hosts a rule is about.

use super::destination::HostName;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hosts {
    Any,
    /// Every name that ends in this, which begins with a dot.
    Below(String),
    One(HostName),
}

impl Hosts {
    /// A name, an address, `*.NAME` for all subdomains of a name but not the name itself, or `*` for every host.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        match (text.strip_prefix("*."), HostName::parse(text.strip_prefix("*.").unwrap_or(text))?) {
            (None, host) => Some(Self::One(host)),
            (Some(_), HostName::Name(name)) => Some(Self::Below(format!(".{name}"))),
            (Some(_), HostName::Address(_)) => None,
        }
    }

    pub fn cover(&self, host: &HostName) -> bool {
        match (self, host) {
            (Self::Any, _) => true,
            (Self::One(listed), host) => listed == host,
            (Self::Below(suffix), HostName::Name(name)) => name.ends_with(suffix.as_str()),
            (Self::Below(_), HostName::Address(_)) => false,
        }
    }

    /// Whether these are all of the `others`, or more.
    pub fn include(&self, others: &Self) -> bool {
        match (self, others) {
            (Self::Any, _) => true,
            (Self::Below(suffix), Self::One(HostName::Name(name)) | Self::Below(name)) => {
                name.ends_with(suffix.as_str())
            }
            (hosts, others) => hosts == others,
        }
    }
}
