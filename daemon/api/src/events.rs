//! The data of server-sent events. The event `call` carries an [`Invocation`](crate::invocations::Invocation).

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ledger::{Accounts, SettledCalls};

/// Data of the event `history`: mean power second by second, the earliest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HistoryEvent {
    /// One sample a second.
    #[schema(max_items = 300)]
    pub samples: Vec<HistorySample>,
}

/// Mean power of one second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HistorySample {
    /// How long ago.
    pub seconds_ago: f64,
    /// Power of each account.
    pub accounts: AccountWatts,
    /// The functions that drew the most.
    #[schema(max_items = 10)]
    pub functions: Vec<HistoryWatts>,
}

/// Power of a function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HistoryWatts {
    /// The function.
    pub function: String,
    /// Its mean active power.
    pub watts: f64,
}

/// Power of each account over the additive zones, in watts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AccountWatts {
    /// Functions.
    pub function: f64,
    /// The daemon itself, apart from its functions.
    pub runtime: f64,
    /// Everything else that ran on the machine.
    pub host: f64,
    /// What the machine draws when nothing runs.
    pub base: f64,
    /// Energy that was measured, but while no window was open.
    pub gap: f64,
}

/// Data of the event `watts`: mean power since the last one, by zone, by account, and of the functions that drew the
/// most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WattsEvent {
    /// The time it is the mean of.
    pub seconds: f64,
    /// The source that is read.
    pub source: Cow<'static, str>,
    /// Every zone of the source.
    pub zones: Vec<ZoneWatts>,
    /// Power of each account.
    pub accounts: AccountWatts,
    /// Half the width of the 95 % interval of the sum of the accounts; left out unless the source states it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub uncertainty_watts: Option<f64>,
    /// The functions that drew the most.
    #[schema(max_items = 10)]
    pub functions: Vec<FunctionWatts>,
}

/// Power of a zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ZoneWatts {
    /// What it covers.
    pub zone: String,
    /// The processor package it belongs to.
    pub package: Option<String>,
    /// Whether it may be added to others.
    pub additive: bool,
    /// Its mean power.
    pub watts: f64,
}

/// Power of a function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FunctionWatts {
    /// The function.
    pub function: String,
    /// Its version.
    pub version: Option<String>,
    /// Its mean active power.
    pub watts: f64,
}

/// Data of the event `accounts`: the accounts as they stand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AccountsEvent {
    /// The accounts over all additive zones of the source.
    #[serde(flatten)]
    pub accounts: Accounts,
    /// The source that is read.
    pub source: Cow<'static, str>,
    /// The settled calls of each function.
    pub calls: BTreeMap<String, SettledCalls>,
}

/// Data of the event `omitted`: calls were settled faster than this client may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OmittedEvent {
    /// How many calls were left out.
    #[schema(minimum = 1)]
    pub calls: u64,
}

/// Data of the event `dropped`, the last one a client gets that reads too slowly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DroppedEvent {
    /// Why the stream ends.
    pub reason: Cow<'static, str>,
}
