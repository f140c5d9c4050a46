//! The energy of one call.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The energy of one call, as far as it is known and may be shown to this client.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Energy {
    /// How final the figures are.
    pub state: EnergyState,
    /// Where the joules come from: powercap, perf, hwmon, model, simulated, rapl-energy or off.
    pub source: Cow<'static, str>,
    /// What the joules of a model follow from; left out where joules are measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub work_model: Option<WorkModel>,
    /// What `energy_joules` counts: `active` is what the call caused, `usage` adds its share of the base energy.
    #[schema(pattern = "^(active|usage)$")]
    pub policy: Cow<'static, str>,
    /// Half the width of the 95 % interval of `active_joules`.
    pub uncertainty_joules: Option<f64>,
    /// The parts of `uncertainty_joules`, once the call is settled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub uncertainty_parts: Option<UncertaintyParts>,
    /// What the call caused.
    pub active_joules: Option<f64>,
    /// The call's share, by CPU time, of what the machine draws when nothing runs.
    pub base_joules: Option<f64>,
    /// `active_joules` by zone.
    pub zones: BTreeMap<Cow<'static, str>, f64>,
    /// What was estimated when the call ended, beside the settled figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub estimate: Option<EstimatedEnergy>,
    /// Settled active energy divided by estimated.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub estimate_ratio: Option<f64>,
    /// The carbon of the call; left out unless `carbon.intensity` is configured.
    #[serde(flatten)]
    pub carbon: Option<CallCarbon>,
    /// Why a figure is not known, or not settled although the request asked to wait for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<Cow<'static, str>>,
}

/// What the joules of a model follow from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkModel {
    /// CPU time alone: joules rank functions by it, and tell nothing else.
    CpuTime,
    /// CPU time, and how many instructions and cache misses came with it, by published coefficients.
    CpuTimeAndEvents,
}

impl WorkModel {
    /// What such joules are good for, in a few words.
    #[must_use]
    pub fn as_words(self) -> &'static str {
        match self {
            Self::CpuTime => "ranks by CPU time",
            Self::CpuTimeAndEvents => "ranks by CPU time and hardware events",
        }
    }
}

/// The parts of a 95 % interval: half the width of each. They are independent, so half the width of the whole interval is
/// the root of the sum of their squares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UncertaintyParts {
    /// What all calls of the function have in common: how well the cost of its work and the base power are known. It
    /// doesn't average out over many calls.
    pub common_joules: f64,
    /// What is the call's own, such as its neighbours on the core. It averages out.
    pub own_joules: f64,
    /// What the source states about its own error. It doesn't average out either.
    pub source_joules: f64,
}

/// How final the energy of a call is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EnergyState {
    /// The call runs; the figures are what the windows closed so far have charged it.
    Running,
    /// The call has ended; the figures are what its work is expected to have cost.
    Estimated,
    /// All windows of the call have closed; the figures are its share of what they measured.
    Settled,
    /// No figure is known; `reason` says why.
    #[default]
    Unknown,
    /// The operator does not show joules to callers.
    Withheld,
}

impl EnergyState {
    /// The name used on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Estimated => "estimated",
            Self::Settled => "settled",
            Self::Unknown => "unknown",
            Self::Withheld => "withheld",
        }
    }
}

/// What was estimated when a call ended. All figures are null where nothing could be estimated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EstimatedEnergy {
    /// What the call caused.
    pub active_joules: Option<f64>,
    /// Its share of the base energy.
    pub base_joules: Option<f64>,
    /// Half the width of the 95 % interval of `active_joules`.
    pub uncertainty_joules: Option<f64>,
    /// Why a figure is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<Cow<'static, str>>,
}

/// The carbon of a call, computed from the joules as they are shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CallCarbon {
    /// Grams of CO2 equivalent that came with `energy_joules`.
    // Read like this, a missing member is no null: there is no carbon then.
    #[serde(rename = "carbon_grams", deserialize_with = "Option::deserialize")]
    pub grams: Option<f64>,
    /// The grid's intensity when the call ended, which the grams were computed with.
    #[serde(rename = "carbon_intensity_g_per_kwh")]
    pub intensity: Option<f64>,
    /// Why a figure is not known.
    #[serde(rename = "carbon_reason", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<Cow<'static, str>>,
}

impl Energy {
    /// The estimated and the settled active energy, as far as each is known.
    #[must_use]
    pub fn estimated_and_settled(&self) -> (Option<f64>, Option<f64>) {
        match self.state {
            EnergyState::Estimated => (self.active_joules, None),
            state => {
                let settled = self.active_joules.filter(|_| state == EnergyState::Settled);
                (self.estimate.as_ref().and_then(|estimate| estimate.active_joules), settled)
            }
        }
    }
}
