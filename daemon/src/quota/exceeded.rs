//! What a call is refused for.

use std::time::Duration;

use nebula_metering::Joules;
use thiserror::Error;

/// Whose quota it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// That of the function.
    Function,
    /// That of the token with which the caller came.
    Token,
}

impl Whose {
    /// The name used in metrics and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Token => "token",
        }
    }
}

/// One limit of a quota that would be exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum Limit {
    /// Calls a second.
    #[error("has had the {0} calls that it may have within a second")]
    CallsPerSecond(u32),
    /// Calls at once.
    #[error("has {0} calls running or waiting for their turn, as many as it may")]
    Concurrency(u32),
    /// Active energy within an hour.
    #[error("has used {}the {limit} of active energy that it may within an hour", used.map(|used| format!("{used} of ")).unwrap_or_default())]
    JoulesPerHour {
        /// How much it may use.
        limit: Joules,
        /// How much it has used; `None` where that is not to be told.
        used: Option<Joules>,
    },
}

impl Limit {
    /// The name used in metrics and manifests.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::CallsPerSecond(_) => "calls_per_second",
            Self::Concurrency(_) => "concurrency",
            Self::JoulesPerHour { .. } => "joules_per_hour",
        }
    }
}

/// A quota would be exceeded.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("the {} `{name}` {limit} (`quota.{}`)", whose.as_str(), limit.as_str())]
pub struct Exceeded {
    /// Whose quota it is.
    pub whose: Whose,
    /// The name of the function, or of the token.
    pub name: Box<str>,
    /// Which limit.
    pub limit: Limit,
    /// After how long another call is worth trying.
    pub wait: Duration,
}
