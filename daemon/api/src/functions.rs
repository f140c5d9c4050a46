//! The functions that a daemon serves, and their versions.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;

/// All functions, and the files that are not served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Functions {
    /// The functions, by name.
    pub functions: Vec<Function>,
    /// Files that cannot be served as they are.
    #[serde(default)]
    pub broken: Vec<BrokenFile>,
}

/// The name of a function.
#[derive(ToSchema)]
#[schema(value_type = String, pattern = "^[a-z0-9][a-z0-9_-]{0,62}$")]
pub struct FunctionName(pub String);

/// The version of a function: the BLAKE3 digest of its module and manifest.
#[derive(ToSchema)]
#[schema(value_type = String, pattern = "^[0-9a-f]{64}$")]
pub struct Version(pub String);

/// A function that is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Function {
    /// The name it is called by.
    #[schema(value_type = FunctionName)]
    pub name: String,
    /// The version that is served.
    #[schema(value_type = Version)]
    pub version: String,
    /// What kind of guest it is, such as `command` or `numeric`.
    pub kind: Cow<'static, str>,
    /// Where it comes from: `built-in`, `file`, or `modules` if a file of modules lists it.
    #[schema(pattern = "^(built-in|file|modules)$")]
    pub origin: Cow<'static, str>,
    /// Bytes of its module.
    pub size_bytes: u64,
    /// When this version was deployed.
    pub deployed: Timestamp,
    /// The path that calls it.
    pub invoke: String,
    /// An input to try it with; empty where none is known.
    pub example: String,
}

/// A file that cannot be served as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BrokenFile {
    /// The name of the function.
    pub name: String,
    /// The path of the file.
    pub file: String,
    /// Why it is not served.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// The version that keeps serving, if there is one.
    pub version_served: Option<String>,
}

/// A function with what it is granted and what it took to prepare it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FunctionDetails {
    /// The function.
    #[serde(flatten)]
    pub function: Function,
    /// What it is granted.
    pub manifest: Manifest,
    /// What all of its calls together may use, and have used.
    pub quota: QuotaUse,
    /// What it took to prepare it.
    pub cold_start: ColdStart,
}

/// A function after a deployment or a rollback.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Deployed {
    /// The function as it is served now.
    #[serde(flatten)]
    pub details: FunctionDetails,
    /// Whether anything changed.
    pub changed: bool,
    /// The version that was served before.
    pub version_before: Option<String>,
}

/// What a function is granted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Manifest {
    /// Names of its environment variables; values may be secrets and are not shown.
    pub env: Vec<String>,
    /// Arguments after its name.
    pub args: Vec<String>,
    /// The export at which a numeric module is entered, if not `run`.
    pub entry: Option<String>,
    /// Hosts it may call.
    pub outbound: Vec<String>,
    /// Sockets it may open.
    #[serde(default)]
    pub network: Vec<String>,
    /// `fresh`: every call has a new instance. `serial`: calls follow each other in one instance.
    #[schema(pattern = "^(fresh|serial)$")]
    pub reuse: Cow<'static, str>,
    /// Which calls wait first when functions draw as much power as they may.
    #[schema(pattern = "^(low|normal|high)$")]
    pub priority: Cow<'static, str>,
    /// Prefixes of paths that it answers.
    pub routes: Vec<String>,
    /// Directories that it sees.
    pub directories: Vec<Directory>,
    /// What one call may use; null is what every function may use.
    pub limits: Limits,
    /// What all of its calls together may use; null is what every function may use.
    pub quota: Quota,
}

/// A directory that a function sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Directory {
    /// Where the function sees it.
    pub guest: String,
    /// Whether the function may write there.
    pub writable: bool,
}

/// What one call may use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Limits {
    /// Memory, such as `64MiB`.
    pub memory: Option<String>,
    /// Time from the call's beginning, such as `10s`.
    pub wall: Option<String>,
    /// CPU time, such as `1s`.
    pub cpu: Option<String>,
    /// Active energy in joules.
    pub max_joules: Option<f64>,
    /// Standard output, such as `4MiB`.
    pub output: Option<String>,
    /// Calls at once.
    pub concurrency: Option<u32>,
}

/// What all calls of a function may use together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Quota {
    /// Calls a second.
    pub calls_per_second: Option<u32>,
    /// Calls at once.
    pub concurrency: Option<u32>,
    /// Active energy within an hour.
    pub joules_per_hour: Option<f64>,
}

/// What a function may use and has used of its quota.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QuotaUse {
    /// Calls a second.
    pub calls_per_second: RateUse,
    /// Calls at once.
    pub concurrency: ConcurrencyUse,
    /// Active energy within an hour.
    pub joules_per_hour: EnergyUse,
}

/// Calls a second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RateUse {
    /// How many there may be; null is no limit.
    pub limit: Option<u32>,
}

/// Calls at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConcurrencyUse {
    /// How many there may be; null is no limit.
    pub limit: Option<u32>,
    /// How many run or wait now; null without a limit.
    pub used: Option<u32>,
}

/// Active energy within an hour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EnergyUse {
    /// Joules that may be used; null is no limit.
    pub limit: Option<f64>,
    /// Joules used within the last hour; null without a limit.
    pub used: Option<f64>,
    /// After how many seconds calls are let in again; null without a limit.
    pub resumes_in_seconds: Option<f64>,
    /// Why the joules used are not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<Cow<'static, str>>,
}

/// What it took to prepare a function: compile or load, and link it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ColdStart {
    /// Whether it was compiled; otherwise compiled code was found in the cache.
    pub compiled: bool,
    /// Wall time in microseconds.
    pub duration_us: u64,
    /// CPU time in microseconds; null where nothing measures it.
    pub cpu_us: Option<u64>,
    /// Energy it took.
    pub energy_joules: Option<f64>,
    /// Where the joules come from.
    pub source: Cow<'static, str>,
    /// Why the joules are not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<Cow<'static, str>>,
}

/// The versions of a function that are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Versions {
    /// The function.
    #[schema(value_type = FunctionName)]
    pub name: String,
    /// The version that is served; null if the function was removed.
    pub version: Option<String>,
    /// The versions, the latest first.
    pub versions: Vec<KeptVersion>,
}

/// A version of a function that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeptVersion {
    /// The version.
    #[schema(value_type = Version)]
    pub version: String,
    /// When it was deployed.
    pub deployed: Timestamp,
    /// Bytes of its module.
    pub size_bytes: u64,
    /// Whether it is the one that is served.
    pub served: bool,
}
