//! How a call ended, and what it left behind.

use std::time::Duration;

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The guest returned, or exited with code 0.
    Returned,
    /// The guest exited with this code, which is not 0.
    Exited(i32),
    /// The guest answered an HTTP request with this status.
    Answered(u16),
    /// The guest reported an error (of `wasi:http`) in place of an answer.
    Refused(String),
    /// The guest returned without answering the HTTP request.
    NoAnswer,
    /// The guest trapped, or a host function failed.
    Trapped(String),
    /// The guest failed after it was refused more memory than its limit.
    OutOfMemory,
    /// The guest wrote more than its limit.
    OutputTooLarge,
    /// The guest ran for longer than its limit.
    TimedOut,
    /// The caller stopped the guest because it used too much CPU time.
    OverCpu,
    /// The caller stopped the guest because it used too much energy.
    OverEnergy,
    /// The input does not suit the function; the guest did not run.
    BadInput(String),
}

/// A call that has ended.
#[derive(Debug)]
pub struct Completion {
    /// How it ended.
    pub ending: Ending,
    /// The HTTP status that the guest answered with before the call ended, however that was. The body of the answer says
    /// whether it is complete.
    pub answered: Option<u16>,
    /// Standard output. Complete if the ending is [`Ending::Returned`].
    pub output: Vec<u8>,
    /// The end of standard error.
    pub log: Vec<u8>,
    /// Whether the beginning of standard error was dropped.
    pub log_truncated: bool,
    /// Time from the beginning of the call to the guest's first instruction.
    pub startup: Duration,
    /// Time from the guest's first instruction to the end.
    pub execution: Duration,
}

impl Completion {
    /// The HTTP status that the guest answered with, if it did not fail afterwards.
    pub fn status(&self) -> Option<u16> {
        match self.ending {
            Ending::Answered(status) => Some(status),
            _ => None,
        }
    }

    /// The exit code as a process would have it; `None` if the guest did not exit by itself.
    pub fn exit_code(&self) -> Option<i32> {
        match self.ending {
            Ending::Returned => Some(0),
            Ending::Exited(code) => Some(code),
            _ => None,
        }
    }
}
