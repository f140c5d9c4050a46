//! The daemon from outside: the real program, real connections, real signals.
//!
//! All tests are in one binary, because linking the runtime into each of many takes longer than running them. The first
//! modules start daemons and talk to them; each of the others tests one part of what users rely on.

#![allow(clippy::unwrap_used, reason = "a test ends where something is wrong")]

mod certificate_authority;
mod client;
mod collector;
mod daemon;
mod exchange;
mod exposition;
mod guests;
mod peer;
mod powercap_tree;
mod prelude;
mod small_disk;
mod stub_server;
mod terminal;
mod tokens;
mod waiting;

mod access;
mod access_log;
mod body_types;
mod calibrate;
mod carbon;
mod cgi;
mod client_commands;
mod code_cache;
mod cold_starts;
mod configuration;
mod connections;
mod cross_origin;
mod deploying;
mod energy_budgets;
mod energy_endpoint;
mod energy_exposure;
mod events;
mod failed_calls;
mod forms;
mod function_files;
mod function_kinds;
mod http2;
mod invocations;
mod invoking;
mod knowledge;
mod limits;
mod live_page;
mod logs;
mod long_calls;
mod malformed_requests;
mod manifests;
mod metrics;
mod node_exporter;
mod other_endpoints;
mod outbound;
mod power_cap;
mod powercap_accounts;
mod prometheus;
mod quotas;
mod request_ids;
mod run_command;
mod sample_functions;
mod sandbox;
mod settled_answers;
mod shutdown;
mod source_fallback;
mod source_off;
mod streaming;
mod tls;
mod top;
mod traces;
mod usage;
mod wagi_modules;

/// What callers, guests and deployers try who mean harm.
#[path = "../hostile/mod.rs"]
mod hostile;

/// Says that a test cannot run on this machine, and why. It writes straight to stdout, since the test harness keeps what
/// `println!` writes in a test that passes.
fn skipped(why: &str) {
    use std::io::Write as _;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "SKIPPED: {why}").unwrap();
}
