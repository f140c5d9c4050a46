//! The way of a call between the protocol that brought it and the runtime that runs it: admission, bracket, estimate,
//! and, for those who wait for it, the settled charge.

mod admission;
mod settlement;

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use nebula_metering::work::Work;
use nebula_metering::{CallId, Estimate, Tally};
use prometheus::IntGauge;
use tokio::sync::{Semaphore, oneshot};
use uuid::Uuid;

pub use admission::{Admission, Busy};
pub use settlement::{NotSettled, Settlement};

use crate::functions::Function;
use crate::meter::{CallEnd, Ended, Metering, NoCharge, NotEstimated, Off};
use crate::outcome::Outcome;
use crate::runtime::{Completion, Invocation, Stdio};
use crate::telemetry::{Calls, Place};

/// A call that has come to its end.
#[derive(Debug)]
pub struct Finished {
    /// Its identity.
    pub id: Uuid,
    /// How it ended and what it left.
    pub completion: Completion,
    /// What it took from the processor.
    pub work: Result<Work, Off>,
    /// When it ended, how long it took from its admission, and what it is expected to have cost.
    pub ended: Arc<Ended>,
    /// Whether it was the first call of its function since the daemon started.
    pub cold_start: bool,
    /// Where its settled charge will come, if it was asked for.
    pub settlement: Option<Settlement>,
}

/// What a caller gives a function.
#[derive(Debug, Default)]
pub struct Request {
    /// What the function reads from stdin.
    pub input: Bytes,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
    /// Whether the caller wants to wait for the settled charge.
    pub settle: bool,
}

/// Runs calls.
pub struct Invoker {
    metering: Metering,
    calls: Arc<Calls>,
    admission: Admission,
    waiters: Arc<Semaphore>,
    waiters_max: usize,
    in_flight: IntGauge,
}

impl Invoker {
    /// Calls are admitted by `admission`, measured by `metering`, known to `calls` and, while they run, counted in
    /// `in_flight`. At most `waiters_max` callers wait for their settled charges at once.
    #[must_use]
    pub fn new(
        metering: Metering,
        calls: Arc<Calls>,
        admission: Admission,
        waiters_max: usize,
        in_flight: IntGauge,
    ) -> Self {
        Self { metering, calls, admission, waiters: Arc::new(Semaphore::new(waiters_max)), waiters_max, in_flight }
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
        // On the heap: what goes around it is moved about several times on the way.
        let guest = Box::pin(function.program.call(invocation));
        let (completion, tally) = self.metering.measure(running.call, function.id, guest).await;
        let work = tally.as_ref().map(Tally::total).map_err(|&off| off);
        let estimate = self.metering.estimate(function.id, work);
        let cold_start = function.is_cold_start();
        let (waiter, settlement) = if request.settle { self.settlement() } else { (None, None) };
        let ended = running.end(Outcome::from(&completion.ending), estimate, tally.ok(), waiter);
        function.metrics.observe(ended.duration, completion.startup, cold_start);
        Ok(Finished { id: Uuid::from_u128(running.call.0), completion, work, ended, cold_start, settlement })
    }

    fn settlement(&self) -> (Option<Waiter>, Option<Settlement>) {
        let window = match self.metering.meter() {
            Ok(meter) => meter.window(),
            Err(off) => return (None, Some(Settlement::never(off.into()))),
        };
        match self.waiters.clone().try_acquire_owned() {
            Ok(place) => {
                let (waiter, charge) = oneshot::channel();
                (Some(waiter), Some(Settlement::later(charge, place, window)))
            }
            Err(_) => (None, Some(Settlement::no_room(self.waiters_max))),
        }
    }
}

type Waiter = oneshot::Sender<Result<nebula_metering::Charge, NoCharge>>;

/// A call that has begun; if nobody says how it ended, it was cancelled.
struct Running<'a> {
    invoker: &'a Invoker,
    function: &'a Function,
    call: CallId,
    started: Instant,
    /// Given back at its end.
    place: Option<Place>,
}

impl<'a> Running<'a> {
    fn begin(invoker: &'a Invoker, function: &'a Function) -> Self {
        invoker.in_flight.inc();
        let call = CallId(Uuid::now_v7().as_u128());
        let place = Some(invoker.calls.begin(call, function.id));
        Self { invoker, function, call, started: Instant::now(), place }
    }

    fn end(
        &mut self,
        outcome: Outcome,
        estimate: Result<Estimate, NotEstimated>,
        tally: Option<Tally<CallEnd>>,
        waiter: Option<Waiter>,
    ) -> Arc<Ended> {
        let duration = self.started.elapsed();
        let ended = Arc::new(Ended { outcome, at: SystemTime::now(), duration, estimate });
        self.function.metrics.count(outcome);
        let Invoker { calls, metering, .. } = self.invoker;
        let (call, function) = (self.call, self.function.id);
        // It is there until now: a call ends once.
        let Some(place) = self.place.take() else { return ended };
        let seat = calls.end(place, call, function, ended.clone());
        let end = CallEnd { ended: ended.clone(), seat, waiter };
        let told = match tally {
            Some(tally) => tally.end(end).map_err(|_| NoCharge::Dropped),
            None => metering.end(call, function, end),
        };
        if let Err(why) = told {
            calls.give_up(seat, call, ended.clone(), why);
        }
        ended
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.invoker.in_flight.dec();
        if self.place.is_some() {
            self.end(Outcome::Cancelled, Err(NotEstimated::Cancelled), None, None);
        }
    }
}
