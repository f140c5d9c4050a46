//! What is written down of a request and of the call that it made, while both happen: for the access log as soon as the
//! answer is out, for a trace when the call is settled too. Made only where one of them wants it.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use nebula_metering::Charge;
use uuid::Uuid;

use super::observers::Observers;
use super::request_id::RequestId;
use crate::meter::{Ended, NoCharge, Witness};
use crate::trace_context::TraceContext;

/// A request and its call.
#[derive(Debug, Default)]
pub struct Facts {
    /// What was asked.
    pub asked: Option<Asked>,
    /// What was called.
    pub called: OnceLock<Called>,
    /// How the call ended.
    pub ended: OnceLock<CallEnded>,
    /// What the call was finally charged.
    pub settled: OnceLock<Result<Charge, NoCharge>>,
    /// What was answered.
    pub answered: OnceLock<Answered>,
}

/// A span that is to be exported, and the span of another that it follows, if there is one.
pub type ExportedSpan = (TraceContext, Option<u64>);

/// A request, as it came.
#[derive(Debug)]
pub struct Asked {
    /// Its name.
    pub id: RequestId,
    /// When it came.
    pub at: SystemTime,
    /// The same, for measuring.
    pub since: Instant,
    /// Who sent it.
    pub remote: SocketAddr,
    /// Whom it was sent to.
    pub local: SocketAddr,
    /// Its method.
    pub method: Box<str>,
    /// Its path and query.
    pub target: Box<str>,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The version of HTTP: `1.1`.
    pub version: &'static str,
    /// The header `referer`.
    pub referer: Option<Box<str>>,
    /// The header `user-agent`.
    pub user_agent: Option<Box<str>>,
    /// Its span, if that is to be exported.
    pub span: Option<ExportedSpan>,
}

/// A call that was asked for.
#[derive(Debug)]
pub struct Called {
    /// The function.
    pub function: Arc<str>,
    /// Which version of it.
    pub version: Box<str>,
    /// The call.
    pub id: Uuid,
}

/// The end of a call.
#[derive(Debug)]
pub struct CallEnded {
    /// How and when.
    pub ended: Arc<Ended>,
    /// Where its estimate comes from.
    pub source: &'static str,
    /// What is known of a call that was not cancelled.
    pub ran: Option<Ran>,
}

/// The times of a call.
#[derive(Clone, Copy, Debug)]
pub struct Ran {
    /// How long it waited for its admission.
    pub queued: Duration,
    /// From there until its first instruction.
    pub startup: Duration,
    /// From there to its end.
    pub execution: Duration,
    /// CPU time, if it was measured.
    pub cpu: Option<Duration>,
    /// Whether it was its function's first.
    pub cold_start: bool,
}

/// An answer.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    /// Its status; `None` where the caller went away before there was one.
    pub status: Option<u16>,
    /// Length of the body that was sent.
    pub bytes: u64,
    /// From the request to the end of the answer.
    pub duration: Duration,
}

/// Facts that are told when nobody can add to them any more.
#[derive(Debug)]
pub struct Record {
    facts: Arc<Facts>,
    observers: Arc<Observers>,
}

impl Record {
    /// Of this request, for these observers.
    #[must_use]
    pub fn new(asked: Asked, observers: Arc<Observers>) -> Self {
        Self { facts: Arc::new(Facts { asked: Some(asked), ..Facts::default() }), observers }
    }

    /// Takes in the call. The first of a request counts.
    pub fn call(&self, function: &str, version: Box<str>, id: Uuid) {
        let _ = self.facts.called.set(Called { function: function.into(), version, id });
    }

    /// Takes in its end.
    pub fn end(&self, ended: Arc<Ended>, source: &'static str, ran: Option<Ran>) {
        let _ = self.facts.ended.set(CallEnded { ended, source, ran });
    }

    /// Takes in that the answer is out: this is what an access log wants to know.
    pub fn answer(&self, status: Option<u16>, bytes: u64) {
        let duration = self.facts.asked.as_ref().map_or(Duration::ZERO, |asked| asked.since.elapsed());
        if self.facts.answered.set(Answered { status, bytes, duration }).is_ok() {
            self.observers.log(&self.facts);
        }
    }
}

impl Witness for Record {
    fn settle(&self, charge: Result<Charge, NoCharge>) {
        let _ = self.facts.settled.set(charge);
    }

    fn trace(&self) -> Option<u128> {
        let (context, _) = self.facts.asked.as_ref()?.span.as_ref()?;
        Some(context.trace)
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.observers.trace(&self.facts);
    }
}
