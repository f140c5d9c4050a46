//! What hostile callers, guests and deployers try. Each test is bounded in time; each of its modules holds one mechanism.
//!
//! The heavy ones are ignored by default. All of them: `cargo test -p nebula --test daemon hostile -- --include-ignored`.

mod answered;
mod bodies;
mod compiling;
mod deploy_grants;
mod deploy_races;
mod draining;
mod files;
mod heads;
mod host_memory;
mod informational;
mod interrupted_deployments;
mod queries;
mod rebinding;
mod sockets;
mod tasks;
mod unread_answers;
