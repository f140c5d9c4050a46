//! Runs calls: admission, bracket, estimate and, for callers who wait for it, the settled charge.

mod placement;
mod request_context;
mod settings;
mod settlement;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use nebula_metering::work::Work;
use nebula_metering::{CallId, Estimate, Tally};
use prometheus::IntGauge;
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

pub use placement::LongCalls;
pub use request_context::RequestContext;
pub use settings::Settings;
pub use settlement::{NotSettled, Settlement, Waiters};

use crate::admission::{Admission, Busy, OverPower, PowerCap};
use crate::functions::Function;
use crate::meter::{CallEnd, ChargeObserver, Ended, Exceeded, Metering, NoCharge, NotEstimated, Off};
use crate::outcome::Outcome;
pub use crate::quota::{Payer, Quota};
use crate::quota::{QuotaExceeded, QuotaPermit};
use crate::telemetry::{CallSlot, CallTimes, Calls, KnownCall, Observers, Progress, Record, RequestId};
use nebula_runtime::{Completion, Ending, Input, Invocation, Propagate, Recorder};
use placement::Placed;
use settlement::Waiter;

#[derive(Debug)]
pub struct Finished {
    pub id: Uuid,
    pub request: Option<RequestId>,
    pub completion: Completion,
    pub work: Result<Work, Off>,
    /// Outcome, duration since admission, and estimate.
    pub ended: Arc<Ended>,
    /// How long it waited for admission.
    pub queued: Duration,
    /// Whether it was the first call of this version of the function.
    pub cold_start: bool,
    /// Its settled charge, if the caller asked for it.
    pub settlement: Option<Settlement>,
}

#[derive(Default)]
pub struct Request {
    pub input: Input,
    /// The first argument of a command; the function's name if `None`.
    pub program: Option<String>,
    /// Arguments after those of the manifest.
    pub arguments: Vec<String>,
    /// Environment variables. Those of the manifest take precedence.
    pub environment: Vec<(String, String)>,
    /// Whether the caller wants to wait for the settled charge.
    pub settle: bool,
    /// Whose quota it counts against, in addition to the function's.
    pub payer: Option<Arc<Payer>>,
    pub context: RequestContext,
}

