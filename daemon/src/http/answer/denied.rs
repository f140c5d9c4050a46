//! Why a request is not let in.

use hyper::header::HeaderValue;
use thiserror::Error;

use crate::http::role::Role;

/// The status, the name for programs, and the title for people.
pub type Kind = (u16, &'static str, &'static str);

/// The text says what happened, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Denied {
    #[error("send a token: `Authorization: Bearer nebula_…`")]
    NoToken,
    #[error("this daemon does not know the token; it may have been revoked")]
    BadToken,
    #[error("this needs a token with the role `{0}`")]
    NeedsRole(Role),
    #[error("this token is not for `{0}`")]
    NotForFunction(String),
    #[error(
        "a page of `{0}` sent the request, and only the daemon's own page and the origins in `cors.origins` may make changes"
    )]
    ForeignOrigin(String),
    /// A page that a function answered sent it.
    #[error("without a token only the daemon's own page may make changes; reload it if the daemon has been restarted")]
    NotOurPage,
    /// The daemon is called by this name, which some web page may have made to lead here.
    #[error(
        "the request calls this daemon `{0}`; without a token, use a name of this machine, such as localhost or 127.0.0.1, \
         or list this one in `http.names`"
    )]
    ForeignHost(String),
}

impl Denied {
    pub fn kind(&self) -> Kind {
        match self {
            Self::NoToken => (401, "no-token", "A token is needed"),
            Self::BadToken => (401, "bad-token", "The token is unknown"),
            Self::NeedsRole(_) => (403, "needs-role", "The token does not allow this"),
            Self::NotForFunction(_) => (403, "other-functions", "The token is for other functions"),
            Self::ForeignOrigin(_) => (403, "foreign-origin", "Not from this page"),
            Self::NotOurPage => (403, "not-our-page", "Not from this page"),
            Self::ForeignHost(_) => (403, "foreign-host", "Not under this name"),
        }
    }

    /// The value of `WWW-Authenticate`. Source: RFC 6750, section 3.
    pub fn challenge(&self) -> Option<HeaderValue> {
        let error = match self {
            Self::NoToken => String::new(),
            Self::BadToken => ", error=\"invalid_token\"".into(),
            Self::NeedsRole(role) => format!(", error=\"insufficient_scope\", scope=\"{role}\""),
            Self::NotForFunction(_) | Self::ForeignOrigin(_) | Self::NotOurPage | Self::ForeignHost(_) => return None,
        };
        HeaderValue::try_from(format!("Bearer realm=\"nebula\"{error}")).ok()
    }
}
