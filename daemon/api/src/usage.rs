//! What functions have used since a time, from stored accounts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::energy::UncertaintyParts;

/// What the rows of a report are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// A function with all its versions.
    Function,
    /// A version of a function.
    Version,
    /// An hour.
    Hour,
}

impl By {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Function, Self::Version, Self::Hour];

    /// The name used in options and queries.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Version => "version",
            Self::Hour => "hour",
        }
    }
}

/// What was used from one moment to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// The beginning of the first hour in it; null if it covers everything that is stored.
    pub since: Option<String>,
    /// When the last of it was stored.
    pub until: Option<String>,
    /// What the rows are about.
    pub by: By,
    /// Which energy is shared, priced and turned into carbon: `active`, or `usage`, which adds a share of the base energy.
    #[schema(pattern = "^(active|usage)$")]
    pub policy: String,
    /// The currency of the costs.
    pub currency: Option<String>,
    /// Hours before this one have been folded into one sum.
    pub hours_kept_since: Option<String>,
    /// Functions with the most energy first; hours in their order.
    pub rows: Vec<Row>,
    /// All functions together.
    pub total: Row,
    /// The whole machine, by source.
    pub machine: Vec<Machine>,
    /// What a reader should know about these figures.
    pub notes: Vec<String>,
}

/// One line of a report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Row {
    /// The function.
    pub function: Option<String>,
    /// Its version, in reports by version.
    pub version: Option<String>,
    /// The beginning of the hour, or which hours are in it together.
    pub hour: Option<String>,
    /// How much energy was read from which source.
    pub sources: Vec<SourceEnergy>,
    /// What calls caused, in microjoules, exactly.
    pub active_microjoules: Option<u64>,
    /// What compiling, linking and loading caused, in microjoules, exactly.
    pub preparing_microjoules: Option<u64>,
    /// The share of the calls in the base energy, in microjoules, exactly.
    pub base_microjoules: Option<u64>,
    /// What calls caused.
    pub active_joules: Option<f64>,
    /// What compiling, linking and loading caused.
    pub preparing_joules: Option<f64>,
    /// The share of the calls in the base energy.
    pub base_joules: Option<f64>,
    /// What the policy counts of all three: what is billed.
    pub energy_joules: Option<f64>,
    /// The same in kilowatt hours.
    pub kwh: Option<f64>,
    /// Grams of CO2 equivalent of it.
    pub gco2e: Option<f64>,
    /// The part of the energy whose grams are known, from 0 to 1.
    pub gco2e_covers: Option<f64>,
    /// What it costs.
    pub cost: Option<f64>,
    /// The part of the energy whose cost is known, from 0 to 1.
    pub cost_covers: Option<f64>,
    /// Calls that ran.
    pub calls: u64,
    /// Calls that failed: by an error, a trap, a timeout or their budget.
    pub errors: u64,
    /// Calls that ran while nothing was measured.
    pub unmeasured_calls: u64,
    /// Calls by how they ended.
    pub outcomes: Outcomes,
    /// Energy per call, over the calls that were measured. Preparing is not part of it.
    pub joules_per_call: Option<f64>,
    /// CPU time of the calls.
    pub cpu_seconds: Option<f64>,
    /// First calls since the function was loaded.
    pub cold_starts: u64,
    /// The part of the machine's energy that it is, from 0 to 1.
    pub share: Option<f64>,
    /// Half the width of the 95 % interval of `active_joules`; null if some of it is older than what is stored about its
    /// uncertainty, or if no call in it is settled yet.
    pub active_joules_uncertainty: Option<f64>,
    /// The parts of `active_joules_uncertainty`. What calls of several functions have in common adds up too, so the
    /// interval of a sum is rather too wide.
    pub uncertainty_parts: Option<UncertaintyParts>,
}

impl Row {
    /// The sources its energy was read from, such as `powercap+model`.
    #[must_use]
    pub fn source(&self) -> String {
        self.sources.iter().map(|energy| energy.source.as_str()).collect::<Vec<_>>().join("+")
    }
}

/// Calls by how they ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Outcomes {
    /// The function came to its end.
    pub ok: u64,
    /// It reported a failure, or its input or output was refused.
    pub error: u64,
    /// It did what WebAssembly forbids, or ran out of memory.
    pub trap: u64,
    /// It ran for longer than it may.
    pub timeout: u64,
    /// It used more energy or CPU time than it may.
    pub over_budget: u64,
    /// The caller went away.
    pub cancelled: u64,
    /// There was no room, or a quota was used up. These calls did not run.
    pub rejected: u64,
}

/// Energy read from one source, in microjoules, exactly.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SourceEnergy {
    /// The source.
    pub source: String,
    /// What calls caused.
    pub active_microjoules: u64,
    /// What compiling, linking and loading caused.
    pub preparing_microjoules: u64,
    /// The share of the calls in the base energy.
    pub base_microjoules: u64,
}

/// What the additive zones of one source measured, and who was charged with it, in microjoules. The accounts add up to
/// the total.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Machine {
    /// The source.
    pub source: String,
    /// Whether its joules are measured.
    pub measured: bool,
    /// What was measured.
    pub total_microjoules: u64,
    /// What functions were charged with.
    pub function_microjoules: u64,
    /// What the daemon itself was charged with, apart from its functions.
    pub runtime_microjoules: u64,
    /// What everything else that ran on the machine was charged with.
    pub host_microjoules: u64,
    /// What the machine draws when nothing runs.
    pub base_microjoules: u64,
    /// Energy that was measured, but while no window was open.
    pub gap_microjoules: u64,
}