#[derive(Clone, Debug, PartialEq, Error)]
pub enum Refused {
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error(transparent)]
    Quota(#[from] QuotaExceeded),
    #[error(transparent)]
    Power(#[from] OverPower),
}

pub struct Invoker {
    pub metering: Metering,
    pub calls: Arc<Calls>,
    pub admission: Admission,
    /// Where calls move that compute for long.
    pub long_calls: Option<Handle>,
    pub waiters: Waiters,
    pub in_flight: IntGauge,
    /// Notified of calls that will never be settled.
    pub observers: Arc<Observers>,
    pub power: Option<Arc<PowerCap>>,
}

/// An admitted call: a future of its end. Dropping it cancels the call, which is counted and charged anyway.
pub struct Call {
    pub id: Uuid,
    placed: Placed<Finished>,
}

impl Future for Call {
    type Output = Finished;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Finished> {
        Pin::new(&mut self.placed).poll(context)
    }
}

/// The permits of a call, and how long it waited for them.
struct Admitted {
    _function: Option<OwnedSemaphorePermit>,
    _all: OwnedSemaphorePermit,
    queued: Duration,
}

impl Invoker {
    /// Admits a call of `function`. It runs when the returned future is polled. Whatever the guest does is not an error here.
    pub async fn invoke(self: &Arc<Self>, function: &Arc<Function>, mut request: Request) -> Result<Call, Refused> {
        let id = request.context.call_id();
        let record = request.context.record.clone();
        if let Some(record) = &record {
            record.call(function.name.as_str(), function.version.to_string().into(), id);
        }
        let payer = request.payer.take();
        let (permit, admitted) = self.admit(function, payer).await.inspect_err(|why| {
            function.metrics.count(Outcome::Rejected);
            if let Refused::Quota(exceeded) = why {
                function.metrics.count_exceeded(exceeded.owner.as_str(), exceeded.limit.as_str());
            }
        })?;
        let running = Running::begin(self.clone(), function.clone(), id, permit, record);
        Ok(Call { id, placed: Placed::new(run(running, admitted, request), self.long_calls.clone()) })
    }

    /// Quotas come first, because they refuse without waiting.
    async fn admit(&self, function: &Function, payer: Option<Arc<Payer>>) -> Result<(QuotaPermit, Admitted), Refused> {
        let arrived = Instant::now();
        let permit = QuotaPermit::acquire(function.payer.as_ref(), payer)?;
        if let Some(power) = &self.power {
            power.enter(function.manifest.priority).await?;
        }
        let of_function = match &function.admission {
            Some(admission) => Some(admission.enter().await?),
            None => None,
        };
        let all = self.admission.enter().await?;
        Ok((permit, Admitted { _function: of_function, _all: all, queued: arrived.elapsed() }))
    }

    fn settlement(&self) -> (Option<Waiter>, Settlement) {
        match self.metering.meter() {
            Ok(meter) => self.waiters.wait(meter.window()),
            Err(off) => (None, Settlement::None(NoCharge::from(off).into())),
        }
    }
}

/// Runs a call from its admission to its end.
async fn run(mut running: Running, admitted: Admitted, request: Request) -> Finished {
    let (invoker, function) = (running.invoker.clone(), running.function.clone());
    let mut arguments = Vec::with_capacity(1 + function.manifest.args.len() + request.arguments.len());
    arguments.push(request.program.unwrap_or_else(|| function.name.to_string()));
    arguments.extend(function.manifest.args.iter().cloned().chain(request.arguments));
    let environment = match &function.environment[..] {
        [] => request.environment,
        fixed => {
            let mut environment = request.environment;
            environment.retain(|(name, _)| !fixed.iter().any(|(known, _)| known == name));
            environment.extend_from_slice(fixed);
            environment
        }
    };
    let trace = request.context.trace.map(|context| context as Arc<dyn Propagate>);
    let invocation = Invocation { arguments, environment, input: request.input, trace };
    let recorder = Recorder::new(&function.program.grants().limits);
    let guest = function.program.call(invocation, recorder.clone());
    let (ended, tally) = invoker.metering.measure(running.call, function.id, &function.budget, guest).await;
    let completion = ended.unwrap_or_else(|exceeded| {
        recorder.complete(match exceeded {
            Exceeded::Energy => Ending::OverEnergy,
            Exceeded::Cpu => Ending::OverCpu,
        })
    });
    let work = tally.as_ref().map(Tally::total).map_err(|&off| off);
    let estimate = invoker.metering.estimate(function.id, work);
    let cold_start = function.is_cold_start();
    let (waiter, settlement) = request.settle.then(|| invoker.settlement()).unzip();
    let ran = CallTimes {
        queued: admitted.queued,
        startup: completion.startup,
        execution: completion.execution,
        cpu: work.as_ref().ok().map(|work| work.cpu),
        cold_start,
    };
    let ended = running.end(Outcome::from(&completion.ending), estimate, Some(ran), tally.ok(), waiter.flatten());
    function.metrics.observe(ended.duration, admitted.queued, completion.startup, cold_start);
    let id = Uuid::from_u128(running.call.0);
    let request = request.context.request;
    Finished { id, request, completion, work, ended, queued: admitted.queued, cold_start, settlement }
}

/// A call that has begun. If it is dropped before [`Running::end`], it was cancelled.
struct Running {
    invoker: Arc<Invoker>,
    function: Arc<Function>,
    call: CallId,
    started: Instant,
    place: Option<CallSlot>,
    record: Option<Arc<Record>>,
    /// Its place in quotas, which ends with this.
    permit: QuotaPermit,
}

impl Running {
    fn begin(
        invoker: Arc<Invoker>,
        function: Arc<Function>,
        id: Uuid,
        permit: QuotaPermit,
        record: Option<Arc<Record>>,
    ) -> Self {
        invoker.in_flight.inc();
        let call = CallId(id.as_u128());
        let place = Some(invoker.calls.begin(call, function.id));
        Self { invoker, function, call, started: Instant::now(), place, record, permit }
    }

    fn end(
        &mut self,
        outcome: Outcome,
        estimate: Result<Estimate, NotEstimated>,
        ran: Option<CallTimes>,
        tally: Option<Tally<CallEnd>>,
        waiter: Option<Waiter>,
    ) -> Arc<Ended> {
        let duration = self.started.elapsed();
        let ended = Arc::new(Ended { outcome, at: SystemTime::now(), duration, estimate });
        self.function.metrics.count(outcome);
        let Invoker { calls, metering, observers, .. } = &*self.invoker;
        let record = self.record.take();
        if let Some(record) = &record {
            record.end(ended.clone(), metering.source(), ran);
        }
        let (call, function) = (self.call, self.function.id);
        // A call ends once.
        let Some(place) = self.place.take() else { return ended };
        // Booked before the meter learns of the end, because the settled charge replaces the booking.
        let booking = self.permit.book(ended.estimate.as_ref().ok().map(|estimate| estimate.active));
        let seat = calls.end(place, call, function, ended.clone());
        let observer = record.map(|record| record as Arc<dyn ChargeObserver>);
        let end = CallEnd::Call { ended: ended.clone(), seat, waiter, observer, booking };
        let posted = match tally {
            Some(tally) => tally.end(end).map_err(|_| NoCharge::Dropped),
            None => metering.end(call, function, end),
        };
        if let Err(why) = posted {
            calls.give_up(seat, call, ended.clone(), why);
            if observers.events.have_clients() {
                let progress = Progress::Settled(ended.clone(), Err(why));
                observers.events.publish_call(self.function.name.as_str(), KnownCall { call, function, progress });
            }
        }
        ended
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.invoker.in_flight.dec();
        if self.place.is_some() {
            self.end(Outcome::Cancelled, Err(NotEstimated::Cancelled), None, None, None);
        }
    }
}
