//! The ledger: what the counters measured, and who was charged with it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;
use crate::energy::{UncertaintyParts, WorkModel};

/// Why members are null, by their names.
pub type Reasons = BTreeMap<Cow<'static, str>, Cow<'static, str>>;

/// What was measured, who was charged with it, and what is known of the machine. Energies are sums since the daemon
/// started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Ledger {
    /// The source that is read.
    pub source: Source,
    /// The time between two readings.
    pub window_seconds: Option<f64>,
    /// The zones of every source that was ever read.
    pub zones: Vec<Zone>,
    /// The accounts over all additive zones of the source that is read.
    pub sums: Option<Accounts>,
    /// The same for every source: what one has measured is not added to what another has modelled.
    pub sums_by_source: Option<BTreeMap<Cow<'static, str>, Accounts>>,
    /// Measured less charged: 0.
    pub residual_microjoules: Option<i64>,
    /// The settled calls of each function.
    pub calls: Option<BTreeMap<String, SettledCalls>>,
    /// Seconds without energy, by reason.
    pub gaps: Option<BTreeMap<Cow<'static, str>, f64>>,
    /// What measuring itself takes.
    pub meter: Option<MeterCost>,
    /// The cap on the power of all functions together; null if there is none.
    pub power_cap: Option<PowerCap>,
    /// Why nothing is measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<String>,
    /// The grid's carbon intensity, where one is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub carbon: Option<Carbon>,
    /// The price of energy, where one is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub price: Option<Price>,
}

/// A source of energy readings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Source {
    /// powercap, perf, hwmon, model, simulated, rapl-energy or off.
    pub kind: Cow<'static, str>,
    /// Whether its joules are measured.
    pub measured: bool,
    /// What the joules of a model follow from; left out where joules are measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub work_model: Option<WorkModel>,
    /// Half the width of the 95 % interval of the power now, as a part of it; left out unless the source states it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub relative_error: Option<f64>,
    /// The source in a sentence.
    pub description: Option<String>,
    /// Why this source is read and no better one.
    pub reason: String,
    /// Since when it is read. Another time means another source, or another daemon.
    pub since: Option<Timestamp>,
}

/// A part of the machine whose energy is read by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Zone {
    /// What it covers, such as `package` or `dram`.
    pub zone: String,
    /// The processor package it belongs to.
    pub package: Option<String>,
    /// The source it is read from.
    pub source: Cow<'static, str>,
    /// Whether its joules are measured.
    pub measured: bool,
    /// Whether it may be added to others. If not, it lies inside other zones or overlaps them: it is shown, never added,
    /// and charged to nobody.
    pub additive: bool,
    /// Power in the last window.
    pub watts_now: Option<f64>,
    /// Power when nothing runs.
    pub base_watts: Option<f64>,
    /// Half the width of the 95 % interval of `base_watts`.
    pub base_watts_uncertainty: Option<f64>,
    /// Why the last reading failed; null if it did not.
    pub failure: Option<String>,
    /// Who was charged with its energy; null unless additive.
    pub accounts: Option<Accounts>,
    /// Measured less charged: 0. Null unless additive.
    pub residual_microjoules: Option<i64>,
    /// What was learned about it; null unless additive.
    pub calibration: Option<Calibration>,
    /// What was measured, in microjoules, exactly.
    pub total_microjoules: u64,
    /// The same in joules.
    pub total_joules: f64,
    /// Why members are null, by their names.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    #[schema(value_type = BTreeMap<String, String>)]
    pub reasons: Reasons,
}

/// Who was charged with energy. The accounts add up to the total, to the microjoule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Accounts {
    /// What was measured, in microjoules, exactly.
    pub total_microjoules: u64,
    /// The same in joules.
    pub total_joules: f64,
    /// What functions were charged with: their calls, and preparing them.
    pub function_microjoules: u64,
    /// The same in joules.
    pub function_joules: f64,
    /// What the daemon itself was charged with, apart from its functions.
    pub runtime_microjoules: u64,
    /// The same in joules.
    pub runtime_joules: f64,
    /// What everything else that ran on the machine was charged with.
    pub host_microjoules: u64,
    /// The same in joules.
    pub host_joules: f64,
    /// What the machine draws when nothing runs.
    pub base_microjoules: u64,
    /// The same in joules.
    pub base_joules: f64,
    /// Energy that was measured, but while no window was open.
    pub gap_microjoules: u64,
    /// The same in joules.
    pub gap_joules: f64,
    /// What each function was charged with, over all its versions.
    pub functions: BTreeMap<String, FunctionAccount>,
}

