//! A form that calls a function several times, and the answer to it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::call::Times;
use crate::energy::Energy;
use crate::problem::Problem;

/// The fields of the form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Form {
    /// The function to call.
    #[schema(min_length = 1)]
    pub function_name: String,
    /// What the function reads; nothing if the field is missing.
    #[serde(default)]
    #[schema(required = false)]
    pub input: String,
    /// How often to call it: 1 if the field is missing, at most 1000 unless `api.calls` says otherwise.
    #[serde(default = "once")]
    #[schema(minimum = 1, maximum = 1000, default = 1)]
    pub num_calls: u32,
}

fn once() -> u32 {
    1
}

/// What each call of a form gave and took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FormReport<'a> {
    /// The function that was called.
    pub function_name: Cow<'a, str>,
    /// How many calls the form asked for.
    pub num_calls: u32,
    /// The calls in their order.
    pub results: Vec<FormResult<'a>>,
    /// All calls that ran, together.
    pub totals: FormTotals,
    /// Why there are fewer results than calls were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<String>,
}

/// One call of a form.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FormResult<'a> {
    /// The output; null where the call failed, or the output is not UTF-8.
    pub result: Option<String>,
    /// Output that is not UTF-8, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub result_base64: Option<String>,
    /// Why the call failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<Problem<'a>>,
    /// The call's identity, if it ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub invocation_id: Option<Uuid>,
    /// Where the time went; null where nothing ran.
    pub metrics: Option<Times>,
    /// The call's energy as the policy counts it.
    pub energy_joules: Option<f64>,
    /// How `energy_joules` came about, if the call ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub energy: Option<Energy>,
}

/// All calls of a form that ran, together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FormTotals {
    /// Calls that came to their end.
    pub succeeded: usize,
    /// Calls that failed.
    pub failed: usize,
    /// The sums of their times.
    pub metrics: Times,
    /// The sum of their energy.
    pub energy_joules: Option<f64>,
    /// Grams of CO2 equivalent that came with it, where that is known of every call.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub carbon_grams: Option<f64>,
    /// Why the joules are not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<Cow<'static, str>>,
}
