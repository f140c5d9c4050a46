//! How calls end, as metrics count them.

use nebula_runtime::Ending;
use strum::IntoStaticStr;

/// How a call ended. A closed set: it is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    /// The guest came to its end.
    Ok,
    /// The guest exited with a code other than 0, answered with a status of 500 or more, or its input or output was
    /// refused.
    Error,
    /// The guest did what WebAssembly forbids, or ran out of memory.
    Trap,
    /// The guest ran for longer than allowed.
    Timeout,
    /// The guest used more energy, or more CPU time, than allowed.
    OverBudget,
    /// The caller went away.
    Cancelled,
    /// There was no room for the call, or a quota was used up.
    Rejected,
}

impl Outcome {
    /// Every outcome, for those who count them all.
    pub const ALL: [Self; 7] =
        [Self::Ok, Self::Error, Self::Trap, Self::Timeout, Self::OverBudget, Self::Cancelled, Self::Rejected];

    /// The label's value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl From<&Ending> for Outcome {
    fn from(ending: &Ending) -> Self {
        match ending {
            Ending::Returned => Self::Ok,
            Ending::Answered(status) if *status < 500 => Self::Ok,
            Ending::Answered(_)
            | Ending::Exited(_)
            | Ending::Refused(_)
            | Ending::NoAnswer
            | Ending::OutputTooLarge
            | Ending::BadInput(_) => Self::Error,
            Ending::Trapped(_) | Ending::OutOfMemory => Self::Trap,
            Ending::TimedOut => Self::Timeout,
            Ending::OverCpu | Ending::OverEnergy => Self::OverBudget,
        }
    }
}
