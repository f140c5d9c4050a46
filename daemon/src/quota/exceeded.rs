//! Why a quota refuses a call.

use std::time::Duration;

use nebula_metering::Joules;
use thiserror::Error;

/// The owner of the quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaOwner {
    Function,
    /// The token that the caller sent.
    Token,
}

impl QuotaOwner {
    /// The name used in metrics and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Token => "token",
        }
    }
}

/// The limit of a quota that would be exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum Limit {
    #[error("has used up its {0} calls per second")]
    CallsPerSecond(u32),
    #[error("has {0} calls running or waiting, its limit")]
    Concurrency(u32),
    /// Active energy within an hour. `used` is `None` where callers must not see it.
    #[error("has used {}its {limit} of active energy per hour", used.map(|used| format!("{used} of ")).unwrap_or_default())]
    JoulesPerHour { limit: Joules, used: Option<Joules> },
}

impl Limit {
    /// The name used in metrics and manifests.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::CallsPerSecond(_) => "calls_per_second",
            Self::Concurrency(_) => "concurrency",
            Self::JoulesPerHour { .. } => "joules_per_hour",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Error)]
#[error("the {} `{name}` {limit} (`quota.{}`)", owner.as_str(), limit.as_str())]
pub struct QuotaExceeded {
    pub owner: QuotaOwner,
    /// The name of the function or of the token.
    pub name: Box<str>,
    pub limit: Limit,
    /// When another call is worth trying.
    pub wait: Duration,
}
