//! The description of the API, made from the types of this crate and the table of its operations.
//!
//! What a daemon serves is [`JSON`], which is checked in; a test compares it with [`document`].

mod operations;
mod parts;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::{call, energy, events, form, functions, invocations, ledger, problem, usage};

/// The description as it is checked in, for version 0.0.0: a daemon puts its own in.
pub const JSON: &str = include_str!("../../openapi.json");

/// Members that may be null and may also be left out: they are there only where `carbon.intensity` is configured.
const CARBON: [&str; 2] = ["carbon_grams", "carbon_intensity_g_per_kwh"];

/// The description, made anew.
#[must_use]
pub fn document() -> Value {
    let token = json!({
        "type": "http",
        "scheme": "bearer",
        "description": "Where tokens are configured. The roles are invoke, deploy and operate; each includes those before it.",
    });
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Nebula",
            "summary": "Runs WebAssembly functions over HTTP and tells, for every call, how many joules it took.",
            "description": "Every answer carries the header `X-Request-Id`: the name the caller gave the request, or else the \
                            identity of its call.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            "version": "0.0.0",
        },
        "paths": operations::paths(),
        "components": {
            "schemas": schemas(),
            "responses": parts::responses(),
            "parameters": parts::parameters(),
            "securitySchemes": { "token": token },
        },
        "security": [{}, { "token": [] }],
        "tags": [{ "name": "calls" }, { "name": "functions" }, { "name": "energy" }, { "name": "daemon" }],
    })
}

/// The schemas of all bodies, and of what they consist of, by name.
fn schemas() -> BTreeMap<String, Value> {
    let mut schemas: Vec<(String, RefOr<Schema>)> = Vec::new();
    macro_rules! add {
        ($($body:ty),* $(,)?) => {
            $(
                schemas.push((<$body>::name().into_owned(), <$body>::schema()));
                <$body>::schemas(&mut schemas);
            )*
        };
    }
    add![
        call::Envelope<'_>,
        problem::Problem<'_>,
        form::Form,
        form::FormReport<'_>,
        functions::Functions,
        functions::FunctionDetails,
        functions::Deployed,
        functions::Versions,
        invocations::Invocations,
        ledger::Ledger,
        energy::Energy,
        events::HistoryEvent,
        events::WattsEvent,
        events::AccountsEvent,
        events::OmittedEvent,
        events::DroppedEvent,
        usage::Report,
    ];
    let mut schemas: BTreeMap<_, _> = schemas.into_iter().map(|(name, schema)| (name, json!(schema))).collect();
    schemas.values_mut().for_each(refine);
    let mut event = parts::schema("Invocation");
    event["description"] = "Data of the event `call`: a call whose charge is final.".into();
    schemas.insert("CallEvent".into(), event);
    schemas
}

/// Says what serde does and a derived schema cannot know: a member that may be null is always there (see the rules of
/// this crate), and a flattened part that is missing leaves no member behind.
fn refine(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else {
        if let Some(items) = schema.as_array_mut() {
            items.iter_mut().for_each(refine);
        }
        return;
    };
    if let Some(properties) = object.get("properties").and_then(Value::as_object) {
        let always = properties.iter().filter(|(name, schema)| is_nullable(schema) && !CARBON.contains(&name.as_str()));
        let always: Vec<Value> = always.map(|(name, _)| name.clone().into()).collect();
        if !always.is_empty()
            && let Some(required) = object.entry("required").or_insert_with(|| json!([])).as_array_mut()
        {
            let new: Vec<_> = always.into_iter().filter(|name| !required.contains(name)).collect();
            required.extend(new);
        }
    }
    if let Some(parts) = object.get_mut("allOf").and_then(Value::as_array_mut) {
        for part in parts {
            let whole = part.get_mut("oneOf").and_then(Value::as_array_mut).filter(|parts| parts.iter().any(is_null));
            if let Some(parts) = whole {
                parts.retain(|part| !is_null(part));
                parts.push(json!({ "type": "object" }));
                *part = json!({ "anyOf": std::mem::take(parts) });
            }
        }
    }
    object.values_mut().for_each(refine);
}

fn is_null(schema: &Value) -> bool {
    schema["type"] == "null"
}

fn is_nullable(schema: &Value) -> bool {
    let types = schema["type"].as_array().is_some_and(|types| types.iter().any(|kind| kind == "null"));
    types || schema["oneOf"].as_array().is_some_and(|parts| parts.iter().any(is_null))
}

#[cfg(test)]
mod tests;
