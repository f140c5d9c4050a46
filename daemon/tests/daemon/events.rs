//! `GET /events`: a stream of calls, power and accounts.

use nebula_api::events::{AccountsEvent, DroppedEvent, HistoryEvent, OmittedEvent, WattsEvent};
use nebula_api::invocations::Invocation;

use crate::body_types::assert_is;
use crate::prelude::*;

const OPTIONS: &[&str] = &["--window 20ms"];

struct Listener {
    exchange: Exchange,
    /// Text that was received, but not returned yet.
    text: String,
}

#[derive(Debug)]
struct Event {
    id: Option<u64>,
    name: String,
    data: Value,
}

impl Listener {
    fn start(daemon: &Daemon, query: &str) -> Self {
        Self::with(daemon, query, &[])
    }

    fn with(daemon: &Daemon, query: &str, headers: &[&str]) -> Self {
        let mut exchange = Exchange::ask(daemon, &format!("/events{query}"), headers);
        let head = exchange.head();
        let headers = ["content-type", "cache-control", "x-accel-buffering"].map(|name| head.header(name).unwrap());
        assert_eq!((head.status, headers), (200, ["text/event-stream", "no-store", "no"]));
        let mut listener = Self { exchange, text: String::new() };
        assert_eq!(listener.lines(), ["retry: 2000"]);
        listener
    }

    /// Lines up to an empty one, without comments; none at the end.
    fn lines(&mut self) -> Vec<String> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let text: String = self.text.drain(..end + 2).collect();
                let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with(':'));
                let lines: Vec<_> = lines.map(str::to_owned).collect();
                if !lines.is_empty() {
                    return lines;
                }
            } else {
                let Some(chunk) = self.exchange.chunk().filter(|chunk| !chunk.is_empty()) else { return Vec::new() };
                self.text += str::from_utf8(&chunk).unwrap();
            }
        }
    }

    fn next(&mut self) -> Option<Event> {
        let lines = self.lines();
        let field = |name: &str| lines.iter().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        let data = serde_json::from_str(field("data")?).unwrap();
        let name = field("event").unwrap();
        match name {
            "call" => assert_is::<Invocation>(&data),
            "omitted" => assert_is::<OmittedEvent>(&data),
            "watts" => assert_is::<WattsEvent>(&data),
            "accounts" => assert_is::<AccountsEvent>(&data),
            "history" => assert_is::<HistoryEvent>(&data),
            "dropped" => assert_is::<DroppedEvent>(&data),
            unknown => panic!("an event `{unknown}`: {data}"),
        }
        Some(Event { id: field("id").map(|id| id.parse().unwrap()), name: name.to_owned(), data })
    }

    fn next_named(&mut self, name: &str) -> Event {
        loop {
            let event = self.next().unwrap_or_else(|| panic!("no event `{name}` came"));
            if event.name == name {
                return event;
            }
        }
    }
}

#[test]
fn the_event_of_a_call_is_the_same_as_in_invocations() {
    let daemon = Daemon::with_guests(OPTIONS);
    let mut listener = Listener::start(&daemon, "?types=call");
    let mut of_answer = Listener::start(&daemon, "?types=call&function=answer");
    let mut last = None;
    for target in ["/invoke/fibonacci?input=10", "/invoke/unreachable", "/fn/hello-http", "/invoke/answer"] {
        daemon.get(target);
        let event = listener.next_named("call");
        assert!(event.id > last, "{event:?}");
        last = event.id;
        assert_eq!(event.data, daemon.invocation(&event.data), "{target}");
        // The first window of a source is its baseline, and calls in it are not known.
        assert!(["settled", "unknown"].iter().any(|state| event.data["energy"]["state"] == *state), "{event:?}");
        assert!(target.contains(event.data["function"].as_str().unwrap()), "{event:?}");
    }
    assert_eq!(of_answer.next_named("call").data["function"], "answer", "the others were not for it");
}

