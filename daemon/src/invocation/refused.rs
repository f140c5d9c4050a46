//! Why a call is not let in.

use thiserror::Error;

use super::admission::Busy;
use super::power::OverPower;
use crate::quota::QuotaExceeded;

/// A call is not let in.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Refused {
    /// There is no room for it.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// A quota is used up.
    #[error(transparent)]
    Quota(#[from] QuotaExceeded),
    /// Functions draw as much power as they may.
    #[error(transparent)]
    Power(#[from] OverPower),
}
