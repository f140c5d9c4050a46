//! What is known of a request and of the call that it made. It grows while both happen, and observers read it.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use nebula_metering::{Charge, Joules, Uncertainty};
use uuid::Uuid;

use super::request_id::RequestId;
use crate::meter::{Ended, NoCharge};
use crate::trace_context::TraceContext;
use crate::units::Policy;

/// A request and its call, as far as they have come.
pub struct Facts {
    pub request: RequestFacts,
    pub call: OnceLock<CallFacts>,
    pub end: OnceLock<EndFacts>,
    /// The call's final charge.
    pub settled: OnceLock<Result<Charge, NoCharge>>,
    pub response: OnceLock<ResponseFacts>,
}

/// A span to be exported, and its parent, if it has one.
pub type ExportedSpan = (TraceContext, Option<u64>);

pub struct RequestFacts {
    pub id: RequestId,
    pub at: SystemTime,
    /// The same moment on the clock that durations are measured with.
    pub since: Instant,
    pub remote: SocketAddr,
    pub local: SocketAddr,
    pub method: Box<str>,
    /// Path and query.
    pub target: Box<str>,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The HTTP version, such as `1.1`.
    pub version: &'static str,
    pub referer: Option<Box<str>>,
    pub user_agent: Option<Box<str>>,
    /// Its span, if that is to be exported.
    pub span: Option<ExportedSpan>,
}

pub struct CallFacts {
    pub function: Arc<str>,
    pub version: Box<str>,
    pub id: Uuid,
}

pub struct EndFacts {
    pub ended: Arc<Ended>,
    /// The source that the estimate comes from.
    pub source: &'static str,
    /// `None` for a call that was cancelled.
    pub times: Option<CallTimes>,
}

#[derive(Clone, Copy, Debug)]
pub struct CallTimes {
    /// From the call's arrival to its admission.
    pub queued: Duration,
    /// From its admission to its first instruction.
    pub startup: Duration,
    /// From its first instruction to its end.
    pub execution: Duration,
    pub cpu: Option<Duration>,
    /// Whether it was its function's first.
    pub cold_start: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct ResponseFacts {
    /// `None` if the caller disconnected before the response began.
    pub status: Option<u16>,
    /// Bytes of the body that were sent.
    pub bytes: u64,
    /// From the request to the end of the response.
    pub duration: Duration,
}

/// A call's energy as operators see it, unrounded but for noise: the settled charge if there is one, else the estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CallEnergy {
    /// `settled` or `estimated`.
    pub state: &'static str,
    pub source: &'static str,
    /// What the policy counts, in joules.
    pub joules: f64,
    /// Active energy in joules.
    pub active: f64,
    /// The call's share of the base energy in joules, where that is known.
    pub base: Option<f64>,
    /// Half the width of the 95 % interval of `active`, in joules.
    pub uncertainty: f64,
}

impl Facts {
    pub fn new(request: RequestFacts) -> Self {
        Self {
            request,
            call: OnceLock::new(),
            end: OnceLock::new(),
            settled: OnceLock::new(),
            response: OnceLock::new(),
        }
    }

    /// The call's energy, or why it is not known.
    pub fn energy(&self, policy: Policy) -> Result<CallEnergy, String> {
        let Some(end) = self.end.get() else { return Err("the call has not ended".into()) };
        let energy = |state, source, active: Joules, base: Option<Joules>, uncertainty: Uncertainty| {
            let counted = base.filter(|_| policy == Policy::Usage).map_or(active, |base| Joules(active.0 + base.0));
            CallEnergy {
                state,
                source,
                joules: counted.to_nanojoule(),
                active: active.to_nanojoule(),
                base: base.map(Joules::to_nanojoule),
                uncertainty: uncertainty.total().0,
            }
        };
        match (self.settled.get(), &end.ended.estimate) {
            (Some(Ok(charge)), _) => {
                let (active, base) = (charge.active.joules(), charge.base.joules());
                Ok(energy("settled", charge.source.as_str(), active, Some(base), charge.uncertainty))
            }
            (Some(Err(why)), Err(_)) => Err(why.to_string()),
            (_, Ok(estimate)) => {
                Ok(energy("estimated", end.source, estimate.active, estimate.base, estimate.uncertainty))
            }
            (None, Err(why)) => Err(why.to_string()),
        }
    }
}
