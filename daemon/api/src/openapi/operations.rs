//! Every operation: a method of a path, what it takes and what it answers.

use serde_json::{Value, json};

use super::parts::{in_header, in_path, in_query, matching, one_of, parameter, problem, schema, text};
use crate::usage::By;

/// Problems of any request.
const DENIED: &[&str] = &["401", "403"];

/// Problems of calls.
const OF_CALLS: &[&str] = &["400", "401", "403", "404", "405", "408", "413", "422", "429", "500", "502", "503", "504"];

/// Problems of changes.
const OF_CHANGES: &[&str] =
    &["400", "401", "403", "404", "405", "408", "409", "412", "413", "422", "429", "503", "507"];

/// Paths, and the operations of each by method.
pub fn paths() -> Value {
    let groups = [pages(), calls(), functions(), energy(), daemon()];
    groups.iter().filter_map(Value::as_object).flatten().map(|(path, item)| (path.clone(), item.clone())).collect()
}

/// An operation with `more` that it takes, and its problems besides its answers.
fn operation(tag: &str, id: &str, summary: &str, more: Value, mut answers: Value, problems: &[&str]) -> Value {
    for status in problems {
        answers[status] = problem(status);
    }
    let mut operation = json!({ "tags": [tag], "summary": summary, "operationId": id });
    if let (Value::Object(operation), Value::Object(more)) = (&mut operation, more) {
        operation.extend(more);
    }
    operation["responses"] = answers;
    operation
}

/// Text in one of these forms.
fn texts(kinds: &[&str]) -> Value {
    kinds.iter().map(|kind| ((*kind).to_owned(), json!({ "schema": text() }))).collect()
}

fn body(name: &str) -> Value {
    json!({ "application/json": { "schema": schema(name) } })
}

fn ok(about: &str, content: &Value) -> Value {
    json!({ "200": { "description": about, "content": content } })
}

/// Input as a body.
fn input() -> Value {
    let kinds = json!({ "application/octet-stream": { "schema": {} }, "text/plain": { "schema": text() } });
    json!({ "description": "What the function reads.", "content": kinds })
}

fn pages() -> Value {
    json!({
        "/": { "get": operation(
            "daemon", "page", "A page for people",
            json!({}), ok("The page.", &texts(&["text/html"])), DENIED,
        ) },
        "/_page/{file}": { "get": operation(
            "daemon", "pageFile", "A script or the style sheet of the page",
            json!({ "parameters": [in_path("file", "The name of the file.", &text())], "security": [] }),
            ok("The file.", &texts(&["text/javascript", "text/css"])), &["404"],
        ) },
    })
}

/// A call that is answered with an envelope.
fn call(id: &str, summary: &str, parameters: &[&str], has_body: bool) -> Value {
    let parameters = parameters.iter().chain(&["settle", "requestId", "traceparent"]);
    let mut more = json!({
        "description": "Other parameters of the query become environment variables of the function.",
        "parameters": parameters.map(|name| parameter(name)).collect::<Value>(),
    });
    if has_body {
        more["requestBody"] = input();
    }
    let content = json!({
        "application/json": { "schema": schema("Envelope") },
        "text/html": { "schema": text() },
    });
    operation("calls", id, summary, more, ok("What the function gave, and what it took.", &content), OF_CALLS)
}

/// A call that is answered by the function itself.
fn own_answer(id: &str, summary: &str, about: &str, parameters: &Value, has_body: bool) -> Value {
    let (text, number) = (json!({ "schema": text() }), json!({ "schema": { "type": "number" } }));
    let answers = json!({
        "200": {
            "description": "What the function answers.",
            "headers": {
                "nebula-carbon-grams": number, "nebula-energy-joules": number, "nebula-energy-source": text,
                "nebula-energy-state": text, "nebula-invocation-id": text, "server-timing": text,
            },
            "content": { "*/*": { "schema": {} } },
        },
        "default": {
            "description": "Any status the function answers, and the daemon's problems.",
            "content": { "*/*": { "schema": {} } },
        },
    });
    let mut more = json!({ "description": about, "parameters": parameters });
    if has_body {
        more["requestBody"] = input();
    }
    operation("calls", id, summary, more, answers, &[])
}

