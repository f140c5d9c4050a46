//! `GET /invocations`: calls that run, and the last that have ended.

use std::sync::Arc;
use std::time::SystemTime;

use hyper::StatusCode;
use nebula_api::invocations::{Invocation, Invocations};
use nebula_metering::{CallId, Charge, FunctionId};
use uuid::Uuid;

use crate::functions::{Registry, Revision};
use crate::http::Response;
use crate::http::access::Visitor;
use crate::http::answer::costs::Costs;
use crate::http::answer::energy::{EnergyView, Known};
use crate::http::answer::exposure::Exposure;
use crate::http::answer::problem::Problem;
use crate::http::answer::{JSON, json};
use crate::http::request::query::{unknown_parameter, variables};
use crate::meter::{Ended, EnergyMeter, Off};
use crate::telemetry::{Calls, KnownCall, Progress};

/// How many calls are listed by default, and at most: lists are built in memory.
const LISTED: usize = 20;
const LISTED_MAX: usize = 1000;

/// The calls that are known, as clients see them.
pub struct CallLog {
    pub calls: Arc<Calls>,
    pub registry: Arc<Registry>,
    pub costs: Costs,
}

impl CallLog {
    /// The call of this identity.
    pub(crate) fn get(&self, visitor: &Visitor, id: &str) -> Result<Response, Problem> {
        visitor.exposure.check_calls()?;
        let id: Uuid =
            id.parse().map_err(|_| Problem::BadRequest("name the call by its `invocation_id`, a UUID".into()))?;
        let call = self.calls.find(CallId(id.as_u128())).filter(|call| self.is_seen(visitor, call));
        let shown = self.describe_calls(visitor.exposure, &[call.ok_or(Problem::UnknownInvocation(id))?]);
        Ok(json(StatusCode::OK, JSON, &shown.first()))
    }

    /// The calls that the query asks for.
    pub(crate) fn list(&self, visitor: &Visitor, query: Option<&str>) -> Result<Response, Problem> {
        visitor.exposure.check_calls()?;
        let (mut function, mut limit) = (None, LISTED);
        for (name, value) in variables(query)? {
            match &*name {
                "function" => function = Some(self.accounts_of(value)?),
                "limit" => limit = read_limit(&value)?,
                _ => return Err(unknown_parameter(&name, "`function` and `limit` are")),
            }
        }
        let calls = self.last_calls(visitor, function.as_deref(), limit);
        Ok(json(StatusCode::OK, JSON, &Invocations { invocations: self.describe_calls(visitor.exposure, &calls) }))
    }

    /// The last calls that the visitor may see.
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

    /// Whether the visitor may see the call.
    pub(crate) fn is_seen(&self, visitor: &Visitor, call: &KnownCall) -> bool {
        let revision = || self.registry.revision(call.function);
        !visitor.is_restricted() || revision().is_some_and(|revision| visitor.may_use(revision.name.as_str()))
    }

    /// The accounts of all versions of a function, including removed ones.
    fn accounts_of(&self, name: String) -> Result<Vec<FunctionId>, Problem> {
        let accounts = self.registry.accounts(&name);
        if accounts.is_empty() { Err(Problem::UnknownFunction(name)) } else { Ok(accounts) }
    }

    /// The calls as clients at this exposure see them.
    pub(crate) fn describe_calls(&self, exposure: Exposure, calls: &[KnownCall]) -> Vec<Invocation> {
        let running = |known: &&KnownCall| matches!(known.progress, Progress::Running(_));
        let of_running =
            |meter: &Arc<EnergyMeter>| meter.running(calls.iter().filter(running).map(|known| known.call)).into_iter();
        let mut charges = self.costs.metering.meter().map(of_running);
        let view = self.costs.view(exposure);
        let describe = |known: &KnownCall| {
            let charge =
                if running(&known) { charges.as_mut().map(|charges| charges.next().flatten()) } else { Ok(None) };
            let revision = self.registry.revision(known.function);
            let charge = charge.as_ref().map_err(|off| **off).map(Option::as_ref);
            describe(known, revision.as_deref(), charge, &view)
        };
        calls.iter().map(describe).collect()
    }
}

/// A call of this version; if it runs, it has been charged `running`.
fn describe(
    call: &KnownCall,
    revision: Option<&Revision>,
    running: Result<Option<&Charge>, Off>,
    view: &EnergyView<'_>,
) -> Invocation {
    let (known, ended, started, duration) = match &call.progress {
        Progress::Running(started) => (Known::Running(running), None, *started, started.elapsed().unwrap_or_default()),
        Progress::Ended(ended) => (Known::Ended(ended), Some(ended), began(ended), ended.duration),
        Progress::Settled(ended, charge) => (Known::settled(ended, charge), Some(ended), began(ended), ended.duration),
    };
    let (energy_joules, energy) = view.show(known);
    Invocation {
        id: Uuid::from_u128(call.call.0),
        function: revision.map(|revision| revision.name.to_string()),
        version: revision.map(|revision| revision.version.to_string()),
        outcome: ended.map(|ended| ended.outcome.as_str().into()),
        started: started.into(),
        ended: ended.map(|ended| ended.at.into()),
        duration_seconds: duration.as_secs_f64(),
        energy_joules,
        energy,
    }
}

fn began(ended: &Ended) -> SystemTime {
    ended.at.checked_sub(ended.duration).unwrap_or(SystemTime::UNIX_EPOCH)
}

fn read_limit(text: &str) -> Result<usize, Problem> {
    let limit = text.parse().ok().filter(|limit| (1..=LISTED_MAX).contains(limit));
    limit.ok_or_else(|| Problem::BadRequest(format!("`limit` must be a whole number from 1 to {LISTED_MAX}")))
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