#[test]
fn watts_add_up_and_accounts_are_those_of_the_ledger() {
    let daemon = Daemon::with_guests(OPTIONS);
    let mut listener = Listener::start(&daemon, "");
    let accounts = listener.next_named("accounts").data;
    assert_eq!(accounts["source"], "model");
    let microjoules = |name| accounts[format!("{name}_microjoules")].as_u64().unwrap();
    let sum: u64 = ["function", "runtime", "host", "base", "gap"].map(microjoules).iter().sum();
    assert_eq!(microjoules("total"), sum);
    let busy = |event: &Event| event.data["functions"][0]["function"] == "fibonacci-recursive";
    let event = eventually("a busy second", || {
        daemon.get("/invoke/fibonacci-recursive?input=25");
        Some(listener.next_named("watts")).filter(busy)
    });
    let watts = &event.data;
    let total = |values: Vec<&Value>| values.into_iter().map(|value| value.as_f64().unwrap()).sum::<f64>();
    let zones = watts["zones"].as_array().unwrap();
    let additive = total(zones.iter().filter(|zone| zone["additive"] == true).map(|zone| &zone["watts"]).collect());
    let by_account = total(watts["accounts"].as_object().unwrap().values().collect());
    assert!(additive > 0.0 && (additive - by_account).abs() < 1e-6 * additive, "{watts}");
    let uncertainty = watts["uncertainty_watts"].as_f64().expect("the model states its error");
    assert!(uncertainty > 0.1 * by_account && uncertainty < by_account, "{watts}");
    assert!(watts["functions"][0]["watts"].as_f64() > Some(0.0) && watts["seconds"].as_f64() > Some(0.9), "{watts}");
}

#[test]
fn a_client_that_does_not_read_is_dropped_while_others_go_on() {
    let daemon = Daemon::with_guests(&[OPTIONS, &["--events-queue 64 --http-write-timeout 10s"]].concat());
    let stuck = Listener::start(&daemon, "?types=call");
    let mut reading = Listener::start(&daemon, "?types=call&function=answer");
    let dropped = || daemon.metric("nebula_event_clients_dropped_total", &[]) as u64;
    // Until neither the sockets nor the queue take any more.
    until("it is dropped", || {
        for _ in 0..50 {
            daemon.get("/invoke/echo?input=1");
        }
        dropped() > 0
    });
    assert_eq!(dropped(), 1);
    daemon.get("/invoke/answer");
    assert_eq!(reading.next_named("call").data["function"], "answer");
    until("its place is free", || daemon.metric("nebula_event_clients", &[]) as u64 == 1);
    drop(stuck);
}

#[test]
fn too_many_clients_are_refused() {
    let daemon = Daemon::start(&[]);
    let mut listeners: Vec<_> = (0..64).map(|_| Listener::start(&daemon, "?types=call")).collect();
    let refused = daemon.get("/events");
    refused.expect_problem(503, "too-many-listeners");
    assert_eq!(refused.header("retry-after"), Some("1"));
    daemon.get("/invoke/answer");
    for listener in &mut listeners {
        assert_eq!(listener.next_named("call").data["function"], "answer");
    }
    listeners.pop();
    until("a place is free", || daemon.metric("nebula_event_clients", &[]) as u64 == 63);
    listeners.push(Listener::start(&daemon, ""));
}

#[test]
fn streams_end_as_soon_as_the_daemon_drains() {
    let mut daemon = Daemon::start(&["--http-grace 300s"]);
    let mut listener = Listener::start(&daemon, "?types=call");
    daemon.signal(rustix::process::Signal::TERM);
    assert!(listener.next().is_none());
    assert_eq!(daemon.wait().code(), Some(0));
}

