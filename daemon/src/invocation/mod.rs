//! The way of a call between the protocol that brought it and the runtime that runs it: admission, bracket, estimate.

mod admission;

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use nebula_metering::work::Work;
use nebula_metering::{CallId, Estimate};
use prometheus::IntGauge;
use uuid::Uuid;

pub use admission::{Admission, Busy};

use crate::functions::Function;
use crate::meter::{CallEnd, Metering, NotEstimated, Off};
use crate::outcome::Outcome;
use crate::runtime::{Completion, Invocation, Stdio};

/// A call that has come to its end.
#[derive(Debug)]
pub struct Finished {
    /// Its identity.
    pub id: Uuid,
    /// How it ended and what it left.
    pub completion: Completion,
    /// What it took from the processor.
    pub work: Result<Work, Off>,
    /// What it is expected to have cost.
    pub estimate: Result<Estimate, NotEstimated>,
    /// Whether it was the first call of its function since the daemon started.
    pub cold_start: bool,
    /// Time from admission to the end.
    pub total: Duration,
}

/// What a caller gives a function.
#[derive(Debug, Default)]
pub struct Request {
    /// What the function reads from stdin.
    pub input: Bytes,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
}

/// Runs calls.
pub struct Invoker {
    metering: Metering,
    admission: Admission,
    in_flight: IntGauge,
}

impl Invoker {
    /// Calls are admitted by `admission`, measured by `metering` and, while they run, counted in `in_flight`.
    #[must_use]
    pub fn new(metering: Metering, admission: Admission, in_flight: IntGauge) -> Self {
        Self { metering, admission, in_flight }
    }

    /// What measures the calls.
    #[must_use]
    pub fn metering(&self) -> &Metering {
        &self.metering
    }

    /// Calls `function`. Dropping the future cancels the call, which is counted and charged all the same.
    ///
    /// # Errors
    /// When there is no room for the call. Whatever the guest does is no error here.
    pub async fn invoke(&self, function: &Function, request: Request) -> Result<Finished, Busy> {
        let _permit = match self.admission.enter().await {
            Ok(permit) => permit,
            Err(busy) => {
                function.metrics.count(Outcome::Rejected);
                return Err(busy);
            }
        };
        let mut running = Running::begin(self, function);
        let invocation = Invocation {
            arguments: vec![function.name.to_string()],
            environment: request.environment,
            directories: Vec::new(),
            stdio: Stdio::Captured(request.input),
        };
        let guest = function.program.call(invocation);
        let (completion, work) = self.metering.measure(running.call, function.id, guest).await;
        let estimate = self.metering.estimate(function.id, work);
        let cold_start = function.is_cold_start();
        let total = running.end(&completion, &estimate);
        function.metrics.observe(total, completion.startup, cold_start);
        Ok(Finished { id: Uuid::from_u128(running.call.0), completion, work, estimate, cold_start, total })
    }
}

/// A call that has begun; if nobody says how it ended, it was cancelled.
struct Running<'a> {
    invoker: &'a Invoker,
    function: &'a Function,
    call: CallId,
    started: Instant,
    ended: bool,
}

impl<'a> Running<'a> {
    fn begin(invoker: &'a Invoker, function: &'a Function) -> Self {
        invoker.in_flight.inc();
        let call = CallId(Uuid::now_v7().as_u128());
        Self { invoker, function, call, started: Instant::now(), ended: false }
    }

    fn end(&mut self, completion: &Completion, estimate: &Result<Estimate, NotEstimated>) -> Duration {
        self.ended = true;
        let estimate = estimate.as_ref().ok().map(|estimate| estimate.active.0);
        self.settle_later(Outcome::from(&completion.ending), estimate)
    }

    fn settle_later(&self, outcome: Outcome, estimate: Option<f64>) -> Duration {
        let duration = self.started.elapsed();
        self.function.metrics.count(outcome);
        let end = CallEnd { outcome, at: SystemTime::now(), duration, estimate };
        self.invoker.metering.end(self.call, self.function.id, end);
        duration
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.invoker.in_flight.dec();
        if !self.ended {
            self.settle_later(Outcome::Cancelled, None);
        }
    }
}
