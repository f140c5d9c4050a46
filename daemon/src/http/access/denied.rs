//! Why somebody is not let in, and what they are told.

use hyper::StatusCode;
use hyper::header::HeaderValue;

use super::role::Role;
use crate::http::answer::problem::Problem;

/// Why somebody is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// No token came.
    NoToken,
    /// What came is none that is known.
    BadToken,
    /// The token has no role that may do this.
    NeedsRole(Role),
    /// The token is for other functions.
    NotForFunction(String),
    /// A page of this origin asked for it.
    ForeignOrigin(String),
    /// A page of the daemon's origin asked for it, and not its own.
    NotOurPage,
    /// A page may have asked for it under a name that leads here and is not ours.
    ForeignHost(String),
}

impl Denied {
    /// The status, a name for programs, and a title for people.
    pub fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::NoToken => (StatusCode::UNAUTHORIZED, "no-token", "A token is needed"),
            Self::BadToken => (StatusCode::UNAUTHORIZED, "bad-token", "The token is not known"),
            Self::NeedsRole(_) => (StatusCode::FORBIDDEN, "needs-role", "The token does not allow this"),
            Self::NotForFunction(_) => (StatusCode::FORBIDDEN, "other-functions", "The token is for other functions"),
            Self::ForeignOrigin(_) => (StatusCode::FORBIDDEN, "foreign-origin", "Not from this page"),
            Self::NotOurPage => (StatusCode::FORBIDDEN, "not-our-page", "Not from this page"),
            Self::ForeignHost(_) => (StatusCode::FORBIDDEN, "foreign-host", "Not under this name"),
        }
    }

    /// What happened, and what to do about it.
    pub fn detail(&self) -> String {
        match self {
            Self::NoToken => "say who you are: `Authorization: Bearer nebula_…`".into(),
            Self::BadToken => {
                "what the request brought is no token that is known here; it may have been revoked".into()
            }
            Self::NeedsRole(role) => format!("this needs a token of the role `{role}`"),
            Self::NotForFunction(name) => format!("this token is not for `{name}`"),
            Self::ForeignOrigin(origin) => format!(
                "a page of `{origin}` asked for it, and only the daemon's own pages may change something, or those that \
                 `cors.origins` names"
            ),
            Self::NotOurPage => {
                "without a token only the daemon's own page may change something: load it again, for the daemon \
                 was started since"
                    .into()
            }
            Self::ForeignHost(host) => format!(
                "the request calls this daemon `{host}`; without a token it can be changed only under a name of this \
                 machine itself, such as localhost or 127.0.0.1"
            ),
        }
    }

    /// What is asked for. Source: RFC 6750, section 3.
    pub fn challenge(&self) -> Option<HeaderValue> {
        Some(match self {
            Self::NoToken => HeaderValue::from_static("Bearer realm=\"nebula\""),
            Self::BadToken => HeaderValue::from_static("Bearer realm=\"nebula\", error=\"invalid_token\""),
            Self::NeedsRole(role) => HeaderValue::from_static(match role {
                Role::Invoke => "Bearer realm=\"nebula\", error=\"insufficient_scope\", scope=\"invoke\"",
                Role::Deploy => "Bearer realm=\"nebula\", error=\"insufficient_scope\", scope=\"deploy\"",
                Role::Operate => "Bearer realm=\"nebula\", error=\"insufficient_scope\", scope=\"operate\"",
            }),
            Self::NotForFunction(_) | Self::ForeignOrigin(_) | Self::NotOurPage | Self::ForeignHost(_) => return None,
        })
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}
