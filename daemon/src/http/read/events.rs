//! `GET /events`: what happens, as it happens, as server-sent events.
//!
//! Source: WHATWG, HTML, section 9.2 "Server-sent events".

use std::convert::Infallible;
use std::fmt::Write;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::body::{Body, Frame};
use hyper::header::{HeaderName, HeaderValue};
use nebula_api::events::{
    AccountWatts, DroppedEvent, FunctionWatts, HistoryEvent, HistorySample, HistoryWatts, OmittedEvent, WattsEvent,
    ZoneWatts,
};
use serde_json::to_string;
use tokio::time::{Instant, Sleep, sleep};

use crate::http::Response;
use crate::http::access::Visitor;
use crate::http::answer::answer;
use crate::http::answer::body::streamed;
use crate::http::answer::problem::Problem;
use crate::http::read::invocations::CallLog;
use crate::http::read::ledger;
use crate::http::request::query::{shortened, unknown_parameter, variables};
use crate::telemetry::{Event, EventFilter, NumberedEvent, Observers, SubscribeError, Subscription, Watts};

const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

/// Asks proxies not to buffer. Source: nginx, `proxy_buffering`.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// After this long without an event, a comment keeps the connection open: proxies close silent connections.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long a browser that lost its stream waits before it reconnects, in milliseconds.
const RETRY_MS: u64 = 2000;

/// About how many bytes one frame carries.
const BYTES_AT_ONCE: usize = 64 << 10;

/// The names of events that can be asked for.
const TYPES: &str = "call, watts and accounts";

/// Streams of events.
pub struct EventFeed {
    pub call_log: Arc<CallLog>,
    pub observers: Arc<Observers>,
}

impl EventFeed {
    /// A stream of what the query asks for and the visitor may see.
    pub(crate) fn stream(self: &Arc<Self>, visitor: &Visitor, query: Option<&str>) -> Result<Response, Problem> {
        visitor.exposure.check_calls()?;
        let (mut types, mut function, mut history) = (None, None, false);
        for (name, value) in variables(query)? {
            match &*name {
                "types" => types = Some(read_types(&value)?),
                "function" => function = Some(self.name_of(value)?),
                "history" if matches!(&*value, "true" | "false") => history = value == "true",
                "history" => return Err(Problem::BadRequest("`history` is `true` or `false`".into())),
                _ => return Err(unknown_parameter(&name, "`types`, `function` and `history` are")),
            }
        }
        // Totals are of all functions.
        let may_see_totals =
            if visitor.is_restricted() { Err(Problem::OperatorsOnly) } else { visitor.exposure.check_totals() };
        let wants = match types {
            Some(wants) => {
                if wants.watts || wants.accounts {
                    may_see_totals?;
                }
                wants
            }
            None => {
                let totals = may_see_totals.is_ok();
                EventFilter { calls: true, watts: totals, accounts: totals, function: None }
            }
        };
        // Taken before subscribing: the subscription delivers whatever comes later.
        let past = if history && wants.watts { self.observers.events.past() } else { Vec::new() };
        let listener =
            self.observers.events.subscribe(EventFilter { function, ..wants }).map_err(|no_room| match no_room {
                SubscribeError::Full(_) => Problem::TooManyListeners(no_room),
                SubscribeError::Closed => Problem::Draining,
            })?;
        let mut response = answer(StatusCode::OK, EVENT_STREAM, "");
        response.headers_mut().insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
        *response.body_mut() = streamed(EventStream {
            events: self.clone(),
            visitor: visitor.clone(),
            listener,
            heartbeat: Box::pin(sleep(HEARTBEAT)),
            stage: Stage::Beginning(past),
        });
        Ok(response)
    }

    fn name_of(&self, function: String) -> Result<Box<str>, Problem> {
        let found = self.call_log.registry.find(&function);
        found.map(|found| found.name.as_str().into()).ok_or(Problem::UnknownFunction(function))
    }

    /// Writes the event, if the visitor may see it.
    fn write(&self, numbered: &NumberedEvent, visitor: &Visitor, text: &mut String) {
        let mut write = |name, data: serde_json::Result<String>| {
            write_event(text, Some(numbered.id), name, &data.unwrap_or_default());
        };
        match &numbered.event {
            Event::Call(known) if !self.call_log.is_seen(visitor, known) => {}
            // Nor may restricted visitors see how much others do.
            Event::Omitted(_) if visitor.is_restricted() => {}
            Event::Call(known) => {
                let shown = self.call_log.describe_calls(visitor.exposure, std::slice::from_ref(known));
                write("call", to_string(&shown.first()));
            }
            Event::Omitted(calls) => write("omitted", to_string(&OmittedEvent { calls: *calls })),
            Event::Watts(watts) => write("watts", to_string(&self.watts(watts))),
            Event::Accounts(snapshot) => {
                write("accounts", to_string(&ledger::accounts(snapshot, &self.call_log.registry)));
            }
        }
    }

