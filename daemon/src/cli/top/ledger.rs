//! A reading of a daemon's ledger (`GET /energy`), with the time it arrived.
//!
//! `nebula top` polls the ledger although `/events` also brings the accounts, because only the ledger counts every settled
//! call: in a burst, `/events` skips some. A lost reading does no lasting harm, because a reading holds sums since the daemon
//! started.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nebula_api::Timestamp;
use nebula_api::energy::WorkModel;
use nebula_api::ledger::Ledger;
use nebula_metering::{Joules, Microjoules};
use thiserror::Error;

use super::account::PerAccount;
use crate::cli::client::{Client, ClientError};

/// A daemon answers this from memory. One that is busy may take a while; one that takes longer is stuck.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

const PATH: &str = "/energy";

/// Why there is no ledger.
#[derive(Debug, Error)]
pub enum LedgerError {
    #[error(transparent)]
    Ask(#[from] ClientError),
    #[error(
        "{0}; totals are for operators: `nebula token NAME --role operate` makes a token for them, which is given with \
         NEBULA_TOKEN, --token-file or --token"
    )]
    Forbidden(ClientError),
    #[error("nothing is measured at {daemon}: {reason}; `nebula serve --source auto` takes the best source there is")]
    Off { daemon: String, reason: String },
}

/// Where joules come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceInfo {
    pub kind: String,
    pub measured: bool,
    /// What the joules of a model follow from.
    pub work_model: Option<WorkModel>,
    pub description: Option<String>,
    /// Since when it is read: another moment is another source, or another daemon.
    pub since: Option<Timestamp>,
}

impl SourceInfo {
    /// What its joules are, in plain words.
    pub fn nature(&self) -> String {
        match (&*self.kind, self.work_model) {
            _ if self.measured => "measured".into(),
            ("simulated", _) => "made up, not measured".into(),
            (_, Some(model)) => format!("estimated, {}", model.as_words()),
            (_, None) => "estimated, not measured".into(),
        }
    }
}

/// What a function has been charged, and what is known of its calls.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Used {
    /// The function's account: its calls, those that still run among them, and its cold starts.
    pub active: Microjoules,
    pub base: Microjoules,
    /// Calls that have been settled, and their active energy.
    pub settled: u64,
    pub settled_active: Microjoules,
    /// Half the width of the 95 % interval of that, if the daemon tells it.
    pub uncertainty: Option<Joules>,
}

/// The ledger at one moment. All figures are sums since the daemon started.
#[derive(Clone, Debug)]
pub struct LedgerReading {
    /// When it came.
    pub at: Instant,
    pub source: SourceInfo,
    /// Half the width of the 95 % interval of the power, as a part of it, if the source states it.
    pub relative_error: Option<f64>,
    pub accounts: PerAccount<Microjoules>,
    pub functions: BTreeMap<Arc<str>, Used>,
}

impl LedgerReading {
    pub fn ask(client: &Client) -> Result<Self, LedgerError> {
        let ledger = client.get(PATH, ANSWER_TIME_MAX)?.expect::<Ledger>();
        let at = Instant::now();
        match ledger {
            Ok(ledger) => read(ledger, at).map_err(|reason| LedgerError::Off { daemon: client.url(), reason }),
            Err(error) if error.is_forbidden() => Err(LedgerError::Forbidden(error)),
            Err(error) => Err(error.into()),
        }
    }
}

/// The reading, or why there is none.
fn read(ledger: Ledger, at: Instant) -> Result<LedgerReading, String> {
    let Some(sums) = ledger.sums else { return Err(ledger.reason.unwrap_or_else(|| "it does not say why".into())) };
    let accounts = [
        sums.function_microjoules,
        sums.runtime_microjoules,
        sums.host_microjoules,
        sums.base_microjoules,
        sums.gap_microjoules,
    ]
    .map(Microjoules);
    let mut functions = BTreeMap::<Arc<str>, Used>::new();
    for (name, account) in sums.functions {
        let used = functions.entry(name.into()).or_default();
        (used.active, used.base) = (Microjoules(account.active_microjoules), Microjoules(account.base_microjoules));
    }
    for (name, calls) in ledger.calls.unwrap_or_default() {
        let used = functions.entry(name.into()).or_default();
        (used.settled, used.settled_active) = (calls.settled, Microjoules(calls.active_microjoules));
        used.uncertainty = calls.active_joules_uncertainty.map(Joules);
    }
    let nebula_api::ledger::Source { kind, measured, work_model, relative_error, description, since, .. } =
        ledger.source;
    Ok(LedgerReading {
        at,
        source: SourceInfo { kind: kind.into_owned(), measured, work_model, description, since },
        relative_error,
        accounts,
        functions,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(ledger: serde_json::Value) -> Result<LedgerReading, String> {
        super::read(serde_json::from_value(ledger).unwrap(), Instant::now())
    }

    #[test]
    fn accounts_and_calls_are_joined_by_name() {
        let reading = read(json!({
            "source": { "kind": "model", "measured": false, "work_model": "cpu_time", "relative_error": 0.6, "description": "a guess", "since": null, "reason": "none else" }, "zones": [],
            "sums": {
                "total_microjoules": 15, "total_joules": 15e-6, "function_microjoules": 5, "function_joules": 5e-6,
                "runtime_microjoules": 4, "runtime_joules": 4e-6, "host_microjoules": 3, "host_joules": 3e-6,
                "base_microjoules": 2, "base_joules": 2e-6, "gap_microjoules": 1, "gap_joules": 1e-6,
                "functions": { "a": { "active_microjoules": 4, "active_joules": 4e-6, "preparing_microjoules": 1,
                                      "preparing_joules": 1e-6, "base_microjoules": 2, "base_joules": 2e-6 } },
            },
            "calls": { "a": { "settled": 3, "active_microjoules": 4, "active_joules": 4e-6, "active_joules_uncertainty": 2e-6 },
                       "b": { "settled": 1, "active_microjoules": 0, "active_joules": 0.0 } },
        }))
        .unwrap();
        assert_eq!(reading.source.nature(), "estimated, ranks by CPU time");
        assert_eq!(reading.relative_error, Some(0.6));
        let used = |name: &str| reading.functions[name];
        let [active, base, settled_active] = [4, 2, 4].map(Microjoules);
        let a = Used { active, base, settled: 3, settled_active, uncertainty: Some(Joules(2e-6)) };
        assert_eq!((used("a"), used("b")), (a, Used { settled: 1, ..Used::default() }));
        assert_eq!(reading.accounts, [5, 4, 3, 2, 1].map(Microjoules));
    }

    #[test]
    fn a_daemon_that_measures_nothing_says_why() {
        let off = json!({
            "source": { "kind": "off", "measured": false, "description": null, "reason": "switched off", "since": null },
            "zones": [], "sums": null, "calls": null, "reason": "switched off",
        });
        assert_eq!(read(off).unwrap_err(), "switched off");
    }

    #[test]
    fn the_nature_of_joules_depends_on_the_source() {
        let nature =
            |kind: &str, measured| SourceInfo { kind: kind.into(), measured, ..SourceInfo::default() }.nature();
        assert_eq!(nature("powercap", true), "measured");
        assert_eq!(nature("simulated", false), "made up, not measured");
        assert_eq!(nature("model", false), "estimated, not measured");
    }
}
