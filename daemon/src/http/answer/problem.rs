//! Everything that can go wrong with a request, and the only place that turns it into a status: one table, by room.

use std::time::Duration;

use hyper::StatusCode;
use nebula_api::problem::{FailedCall, Problem as Document};
use uuid::Uuid;

use super::denied::Denied;
use crate::causes::chain;
use crate::functions::{Broken, DeployError};
use crate::invocation::Refused;
use crate::quota::Limit;
use crate::telemetry::SubscribeError;
use nebula_runtime::Ending;

/// When to try again where nothing better is known: calls are short.
const SOON: Option<Duration> = Some(Duration::from_secs(1));

/// A request that does not get what it asked for.
#[derive(Debug)]
pub enum Problem {
    NoRoute(String),
    UnknownFunction(String),
    UnknownInvocation(Uuid),
    OperatorsOnly,
    /// No accounts are stored, and why.
    NoAccounts(String),
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
    /// Made by [`crate::http::answer::exposure::Exposure::refused`], which leaves out what this client may not see.
    Refused(Refused),
    TooManyListeners(SubscribeError),
    Draining,
    Unhealthy(String),
    NotDeployed(DeployError),
    Guest(Ending),
    /// The output of a command at `/fn` is not a CGI answer.
    BadAnswer(String),
}

/// A row of the table.
struct Row {
    status: StatusCode,
    /// For programs: `type` without its prefix.
    name: &'static str,
    title: &'static str,
    /// What happened, and what to do about it.
    detail: String,
    /// When it is worth trying again, if waiting helps.
    retry: Option<Duration>,
}

fn row(status: StatusCode, name: &'static str, title: &'static str, detail: impl Into<String>) -> Row {
    Row { status, name, title, detail: detail.into(), retry: None }
}

fn soon(status: StatusCode, name: &'static str, title: &'static str, detail: impl Into<String>) -> Row {
    Row { retry: SOON, ..row(status, name, title, detail) }
}

impl Problem {
    /// The document that describes the problem, with the call that failed if one ran.
    pub fn document<'a>(&self, call: Option<FailedCall<'a>>) -> Document<'a> {
        let Row { status, name, title, detail, .. } = self.row();
        Document {
            kind: format!("urn:nebula:{name}").into(),
            title: title.into(),
            status: status.as_u16(),
            detail,
            call,
        }
    }

    /// After how many seconds it is worth trying again: the least whole number that is not too early, and not 0.
    ///
    /// Source: RFC 9110, section 10.2.3: `Retry-After` has no fractions.
    pub fn retry_after(&self) -> Option<u64> {
        self.row().retry.map(whole_seconds)
    }

    fn row(&self) -> Row {
        use StatusCode as S;
        match self {
            Self::NoRoute(path) => row(
                S::NOT_FOUND,
                "no-route",
                "Nothing here",
                format!("nothing is at `{path}`; `/` lists what there is"),
            ),
            Self::MethodNotAllowed(allowed) => row(
                S::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "Method not allowed",
                format!("this path allows: {allowed}"),
            ),
            Self::BadRequest(why) => row(S::BAD_REQUEST, "bad-request", "Bad request", why),
            Self::BodyTooLarge { bytes_max, limit } => row(
                S::PAYLOAD_TOO_LARGE,
                "body-too-large",
                "The body is too large",
                format!("a body may have at most {bytes_max} bytes here (`{limit}`)"),
            ),
            Self::BodyTooSlow { time_max } => row(
                S::REQUEST_TIMEOUT,
                "body-too-slow",
                "The body came too slowly",
                format!("a body must arrive within {time_max:?} (`http.body-timeout`)"),
            ),
            Self::UnknownFunction(name) => row(
                S::NOT_FOUND,
                "unknown-function",
                "No such function",
                format!("there is no function `{name}`; `/functions` lists them"),
            ),
            Self::UnknownInvocation(id) => row(
                S::NOT_FOUND,
                "unknown-invocation",
                "No such call",
                format!("no call `{id}` is known; the daemon remembers only the last ones (`meter.recent`)"),
            ),
            Self::NoAccounts(why) => row(
                S::NOT_FOUND,
                "no-accounts",
                "No accounts are stored",
                format!("accounts are not stored: {why}; `/energy` shows what was used since the daemon started"),
            ),
            Self::OperatorsOnly => row(
                S::FORBIDDEN,
                "operators-only",
                "For operators only",
                "this is served at the operators' address (`admin.listen`); figures about joules are also shown to tokens \
                 with the role `operate`",
            ),
            Self::Denied(denied) => {
                let (status, name, title) = denied.kind();
                row(status, name, title, denied.detail())
            }
            Self::Refused(refused) => of_refused(refused),
            Self::TooManyListeners(no_room) => soon(
                S::SERVICE_UNAVAILABLE,
                "too-many-listeners",
                "Too many listeners",
                format!("{no_room}; try again later"),
            ),
            Self::Draining => soon(
                S::SERVICE_UNAVAILABLE,
                "draining",
                "The daemon is shutting down",
                "the daemon takes no new calls; try again later",
            ),
            Self::Unhealthy(why) => row(S::SERVICE_UNAVAILABLE, "unhealthy", "The daemon is not healthy", why),
            Self::NotDeployed(why) => of_deployment(why),
            Self::Guest(ending) => of_guest(ending),
            Self::BadAnswer(why) => {
                row(S::BAD_GATEWAY, "bad-answer", "The function's answer cannot be understood", why)
            }
        }
    }
}

