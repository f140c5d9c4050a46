//! Parameters and answers that several operations share.

use serde_json::json;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, Header, Ref, RefOr, Required, Response, ResponseBuilder, Schema};

const PROBLEM: &str = "application/problem+json";

/// A parameter of a path.
pub fn in_path(name: &str, about: &str, schema: impl Into<RefOr<Schema>>) -> ParameterBuilder {
    let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True);
    parameter.description(Some(about)).schema(Some(schema))
}

/// A parameter of a query.
pub fn in_query(name: &str, about: &str, schema: impl Into<RefOr<Schema>>) -> ParameterBuilder {
    let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Query).required(Required::False);
    parameter.description(Some(about)).schema(Some(schema))
}

/// A header of a request.
pub fn in_header(name: &str, about: &str, schema: impl Into<RefOr<Schema>>) -> ParameterBuilder {
    let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Header).required(Required::False);
    parameter.description(Some(about)).schema(Some(schema))
}

pub fn text() -> Object {
    Object::with_type(Type::String)
}

pub fn matching(pattern: &str) -> Object {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).build()
}

/// One of these words.
pub fn one_of(words: &[&'static str], default: Option<&'static str>) -> Object {
    let object = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words.iter().copied()));
    object.default(default.map(Into::into)).build()
}

pub fn named(schema: &str) -> RefOr<Schema> {
    Ref::from_schema_name(schema).into()
}

/// The shared parameters by name.
pub fn parameters() -> Vec<(&'static str, ParameterBuilder)> {
    let function = |name, example| {
        in_path(name, "A function of GET /functions.", named("FunctionName")).example(Some(json!(example)))
    };
    let input = in_path("input", "What the function reads.", text()).example(Some(json!("10")));
    vec![
        ("function", function("function", "hello-world")),
        ("name", function("name", "mine")),
        ("inputInPath", input),
        ("input", in_query("input", "What the function reads, in place of a body.", text())),
        ("settle", in_query("settle", "Whether to wait for the settled charge.", Object::with_type(Type::Boolean))),
        (
            "requestId",
            in_header(
                "X-Request-Id",
                "A name for the request, in visible ASCII; otherwise one is made.",
                matching("^[!-~]{1,128}$"),
            ),
        ),
        (
            "traceparent",
            in_header(
                "traceparent",
                "The place of the request in a trace (W3C Trace Context).",
                matching("^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"),
            ),
        ),
        (
            "ifMatch",
            in_header(
                "If-Match",
                "The version that must be served now, as `ETag` gives it, or `*`.",
                matching(r#"^(\*|"[0-9a-f]{64}")$"#),
            ),
        ),
    ]
}

/// Problems by name, with their status and what they mean. Those of `retry` say when to come again.
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
pub fn responses() -> impl Iterator<Item = (&'static str, Response)> {
    PROBLEMS.into_iter().map(|(status, name, about)| {
        let content = ContentBuilder::new().schema(Some(named("Problem"))).build();
        let mut response = ResponseBuilder::new().description(about).content(PROBLEM, content);
        if matches!(status, "429" | "503") {
            response = response.header("Retry-After", Header::new(Object::with_type(Type::Integer)));
        }
        (name, response.build())
    })
}

/// The problem with this status.
pub fn problem(status: &str) -> Ref {
    let name = PROBLEMS.iter().find(|(known, ..)| *known == status).map_or("", |(_, name, _)| name);
    Ref::from_response_name(name)
}
