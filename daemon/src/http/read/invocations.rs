//! Calls that can be asked for: those that run, and the last that have ended.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use humantime::format_rfc3339_micros;
use hyper::StatusCode;
use nebula_metering::{CallId, Charge, FunctionId};
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::functions::Revision;
use crate::http::Response;
use crate::http::access::Visitor;
use crate::http::answer::energy::{Energy, Known, Teller};
use crate::http::answer::exposure::Door;
use crate::http::answer::problem::Problem;
use crate::http::answer::{JSON, json};
use crate::http::app::App;
use crate::http::request::query::variables;
use crate::meter::{EnergyMeter, Off};
use crate::telemetry::{KnownCall, Progress};

/// How many calls are listed unless more are asked for, and at most: a list is made in memory.
const LISTED: usize = 20;
const LISTED_MAX: usize = 1000;

/// A call.
#[derive(Debug, Serialize)]
pub struct Invocation {
    #[serde(rename = "invocation_id")]
    pub id: Uuid,
    pub function: Option<String>,
    /// The version of it that was called.
    pub version: Option<String>,
    /// Null while it runs.
    pub outcome: Option<&'static str>,
    #[serde(serialize_with = "as_rfc3339")]
    pub started: SystemTime,
    /// Null while it runs.
    #[serde(serialize_with = "as_rfc3339_or_null")]
    pub ended: Option<SystemTime>,
    pub duration_seconds: f64,
    pub energy_joules: Option<f64>,
    pub energy: Energy,
}

/// A time as text.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    format_rfc3339_micros(time).to_string()
}

fn as_rfc3339<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_rfc3339_micros(*time))
}

#[allow(clippy::ref_option, reason = "serde hands it over so")]
fn as_rfc3339_or_null<S: Serializer>(time: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => as_rfc3339(time, serializer),
        None => serializer.serialize_none(),
    }
}

#[derive(Debug, Serialize)]
struct List {
    invocations: Vec<Invocation>,
}

impl App {
    /// The call of this identity.
    pub(crate) fn invocation(&self, visitor: &Visitor, id: &str) -> Result<Response, Problem> {
        visitor.door.to_calls()?;
        let id: Uuid =
            id.parse().map_err(|_| Problem::BadRequest("a call is named by its `invocation_id`, a UUID".into()))?;
        let call = self.calls.find(CallId(id.as_u128())).filter(|call| self.is_seen(visitor, call));
        let shown = self.describe_calls(visitor.door, &[call.ok_or(Problem::UnknownInvocation(id))?]);
        Ok(json(StatusCode::OK, JSON, &shown.first()))
    }

    /// The calls that the query asks for.
    pub(crate) fn invocations(&self, visitor: &Visitor, query: Option<&str>) -> Result<Response, Problem> {
        visitor.door.to_calls()?;
        let (mut function, mut limit) = (None, LISTED);
        for (name, value) in variables(query)? {
            match &*name {
                "function" => function = Some(self.accounts_of(value)?),
                "limit" => limit = read_limit(&value)?,
                _ => {
                    let why = format!("`{name}` is not asked for here; `function` and `limit` are");
                    return Err(Problem::BadRequest(why));
                }
            }
        }
        let calls = self.last_calls(visitor, function.as_deref(), limit);
        Ok(json(StatusCode::OK, JSON, &List { invocations: self.describe_calls(visitor.door, &calls) }))
    }

    /// The last calls, as far as they are any business of the visitor's.
    pub(crate) fn last_calls(
        &self,
        visitor: &Visitor,
        function: Option<&[FunctionId]>,
        limit: usize,
    ) -> Vec<KnownCall> {
        if !visitor.is_restricted() {
            return self.calls.last(function, limit);
        }
        let mut calls = self.calls.last(function, LISTED_MAX);
        calls.retain(|call| self.is_seen(visitor, call));
        calls.truncate(limit);
        calls
    }

    /// Whether the call is any business of the visitor's.
    pub(crate) fn is_seen(&self, visitor: &Visitor, call: &KnownCall) -> bool {
        let revision = || self.registry.revision(call.function);
        !visitor.is_restricted() || revision().is_some_and(|revision| visitor.may_use(revision.name.as_str()))
    }

    /// The accounts of all versions of a function, also of one that is no longer served.
    fn accounts_of(&self, name: String) -> Result<Vec<FunctionId>, Problem> {
        let accounts = self.registry.accounts(&name);
        if accounts.is_empty() { Err(Problem::UnknownFunction(name)) } else { Ok(accounts) }
    }

    /// The calls as they are shown to those at this door.
    pub(crate) fn describe_calls(&self, door: Door, calls: &[KnownCall]) -> Vec<Invocation> {
        let running = |known: &&KnownCall| matches!(known.progress, Progress::Running(_));
        let of_running =
            |meter: &Arc<EnergyMeter>| meter.running(calls.iter().filter(running).map(|known| known.call)).into_iter();
        let mut charges = self.invoker.metering().meter().map(of_running);
        let teller = self.teller(door);
        let describe = |known: &KnownCall| {
            let charge =
                if running(&known) { charges.as_mut().map(|charges| charges.next().flatten()) } else { Ok(None) };
            let revision = self.registry.revision(known.function);
            Invocation::new(
                known,
                revision.as_deref(),
                charge.as_ref().map_err(|off| **off).map(Option::as_ref),
                &teller,
            )
        };
        calls.iter().map(describe).collect()
    }
}

impl Invocation {
    /// A call of this version; if it runs, it has been charged `running`.
    fn new(
        call: &KnownCall,
        revision: Option<&Revision>,
        running: Result<Option<&Charge>, Off>,
        teller: &Teller<'_>,
    ) -> Self {
        let (known, ended) = match &call.progress {
            Progress::Running(_) => (running.map_or_else(Known::Unmeasured, Known::Running), None),
            Progress::Ended(ended) => (Known::Ended(ended), Some(ended)),
            Progress::Settled(ended, charge) => (Teller::settled(ended, charge), Some(ended)),
        };
        let (started, duration) = match &call.progress {
            Progress::Running(started) => (*started, started.elapsed().unwrap_or_default()),
            Progress::Ended(ended) | Progress::Settled(ended, _) => (before(ended.at, ended.duration), ended.duration),
        };
        let (energy_joules, energy) = teller.tell(known);
        Self {
            id: Uuid::from_u128(call.call.0),
            function: revision.map(|revision| revision.name.to_string()),
            version: revision.map(|revision| revision.version.to_string()),
            outcome: ended.map(|ended| ended.outcome.as_str()),
            started,
            ended: ended.map(|ended| ended.at),
            duration_seconds: duration.as_secs_f64(),
            energy_joules,
            energy,
        }
    }
}

fn before(time: SystemTime, duration: Duration) -> SystemTime {
    time.checked_sub(duration).unwrap_or(SystemTime::UNIX_EPOCH)
}

fn read_limit(text: &str) -> Result<usize, Problem> {
    let limit = text.parse().ok().filter(|limit| (1..=LISTED_MAX).contains(limit));
    limit.ok_or_else(|| Problem::BadRequest(format!("`limit` is a whole number from 1 to {LISTED_MAX}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_within_its_bounds() {
        for (text, limit) in [("1", 1), ("20", 20), ("1000", 1000)] {
            assert_eq!(read_limit(text).ok(), Some(limit));
        }
        for bad in ["", "0", "-1", "1001", "1.5", "many", "99999999999999999999"] {
            assert!(read_limit(bad).is_err(), "{bad}");
        }
    }
}
