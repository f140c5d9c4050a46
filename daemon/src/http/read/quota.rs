//! What is used of quotas and of the power cap.

use nebula_api::functions::{ConcurrencyUse, EnergyUse, QuotaUse, RateUse};
use nebula_api::ledger::{self, Priorities};
use nebula_metering::{Joules, Watts};

use crate::admission::{Lane, OverPower, PowerCap};
use crate::functions::Function;
use crate::http::answer::energy::WITHHELD;
use crate::http::answer::exposure::Door;
use crate::http::answer::problem::Problem;
use crate::invocation::Refused;
use crate::quota::{Limit, Quota, QuotaExceeded};

/// What a function may use, and has used.
pub fn of_function(function: &Function, door: Door) -> QuotaUse {
    let quota = function.payer.as_ref().map_or_else(Quota::default, |payer| *payer.quota());
    let usage = function.payer.as_ref().map(|payer| payer.usage());
    let energy = usage.filter(|_| quota.joules_per_hour.is_some());
    let used = energy.filter(|_| door.tells_joules()).map(|usage| door.rounded(usage.energy.joules()));
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

impl Door {
    /// The answer to a call that is not let in. It shows no more joules than clients at this door may see.
    pub(crate) fn refused(self, why: Refused) -> Problem {
        Problem::Refused(match why {
            Refused::Quota(QuotaExceeded { limit: Limit::JoulesPerHour { limit, used }, owner, name, wait }) => {
                let used = used.filter(|_| self.tells_joules()).map(|used| Joules(self.rounded(used)));
                Refused::Quota(QuotaExceeded { limit: Limit::JoulesPerHour { limit, used }, owner, name, wait })
            }
            Refused::Power(over) => {
                Refused::Power(OverPower { now: over.now.filter(|_| self.to_totals().is_ok()), ..over })
            }
            why @ (Refused::Busy(_) | Refused::Quota(_)) => why,
        })
    }
}
