//! Parameters and answers that several operations share.

use serde_json::{Value, json};

/// A parameter of a path.
pub fn in_path(name: &str, about: &str, schema: &Value) -> Value {
    json!({ "name": name, "in": "path", "description": about, "required": true, "schema": schema })
}

/// A parameter of a query.
pub fn in_query(name: &str, about: &str, schema: &Value) -> Value {
    json!({ "name": name, "in": "query", "description": about, "schema": schema })
}

/// A header of a request.
pub fn in_header(name: &str, about: &str, schema: &Value) -> Value {
    json!({ "name": name, "in": "header", "description": about, "schema": schema })
}

pub fn text() -> Value {
    json!({ "type": "string" })
}

pub fn matching(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

/// One of these words.
pub fn one_of(words: &[&str], default: Option<&str>) -> Value {
    let mut schema = json!({ "type": "string", "enum": words });
    if let Some(default) = default {
        schema["default"] = default.into();
    }
    schema
}

/// The schema with this name.
pub fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// The shared parameter with this name.
pub fn parameter(name: &str) -> Value {
    json!({ "$ref": format!("#/components/parameters/{name}") })
}

/// The problem with this status.
pub fn problem(status: &str) -> Value {
    let name = PROBLEMS.iter().find(|(known, ..)| *known == status).map_or("", |(_, name, _)| name);
    json!({ "$ref": format!("#/components/responses/{name}") })
}

/// The shared parameters by name.
pub fn parameters() -> Value {
    let example = |mut parameter: Value, example: &str| {
        parameter["example"] = example.into();
        parameter
    };
    let function = |name| in_path(name, "A function of GET /functions.", &schema("FunctionName"));
    let request_id =
        "A name for the request: 1 to 128 characters of visible ASCII. Instead of anything else one is made.";
    // As the standard demands: a trace that is broken off must not break the request.
    let traceparent = "The place of the request in a trace (W3C Trace Context). Anything else is ignored.";
    let if_match = "The version that must be served now, or several, as `ETag` gives them; `*` for any.";
    let versions = matching(r#"^"[0-9a-f]{64}"(, "[0-9a-f]{64}")*$"#);
    let versions = json!({ "anyOf": [one_of(&["*"], None), versions] });
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    json!({
        "function": example(function("function"), "hello-world"),
        "ifMatch": example(in_header("If-Match", if_match, &versions), "*"),
        "input": in_query("input", "What the function reads, in place of a body.", &text()),
        "inputInPath": example(in_path("input", "What the function reads.", &text()), "10"),
        "name": example(function("name"), "mine"),
        "requestId": example(in_header("X-Request-Id", request_id, &text()), "order-7"),
        "settle": in_query("settle", "Whether to wait for the settled charge.", &json!({ "type": "boolean" })),
        "traceparent": example(in_header("traceparent", traceparent, &text()), parent),
    })
}

/// Status, name and meaning of every problem.
const PROBLEMS: [(&str, &str, &str); 16] = [
    ("400", "BadRequest", "The request is malformed."),
    ("401", "Unauthorized", "The request needs a token."),
    ("403", "Forbidden", "This caller may not do that."),
    ("404", "NotFound", "There is no such thing."),
    ("405", "MethodNotAllowed", "This path does not have the method."),
    ("408", "BodyTooSlow", "The body came too slowly."),
    ("409", "Conflict", "It conflicts with what is served."),
    ("412", "PreconditionFailed", "What is served is not what `If-Match` or `If-None-Match` asks for."),
    ("413", "TooLarge", "The body is too large."),
    ("422", "Unprocessable", "The function used more than it may, or what was sent cannot be served."),
    ("429", "TooManyRequests", "A quota is used up; `Retry-After` says for how long."),
    ("500", "FunctionFailed", "The function failed."),
    ("502", "BadAnswer", "The function gave no answer, or one that cannot be understood."),
    ("503", "Unavailable", "There is no room, or the daemon is shutting down; `Retry-After` says when to try again."),
    ("504", "FunctionTimeout", "The function ran for too long."),
    ("507", "NotKept", "What was sent cannot be stored."),
];

/// The shared answers by name: all of them are problems.
pub fn responses() -> Value {
    let response = |(status, name, about): (&str, &str, &str)| {
        let content = json!({ "application/problem+json": { "schema": schema("Problem") } });
        let mut response = json!({ "description": about, "content": content });
        if matches!(status, "429" | "503") {
            response["headers"] = json!({ "Retry-After": { "schema": { "type": "integer" } } });
        }
        (name.to_owned(), response)
    };
    PROBLEMS.into_iter().map(response).collect()
}
