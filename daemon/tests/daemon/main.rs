//! The daemon from outside: the real program, real connections, real signals.
//!
//! One binary, for linking the runtime into each of many takes longer than running them. The first modules are how
//! tests start daemons and talk to them; each of the others pins one side of what users rely on.

#![allow(clippy::unwrap_used, reason = "a test ends where something is wrong")]

mod authority;
mod client;
mod collector;
mod daemon;
mod deploying;
mod dialogue;
mod exposition;
mod guests;
mod patience;
mod peer;
mod powercap_tree;
mod skipping;
mod terminal;
mod tokens;

mod access;
mod access_log;
mod budgets;
mod carbon;
mod cgi;
mod client_commands;
mod code_cache;
mod configuration;
mod connections;
mod cross_origin;
mod doors;
mod energy;
mod events;
mod failures;
mod fallback;
mod forms;
mod http2;
mod invocations;
mod invoking;
mod isolation;
mod kinds;
mod ledger;
mod lifecycle;
mod limits;
mod live_page;
mod loading;
mod logs;
mod long_calls;
mod manifests;
mod metrics;
mod modules;
mod node_exporter;
mod outbound;
mod overload;
mod pages;
mod power_cap;
mod prometheus;
mod quotas;
mod readiness;
mod request_ids;
mod requests;
mod run_command;
mod samples;
mod settling;
mod streaming;
mod tls;
mod top;
mod traces;
mod unmetered;
mod usage;
mod usage_log;
mod wire;
