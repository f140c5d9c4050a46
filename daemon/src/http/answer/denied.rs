//! Why a request is not let in.

use hyper::StatusCode;
use hyper::header::HeaderValue;

use crate::http::role::Role;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    NoToken,
    /// Also after it was revoked.
    BadToken,
    /// The token has a lower role.
    NeedsRole(Role),
    /// The token is for other functions.
    NotForFunction(String),
    /// A web page of this origin sent it.
    ForeignOrigin(String),
    /// A page that a function answered sent it.
    NotOurPage,
    /// The daemon is called by this name, which some web page may have made to lead here.
    ForeignHost(String),
}

impl Denied {
    /// The status, a name for programs, and a title for people.
    pub fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::NoToken => (StatusCode::UNAUTHORIZED, "no-token", "A token is needed"),
            Self::BadToken => (StatusCode::UNAUTHORIZED, "bad-token", "The token is unknown"),
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
            Self::NoToken => "send a token: `Authorization: Bearer nebula_…`".into(),
            Self::BadToken => "this daemon does not know the token; it may have been revoked".into(),
            Self::NeedsRole(role) => format!("this needs a token with the role `{role}`"),
            Self::NotForFunction(name) => format!("this token is not for `{name}`"),
            Self::ForeignOrigin(origin) => format!(
                "a page of `{origin}` sent the request, and only the daemon's own page and the origins in `cors.origins` may make \
                 changes"
            ),
            Self::NotOurPage => {
                "without a token only the daemon's own page may make changes; reload it if the daemon has been \
                 restarted"
                    .into()
            }
            Self::ForeignHost(host) => format!(
                "the request calls this daemon `{host}`; without a token, changes must use a name of this machine, such as \
                 localhost or 127.0.0.1"
            ),
        }
    }

    /// The value of `WWW-Authenticate`. Source: RFC 6750, section 3.
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
