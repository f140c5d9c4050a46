//! What all commands that talk to a daemon take: which one, how to trust it, and who is talking.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, ValueHint};

use super::{Client, ClientError};

/// Where a daemon listens unless told otherwise.
const DAEMON: &str = "http://127.0.0.1:8080";

/// The arguments.
pub fn arguments() -> [Arg; 4] {
    let daemon = Arg::new("daemon")
        .long("daemon")
        .value_name("URL")
        .env("NEBULA_DAEMON")
        .default_value(DAEMON)
        .value_hint(ValueHint::Url)
        .help("The daemon to talk to");
    let authorities = Arg::new("ca")
        .long("ca")
        .value_name("FILE")
        .value_hint(ValueHint::FilePath)
        .help("Certificates (PEM) of further authorities that may vouch for it, besides those of the web");
    let token = Arg::new("token")
        .long("token")
        .value_name("TOKEN")
        .env("NEBULA_TOKEN")
        .hide_env_values(true)
        .help("Who we are; others on this machine can read it in a flag, so better in the variable or a file");
    let file = Arg::new("token-file")
        .long("token-file")
        .value_name("FILE")
        .value_hint(ValueHint::FilePath)
        .help("Read the token from this file");
    [daemon, authorities, token, file]
}

impl Client {
    /// The client that the arguments ask for.
    ///
    /// # Errors
    /// When they cannot be used.
    pub fn of(matches: &ArgMatches) -> Result<Self, ClientError> {
        let text = |key: &str| matches.get_one::<String>(key);
        let mut client = Self::new(text("daemon").map(String::as_str).unwrap_or_default())?;
        if let Some(path) = text("ca") {
            client.trust(path)?;
        }
        let flag = matches.value_source("token") == Some(ValueSource::CommandLine);
        match (text("token"), text("token-file")) {
            (Some(_), Some(_)) if flag => return Err(ClientError::TwoTokens),
            (_, Some(path)) => {
                let failed = |source| ClientError::ReadToken { path: path.clone(), source };
                client.present(&std::fs::read_to_string(path).map_err(failed)?)?;
            }
            (Some(token), None) => client.present(token)?,
            (None, None) => {}
        }
        Ok(client)
    }
}
