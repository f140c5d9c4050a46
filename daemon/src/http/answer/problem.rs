//! Everything that can go wrong with a request, and the only place that turns it into a status.

use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{ALLOW, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde::Serialize;
use uuid::Uuid;

use crate::causes::chain;
use crate::functions::{Broken, DeployError};
use crate::http::Response;
use crate::http::access::Denied;
use crate::http::answer::envelope::Cost;
use crate::http::answer::{PROBLEM, json};
use crate::invocation::Refused;
use crate::quota::Limit;
use crate::telemetry::NoRoom;
use nebula_runtime::Ending;

/// Seconds after which a refused caller may try again: calls are short.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// A request that is not answered with what it asked for.
#[derive(Debug)]
pub enum Problem {
    NoRoute(String),
    UnknownFunction(String),
    UnknownInvocation(Uuid),
    OperatorsOnly,
    /// No accounts are stored, and why.
    NoAccounts(String),
    /// Who asks may not, or is not known.
    Denied(Denied),
    MethodNotAllowed(&'static str),
    BadRequest(String),
    BodyTooLarge {
        bytes_max: usize,
        limit: &'static str,
    },
    BodyTooSlow {
        time_max: Duration,
    },
    /// A call that was not let in; made by [`crate::http::answer::exposure::Door::refused`], which leaves out what is not to be told.
    Refused(Refused),
    /// As many listen to events as may.
    TooManyListeners(NoRoom),
    Draining,
    Unhealthy(String),
    /// What is served stays as it is.
    NotDeployed(DeployError),
    Guest(Ending),
    /// The output of a command at `/fn` is no CGI answer.
    BadAnswer(String),
}

/// The answer of RFC 9457, with what is known of the call.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(flatten)]
    call: Option<FailedCall<'a>>,
}

/// A call that ran and failed. What it cost it cost all the same.
#[derive(Debug, Serialize)]
pub struct FailedCall<'a> {
    pub function: &'a str,
    pub invocation_id: Uuid,
    pub exit_code: Option<i32>,
    /// The end of what the guest wrote to stderr.
    pub stderr: String,
    #[serde(flatten)]
    pub cost: Cost,
}

