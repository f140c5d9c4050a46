//! Calls that compute for longer than a tick: they keep nobody waiting, and end as short ones do.

use std::io::Write;
use std::thread;

use rustix::process::Signal;

use crate::client::{Response, read_to_end, request};
use crate::daemon::Daemon;
use crate::waiting::until;

/// Every call that is not over at once is a long one.
const OPTIONS: &[&str] = &["--source", "model", "--runtime-tick", "1ms", "--limits-wall", "20s"];

/// Takes a tenth of a second or more.
const LONG: &str = "fibonacci-recursive?input=35";
const LONG_OUTPUT: &str = "9227465\n";

#[test]
fn a_long_call_gives_its_answer_like_any_other() {
    let daemon = Daemon::shared(OPTIONS);
    until("a window is closed", || daemon.get("/invoke/answer").json()["energy"]["state"] == "estimated");
    let envelope = daemon.get(&format!("/invoke/{LONG}")).json();
    assert_eq!((&envelope["output"], &envelope["exit_code"]), (&LONG_OUTPUT.into(), &0.into()), "{envelope}");
    let cpu = envelope["work"]["cpu_ns"].as_u64().unwrap();
    assert!(cpu > 10_000_000, "what it did on every thread is counted: {envelope}");
    assert!(envelope["energy_joules"].as_f64() > Some(0.0), "{envelope}");
    let response = daemon.post("/fn/fibonacci-recursive", "35");
    assert_eq!((response.status, response.text()), (200, LONG_OUTPUT));
    let settled = daemon.get(&format!("/invoke/{LONG}&settle=true")).json();
    assert_eq!((&settled["output"], &settled["energy"]["state"]), (&LONG_OUTPUT.into(), &"settled".into()));
    assert!(daemon.threads().iter().any(|name| name == "long-calls"), "{:?}", daemon.threads());
}

#[test]
fn many_long_calls_end_each_with_its_own_answer() {
    let daemon = Daemon::shared(OPTIONS);
    thread::scope(|scope| {
        for (input, output) in [(30, "832040\n"), (31, "1346269\n"), (32, "2178309\n"), (33, "3524578\n")] {
            let daemon = &daemon;
            scope.spawn(move || {
                for _ in 0..3 {
                    let envelope = daemon.get(&format!("/invoke/fibonacci-recursive?input={input}")).json();
                    assert_eq!(envelope["output"], output);
                }
            });
        }
    });
}

#[test]
fn threads_for_long_calls_have_a_lower_priority() {
    let daemon = Daemon::shared(OPTIONS);
    // A thread has its name before it has lowered its priority.
    until("threads for long calls have a lower priority", || {
        let nice = daemon.nice();
        let of = |name: &str| nice.iter().filter(|(of, _)| of == name).map(|(_, nice)| *nice).collect::<Vec<_>>();
        let (long, short) = (of("long-calls"), of("tokio-rt-worker"));
        !long.is_empty() && !short.is_empty() && long.iter().min() > short.iter().max()
    });
}

#[test]
fn a_quick_call_answers_while_more_loops_run_than_there_are_processors() {
    let daemon = Daemon::with_guests(&["--source", "model"]);
    let loops = 4 * thread::available_parallelism().unwrap().get();
    let mut callers: Vec<_> = (0..loops).map(|_| daemon.connect()).collect();
    for caller in &mut callers {
        caller.write_all(&request("GET", "/invoke/endless-loop", &[], b"")).unwrap();
    }
    let in_flight = || daemon.metrics().sum("nebula_in_flight_invocations", &[]);
    until("all of them run", || in_flight() == loops as f64);
    for name in ["hello-world", "hello-http", "hello-service", "hello-component"] {
        assert_eq!(daemon.get(&format!("/invoke/{name}")).json()["output"], "Hello, World!\n", "{name}");
        assert_eq!(daemon.get(&format!("/fn/{name}")).text(), "Hello, World!\n", "{name}");
    }
    // An answer may be there a moment before its call is over.
    until("the loops alone run on", || in_flight() == loops as f64);
    drop(callers);
    until("they end with their callers", || in_flight() == 0.0);
    let outcome = [("function", "endless-loop"), ("outcome", "cancelled")];
    assert_eq!(daemon.metrics().sum("nebula_invocations_total", &outcome), loops as f64);
}

#[test]
fn a_long_call_ends_at_its_deadline() {
    let daemon = Daemon::shared(&["--source", "model", "--runtime-tick", "1ms", "--limits-wall", "300ms"]);
    for target in ["/invoke/endless-loop", "/fn/endless-loop"] {
        let response = daemon.get(target);
        let problem = response.problem();
        assert_eq!((response.status, &problem["type"]), (504, &"urn:nebula:timeout".into()), "{target}");
        assert!(problem["timing"]["total_us"].as_u64() >= Some(300_000), "{problem}");
    }
}

#[test]
fn a_long_call_that_runs_when_the_daemon_is_asked_to_end_is_answered() {
    let mut daemon = Daemon::start(&["--source", "model", "--runtime-tick", "1ms"]);
    let mut call = daemon.connect();
    call.write_all(&request("GET", "/invoke/fibonacci-recursive?input=40", &[], b"")).unwrap();
    until("the call runs", || daemon.metrics().sum("nebula_in_flight_invocations", &[]) == 1.0);
    daemon.signal(Signal::TERM);
    assert_eq!(Response::parse(&read_to_end(&mut call)).0.json()["output"], "102334155\n");
    assert_eq!(daemon.wait().code(), Some(0));
    assert!(daemon.log().contains("drained"), "{}", daemon.log());
}