fn calls() -> Value {
    let with_body = "Call a function with the body as its input";
    let form = json!({ "schema": schema("Form") });
    let [function, request_id, traceparent] = ["function", "requestId", "traceparent"].map(parameter);
    let mut paths = json!({
        "/invoke/{function}": {
            "get": call("invoke", "Call a function", &["function", "input"], false),
            "post": call("invokeWithBody", with_body, &["function"], true),
        },
        "/api/wasm": { "post": operation(
            "calls", "callForm", "Call a function several times, one call after the other",
            json!({
                "parameters": [request_id, traceparent],
                "requestBody": {
                    "description": "The function, its input, and how often to call it.",
                    "content": { "application/x-www-form-urlencoded": form, "multipart/form-data": form },
                    "required": true,
                },
            }),
            ok("What each call gave and took. A call that failed says so in its result.", &body("FormReport")),
            &["400", "401", "403", "404", "405", "408", "413", "503"],
        ) },
    });
    for (prefix, id) in [("/api", "callApi"), ("/wasm", "callWasm")] {
        paths[format!("{prefix}/{{function}}")] = json!({
            "get": call(id, "Call a function without input", &["function"], false),
            "post": call(&format!("{id}WithBody"), with_body, &["function"], true),
        });
        let in_path =
            |id: &str| call(id, "Call a function with the input in the path", &["function", "inputInPath"], false);
        paths[format!("{prefix}/{{function}}/{{input}}")] = json!({
            "get": in_path(&format!("{id}WithInput")),
            "post": in_path(&format!("{id}WithInputByPost")),
        });
    }
    let about = "A function that speaks HTTP gets the request and answers it; a command runs as a CGI program (RFC 3875). An \
                 answer that begins before its call has ended carries its energy in trailers.";
    let at = json!([function, request_id, traceparent]);
    let path = in_path("path", "What the function sees of the path; it may have slashes.", &text());
    let below = json!([function, path, request_id, traceparent]);
    for (method, name) in [
        ("get", "Get"),
        ("post", "Post"),
        ("put", "Put"),
        ("patch", "Patch"),
        ("delete", "Delete"),
        ("options", "Options"),
        ("trace", "Trace"),
    ] {
        let has_body = matches!(method, "post" | "put" | "patch");
        let own = |id: &str, parameters| own_answer(id, "A function's own answer", about, parameters, has_body);
        paths["/fn/{function}"][method] = own(&format!("fn{name}"), &at);
        paths["/fn/{function}/{path}"][method] = own(&format!("fnBelow{name}"), &below);
    }
    let short = "As /fn/{function}, for names that the daemon does not use itself";
    paths["/{function}"]["get"] = own_answer("short", short, "A route of a manifest takes precedence.", &at, false);
    paths
}

/// The answer to a change that makes or replaces a function.
fn deployed(about: &str, is_new: bool) -> Value {
    let header = |about: &str| json!({ "schema": text(), "description": about });
    let mut headers = json!({ "ETag": header("The version, in quotes.") });
    if is_new {
        headers["Location"] = header("The path of the function.");
    }
    json!({ "description": about, "headers": headers, "content": body("Deployed") })
}

fn functions() -> Value {
    let tag = "functions";
    let [name, if_match] = ["name", "ifMatch"].map(parameter);
    let part = |kind: &str| json!({ "type": "string", "contentMediaType": kind });
    let mut module = part("application/wasm");
    module["minLength"] = 1.into();
    let form = json!({
        "type": "object",
        "properties": { "module": module, "manifest": part("application/toml") },
        "additionalProperties": false,
        "minProperties": 1,
    });
    let if_none_match = in_header("If-None-Match", "`*`: only if there is no such function.", &one_of(&["*"], None));
    let to = "The version to go back to, or four or more of its first digits; otherwise the one before.";
    let to = in_query("to", to, &matching("^[0-9a-f]{4,64}$"));
    json!({
        "/functions": { "get": operation(
            tag, "functions", "All functions, and files that are not served",
            json!({}), ok("All of them.", &body("Functions")), DENIED,
        ) },
        "/functions/{name}": {
            "get": operation(
                tag, "function", "A function", json!({ "parameters": [name] }),
                json!({ "200": {
                    "description": "The function.",
                    "headers": { "ETag": { "schema": text() } },
                    "content": body("FunctionDetails"),
                } }),
                &["401", "403", "404"],
            ),
            "put": operation(
                tag, "deploy", "Deploy a function, or replace it",
                json!({
                    "description": "Calls that run finish with the version that they began with.",
                    "parameters": [name, if_match, if_none_match],
                    "requestBody": {
                        "description": "A module or component, in binary or text form; or a form with it and a manifest.",
                        "content": { "application/wasm": { "schema": {} }, "multipart/form-data": { "schema": form } },
                        "required": true,
                    },
                }),
                json!({
                    "200": deployed("It was replaced, or was served in this version already.", false),
                    "201": deployed("It is new.", true),
                }),
                OF_CHANGES,
            ),
            "delete": operation(
                tag, "remove", "Remove a function", json!({ "parameters": [name, if_match] }),
                json!({ "204": { "description": "It is gone." } }), OF_CHANGES,
            ),
        },
        "/functions/{name}/manifest": { "put": operation(
            tag, "putManifest", "Replace the manifest of a function",
            json!({
                "parameters": [name, if_match],
                "requestBody": {
                    "description": "The manifest, in TOML. Without one, that of the function is empty.",
                    "content": texts(&["text/plain"]),
                },
            }),
            json!({ "200": deployed("It was replaced.", false) }), OF_CHANGES,
        ) },
        "/functions/{name}/versions": { "get": operation(
            tag, "versions", "The versions of a function that are kept, the latest first",
            json!({ "parameters": [name] }), ok("The versions.", &body("Versions")), &["400", "401", "403", "404"],
        ) },
        "/functions/{name}/rollback": { "post": operation(
            tag, "rollback", "Serve an earlier version again",
            json!({ "parameters": [name, if_match, to] }),
            json!({ "200": deployed("It is served.", false), "201": deployed("It is served again.", true) }),
            OF_CHANGES,
        ) },
    })
}

