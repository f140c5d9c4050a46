//! `nebula serve`: reads the configuration, starts the daemon and says where it listens.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::ArgMatches;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Failure;
use crate::config::{Config, options};
use crate::daemon::{Addresses, Daemon, StartError};
use crate::telemetry::{escaped, start_logging};

/// Serves until a signal comes.
pub fn serve(matches: &ArgMatches) -> super::Result {
    let flags = |key: &str| matches.get_one::<String>(key).cloned();
    let file = matches.get_one::<String>("config").map(Path::new);
    let config = Config::read(flags, file).map_err(Failure::usage)?;
    start_logging(config.telemetry.log_format, config.telemetry.log_level);
    warn_of_unknown_variables();
    raise_open_files_limit();
    Daemon::start(config)?.run(announce)?;
    Ok(ExitCode::SUCCESS)
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Configuration(error) => Self::usage(error),
            StartError::Failed(error) => error.into(),
        }
    }
}

/// Prints where the daemon listens. In one write: a reader that wants only the first line may close the pipe before a
/// second.
fn announce(addresses: &Addresses) -> std::io::Result<()> {
    let admin = addresses.admin.as_ref().map(|url| format!("admin on {url}\n")).unwrap_or_default();
    let lines = format!("listening on {}\n{admin}", addresses.callers);
    let mut stdout = std::io::stdout();
    stdout.write_all(lines.as_bytes())?;
    stdout.flush()
}

/// A misspelt variable would go unnoticed otherwise. It is not an error: Kubernetes derives variables from the names of
/// services, and one may be called `nebula`.
fn warn_of_unknown_variables() {
    let known = |name: &str| {
        matches!(name, "NEBULA_CONFIG" | "NEBULA_DAEMON" | "NEBULA_TOKEN")
            || options().any(|option| option.variable() == name)
    };
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for name in names.filter(|name| name.starts_with("NEBULA_") && !known(name)) {
        tracing::warn!("the environment variable `{}` is not an option", escaped(&name));
    }
}

/// Each connection takes a file descriptor, and so does mapped code. The limit of 1024 that processes start with protects
/// programs that use `select`; others may raise it to the hard limit. Source: Linux `getrlimit(2)`, and `systemd.exec(5)` on
/// `LimitNOFILE=`.
fn raise_open_files_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!("cannot raise the limit of open files: {error}");
    }
}
