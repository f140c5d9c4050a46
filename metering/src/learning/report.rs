//! What has been learned, for people.

use std::fmt;

use crate::post::FunctionId;

/// What a coefficient multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    /// Seconds: the power of the zone when nothing runs.
    Base,
    /// Seconds in which any processor of the package was busy: the cost of waking the package.
    Activation,
    /// Seconds of CPU time of calls.
    CallCpu,
    /// Instructions of calls.
    Instructions,
    /// Cycles of calls.
    Cycles,
    /// Misses of the last-level cache by calls.
    CacheMisses,
    /// Instructions of calls on efficiency cores.
    EfficientInstructions,
    /// Cycles of calls on efficiency cores.
    EfficientCycles,
    /// Seconds of CPU time of this process without its calls.
    RuntimeCpu,
    /// Seconds of CPU time of everything else.
    HostCpu,
    /// Seconds of CPU time of the calls of one function: how they deviate from what their work predicts.
    Function(FunctionId),
    /// Not a factor of work but an exponent: the power of a core grows with its frequency to this power.
    ClockExponent,
    /// Not a factor of work either: the part of its cost that CPU time saves beside a busy thread on the same core.
    CoreSharing,
}

impl Feature {
    /// Its name. Functions share one; their numbers distinguish them.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Activation => "activation",
            Self::CallCpu => "call_cpu",
            Self::Instructions => "instructions",
            Self::Cycles => "cycles",
            Self::CacheMisses => "cache_misses",
            Self::EfficientInstructions => "efficient_instructions",
            Self::EfficientCycles => "efficient_cycles",
            Self::RuntimeCpu => "runtime_cpu",
            Self::HostCpu => "host_cpu",
            Self::Function(_) => "function",
            Self::ClockExponent => "clock_exponent",
            Self::CoreSharing => "core_sharing",
        }
    }

    /// Whether it is a hardware event.
    #[must_use]
    pub fn is_event(self) -> bool {
        self.unit().starts_with("joules_per")
    }

    /// The unit of its coefficient.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::Instructions | Self::EfficientInstructions => "joules_per_instruction",
            Self::Cycles | Self::EfficientCycles => "joules_per_cycle",
            Self::CacheMisses => "joules_per_miss",
            Self::Base | Self::Activation | Self::CallCpu | Self::RuntimeCpu | Self::HostCpu | Self::Function(_) => {
                "watts"
            }
            Self::ClockExponent | Self::CoreSharing => "none",
        }
    }
}

/// A learned coefficient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coefficient {
    /// What it multiplies.
    pub feature: Feature,
    /// Its value, in joules per unit of the feature. Only [`Feature::Function`] may be negative.
    pub value: f64,
    /// Its standard deviation.
    pub deviation: f64,
}

/// Whether coefficients change with what is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LearningState {
    /// Too few windows so far.
    Waiting,
    /// The last window changed them.
    Learning,
    /// The last windows were too far off to learn from, or held nothing.
    Frozen,
    /// The source states what work costs. There is nothing to learn.
    Stated,
}

impl LearningState {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Learning => "learning",
            Self::Frozen => "frozen",
            Self::Stated => "stated",
        }
    }
}

impl fmt::Display for LearningState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What has been learned about one zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Learned {
    /// Whether learning goes on.
    pub state: LearningState,
    /// Every coefficient in use.
    pub coefficients: Vec<Coefficient>,
}
