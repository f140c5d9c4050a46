//! Collects the facts of one request and hands them to the observers that want them: to the access log when the response
//! ends, to the traces when nobody can add anything any more.

use std::sync::Arc;

use nebula_metering::Charge;
use uuid::Uuid;

use super::facts::{CallFacts, CallTimes, EndFacts, Facts, RequestFacts, ResponseFacts};
use super::observers::Observers;
use crate::meter::{ChargeObserver, Ended, NoCharge};

/// Records one request. It is shared by all who add to it; when the last of them drops it, it is exported.
pub struct Record {
    facts: Arc<Facts>,
    observers: Arc<Observers>,
}

impl Record {
    pub fn new(request: RequestFacts, observers: Arc<Observers>) -> Self {
        Self { facts: Arc::new(Facts::new(request)), observers }
    }

    /// Adds the call that the request makes. If it makes several, the first counts.
    pub fn call(&self, function: &str, version: Box<str>, id: Uuid) {
        let _ = self.facts.call.set(CallFacts { function: function.into(), version, id });
    }

    pub fn end(&self, ended: Arc<Ended>, source: &'static str, times: Option<CallTimes>) {
        let _ = self.facts.end.set(EndFacts { ended, source, times });
    }

    /// Adds the end of the response, and writes the access log's line.
    pub fn respond(&self, status: Option<u16>, bytes: u64) {
        let duration = self.facts.request.since.elapsed();
        if self.facts.response.set(ResponseFacts { status, bytes, duration }).is_ok() {
            self.observers.log(&self.facts);
        }
    }
}

impl ChargeObserver for Record {
    fn settle(&self, charge: Result<Charge, NoCharge>) {
        let _ = self.facts.settled.set(charge);
    }

    fn trace(&self) -> Option<u128> {
        self.facts.request.span.as_ref().map(|(context, _)| context.trace)
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.observers.trace(&self.facts);
    }
}