/// Calls that are not let in.
fn of_refused(refused: &Refused) -> Row {
    use StatusCode as S;
    let later = format!("{refused}; try again later");
    match refused {
        Refused::Busy(_) => soon(S::SERVICE_UNAVAILABLE, "busy", "Too many calls", later),
        Refused::Power(_) => {
            soon(S::SERVICE_UNAVAILABLE, "power-cap", "Functions draw as much power as they may", later)
        }
        Refused::Quota(exceeded) => {
            let (name, title) = match exceeded.limit {
                Limit::CallsPerSecond(_) => ("quota-calls-per-second", "Too many calls within a second"),
                Limit::Concurrency(_) => ("quota-concurrency", "Too many calls at once"),
                Limit::JoulesPerHour { .. } => ("quota-joules-per-hour", "This hour's energy is used up"),
            };
            let detail = format!("{exceeded}; try again in {} s", whole_seconds(exceeded.wait));
            Row { retry: Some(exceeded.wait), ..row(S::TOO_MANY_REQUESTS, name, title, detail) }
        }
    }
}

/// Deployments that change nothing.
fn of_deployment(why: &DeployError) -> Row {
    use StatusCode as S;
    let (status, name, title) = match why {
        DeployError::Broken(Broken::TooLarge { .. }) => {
            (S::PAYLOAD_TOO_LARGE, "body-too-large", "The module is too large")
        }
        DeployError::Broken(Broken::TooMany(_) | Broken::TooManyVersions(_)) => {
            (S::INSUFFICIENT_STORAGE, "too-many-functions", "There are too many functions")
        }
        DeployError::Broken(_) | DeployError::Directory(_) => {
            (S::UNPROCESSABLE_ENTITY, "not-deployable", "The function cannot be served")
        }
        DeployError::Unknown(_) => (S::NOT_FOUND, "unknown-function", "No such function"),
        DeployError::Conflict(_) => (S::PRECONDITION_FAILED, "version-conflict", "Another version is served"),
        DeployError::OfModules { .. } => (S::CONFLICT, "of-modules", "The function is listed in a file"),
        DeployError::BuiltIn(_) => (S::CONFLICT, "built-in", "The function comes with the program"),
        DeployError::NoVersion { .. } => (S::CONFLICT, "no-such-version", "There is no such version"),
        DeployError::Nowhere => (S::CONFLICT, "nowhere", "There is nowhere to keep functions"),
        DeployError::Busy(_) => (S::SERVICE_UNAVAILABLE, "busy", "Too many compilations"),
        DeployError::Write { .. } | DeployError::History(_) => {
            (S::INSUFFICIENT_STORAGE, "not-written", "The function cannot be stored")
        }
    };
    let retry = SOON.filter(|_| matches!(why, DeployError::Busy(_)));
    Row { retry, ..row(status, name, title, chain(why)) }
}

/// Calls that ran and failed.
fn of_guest(ending: &Ending) -> Row {
    use StatusCode as S;
    match ending {
        Ending::BadInput(why) => row(S::BAD_REQUEST, "bad-input", "The function does not take this input", why),
        Ending::TimedOut => row(
            S::GATEWAY_TIMEOUT,
            "timeout",
            "The function ran for too long",
            "it was stopped at its deadline (`limits.wall`)",
        ),
        Ending::Exited(code) => row(
            S::INTERNAL_SERVER_ERROR,
            "exit",
            "The function reported a failure",
            format!("it exited with {code}; `stderr` may say why"),
        ),
        // Not a 5xx, which callers and proxies take as a reason to try again and spend the same once more.
        Ending::OverEnergy => row(
            S::UNPROCESSABLE_ENTITY,
            "over-energy-budget",
            "The function used more energy than it may",
            "it was stopped beyond its budget (`limits.max_joules` in its manifest)",
        ),
        Ending::OverCpu => row(
            S::UNPROCESSABLE_ENTITY,
            "over-cpu-budget",
            "The function used more CPU time than it may",
            "it was stopped beyond its budget (`limits.cpu` in its manifest)",
        ),
        Ending::NoAnswer => row(
            S::BAD_GATEWAY,
            "no-answer",
            "The function gave no answer",
            "it ended without an answer; `stderr` may say why",
        ),
        Ending::Refused(why) => row(
            S::BAD_GATEWAY,
            "guest-error",
            "The function answered with an error",
            format!("instead of an answer it gave: {why}"),
        ),
        Ending::OutOfMemory => row(
            S::INTERNAL_SERVER_ERROR,
            "out-of-memory",
            "The function needs more memory than it may have",
            "it was refused more memory (`limits.memory`) and failed",
        ),
        Ending::OutputTooLarge => row(
            S::INTERNAL_SERVER_ERROR,
            "output-too-large",
            "The function wrote more than it may",
            "it was stopped at the limit of its output (`limits.stdout`)",
        ),
        Ending::Trapped(trap) => row(S::INTERNAL_SERVER_ERROR, "trap", "The function was stopped", trap),
        // No failures: they have answers.
        Ending::Returned | Ending::Answered(_) => row(S::INTERNAL_SERVER_ERROR, "trap", "The function was stopped", ""),
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl From<DeployError> for Problem {
    fn from(error: DeployError) -> Self {
        Self::NotDeployed(error)
    }
}

fn whole_seconds(time: Duration) -> u64 {
    (time.as_secs() + u64::from(time.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_never_come_too_early() {
        for (nanos, seconds) in [(0, 1), (1, 1), (1_000_000_000, 1), (1_000_000_001, 2), (3_659_999_999_999, 3660)] {
            assert_eq!(whole_seconds(Duration::from_nanos(nanos)), seconds, "{nanos}");
        }
    }
}
