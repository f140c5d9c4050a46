//! The HTML pages: the live page, and the answer to a call.
//!
//! The page works without scripts: it shows the figures at the time of the request, and its forms work. With scripts, those
//! of [`files`] replace it by the live view.

pub mod files;
mod live;

use hyper::StatusCode;
use maud::{DOCTYPE, Markup, html as markup};
use nebula_api::call::{Cost, Envelope, Output};
use nebula_api::problem::FailedCall;
use nebula_metering::Joules;
use nebula_metering::source::SourceKind;

use live::head;

use crate::http::Response;
use crate::http::access::Visitor;
use crate::http::answer::problem::Problem;
use crate::http::answer::{html, live_html};
use crate::http::read::invocations::CallLog;

const CALLS_SHOWN: usize = 20;

fn nature(source: SourceKind) -> &'static str {
    match source {
        SourceKind::Simulated => "made up",
        SourceKind::Model => "estimated",
        SourceKind::Powercap | SourceKind::Perf | SourceKind::Hwmon | SourceKind::RaplEnergy => "measured",
    }
}

/// The first page: the functions with a form to try each, and the last calls. Scripts send `page_key` with every change.
pub fn index(call_log: &CallLog, visitor: &Visitor, page_key: Option<&str>) -> Response {
    let plain = markup! {
        p {
            @match call_log.costs.metering.meter().and_then(|meter| meter.source()) {
                Ok(source) => {
                    "Joules here are " strong { (nature(source.kind)) } ": " (source.description) "."
                }
                Err(off) => { "No energy is measured here: " (off) "." }
            }
        }
        h2 { "Functions" }
        table class="try" {
            thead { tr { th { "Function" } th { "Kind" } th { "Try it" } } }
            tbody {
                @for function in call_log.registry.all().iter().filter(|function| visitor.may_use(function.name.as_str())) {
                    @let name = function.name.as_str();
                    tr {
                        th scope="row" { (name) }
                        td { (function.program.kind().as_str()) }
                        td {
                            form action={ "/invoke/" (name) } {
                                input name="input" aria-label={ "Input for " (name) } placeholder="input" value=(function.example);
                                button { "Call" }
                            }
                        }
                    }
                }
            }
        }
        h2 { "Last calls" }
        (calls(call_log, visitor))
    };
    live_html(StatusCode::OK, live::page(plain, page_key))
}

/// The first page for clients that need a token. Scripts ask for one.
pub fn closed(problem: &Problem) -> Response {
    let document = problem.document(None);
    let plain = markup! {
        p { strong { (document.title) } ": " (document.detail) "." }
        p { "Without scripts, this page cannot show more, because a browser does not send a token by itself." }
    };
    let plain_response = problem.response(None);
    with_headers_of(plain_response, |status| live_html(status, live::page(plain, None)))
}

fn calls(call_log: &CallLog, visitor: &Visitor) -> Markup {
    let calls = call_log.describe_calls(visitor.exposure, &call_log.last_calls(visitor, None, CALLS_SHOWN));
    if calls.is_empty() {
        return markup! { p { "No calls yet." } };
    }
    markup! {
        table {
            thead { tr { @for title in ["Function", "Outcome"] { th { (title) } } @for title in ["Time", "Estimated", "Settled", "Started"] { th class="number" { (title) } } } }
            tbody {
                @for call in calls {
                    @let (estimated, settled) = call.energy.estimated_and_settled();
                    tr {
                        th scope="row" { a href={ "/invocations/" (call.id) } { (call.function.as_deref().unwrap_or("?")) } }
                        td { (call.outcome.as_deref().unwrap_or("running")) }
                        td class="number" { (format!("{:.3} ms", call.duration_seconds * 1e3)) }
                        td class="number" { (shown(estimated)) }
                        td class="number" { (shown(settled)) }
                        td class="number" { (call.started.0.elapsed().unwrap_or_default().as_secs()) " s ago" }
                    }
                }
            }
        }
    }
}

pub fn envelope(envelope: &Envelope<'_>) -> Markup {
    layout(
        &envelope.function,
        &markup! {
            pre {
                @match &envelope.output {
                    Output::Text(text) => (text),
                    Output::Base64(text) => (text),
                }
            }
            (cost(&envelope.cost))
        },
    )
}

/// A problem as HTML.
pub fn problem(problem: &Problem, call: Option<&FailedCall<'_>>) -> Response {
    let document = problem.document(None);
    let text = layout(
        &document.title,
        &markup! {
            p { (document.detail) }
            @if let Some(call) = call {
                @if !call.stderr.is_empty() { pre { (call.stderr) } }
                (cost(&call.cost))
            }
        },
    );
    with_headers_of(problem.response(None), |status| html(status, text.into_string()))
}

/// Copies the headers of the plain problem, such as `Retry-After`, to its page.
fn with_headers_of(mut plain: Response, page: impl FnOnce(StatusCode) -> Response) -> Response {
    let mut response = page(plain.status());
    for (name, value) in plain.headers_mut().drain() {
        if let Some(name) = name {
            response.headers_mut().entry(name).or_insert(value);
        }
    }
    response
}

fn cost(cost: &Cost) -> Markup {
    let (energy, times) = (&cost.energy, &cost.timing.times);
    markup! {
        dl {
            dt { "Energy" }
            dd {
                strong { (shown(cost.energy_joules)) }
                @if energy.uncertainty_joules.is_some() { " ± " (shown(energy.uncertainty_joules)) }
                " (" (energy.state.as_str()) ", " (energy.source) ", " (energy.policy) ")"
            }
            @if let Some(reason) = &energy.reason { dt { "Note" } dd { (reason) } }
            dt { "CPU time" } dd { @match times.cpu_us { Some(time) => { (time) " µs" } None => "not known" } }
            dt { "Startup and run" } dd { (times.startup_us) " µs + " (times.execution_us) " µs" }
        }
    }
}

fn shown(joules: Option<f64>) -> String {
    joules.map_or_else(|| "not known".into(), |joules| Joules(joules).to_string())
}

fn layout(title: &str, content: &Markup) -> Markup {
    markup! {
        (DOCTYPE)
        html lang="en" {
            (head(title, &markup! {}))
            body {
                header { a href="/" { "Nebula" } }
                main class="plain" { h1 { (title) } (content) }
            }
        }
    }
}
