//! Calls that compute for longer than a tick: they delay nobody, and end as short ones do.

use std::thread;

use rustix::process::Signal;

use crate::prelude::*;

/// Every call that is not over at once is a long one.
const OPTIONS: &[&str] = &["--runtime-tick 1ms --limits-wall 20s"];

/// Takes a tenth of a second or more.
const LONG: &str = "fibonacci-recursive?input=35";
const LONG_OUTPUT: &str = "9227465\n";

#[test]
fn a_long_call_is_answered_like_any_other() {
    let daemon = Daemon::shared(OPTIONS);
    daemon.await_estimates();
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
fn concurrent_long_calls_get_their_own_answers() {
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
fn endless_calls_do_not_delay_short_ones_and_end_with_their_callers() {
    let daemon = Daemon::with_guests(&[]);
    // More than there are processors.
    let loops = 4 * thread::available_parallelism().unwrap().get();
    let callers: Vec<_> = (0..loops).map(|_| daemon.begin("/invoke/endless-loop")).collect();
    until("all of them run", || daemon.in_flight() == loops as f64);
    for _ in 0..3 {
        for name in ["hello-world", "hello-http", "hello-service", "hello-component"] {
            assert_eq!(daemon.output(name), "Hello, World!\n", "{name}");
            assert_eq!(daemon.get(&format!("/fn/{name}")).text(), "Hello, World!\n", "{name}");
        }
    }
    // An answer may be there a moment before its call is over.
    until("the loops alone run on", || daemon.in_flight() == loops as f64);
    drop(callers);
    until("they end with their callers", || daemon.in_flight() == 0.0);
    assert_eq!(daemon.calls("endless-loop", "cancelled"), loops as f64);
    let cpu = || daemon.metric("nebula_function_cpu_seconds_total", &[("function", "endless-loop")]);
    until("they are charged", || cpu() > 0.0 && daemon.active_joules("endless-loop") > 0.0);
    assert_eq!(daemon.get("/invoke/answer").status, 200, "the daemon goes on");
}

#[test]
fn a_long_call_ends_at_its_deadline() {
    let daemon = Daemon::shared(&["--runtime-tick 1ms --limits-wall 300ms"]);
    for target in ["/invoke/endless-loop", "/fn/endless-loop"] {
        let problem = daemon.get(target).expect_problem(504, "timeout");
        assert!(problem["timing"]["total_us"].as_u64() >= Some(300_000), "{problem}");
    }
}

#[test]
fn a_long_call_is_answered_while_the_daemon_drains() {
    let mut daemon = Daemon::start(&["--runtime-tick 1ms"]);
    let mut call = daemon.begin("/invoke/fibonacci-recursive?input=40");
    until("the call runs", || daemon.in_flight() == 1.0);
    daemon.signal(Signal::TERM);
    assert_eq!(answer(&mut call).output(), "102334155\n");
    assert_eq!(daemon.wait().code(), Some(0));
    assert!(daemon.log().contains("drained"), "{}", daemon.log());
}
