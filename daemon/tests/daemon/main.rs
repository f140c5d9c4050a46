//! The daemon from outside: the real program, real connections, real signals.
//!
//! One binary, for linking the runtime into each of many takes longer than running them. The first modules are how
//! tests start daemons and talk to them; each of the others pins one side of what users rely on.

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
mod skipping;
mod terminal;
mod tokens;
mod waiting;

mod access;
mod access_log;
mod body_types;
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
mod overload;
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
mod usage_log;
mod wagi_modules;