fn energy() -> Value {
    let tag = "energy";
    let asked = &["400", "401", "403", "404"];
    let calls_of = in_query("function", "Only calls of this function.", &schema("FunctionName"));
    let mut with_example = calls_of.clone();
    with_example["example"] = "hello-world".into();
    let limit = json!({ "type": "integer", "default": 20, "maximum": 1000, "minimum": 1 });
    let kinds = json!({ "type": "array", "items": one_of(&["call", "watts", "accounts"], None), "minItems": 1 });
    let about = "Which events, with commas between them; otherwise all that this client may see.";
    let mut types = in_query("types", about, &kinds);
    (types["style"], types["explode"]) = ("form".into(), false.into());
    let history = "Whether the stream begins with the power of the last five minutes.";
    let history = in_query("history", history, &json!({ "type": "boolean", "default": false }));
    let policy = "Which energy to count: `active`, or `usage`, which adds a share of the base energy.";
    let mut since = matching(&since());
    since["default"] = "7d".into();
    json!({
        "/invocations": { "get": operation(
            tag, "invocations", "Calls that run, and the last that ended",
            json!({ "parameters": [with_example, in_query("limit", "At most so many.", &limit)] }),
            ok("The calls, the latest first.", &body("Invocations")), asked,
        ) },
        "/invocations/{id}": { "get": operation(
            tag, "invocation", "A call, with its settled charge once there is one",
            json!({
                "parameters": [in_path("id", "Its `invocation_id`.", &json!({ "type": "string", "format": "uuid" }))],
            }),
            ok("The call.", &body("Invocation")), asked,
        ) },
        "/energy": { "get": operation(
            tag, "ledger", "The ledger: what was measured, and who was charged with it",
            json!({}), ok("The ledger.", &body("Ledger")), DENIED,
        ) },
        "/events": { "get": operation(
            tag, "events", "What happens, as it happens", json!({ "parameters": [types, calls_of, history] }),
            ok(
                "Server-sent events: `history` as the first if the request asks for it; `call`, `omitted`, `watts`, \
                 `accounts`; and `dropped` as the last if the client was too slow. Their data are the schemas HistoryEvent, \
                 CallEvent, OmittedEvent, WattsEvent, AccountsEvent and DroppedEvent.",
                &texts(&["text/event-stream"]),
            ),
            &["400", "401", "403", "404", "503"],
        ) },
        "/usage": { "get": operation(
            tag, "usage", "What was used since a time",
            json!({ "parameters": [
                in_query("since", "A time span such as `7d`, a day, a moment (RFC 3339), or `all`.", &since),
                in_query("by", "What the rows are about.", &one_of(&By::ALL.map(By::as_str), Some("function"))),
                in_query("policy", policy, &one_of(&["active", "usage"], None)),
                in_query("format", "The format of the answer.", &one_of(&["json", "csv"], Some("json"))),
            ] }),
            ok("The report.", &json!({
                "application/json": { "schema": schema("Report") },
                "text/csv": { "schema": text() },
            })),
            &["400", "401", "403", "404", "503"],
        ) },
    })
}

/// Where a report may begin.
fn since() -> String {
    let day = "20[0-9]{2}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))";
    let time = "T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])";
    format!("^(all|[0-9]{{1,4}}[smhdw]|{day}({time})?)$")
}

fn daemon() -> Value {
    let tag = "daemon";
    let probe = |id, summary| {
        operation(tag, id, summary, json!({ "security": [] }), ok("Yes.", &texts(&["text/plain"])), &["503"])
    };
    json!({
        "/metrics": { "get": operation(
            tag, "metrics", "Metrics in the Prometheus text format, or as OpenMetrics with exemplars",
            json!({ "description": "Compressed for clients that accept gzip." }),
            ok("The metrics.", &texts(&["text/plain", "application/openmetrics-text"])), &["401", "403", "503"],
        ) },
        "/healthz": { "get": probe("health", "Whether the daemon works") },
        "/readyz": { "get": probe("readiness", "Whether it takes calls") },
        "/openapi.json": { "get": operation(
            tag, "openapi", "This document", json!({}),
            ok("The document.", &json!({ "application/json": { "schema": { "type": "object" } } })), DENIED,
        ) },
    })
}