#[test]
fn a_client_gets_the_power_of_the_last_minutes_on_request() {
    let daemon = Daemon::with_guests(OPTIONS);
    daemon.get("/invoke/fibonacci-recursive?input=25");
    let took = |sample: &Value| {
        sample["functions"].as_array().unwrap().iter().any(|drawn| drawn["function"] == "fibonacci-recursive")
    };
    let samples = eventually("the call shows in the history", || {
        let event = Listener::start(&daemon, "?history=true").next().unwrap();
        let samples = (event.name == "history").then(|| event.data["samples"].as_array().unwrap().clone())?;
        samples.iter().any(took).then_some(samples)
    });
    let ago: Vec<_> = samples.iter().map(|sample| sample["seconds_ago"].as_f64().unwrap()).collect();
    assert!(ago.is_sorted_by(|earlier, later| earlier > later) && ago.iter().all(|ago| *ago >= 0.0), "{ago:?}");
    let sample = samples.iter().find(|sample| took(sample)).unwrap();
    let drawn = sample["functions"].as_array().unwrap().iter();
    let drawn = drawn.map(|drawn| drawn["watts"].as_f64().unwrap()).sum::<f64>();
    let functions = sample["accounts"]["function"].as_f64().unwrap();
    // The ten that took the most, and no more than all.
    assert!(drawn > 0.0 && drawn <= functions * (1.0 + 1e-6), "{sample}");
    for query in ["", "?history=false", "?types=accounts&history=true"] {
        assert_ne!(Listener::start(&daemon, query).next().unwrap().name, "history", "{query}");
    }
}

#[test]
fn bad_queries_are_refused() {
    let daemon = Daemon::shared(OPTIONS);
    for (query, status) in [
        ("?types=calls", 400),
        ("?types=", 400),
        ("?since=1", 400),
        ("?function=nobody", 404),
        ("?types=call,,", 400),
        ("?history=1", 400),
    ] {
        assert_eq!(daemon.get(&format!("/events{query}")).status, status, "{query}");
    }
    assert_eq!(daemon.post("/events", "").status, 405);
}

#[test]
fn joules_in_events_are_rounded_withheld_or_unknown_as_elsewhere() {
    let daemon = Daemon::start(&[OPTIONS, &["--energy-resolution 1mJ"]].concat());
    let mut listener = Listener::start(&daemon, "?types=call");
    let charged = |event: &Event| event.data["energy_joules"].as_f64().is_some_and(|joules| joules > 0.0);
    let event = eventually("a charge that is not zero", || {
        daemon.get("/invoke/fibonacci-recursive?input=25");
        Some(listener.next_named("call")).filter(charged)
    });
    let millijoules = event.data["energy_joules"].as_f64().unwrap() * 1e3;
    assert!((millijoules - millijoules.round()).abs() < 1e-6, "{event:?}");
    let daemon = Daemon::start(&["--admin-listen 127.0.0.1:0 --energy-expose operators"]);
    assert_eq!(daemon.get("/events").status, 403);

    let unmetered = Daemon::start(&["--source off"]);
    let mut listener = Listener::start(&unmetered, "?types=call");
    unmetered.get("/invoke/answer");
    assert_has(&listener.next_named("call").data, &json!({ "energy_joules": null, "outcome": "ok" }));
}

#[test]
fn a_token_for_some_functions_sees_no_others() {
    let tokens = TokensFile::empty();
    let restricted = tokens.add("some", &["--role", "operate", "--function", "answer"]);
    let caller = tokens.add("caller", &["--role", "invoke"]);
    let daemon = Daemon::start(&[OPTIONS, &["--access tokens --tokens", &tokens.path_str()]].concat());
    assert_eq!(daemon.get_with("/events", &[&caller]).status, 403);
    assert_eq!(daemon.get_with("/events?types=watts", &[&restricted]).status, 403);
    let mut listener = Listener::with(&daemon, "", &[&restricted]);
    for target in ["/invoke/hello-world", "/invoke/answer"] {
        assert_eq!(daemon.get_with(target, &[&caller]).status, 200);
    }
    let event = listener.next().unwrap();
    assert_eq!((event.name.as_str(), &event.data["function"]), ("call", &"answer".into()));
}