impl Document<'_> {
    /// What kind of problem it is, for people.
    pub fn title(&self) -> &'static str {
        self.title
    }

    /// What happened, and what to do about it.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl Problem {
    /// The status, a name for programs, and a title for people.
    fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::NoRoute(_) => (StatusCode::NOT_FOUND, "no-route", "Nothing is here"),
            Self::UnknownFunction(_) => (StatusCode::NOT_FOUND, "unknown-function", "No such function"),
            Self::UnknownInvocation(_) => (StatusCode::NOT_FOUND, "unknown-invocation", "No such call"),
            Self::NoAccounts(_) => (StatusCode::NOT_FOUND, "no-accounts", "No accounts are stored"),
            Self::OperatorsOnly => (StatusCode::FORBIDDEN, "operators-only", "This is for operators"),
            Self::Denied(denied) => denied.kind(),
            Self::MethodNotAllowed(_) => (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed"),
            Self::BadRequest(_) => (StatusCode::BAD_REQUEST, "bad-request", "The request cannot be understood"),
            Self::BodyTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large"),
            Self::BodyTooSlow { .. } => (StatusCode::REQUEST_TIMEOUT, "body-too-slow", "The body came too slowly"),
            Self::Refused(Refused::Busy(_)) => (StatusCode::SERVICE_UNAVAILABLE, "busy", "Too many calls"),
            Self::Refused(Refused::Power(_)) => {
                (StatusCode::SERVICE_UNAVAILABLE, "power-cap", "The functions draw as much power as they may")
            }
            Self::Refused(Refused::Quota(exceeded)) => match exceeded.limit {
                Limit::CallsPerSecond(_) => {
                    (StatusCode::TOO_MANY_REQUESTS, "quota-calls-per-second", "Too many calls within a second")
                }
                Limit::Concurrency(_) => (StatusCode::TOO_MANY_REQUESTS, "quota-concurrency", "Too many calls at once"),
                Limit::JoulesPerHour { .. } => {
                    (StatusCode::TOO_MANY_REQUESTS, "quota-joules-per-hour", "The energy of this hour is used up")
                }
            },
            Self::TooManyListeners(_) => (StatusCode::SERVICE_UNAVAILABLE, "too-many-listeners", "Too many listeners"),
            Self::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining", "The daemon is about to end"),
            Self::Unhealthy(_) => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy", "The meter does not work"),
            Self::BadAnswer(_) => (StatusCode::BAD_GATEWAY, "bad-answer", "The function's answer cannot be understood"),
            Self::NotDeployed(why) => not_deployed(why),
            Self::Guest(ending) => match ending {
                Ending::BadInput(_) => {
                    (StatusCode::BAD_REQUEST, "bad-input", "The input is not what the function takes")
                }
                Ending::TimedOut => (StatusCode::GATEWAY_TIMEOUT, "timeout", "The function ran for too long"),
                Ending::Exited(_) => (StatusCode::INTERNAL_SERVER_ERROR, "exit", "The function reported a failure"),
                // Not 5xx, which callers and proxies take for a reason to try again, and to spend the same once more.
                Ending::OverEnergy => (
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "over-energy-budget",
                    "The function used more energy than it may",
                ),
                Ending::OverCpu => {
                    (StatusCode::UNPROCESSABLE_ENTITY, "over-cpu-budget", "The function used more CPU time than it may")
                }
                Ending::NoAnswer => (StatusCode::BAD_GATEWAY, "no-answer", "The function answered nothing"),
                Ending::Refused(_) => (StatusCode::BAD_GATEWAY, "guest-error", "The function answered with an error"),
                Ending::OutOfMemory => (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "out-of-memory",
                    "The function needs more memory than it may have",
                ),
                Ending::OutputTooLarge => {
                    (StatusCode::INTERNAL_SERVER_ERROR, "output-too-large", "The function wrote more than it may")
                }
                Ending::Trapped(_) | Ending::Returned | Ending::Answered(_) => {
                    (StatusCode::INTERNAL_SERVER_ERROR, "trap", "The function was stopped")
                }
            },
        }
    }

    /// What happened, and what to do about it.
    fn detail(&self) -> String {
        match self {
            Self::NoRoute(path) => format!("there is nothing at `{path}`; `/` lists what there is"),
            Self::UnknownFunction(name) => format!("there is no function `{name}`; `/functions` lists them"),
            Self::UnknownInvocation(id) => {
                format!("no call `{id}` is known: only so many are remembered (`meter.recent`)")
            }
            Self::NoAccounts(why) => {
                format!("what functions use is not stored: {why}; /energy has what was used since the start")
            }
            Self::OperatorsOnly => {
                "it is not for callers here; it is served at the operators' address (`admin.listen`), and what tells joules \
                 also to tokens of the role `operate`"
                    .into()
            }
            Self::Denied(denied) => denied.detail(),
            Self::MethodNotAllowed(allowed) => format!("the methods allowed here are: {allowed}"),
            Self::BadRequest(why) | Self::Unhealthy(why) | Self::BadAnswer(why) => why.clone(),
            Self::BodyTooLarge { bytes_max, limit } => format!("a body may have {bytes_max} bytes here (`{limit}`)"),
            Self::BodyTooSlow { time_max } => format!("a body must arrive within {time_max:?} (`http.body-timeout`)"),
            Self::Refused(Refused::Quota(exceeded)) => {
                format!("{exceeded}; try again in {} s", whole_seconds(exceeded.wait))
            }
            Self::Refused(refused) => format!("{refused}; try again later"),
            Self::TooManyListeners(no_room) => format!("{no_room}; try again later"),
            Self::Draining => "no new calls are taken; try again later".into(),
            Self::NotDeployed(why) => chain(why),
            Self::Guest(ending) => match ending {
                Ending::BadInput(why) => why.clone(),
                Ending::TimedOut => "it was stopped at its deadline (`limits.wall`)".into(),
                Ending::Exited(code) => format!("it exited with {code}; `stderr` may tell why"),
                Ending::OverEnergy => "it was stopped beyond its budget (`limits.max_joules` in its manifest)".into(),
                Ending::OverCpu => "it was stopped beyond its budget (`limits.cpu` in its manifest)".into(),
                Ending::NoAnswer => "it came to its end without an answer; `stderr` may tell why".into(),
                Ending::Refused(why) => format!("instead of an answer it gave: {why}"),
                Ending::OutOfMemory => "it was refused more memory (`limits.memory`) and failed".into(),
                Ending::OutputTooLarge => "it was stopped at the bound of its output (`limits.stdout`)".into(),
                Ending::Trapped(trap) => trap.clone(),
                Ending::Returned | Ending::Answered(_) => String::new(),
            },
        }
    }

    /// The document that describes it, and its status.
    pub fn document<'a>(&self, call: Option<FailedCall<'a>>) -> (StatusCode, Document<'a>) {
        let (status, name, title) = self.kind();
        let kind = format!("urn:nebula:{name}");
        (status, Document { kind, title, status: status.as_u16(), detail: self.detail(), call })
    }

    /// The whole answer.
    pub fn response(&self, call: Option<FailedCall<'_>>) -> Response {
        let (status, document) = self.document(call);
        let mut response = json(status, PROBLEM, &document);
        match self {
            Self::Refused(Refused::Quota(exceeded)) => {
                response.headers_mut().insert(RETRY_AFTER, whole_seconds(exceeded.wait).into());
            }
            Self::Refused(_) | Self::TooManyListeners(_) | Self::Draining | Self::NotDeployed(DeployError::Busy(_)) => {
                response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
            }
            Self::MethodNotAllowed(allowed) => {
                response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            }
            Self::Denied(denied) => {
                if let Some(challenge) = denied.challenge() {
                    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
                }
            }
            _ => {}
        }
        response
    }
}

