//! How calls end, as metrics count them.

use crate::runtime::Ending;

/// How a call ended. A closed set: it is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The guest came to its end.
    Ok,
    /// The guest exited with a code other than 0, or its input or output was refused.
    Error,
    /// The guest did what WebAssembly forbids, or ran out of memory.
    Trap,
    /// The guest ran for longer than allowed.
    Timeout,
    /// The caller went away.
    Cancelled,
    /// There was no room for the call.
    Rejected,
}

impl Outcome {
    /// Every outcome, for those who count them all.
    pub const ALL: [Self; 6] = [Self::Ok, Self::Error, Self::Trap, Self::Timeout, Self::Cancelled, Self::Rejected];

    /// The label's value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Trap => "trap",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
        }
    }
}

impl From<&Ending> for Outcome {
    fn from(ending: &Ending) -> Self {
        match ending {
            Ending::Returned => Self::Ok,
            Ending::Exited(_) | Ending::OutputTooLarge | Ending::BadInput(_) => Self::Error,
            Ending::Trapped(_) | Ending::OutOfMemory => Self::Trap,
            Ending::TimedOut => Self::Timeout,
        }
    }
}