    fn watts(&self, watts: &Watts) -> WattsEvent {
        let zones = watts.zones.iter().map(|zone| ZoneWatts {
            zone: zone.zone.clone(),
            package: (!zone.package.is_empty()).then(|| zone.package.clone()),
            additive: zone.additive,
            watts: zone.watts,
        });
        let functions = watts.functions.iter().map(|drawn| FunctionWatts {
            function: ledger::name(drawn.function, &self.call_log.registry),
            version: self.call_log.registry.revision(drawn.function).map(|revision| revision.version.to_string()),
            watts: drawn.watts,
        });
        WattsEvent {
            seconds: watts.time.as_secs_f64(),
            source: watts.source.into(),
            zones: zones.collect(),
            accounts: accounts(watts),
            uncertainty_watts: watts.uncertainty,
            functions: functions.collect(),
        }
    }

    /// Power from before the client listened. There are many samples, and each says no more than a chart shows.
    fn history(&self, past: &[(Duration, Arc<Watts>)]) -> HistoryEvent {
        let samples = past.iter().map(|(ago, watts)| {
            let functions = watts.functions.iter();
            let functions = functions.map(|drawn| HistoryWatts {
                function: ledger::name(drawn.function, &self.call_log.registry),
                watts: drawn.watts,
            });
            HistorySample { seconds_ago: ago.as_secs_f64(), accounts: accounts(watts), functions: functions.collect() }
        });
        HistoryEvent { samples: samples.collect() }
    }
}

fn accounts(watts: &Watts) -> AccountWatts {
    let [function, runtime, host, base, gap] = watts.accounts.map(|(_, watts)| watts);
    AccountWatts { function, runtime, host, base, gap }
}

fn read_types(text: &str) -> Result<EventFilter, Problem> {
    let mut wants = EventFilter::default();
    for name in text.split(',') {
        match name {
            "call" => wants.calls = true,
            "watts" => wants.watts = true,
            "accounts" => wants.accounts = true,
            _ => {
                let why = format!("`{}` is not a type of event; there are {TYPES}", shortened(name));
                return Err(Problem::BadRequest(why));
            }
        }
    }
    Ok(wants)
}

/// Data is JSON, and JSON is written in one line.
fn write_event(text: &mut String, id: Option<u64>, name: &str, data: &str) {
    // Writing to a string cannot fail.
    if let Some(id) = id {
        let _ = writeln!(text, "id: {id}");
    }
    let _ = write!(text, "event: {name}\ndata: {data}\n\n");
}

/// The body of an answer that lasts as long as its client keeps up.
pub struct EventStream {
    events: Arc<EventFeed>,
    visitor: Visitor,
    listener: Subscription,
    heartbeat: Pin<Box<Sleep>>,
    stage: Stage,
}

enum Stage {
    /// With power of the last minutes, if the client asked for it.
    Beginning(Vec<(Duration, Arc<Watts>)>),
    Running,
    Ended,
}

impl Body for EventStream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        let mut text = String::new();
        match &this.stage {
            Stage::Ended => return Poll::Ready(None),
            Stage::Beginning(past) => {
                let _ = write!(text, "retry: {RETRY_MS}\n\n");
                if !past.is_empty() {
                    let data = to_string(&this.events.history(past)).unwrap_or_default();
                    write_event(&mut text, None, "history", &data);
                }
                this.stage = Stage::Running;
            }
            Stage::Running => {}
        }
        // Events that this visitor may not see leave no text.
        while text.len() < BYTES_AT_ONCE {
            match this.listener.poll_next(context) {
                Poll::Ready(Some(event)) => this.events.write(&event, &this.visitor, &mut text),
                Poll::Ready(None) => {
                    this.stage = Stage::Ended;
                    if this.listener.was_slow() {
                        let dropped = DroppedEvent { reason: "the client read too slowly (`events.queue`)".into() };
                        write_event(&mut text, None, "dropped", &to_string(&dropped).unwrap_or_default());
                    }
                    break;
                }
                Poll::Pending => break,
            }
        }
        if text.is_empty() && matches!(this.stage, Stage::Running) && this.heartbeat.as_mut().poll(context).is_ready() {
            text.push_str(": still here\n\n");
        }
        if text.is_empty() {
            return if matches!(this.stage, Stage::Ended) { Poll::Ready(None) } else { Poll::Pending };
        }
        this.heartbeat.as_mut().reset(Instant::now() + HEARTBEAT);
        Poll::Ready(Some(Ok(Frame::data(text.into()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_separated_by_commas() {
        let wants = |text| read_types(text).ok().map(|wants| (wants.calls, wants.watts, wants.accounts));
        assert_eq!(wants("call"), Some((true, false, false)));
        assert_eq!(wants("accounts,watts,watts"), Some((false, true, true)));
        for bad in ["", "calls", "call,", "call, watts", "CALL"] {
            assert_eq!(wants(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_event_is_lines_that_an_empty_one_ends() {
        let mut text = String::new();
        write_event(&mut text, Some(7), "call", "{}");
        write_event(&mut text, None, "dropped", "{\"a\":1}");
        assert_eq!(text, "id: 7\nevent: call\ndata: {}\n\nevent: dropped\ndata: {\"a\":1}\n\n");
    }
}
