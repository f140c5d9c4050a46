//! Metering, or none of it: the one place that knows both.

use std::sync::Arc;

use nebula_metering::work::Work;
use nebula_metering::{CallId, Estimate, FunctionId, Tally};
use thiserror::Error;

use super::{CallEnd, EnergyMeter, NoCharge, NotEstimated};

/// What is shown in the place of a source.
pub const OFF: &str = "off";

/// Nothing is measured: no bracket, no sampler, no source. Functions run all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("metering is switched off")]
pub struct Off;

/// What measures calls, if anything does.
#[derive(Clone)]
pub enum Metering {
    /// This meter.
    On(Arc<EnergyMeter>),
    /// Nothing.
    Off(Off),
}

impl Metering {
    /// Runs `call` to its end, and gives the account of what it took, with which the call is to be ended.
    pub async fn measure<F: Future>(
        &self,
        call: CallId,
        function: FunctionId,
        future: F,
    ) -> (F::Output, Result<Tally<CallEnd>, Off>) {
        match self {
            Self::On(meter) => {
                let (output, tally) = meter.bracket(call, function, future).await;
                (output, Ok(tally))
            }
            Self::Off(off) => (future.await, Err(*off)),
        }
    }

    /// What `work` of `function` is expected to have cost.
    ///
    /// # Errors
    /// While nothing is known of this machine, and where nothing is measured.
    pub fn estimate(&self, function: FunctionId, work: Result<Work, Off>) -> Result<Estimate, NotEstimated> {
        self.meter()?.estimate(function, &work?)
    }

    /// Says that a call has ended whose tally is gone, and has posted all its slices.
    ///
    /// # Errors
    /// When the call will never be settled.
    pub fn end(&self, call: CallId, function: FunctionId, end: CallEnd) -> Result<(), NoCharge> {
        self.meter()?.end(call, function, end).map_err(|_| NoCharge::Dropped)
    }

    /// The meter.
    ///
    /// # Errors
    /// Where there is none.
    pub fn meter(&self) -> Result<&Arc<EnergyMeter>, Off> {
        match self {
            Self::On(meter) => Ok(meter),
            Self::Off(off) => Err(*off),
        }
    }

    /// The name of the source that figures come from.
    #[must_use]
    pub fn source(&self) -> &'static str {
        self.meter().map_or(OFF, |meter| meter.calibration().source.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_a_meter_a_call_runs_and_nothing_is_known_of_it() {
        let metering = Metering::Off(Off);
        let (output, tally) = metering.measure(CallId(1), FunctionId(0), async { 42 }).await;
        assert_eq!((output, tally.err()), (42, Some(Off)));
        assert_eq!(metering.estimate(FunctionId(0), Err(Off)).unwrap_err().to_string(), "metering is switched off");
        assert_eq!(metering.source(), "off");
    }
}
