//! What is used of quotas and of the power cap, for those who ask.

use nebula_metering::{Joules, Watts};
use serde_json::{Value, json};

use crate::functions::Function;
use crate::http::answer::exposure::Door;
use crate::http::answer::problem::Problem;
use crate::invocation::{OverPower, PowerCap, Refused};
use crate::quota::{Exceeded, Limit, Quota};

const NOT_TOLD: &str = "joules are for operators here (`energy.expose`)";

/// What a function may use, and uses.
pub fn of_function(function: &Function, door: Door) -> Value {
    let quota = function.payer.as_ref().map_or_else(Quota::default, |payer| *payer.quota());
    let usage = function.payer.as_ref().map(|payer| payer.usage());
    let calls = usage.filter(|_| quota.concurrency.is_some()).map(|usage| usage.calls);
    let energy = usage.filter(|_| quota.joules_per_hour.is_some());
    let used = energy.filter(|_| door.tells_joules()).map(|usage| door.rounded(usage.energy.joules()));
    let mut shown = json!({
        "calls_per_second": { "limit": quota.calls_per_second },
        "concurrency": { "limit": quota.concurrency, "used": calls },
        "joules_per_hour": {
            "limit": quota.joules_per_hour.map(|Joules(joules)| joules),
            "used": used,
            "resumes_in_seconds": energy.map(|usage| usage.resumes_in.as_secs_f64().ceil()),
        },
    });
    if energy.is_some() && used.is_none() {
        shown["joules_per_hour"]["reason"] = NOT_TOLD.into();
    }
    shown
}

/// How much functions draw together, and who waits for them to draw less.
pub fn of_power(power: &PowerCap) -> Value {
    let lane = |lane: &crate::invocation::Lane| {
        let shown = json!({ "waits": lane.waits, "waiting": lane.waiting, "rejected": lane.rejected });
        (lane.priority.as_str().to_owned(), shown)
    };
    let watts = power.watts();
    let mut shown = json!({
        "max_watts": power.max().0,
        "active_watts": watts.map(|Watts(watts)| watts),
        "priorities": power.lanes().iter().map(lane).collect::<serde_json::Map<_, _>>(),
    });
    if watts.is_none() {
        shown["reason"] = "no window has closed yet".into();
    }
    shown
}

impl Door {
    /// The answer to a call that is not let in, which tells no more joules than this door does.
    pub(crate) fn refused(self, why: Refused) -> Problem {
        Problem::Refused(match why {
            Refused::Quota(Exceeded { limit: Limit::JoulesPerHour { limit, used }, whose, name, wait }) => {
                let used = used.filter(|_| self.tells_joules()).map(|used| Joules(self.rounded(used)));
                Refused::Quota(Exceeded { limit: Limit::JoulesPerHour { limit, used }, whose, name, wait })
            }
            Refused::Power(over) => {
                Refused::Power(OverPower { now: over.now.filter(|_| self.to_totals().is_ok()), ..over })
            }
            why @ (Refused::Busy(_) | Refused::Quota(_)) => why,
        })
    }
}
