//! How a call ended, and what it left behind.

use std::time::Duration;

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The guest came to its end, or exited with 0.
    Returned,
    /// The guest exited with another code.
    Exited(i32),
    /// The guest answered a request, with this status, and came to its end.
    Answered(u16),
    /// The guest answered a request with an error instead of an answer.
    Refused(String),
    /// The guest came to its end and answered nothing.
    NoAnswer,
    /// The guest did what WebAssembly forbids, or the host refused to go on.
    Trapped(String),
    /// The guest asked for more memory than allowed, was refused, and failed.
    OutOfMemory,
    /// The guest wrote more than allowed.
    OutputTooLarge,
    /// The guest ran for longer than allowed.
    TimedOut,
    /// The guest used more CPU time than allowed.
    OverCpu,
    /// The guest used more energy than allowed.
    OverEnergy,
    /// The input was not what the function takes; the guest did not run.
    BadInput(String),
}

/// A call that has come to its end.
#[derive(Debug)]
pub struct Completion {
    /// How.
    pub ending: Ending,
    /// Standard output; complete if the ending is [`Ending::Returned`].
    pub output: Vec<u8>,
    /// The end of standard error.
    pub log: Vec<u8>,
    /// Whether standard error was longer.
    pub log_truncated: bool,
    /// Time from the beginning until the guest's first instruction.
    pub startup: Duration,
    /// Time from there to the end.
    pub execution: Duration,
}

impl Completion {
    /// The status that it answered, if it answers requests and has.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self.ending {
            Ending::Answered(status) => Some(status),
            _ => None,
        }
    }

    /// What the guest's process would have told its parent: 0, the exit code, or `None` if it did not exit.
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        match self.ending {
            Ending::Returned => Some(0),
            Ending::Exited(code) => Some(code),
            _ => None,
        }
    }
}
