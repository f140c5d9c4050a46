//! Every operation: a method of a path, what it takes and what it answers.

use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, Parameter, ParameterStyle};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ArrayBuilder, Object, ObjectBuilder, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Content, ContentBuilder, Header, Ref, RefOr, Required, ResponseBuilder, Schema};

use super::parts::{in_header, in_path, in_query, matching, named, one_of, problem, text};
use crate::usage::By;

const JSON: &str = "application/json";

/// What keeps any request from its answer.
const DENIED: &[&str] = &["401", "403"];

/// What keeps a call from its answer.
const OF_CALLS: &[&str] = &["400", "401", "403", "404", "405", "408", "413", "422", "429", "500", "502", "503", "504"];

/// What keeps a change from being made.
const OF_CHANGES: &[&str] =
    &["400", "401", "403", "404", "405", "408", "409", "412", "413", "422", "429", "503", "507"];

/// An operation under construction.
struct Draft(OperationBuilder);

fn operation(id: &str, tag: &str, summary: &str) -> Draft {
    Draft(OperationBuilder::new().operation_id(Some(id)).tag(tag).summary(Some(summary)))
}

impl Draft {
    fn about(self, description: &str) -> Self {
        Self(self.0.description(Some(description)))
    }

    /// Shared parameters, by name.
    fn shared(self, names: &[&str]) -> Self {
        let reference = |name: &&str| Ref::new(format!("#/components/parameters/{name}"));
        Self(names.iter().map(reference).fold(self.0, OperationBuilder::parameter_ref))
    }

    fn parameter(self, parameter: impl Into<Parameter>) -> Self {
        Self(self.0.parameter(parameter))
    }

    fn body(self, about: &str, required: bool, kinds: Vec<(&str, Content)>) -> Self {
        let body = RequestBodyBuilder::new().description(Some(about));
        let body = if required { body.required(Some(Required::True)) } else { body };
        let body = kinds.into_iter().fold(body, |body, (kind, content)| body.content(kind, content));
        Self(self.0.request_body(Some(body.build())))
    }

    /// Input as a body.
    fn input(self) -> Self {
        let kinds = vec![("application/octet-stream", anything()), ("text/plain", of(text()))];
        self.body("What the function reads.", false, kinds)
    }

    fn answer(self, status: &str, about: &str, kinds: &[(&str, Content)]) -> Self {
        self.answer_with(status, about, kinds, &[])
    }

    fn answer_with(self, status: &str, about: &str, kinds: &[(&str, Content)], headers: &[(&str, Header)]) -> Self {
        let response = ResponseBuilder::new().description(about);
        let response =
            kinds.iter().fold(response, |response, (kind, content)| response.content(*kind, content.clone()));
        let response = headers.iter().fold(response, |response, (name, header)| response.header(*name, header.clone()));
        Self(self.0.response(status, response.build()))
    }

    fn problems(self, statuses: &[&str]) -> Self {
        Self(statuses.iter().fold(self.0, |operation, status| operation.response(*status, problem(status))))
    }

    /// Never asks for a token.
    fn public(self) -> Self {
        Self(self.0.securities(Some(Vec::<SecurityRequirement>::new())))
    }
}

fn of(schema: impl Into<RefOr<Schema>>) -> Content {
    Content::new(Some(schema))
}

fn anything() -> Content {
    ContentBuilder::new().schema(Some(utoipa::openapi::schema::empty())).build()
}

