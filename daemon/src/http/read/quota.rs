//! What is used of quotas and of the power cap.

use nebula_api::functions::{ConcurrencyUse, EnergyUse, QuotaUse, RateUse};
use nebula_api::ledger::{self, Priorities};
use nebula_metering::{Joules, Watts};

use crate::admission::{Lane, PowerCap};
use crate::functions::Function;
use crate::http::answer::energy::WITHHELD;
use crate::http::answer::exposure::Exposure;
use crate::quota::Quota;

/// What a function may use, and has used.
pub fn of_function(function: &Function, exposure: Exposure) -> QuotaUse {
    let quota = function.payer.as_ref().map_or_else(Quota::default, |payer| *payer.quota());
    let usage = function.payer.as_ref().map(|payer| payer.usage());
    let energy = usage.filter(|_| quota.joules_per_hour.is_some());
    let used = energy.filter(|_| exposure.shows_joules()).map(|usage| exposure.rounded(usage.energy.joules()));
    QuotaUse {
        calls_per_second: RateUse { limit: quota.calls_per_second },
        concurrency: ConcurrencyUse {
            limit: quota.concurrency,
            used: usage.filter(|_| quota.concurrency.is_some()).map(|usage| usage.calls),
        },
        joules_per_hour: EnergyUse {
            limit: quota.joules_per_hour.map(|Joules(joules)| joules),
            used,
            resumes_in_seconds: energy.map(|usage| usage.resumes_in.as_secs_f64().ceil()),
            reason: (energy.is_some() && used.is_none()).then_some(WITHHELD.into()),
        },
    }
}

/// How much functions draw together, and which calls wait for them to draw less.
pub fn of_power(power: &PowerCap) -> ledger::PowerCap {
    let [low, normal, high] =
        power.lanes().map(|Lane { waits, waiting, rejected, .. }| ledger::Lane { waits, waiting, rejected });
    let watts = power.watts();
    ledger::PowerCap {
        max_watts: power.max().0,
        active_watts: watts.map(|Watts(watts)| watts),
        priorities: Priorities { low, normal, high },
        reason: watts.is_none().then_some("no window has closed yet".into()),
    }
}
