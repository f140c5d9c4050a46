//! Everything that can go wrong with a request, and the only place that turns it into a status.

use std::time::Duration;

use nebula_api::problem::{FailedCall, Problem as Document};
use thiserror::Error;
use uuid::Uuid;

use super::denied::{Denied, Kind};
use crate::causes::chain;
use crate::functions::{Broken, DeployError};
use crate::invocation::Refused;
use crate::quota::Limit;
use crate::telemetry::SubscribeError;
use nebula_runtime::Ending;

/// Seconds until it is worth trying again where nothing better is known: calls are short.
const SOON: u64 = 1;

/// A request that does not get what it asked for. The text is the client's: what happened, and what to do about it.
#[derive(Debug, Error)]
pub enum Problem {
    #[error("nothing is at `{0}`; `/` lists what there is")]
    NoRoute(String),
    #[error("the module for `{0}` cannot be served; `/functions` says why")]
    BrokenModule(String),
    #[error("there is no function `{0}`; `/functions` lists them")]
    UnknownFunction(String),
    #[error("no call `{0}` is known; the daemon remembers only the last ones (`meter.recent`)")]
    UnknownInvocation(Uuid),
    #[error(
        "this is served at the operators' address (`admin.listen`); figures about joules are also shown to tokens with the \
         role `operate`"
    )]
    OperatorsOnly,
    /// Why no accounts are stored.
    #[error("accounts are not stored: {0}; `/energy` shows what was used since the daemon started")]
    NoAccounts(String),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("this path allows: {0}")]
    MethodNotAllowed(&'static str),
    #[error("{0}")]
    BadRequest(String),
    #[error("a body may have at most {bytes_max} bytes here (`{limit}`)")]
    BodyTooLarge { bytes_max: usize, limit: &'static str },
    #[error("a request head may have at most {0} bytes (`http.head`) and 100 fields")]
    HeadTooLarge(usize),
    #[error("the target of the request is too long")]
    TargetTooLong,
    #[error("a body must arrive within {time_max:?} (`http.body-timeout`)")]
    BodyTooSlow { time_max: Duration },
    #[error("request bodies take up all the memory that they may have together (`limits.bodies`); try again later")]
    NoRoomForBody,
    /// Made by [`crate::http::answer::exposure::Exposure::refused`], which leaves out what this client may not see.
    #[error("{0}; try again {when}", when = later(.0))]
    Refused(Refused),
    #[error("{0}; try again later")]
    TooManyListeners(SubscribeError),
    #[error("the daemon takes no new calls; try again later")]
    Draining,
    #[error("{0}")]
    Unhealthy(String),
    #[error("{}", chain(.0))]
    NotDeployed(#[from] DeployError),
    #[error("{}", guest_detail(.0))]
    Guest(Ending),
    /// The output of a command at `/fn` is not a CGI answer.
    #[error("{0}")]
    BadAnswer(String),
}

impl Problem {
    /// The document that describes the problem, with the call that failed if one ran.
    pub fn document<'a>(&self, call: Option<FailedCall<'a>>) -> Document<'a> {
        let (status, name, title) = self.kind();
        Document {
            kind: format!("urn:nebula:{name}").into(),
            title: title.into(),
            status,
            detail: self.to_string(),
            call,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NoRoute(_) => (404, "no-route", "Nothing here"),
            Self::BrokenModule(_) => (502, "broken-module", "The module cannot be served"),
            Self::MethodNotAllowed(_) => (405, "method-not-allowed", "Method not allowed"),
            Self::BadRequest(_) => (400, "bad-request", "Bad request"),
            Self::BodyTooLarge { .. } => (413, "body-too-large", "The body is too large"),
            Self::HeadTooLarge(_) => (431, "head-too-large", "The head is too large"),
            Self::TargetTooLong => (414, "target-too-long", "The target is too long"),
            Self::BodyTooSlow { .. } => (408, "body-too-slow", "The body came too slowly"),
            Self::NoRoomForBody => (503, "too-many-bodies", "Too many request bodies"),
            Self::UnknownFunction(_) => (404, "unknown-function", "No such function"),
            Self::UnknownInvocation(_) => (404, "unknown-invocation", "No such call"),
            Self::NoAccounts(_) => (404, "no-accounts", "No accounts are stored"),
            Self::OperatorsOnly => (403, "operators-only", "For operators only"),
            Self::Denied(denied) => denied.kind(),
            Self::Refused(refused) => refusal_kind(refused),
            Self::TooManyListeners(_) => (503, "too-many-listeners", "Too many listeners"),
            Self::Draining => (503, "draining", "The daemon is shutting down"),
            Self::Unhealthy(_) => (503, "unhealthy", "The daemon is not healthy"),
            Self::NotDeployed(why) => deployment_kind(why),
            Self::Guest(ending) => guest_kind(ending),
            Self::BadAnswer(_) => (502, "bad-answer", "The function's answer cannot be understood"),
        }
    }

    /// The seconds until it is worth trying again, if waiting helps: rounded up, and never 0.
    ///
    /// Source: RFC 9110, section 10.2.3: `Retry-After` has no fractions.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Refused(Refused::Quota(exceeded)) => Some(whole_seconds(exceeded.wait)),
            Self::Refused(_)
            | Self::NoRoomForBody
            | Self::TooManyListeners(_)
            | Self::Draining
            | Self::NotDeployed(DeployError::Busy(_)) => Some(SOON),
            _ => None,
        }
    }
}