impl From<DeployError> for Problem {
    fn from(error: DeployError) -> Self {
        Self::NotDeployed(error)
    }
}

fn not_deployed(why: &DeployError) -> (StatusCode, &'static str, &'static str) {
    match why {
        DeployError::Broken(Broken::TooLarge { .. }) => {
            (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "The module is too large")
        }
        DeployError::Broken(Broken::TooMany(_) | Broken::TooManyVersions(_)) => {
            (StatusCode::INSUFFICIENT_STORAGE, "too-many-functions", "There are too many functions")
        }
        DeployError::Broken(_) | DeployError::Directory(_) => {
            (StatusCode::UNPROCESSABLE_ENTITY, "not-deployable", "The function cannot be served")
        }
        DeployError::Unknown(_) => (StatusCode::NOT_FOUND, "unknown-function", "No such function"),
        DeployError::Conflict(_) => {
            (StatusCode::PRECONDITION_FAILED, "version-conflict", "Another version is served than the request is about")
        }
        DeployError::OfModules { .. } => (StatusCode::CONFLICT, "of-modules", "The function is listed in a file"),
        DeployError::BuiltIn(_) => (StatusCode::CONFLICT, "built-in", "The function comes with the program"),
        DeployError::NoVersion { .. } => (StatusCode::CONFLICT, "no-such-version", "There is no such version"),
        DeployError::Nowhere => (StatusCode::CONFLICT, "nowhere", "Functions cannot be kept"),
        DeployError::Busy(_) => (StatusCode::SERVICE_UNAVAILABLE, "busy", "Too many compilations"),
        DeployError::Write { .. } | DeployError::History(_) => {
            (StatusCode::INSUFFICIENT_STORAGE, "not-written", "The function cannot be kept")
        }
    }
}

/// The least number of whole seconds that is not shorter, and not none at all.
///
/// Source: RFC 9110, section 10.2.3: `Retry-After` has no fractions.
fn whole_seconds(time: Duration) -> u64 {
    (time.as_secs() + u64::from(time.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_never_told_to_come_too_early() {
        for (nanos, seconds) in [(0, 1), (1, 1), (1_000_000_000, 1), (1_000_000_001, 2), (3_659_999_999_999, 3660)] {
            assert_eq!(whole_seconds(Duration::from_nanos(nanos)), seconds, "{nanos}");
        }
    }
}
