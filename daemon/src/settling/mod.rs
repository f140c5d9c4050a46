//! Where settled charges go: to whoever waits for them, and into quotas, metrics, the usage log, known calls and events.
//!
//! The sampler hands over what each window has settled. Everything here runs on its thread, so nothing may wait.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use nebula_metering::Settled;

use crate::admission::PowerCap;
use crate::functions::Registry;
use crate::meter::{CallEnd, EnergyMeter, NoCharge};
use crate::telemetry::{Calls, Metrics, Observers};
use crate::usage::{LogHandle, UsageLogEntry};

/// Everything that consumes settled charges.
pub struct Settling {
    /// Empty until the functions are loaded.
    pub registry: Arc<OnceLock<Arc<Registry>>>,
    pub meter: Arc<EnergyMeter>,
    pub metrics: Arc<Metrics>,
    pub calls: Arc<Calls>,
    pub observers: Arc<Observers>,
    pub usage_log: Option<LogHandle>,
    pub power: Option<Arc<PowerCap>>,
}

impl Settling {
    /// What the sampler is to call after each window.
    pub fn into_consumer(self) -> impl FnMut(Vec<Settled<CallEnd>>) + Send + 'static {
        let began = Instant::now();
        // What is settled before the functions are loaded is their own preparation. Metrics have no place for it yet.
        let mut early = Vec::new();
        move |settled| {
            if let Some(power) = &self.power
                && let Ok(used) = self.meter.functions_energy()
            {
                power.observe(began.elapsed(), used);
            }
            early.extend(settled);
            if let Some(registry) = self.registry.get() {
                self.window(registry, early.drain(..));
            }
        }
    }

    /// Hands on what one window has settled.
    fn window(&self, registry: &Registry, settled: impl Iterator<Item = Settled<CallEnd>>) {
        let lines = settled.filter_map(|settled| self.settle(registry, settled)).collect();
        self.observers.window_closed(&self.meter);
        if let Some(log) = &self.usage_log {
            log.push(lines);
        }
    }

    /// Hands on one settled call, or preparation of a function. Returns the call's line of the usage log, if there is one.
    fn settle(&self, registry: &Registry, settled: Settled<CallEnd>) -> Option<UsageLogEntry> {
        let revision = registry.revision(settled.function);
        if let CallEnd::ColdStart(place) = &settled.end {
            // Each preparation is settled once.
            let _ = place.set(settled.charge.clone().ok_or(NoCharge::Incomplete));
        }
        let mut line = None;
        if let Some(revision) = &revision {
            self.metrics.settled(&revision.metrics, &settled);
            line = self.usage_log.as_ref().and_then(|_| UsageLogEntry::of(&settled, revision));
        }
        settled.end.settle_booking(settled.charge.as_ref());
        let event = self.observers.settled(&settled);
        self.calls.settle(settled);
        // Last: a client that hears of the call may ask for it at once, and must find it settled.
        if let (Some(revision), Some(event)) = (revision, event) {
            self.observers.events.publish_call(revision.name.as_str(), event);
        }
        line
    }
}

#[cfg(test)]
mod tests;
