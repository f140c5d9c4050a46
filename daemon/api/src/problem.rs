//! Why a request did not get what it asked for.
//!
//! Source: RFC 9457, "Problem Details for HTTP APIs".

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::call::Cost;

/// A problem document (RFC 9457). If a call ran and failed, what it cost is in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem<'a> {
    /// The kind of problem, for programs: `urn:nebula:` and a name.
    #[serde(rename = "type")]
    #[schema(pattern = "^urn:nebula:")]
    pub kind: Cow<'a, str>,
    /// The kind of problem, for people.
    pub title: Cow<'static, str>,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What happened, and what to do about it.
    pub detail: String,
    /// The call that failed, if one ran.
    #[serde(flatten)]
    pub call: Option<FailedCall<'a>>,
}

/// A call that ran and failed, and what it cost all the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FailedCall<'a> {
    /// The function that was called.
    pub function: Cow<'a, str>,
    /// The call's identity.
    pub invocation_id: Uuid,
    /// The exit code, if the function exited.
    pub exit_code: Option<i32>,
    /// The end of what the function wrote to stderr.
    pub stderr: Cow<'a, str>,
    /// What the call cost.
    #[serde(flatten)]
    pub cost: Cost,
}