fn json(schema: &str) -> [(&'static str, Content); 1] {
    [(JSON, of(named(schema)))]
}

/// A call that is answered with an envelope.
fn call(id: &str, summary: &str, parameters: &[&str]) -> Draft {
    operation(id, "calls", summary)
        .about("Other parameters of the query become environment variables of the function.")
        .shared(parameters)
        .shared(&["settle", "requestId", "traceparent"])
        .answer(
            "200",
            "What the function gave, and what it took.",
            &[(JSON, of(named("Envelope"))), ("text/html", of(text()))],
        )
        .problems(OF_CALLS)
}

/// A call that is answered by the function itself.
fn own_answer(id: &str, summary: &str, about: &str) -> Draft {
    let header = |kind| Header::new(Object::with_type(kind));
    operation(id, "calls", summary)
        .about(about)
        .shared(&["function"])
        .answer_with(
            "200",
            "What the function answers.",
            &[("*/*", anything())],
            &[
                ("nebula-invocation-id", header(Type::String)),
                ("nebula-energy-joules", header(Type::Number)),
                ("nebula-energy-source", header(Type::String)),
                ("nebula-energy-state", header(Type::String)),
                ("nebula-carbon-grams", header(Type::Number)),
                ("server-timing", header(Type::String)),
            ],
        )
        .answer("default", "Any status the function answers, and the daemon's problems.", &[("*/*", anything())])
}

/// The answer to a change.
fn deployed(draft: Draft, statuses: &[(&str, &str)]) -> Draft {
    let header = |about: &str| {
        let mut header = Header::new(text());
        header.description = Some(about.to_owned());
        header
    };
    let draft = statuses.iter().fold(draft, |draft, (status, about)| {
        let mut headers = vec![("ETag", header("The version, in quotes."))];
        if *status == "201" {
            headers.push(("Location", header("The path of the function.")));
        }
        draft.answer_with(status, about, &json("Deployed"), &headers)
    });
    draft.problems(OF_CHANGES)
}

/// Paths, methods and operations.
pub fn all() -> Vec<(&'static str, HttpMethod, Operation)> {
    let mut all = Vec::new();
    let mut add = |path, method, draft: Draft| all.push((path, method, draft.0.build()));
    pages(&mut add);
    calls(&mut add);
    functions(&mut add);
    energy(&mut add);
    daemon(&mut add);
    all
}

type Add<'a> = &'a mut dyn FnMut(&'static str, HttpMethod, Draft);

fn pages(add: Add<'_>) {
    let page =
        operation("page", "daemon", "A page for people").answer("200", "The page.", &[("text/html", of(text()))]);
    add("/", HttpMethod::Get, page.problems(DENIED));
    let file = operation("pageFile", "daemon", "A script or the style sheet of the page")
        .public()
        .parameter(in_path("file", "The name of the file.", text()))
        .answer("200", "The file.", &[("text/javascript", of(text())), ("text/css", of(text()))])
        .problems(&["404"]);
    add("/_page/{file}", HttpMethod::Get, file);
}

fn calls(add: Add<'_>) {
    use HttpMethod::{Delete, Get, Patch, Post, Put};
    add("/invoke/{function}", Get, call("invoke", "Call a function", &["function", "input"]));
    let with_body = "Call a function with the body as its input";
    add("/invoke/{function}", Post, call("invokeWithBody", with_body, &["function"]).input());
    let times = operation("callForm", "calls", "Call a function several times, one call after the other")
        .shared(&["requestId", "traceparent"])
        .body(
            "The function, its input, and how often to call it.",
            true,
            vec![("application/x-www-form-urlencoded", of(named("Form"))), ("multipart/form-data", of(named("Form")))],
        )
        .answer("200", "What each call gave and took. A call that failed says so in its result.", &json("FormReport"))
        .problems(&["400", "401", "403", "404", "405", "408", "413", "503"]);
    add("/api/wasm", Post, times);
    let in_path = "Call a function with the input in the path";
    for [plain, plain_body, path, path_post, of, of_input] in [
        [
            "callApi",
            "callApiWithBody",
            "callApiWithInput",
            "callApiWithInputByPost",
            "/api/{function}",
            "/api/{function}/{input}",
        ],
        [
            "callWasm",
            "callWasmWithBody",
            "callWasmWithInput",
            "callWasmWithInputByPost",
            "/wasm/{function}",
            "/wasm/{function}/{input}",
        ],
    ] {
        add(of, Get, call(plain, "Call a function without input", &["function"]));
        add(of, Post, call(plain_body, with_body, &["function"]).input());
        add(of_input, Get, call(path, in_path, &["function", "inputInPath"]));
        add(of_input, Post, call(path_post, in_path, &["function", "inputInPath"]));
    }
    let about = "A function that speaks HTTP gets the request and answers it; a command runs as a CGI program (RFC 3875). An \
                 answer that begins before its call has ended carries its energy in trailers.";
    for (method, at, below) in [
        (Get, "fnGet", "fnBelowGet"),
        (Post, "fnPost", "fnBelowPost"),
        (Put, "fnPut", "fnBelowPut"),
        (Patch, "fnPatch", "fnBelowPatch"),
        (Delete, "fnDelete", "fnBelowDelete"),
    ] {
        let has_body = matches!(method, Post | Put | Patch);
        let own = |id| {
            let draft = own_answer(id, "A function's own answer", about);
            if has_body { draft.input() } else { draft }
        };
        let path = super::parts::in_path("path", "What the function sees of the path; it may have slashes.", text());
        add("/fn/{function}", method.clone(), own(at).shared(&["requestId", "traceparent"]));
        let below = own(below).parameter(path).shared(&["requestId", "traceparent"]);
        add("/fn/{function}/{path}", method, below);
    }
    let short = "As /fn/{function}, for names that the daemon does not use itself";
    let short =
        own_answer("short", short, "A route of a manifest takes precedence.").shared(&["requestId", "traceparent"]);
    add("/{function}", Get, short);
}

fn functions(add: Add<'_>) {
    use HttpMethod::{Delete, Get, Post, Put};
    let tag = "functions";
    let list = operation("functions", tag, "All functions, and files that are not served");
    add("/functions", Get, list.answer("200", "All of them.", &json("Functions")).problems(DENIED));
    let one = operation("function", tag, "A function").shared(&["name"]);
    let etag = Header::new(text());
    let one = one.answer_with("200", "The function.", &json("FunctionDetails"), &[("ETag", etag)]);
    add("/functions/{name}", Get, one.problems(&["401", "403", "404"]));

    let form = ObjectBuilder::new()
        .property("module", ObjectBuilder::new().schema_type(Type::String).content_media_type("application/wasm"))
        .property("manifest", ObjectBuilder::new().schema_type(Type::String).content_media_type("application/toml"))
        .build();
    let put = operation("deploy", tag, "Deploy a function, or replace it")
        .about("Calls that run finish with the version that they began with.")
        .shared(&["name", "ifMatch"])
        .parameter(in_header("If-None-Match", "`*`: only if there is no such function.", matching(r"^\*$")))
        .body(
            "A module or component, in binary or text form; or a form with it and a manifest.",
            true,
            vec![("application/wasm", anything()), ("multipart/form-data", of(form))],
        );
    let put =
        deployed(put, &[("200", "It was replaced, or was served in this version already."), ("201", "It is new.")]);
    add("/functions/{name}", Put, put);
    let delete = operation("remove", tag, "Remove a function").shared(&["name", "ifMatch"]);
    add("/functions/{name}", Delete, delete.answer("204", "It is gone.", &[]).problems(OF_CHANGES));
    let manifest = operation("putManifest", tag, "Replace the manifest of a function")
        .shared(&["name", "ifMatch"])
        .body("The manifest, in TOML.", true, vec![("text/plain", of(text()))]);
    add("/functions/{name}/manifest", Put, deployed(manifest, &[("200", "It was replaced.")]));
    let versions = operation("versions", tag, "The versions of a function that are kept, the latest first")
        .shared(&["name"])
        .answer("200", "The versions.", &json("Versions"))
        .problems(&["400", "401", "403", "404"]);
    add("/functions/{name}/versions", Get, versions);
    let to = "The version to go back to, or four or more of its first digits; otherwise the one before.";
    let rollback = operation("rollback", tag, "Serve an earlier version again")
        .shared(&["name", "ifMatch"])
        .parameter(in_query("to", to, matching("^[0-9a-f]{4,64}$")));
    let rollback = deployed(rollback, &[("200", "It is served."), ("201", "It is served again.")]);
    add("/functions/{name}/rollback", Post, rollback);
}

fn energy(add: Add<'_>) {
    use HttpMethod::Get;
    let tag = "energy";
    let asked = &["400", "401", "403", "404"];
    let limit = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(1000))
        .default(Some(20.into()))
        .build();
    let function = in_query("function", "Only calls of this function.", named("FunctionName"));
    let function = function.example(Some("hello-world".into()));
    let list = operation("invocations", tag, "Calls that run, and the last that ended")
        .parameter(function)
        .parameter(in_query("limit", "At most so many.", limit))
        .answer("200", "The calls, the latest first.", &json("Invocations"))
        .problems(asked);
    add("/invocations", Get, list);
    let id = ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::Uuid)))
        .build();
    let one = operation("invocation", tag, "A call, with its settled charge once there is one")
        .parameter(in_path("id", "Its `invocation_id`.", id))
        .answer("200", "The call.", &json("Invocation"))
        .problems(asked);
    add("/invocations/{id}", Get, one);
    let ledger = operation("ledger", tag, "The ledger: what was measured, and who was charged with it");
    add("/energy", Get, ledger.answer("200", "The ledger.", &json("Ledger")).problems(DENIED));

    let kinds = ArrayBuilder::new().min_items(Some(1)).items(one_of(&["call", "watts", "accounts"], None)).build();
    let about = "Which events, with commas between them; otherwise all that this client may see.";
    let types = in_query("types", about, kinds).style(Some(ParameterStyle::Form)).explode(Some(false));
    let history = ObjectBuilder::new().schema_type(Type::Boolean).default(Some(false.into())).build();
    let events = operation("events", tag, "What happens, as it happens")
        .parameter(types)
        .parameter(in_query("function", "Only calls of this function.", named("FunctionName")))
        .parameter(in_query("history", "Whether the stream begins with the power of the last five minutes.", history))
        .answer(
            "200",
            "Server-sent events: `history` as the first if the request asks for it; `call`, `omitted`, `watts`, \
             `accounts`; and `dropped` as the last if the client was too slow. Their data are the schemas HistoryEvent, \
             CallEvent, OmittedEvent, WattsEvent, AccountsEvent and DroppedEvent.",
            &[("text/event-stream", of(text()))],
        )
        .problems(&["400", "401", "403", "404", "503"]);
    add("/events", Get, events);

    let since = ObjectBuilder::new().schema_type(Type::String).default(Some("7d".into())).build();
    let policy = "Which energy to count: `active`, or `usage`, which adds a share of the base energy.";
    let usage = operation("usage", tag, "What was used since a time")
        .parameter(in_query("since", "A time span such as `7d`, a date, or `all`.", since))
        .parameter(in_query("by", "What the rows are about.", one_of(&By::ALL.map(By::as_str), Some("function"))))
        .parameter(in_query("policy", policy, one_of(&["active", "usage"], None)))
        .parameter(in_query("format", "The format of the answer.", one_of(&["json", "csv"], Some("json"))))
        .answer("200", "The report.", &[(JSON, of(named("Report"))), ("text/csv", of(text()))])
        .problems(&["400", "401", "403", "404", "503"]);
    add("/usage", Get, usage);
}

fn daemon(add: Add<'_>) {
    use HttpMethod::Get;
    let tag = "daemon";
    let metrics = operation("metrics", tag, "Metrics in the Prometheus text format, or as OpenMetrics with exemplars")
        .about("Compressed for clients that accept gzip.")
        .answer("200", "The metrics.", &[("text/plain", of(text())), ("application/openmetrics-text", of(text()))])
        .problems(&["401", "403", "503"]);
    add("/metrics", Get, metrics);
    for (path, id, summary) in
        [("/healthz", "health", "Whether the daemon works"), ("/readyz", "readiness", "Whether it takes calls")]
    {
        let probe = operation(id, tag, summary).answer("200", "Yes.", &[("text/plain", of(text()))]).problems(&["503"]);
        add(path, Get, probe.public());
    }
    let this = operation("openapi", tag, "This document");
    let object = of(Object::with_type(Type::Object));
    add("/openapi.json", Get, this.answer("200", "The document.", &[(JSON, object)]).problems(DENIED));
}
