//! The options of every command that talks to a daemon.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, ValueHint};

use super::{Client, ClientError};
use crate::cli::Failure;

const DAEMON: &str = "http://127.0.0.1:8080";

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
        .help("Trust the certificate authorities in this PEM file too, besides those of the web");
    let token = Arg::new("token")
        .long("token")
        .value_name("TOKEN")
        .env("NEBULA_TOKEN")
        .hide_env_values(true)
        .help("The token to send. Other users of this machine can see flags: prefer the variable or --token-file");
    let file = Arg::new("token-file")
        .long("token-file")
        .value_name("FILE")
        .value_hint(ValueHint::FilePath)
        .help("Read the token from this file");
    [daemon, authorities, token, file]
}

impl Client {
    /// The client of the daemon that the arguments name.
    pub fn of(matches: &ArgMatches) -> Result<Self, Failure> {
        Self::read(matches).map_err(Failure::usage)
    }

    fn read(matches: &ArgMatches) -> Result<Self, ClientError> {
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