/// What a function was charged with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FunctionAccount {
    /// What its calls caused, in microjoules, exactly.
    pub active_microjoules: u64,
    /// The same in joules.
    pub active_joules: f64,
    /// What compiling, linking and loading it caused, in microjoules, exactly.
    pub preparing_microjoules: u64,
    /// The same in joules.
    pub preparing_joules: f64,
    /// The share of its calls in the base energy, by CPU time: a view of the account `base`.
    pub base_microjoules: u64,
    /// The same in joules.
    pub base_joules: f64,
}

/// The settled calls of a function since the daemon started. Cold starts are not calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SettledCalls {
    /// How many.
    #[schema(minimum = 1)]
    pub settled: u64,
    /// What they caused, in microjoules, exactly.
    pub active_microjoules: u64,
    /// The same in joules.
    pub active_joules: f64,
    /// Half the width of the 95 % interval of `active_joules`.
    pub active_joules_uncertainty: Option<f64>,
    /// The parts of `active_joules_uncertainty`.
    pub uncertainty_parts: Option<UncertaintyParts>,
}

/// What was learned about a zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Calibration {
    /// Power when nothing runs.
    pub base_watts: Option<f64>,
    /// Whether learning goes on: it is frozen while windows are too far off to learn from.
    pub state: Option<Cow<'static, str>>,
    /// What each kind of work costs.
    pub coefficients: Vec<Coefficient>,
    /// Since when it has been learned: earlier daemons pass on what they know. Null while little is known.
    pub learned_since: Option<Timestamp>,
    /// When `nebula calibrate` last learned it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub calibrated: Option<Timestamp>,
    /// Why a member is null.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<String>,
}

/// What one kind of work costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Coefficient {
    /// The kind of work.
    pub feature: Cow<'static, str>,
    /// Its cost.
    pub value: f64,
    /// The unit of the cost.
    pub unit: Cow<'static, str>,
    /// The standard deviation of the cost.
    pub deviation: f64,
    /// The function whose CPU time costs that much more or less than others'.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub function: Option<String>,
}

/// What measuring itself takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MeterCost {
    /// CPU time of the sampler.
    pub cpu_seconds: f64,
    /// Its share of one processor since it started.
    pub share_of_one_processor: Option<f64>,
    /// Its share of one processor lately.
    pub share_of_one_processor_lately: Option<f64>,
    /// Slices of work that found no room in a queue and were charged to the runtime.
    pub postings_dropped: u64,
    /// What is counted of calls.
    pub work_counters: Vec<Cow<'static, str>>,
    /// Why members are null or counters missing, by the members' names.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    #[schema(value_type = BTreeMap<String, String>)]
    pub reasons: Reasons,
}

/// The cap on the power of all functions together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PowerCap {
    /// How much functions may draw.
    pub max_watts: f64,
    /// How much they draw.
    pub active_watts: Option<f64>,
    /// The calls of each priority.
    pub priorities: Priorities,
    /// Why the power is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<Cow<'static, str>>,
}

/// The calls of each priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Priorities {
    /// The first to wait.
    pub low: Lane,
    /// What functions have unless their manifest says otherwise.
    pub normal: Lane,
    /// The last to wait.
    pub high: Lane,
}

/// The calls of one priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Lane {
    /// Whether new calls wait.
    pub waits: bool,
    /// How many wait.
    pub waiting: usize,
    /// How many were refused.
    pub rejected: u64,
}

/// The carbon intensity of the grid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Carbon {
    /// Grams of CO2 equivalent per kilowatt hour.
    pub intensity_g_per_kwh: Option<f64>,
    /// Where the figure comes from.
    pub origin: Option<Cow<'static, str>>,
    /// Since when it holds.
    #[schema(format = DateTime)]
    pub since: Option<String>,
    /// How old it is.
    pub age_seconds: Option<f64>,
    /// The age from which it is not used any more.
    pub stale_seconds: f64,
    /// Power usage effectiveness of the site: its whole power divided by that of its machines.
    pub pue: f64,
    /// Why the intensity is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<String>,
}

/// The price of energy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Price {
    /// Per kilowatt hour.
    pub per_kwh: f64,
    /// The currency's code.
    pub currency: String,
    /// Power usage effectiveness of the site, which the price is multiplied by.
    pub pue: f64,
}
