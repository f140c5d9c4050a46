//! Measures calls, or runs them unmeasured if metering is off.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use nebula_metering::work::Work;
use nebula_metering::work::thread::thread_cpu;
use nebula_metering::{CallId, Estimate, FunctionId, Joules, Tally};

use thiserror::Error;

use super::EnergyMeter;
use super::ended::{CallEnd, ColdStartCharge, NoCharge, NotEstimated, OFF, Off};

#[derive(Clone)]
pub enum Metering {
    On(Arc<EnergyMeter>),
    Off(Off),
}

/// What one call may use.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Budget {
    /// Active energy, estimated while the call runs.
    pub energy: Option<Joules>,
    pub cpu: Option<Duration>,
}

/// What a call used too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exceeded {
    Energy,
    Cpu,
}

/// Why calls are not measured although they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unhealthy {
    #[error(transparent)]
    Failed(#[from] Off),
    #[error("no window was closed for {0:?}")]
    Stalled(Duration),
}

impl Budget {
    fn is_unlimited(&self) -> bool {
        self.energy.is_none() && self.cpu.is_none()
    }

    fn exceeded_by(&self, cpu: Duration, energy: impl FnOnce() -> Option<Joules>) -> Option<Exceeded> {
        if self.cpu.is_some_and(|most| cpu > most) {
            return Some(Exceeded::Cpu);
        }
        let over = |most| energy().is_some_and(|energy| energy > most);
        self.energy.is_some_and(over).then_some(Exceeded::Energy)
    }
}

impl Metering {
    /// Runs `call` to its end, or until it yields after using more than its `budget`. Also returns the tally of its work,
    /// which ends the call. Without a meter only CPU time is limited.
    pub async fn measure<F: Future>(
        &self,
        call: CallId,
        function: FunctionId,
        budget: &Budget,
        future: F,
    ) -> (Result<F::Output, Exceeded>, Result<Tally<CallEnd>, Off>) {
        match self {
            Self::On(meter) if budget.is_unlimited() => {
                let (output, tally) = meter.bracket(call, function, future).await;
                (Ok(output), Ok(tally))
            }
            Self::On(meter) => {
                let mut bracket = pin!(meter.bracket(call, function, future));
                poll_fn(|context| {
                    if let Poll::Ready((output, tally)) = bracket.as_mut().poll(context) {
                        return Poll::Ready((Ok(output), Ok(tally)));
                    }
                    let work = bracket.total();
                    let energy = || meter.estimate(function, &work).ok().map(|estimate| estimate.active);
                    let Some(exceeded) = budget.exceeded_by(work.cpu, energy) else { return Poll::Pending };
                    let tally = bracket.as_mut().cut();
                    tally.map_or(Poll::Pending, |tally| Poll::Ready((Err(exceeded), Ok(tally))))
                })
                .await
            }
            Self::Off(off) => (within(future, budget).await, Err(*off)),
        }
    }

    /// Runs `start` on this thread, which reports the CPU time of other processes as they use it, and charges all of it as a
    /// cold start to the function that `of` names when it is done. `charge` receives the charge.
    pub fn measure_cold_start<T>(
        &self,
        call: CallId,
        charge: ColdStartCharge,
        start: impl FnOnce(&mut dyn FnMut(Duration)) -> T,
        of: impl FnOnce(&T) -> FunctionId,
    ) -> (T, Result<Work, Off>) {
        match self.meter() {
            Ok(meter) => {
                let (started, work) = meter.prepare(call, CallEnd::ColdStart(charge), start, of);
                (started, Ok(work))
            }
            Err(off) => {
                let started = start(&mut |_| {});
                let _ = of(&started);
                (started, Err(off))
            }
        }
    }

    /// What `work` of `function` is expected to have cost.
    ///
    /// # Errors
    /// As long as nothing has been learned about this machine, and if nothing is measured.
    pub fn estimate(&self, function: FunctionId, work: Result<Work, Off>) -> Result<Estimate, NotEstimated> {
        self.meter()?.estimate(function, &work?)
    }

    /// Posts the end of a call whose tally is gone and has posted all its slices.
    pub fn end(&self, call: CallId, function: FunctionId, end: CallEnd) -> Result<(), NoCharge> {
        self.meter()?.end(call, function, end).map_err(|_| NoCharge::Dropped)
    }

    pub fn meter(&self) -> Result<&Arc<EnergyMeter>, Off> {
        match self {
            Self::On(meter) if meter.has_failed() => Err(Off::Failed),
            Self::On(meter) => Ok(meter),
            Self::Off(off) => Err(*off),
        }
    }

    pub fn health(&self) -> Result<(), Unhealthy> {
        let Self::On(meter) = self else { return Ok(()) };
        if meter.has_failed() {
            return Err(Off::Failed.into());
        }
        meter.stalled().map_or(Ok(()), |time| Err(Unhealthy::Stalled(time)))
    }

    /// The name of the source that figures come from.
    pub fn source(&self) -> &'static str {
        self.meter().map_or(OFF, |meter| meter.calibration().source.as_str())
    }
}

/// Runs `future` to its end, or until it yields after using more CPU time than its budget.
async fn within<F: Future>(future: F, budget: &Budget) -> Result<F::Output, Exceeded> {
    if budget.cpu.is_none() {
        return Ok(future.await);
    }
    let (mut future, mut cpu) = (pin!(future), Duration::ZERO);
    poll_fn(|context| {
        let begun = thread_cpu();
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Ok(output));
        }
        cpu += thread_cpu().saturating_sub(begun);
        budget.exceeded_by(cpu, || None).map_or(Poll::Pending, |exceeded| Poll::Ready(Err(exceeded)))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_a_meter_calls_run_unmeasured() {
        let metering = Metering::Off(Off::Configured);
        let (output, tally) = metering.measure(CallId(1), FunctionId(0), &Budget::default(), async { 42 }).await;
        assert_eq!((output, tally.err()), (Ok(42), Some(Off::Configured)));
        assert_eq!(
            metering.estimate(FunctionId(0), Err(Off::Configured)).unwrap_err().to_string(),
            "metering is switched off"
        );
        assert_eq!(metering.source(), "off");
    }

    #[tokio::test]
    async fn without_a_meter_cpu_time_is_limited_all_the_same() {
        let busy = async {
            loop {
                let until = thread_cpu() + Duration::from_millis(1);
                while thread_cpu() < until {}
                tokio::task::yield_now().await;
            }
        };
        let budget = Budget { energy: Some(Joules(0.0)), cpu: Some(Duration::from_millis(3)) };
        let (output, _): (Result<(), _>, _) =
            Metering::Off(Off::Configured).measure(CallId(1), FunctionId(0), &budget, busy).await;
        assert_eq!(output, Err(Exceeded::Cpu));
    }

    #[test]
    fn a_budget_may_be_used_up_but_not_exceeded() {
        let budget = Budget { energy: Some(Joules(2.0)), cpu: Some(Duration::from_secs(1)) };
        let by = |cpu, energy| budget.exceeded_by(Duration::from_secs(cpu), || energy);
        assert_eq!(by(1, Some(Joules(2.0))), None);
        assert_eq!(by(1, Some(Joules(2.1))), Some(Exceeded::Energy));
        assert_eq!(by(2, Some(Joules(2.1))), Some(Exceeded::Cpu));
        assert_eq!(by(1, None), None);
    }
}
