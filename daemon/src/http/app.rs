//! What answers are made from.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::carbon::Carbon;
use crate::functions::{Deployer, Registry};
use crate::invocation::Invoker;
use crate::meter::OFF;
use crate::telemetry::{Calls, Metrics, Observers};
use crate::units::Policy;

use crate::http::access::Access;
use crate::http::answer::energy::Teller;
use crate::http::answer::exposure::Door;
use crate::http::read::usage::UsageFile;
use crate::http::settings::FormBounds;

/// Everything that answers need.
pub struct App {
    /// Who may come in.
    pub access: Arc<Access>,
    /// The functions.
    pub registry: Arc<Registry>,
    /// What changes them.
    pub deployer: Arc<Deployer>,
    /// What runs them.
    pub invoker: Arc<Invoker>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The calls that are known.
    pub calls: Arc<Calls>,
    /// Where stored accounts are read.
    pub usage: UsageFile,
    /// What `energy_joules` means.
    pub policy: Policy,
    /// What joules mean for the climate.
    pub carbon: Carbon,
    /// How much a form may ask for.
    pub form: FormBounds,
    /// Largest body of a request, in bytes.
    pub body_max: usize,
    /// Largest module, in bytes.
    pub module_max: u64,
    /// Longest time until a body is complete.
    pub body_timeout: Duration,
    /// Who else is told of requests and calls.
    pub observers: Arc<Observers>,
    /// Set when the daemon is about to end.
    pub draining: AtomicBool,
}

impl App {
    /// Tells the energy of calls to those who come in through `door`.
    pub(crate) fn teller(&self, door: Door) -> Teller<'_> {
        let (policy, carbon) = (self.policy, &self.carbon);
        match self.invoker.metering().meter() {
            Ok(meter) => {
                let calibration = meter.calibration();
                let base_known = calibration.zones.iter().all(|zone| zone.base.is_some());
                Teller { source: calibration.source.as_str(), base_known, policy, carbon, door }
            }
            Err(_) => Teller { source: OFF, base_known: false, policy, carbon, door },
        }
    }
}