/// Calls that are not let in.
fn refusal_kind(refused: &Refused) -> Kind {
    match refused {
        Refused::Busy(_) => (503, "busy", "Too many calls"),
        Refused::Power(_) => (503, "power-cap", "Functions draw as much power as they may"),
        Refused::Quota(exceeded) => match exceeded.limit {
            Limit::CallsPerSecond(_) => (429, "quota-calls-per-second", "Too many calls within a second"),
            Limit::Concurrency(_) => (429, "quota-concurrency", "Too many calls at once"),
            Limit::JoulesPerHour { .. } => (429, "quota-joules-per-hour", "This hour's energy is used up"),
        },
    }
}

fn later(refused: &Refused) -> String {
    match refused {
        Refused::Quota(exceeded) => format!("in {} s", whole_seconds(exceeded.wait)),
        Refused::Busy(_) | Refused::Power(_) => "later".into(),
    }
}

/// Deployments that change nothing.
fn deployment_kind(why: &DeployError) -> Kind {
    match why {
        DeployError::Broken(Broken::TooLarge { .. }) => (413, "body-too-large", "The module is too large"),
        DeployError::Broken(Broken::TooMany(_) | Broken::TooManyVersions(_)) => {
            (507, "too-many-functions", "There are too many functions")
        }
        DeployError::Broken(_)
        | DeployError::Directory(_)
        | DeployError::Special(_)
        | DeployError::Outbound(_)
        | DeployError::Network(_)
        | DeployError::Route { .. } => (422, "not-deployable", "The function cannot be served"),
        DeployError::Unknown(_) => (404, "unknown-function", "No such function"),
        DeployError::Conflict(_) => (412, "version-conflict", "Another version is served"),
        DeployError::OfModules { .. } => (409, "of-modules", "The function is listed in a file"),
        DeployError::BuiltIn(_) => (409, "built-in", "The function comes with the program"),
        DeployError::NoVersion { .. } => (409, "no-such-version", "There is no such version"),
        DeployError::Nowhere => (409, "nowhere", "There is nowhere to keep functions"),
        DeployError::Busy(_) => (503, "busy", "Too many compilations"),
        DeployError::Write { .. } | DeployError::History(_) => (507, "not-written", "The function cannot be stored"),
    }
}

/// Calls that ran and failed.
fn guest_kind(ending: &Ending) -> Kind {
    match ending {
        Ending::BadInput(_) => (400, "bad-input", "The function does not take this input"),
        Ending::TimedOut => (504, "timeout", "The function ran for too long"),
        Ending::Exited(_) => (500, "exit", "The function reported a failure"),
        // Not a 5xx, which callers and proxies take as a reason to try again and spend the same once more.
        Ending::OverEnergy => (422, "over-energy-budget", "The function used more energy than it may"),
        Ending::OverCpu => (422, "over-cpu-budget", "The function used more CPU time than it may"),
        Ending::NoAnswer => (502, "no-answer", "The function gave no answer"),
        Ending::Refused(_) => (502, "guest-error", "The function answered with an error"),
        Ending::OutOfMemory => (500, "out-of-memory", "The function needs more memory than it may have"),
        Ending::OutputTooLarge => (500, "output-too-large", "The function wrote more than it may"),
        // The last two are no failures: they have answers.
        Ending::Trapped(_) | Ending::Returned | Ending::Answered(_) => (500, "trap", "The function was stopped"),
    }
}

/// What happened to a call that ran and failed.
fn guest_detail(ending: &Ending) -> String {
    match ending {
        Ending::BadInput(why) | Ending::Trapped(why) => return why.clone(),
        Ending::Exited(code) => return format!("it exited with {code}; `stderr` may say why"),
        Ending::Refused(why) => return format!("instead of an answer it gave: {why}"),
        Ending::TimedOut => "it was stopped at its deadline (`limits.wall`)",
        Ending::OverEnergy => "it was stopped beyond its budget (`limits.max_joules` in its manifest)",
        Ending::OverCpu => "it was stopped beyond its budget (`limits.cpu` in its manifest)",
        Ending::NoAnswer => "it ended without an answer; `stderr` may say why",
        Ending::OutOfMemory => "it was refused more memory (`limits.memory`) and failed",
        Ending::OutputTooLarge => "it was stopped at the limit of its output (`limits.stdout`)",
        Ending::Returned | Ending::Answered(_) => "",
    }
    .into()
}

fn whole_seconds(time: Duration) -> u64 {
    (time.as_secs() + u64::from(time.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_rounded_up_and_never_zero() {
        for (nanos, seconds) in [(0, 1), (1, 1), (1_000_000_000, 1), (1_000_000_001, 2), (3_659_999_999_999, 3660)] {
            assert_eq!(whole_seconds(Duration::from_nanos(nanos)), seconds, "{nanos}");
        }
    }
}
