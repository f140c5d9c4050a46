//! The configuration: gathers the options of all rooms, and what flags, environment and file say about them.

mod state;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::meter::OFF;
use crate::settings::{Checker, Layers, Mistakes, Setting, file_path, options, read_file, unknown_keys};
use crate::{carbon, functions, http, invocation, meter, quota, telemetry, usage};
use state::default_state;

/// What may come with a module that is deployed: its manifest, and the parts of a form.
const MODULE_COMPANY: u64 = 1 << 20;

options! {
    /// Options that belong to no room.
    #[derive(Clone, Debug)]
    pub struct OwnSettings {
        /// Keep what outlives the daemon here; by default in $STATE_DIRECTORY (set by systemd), or in nebula below
        /// $XDG_STATE_HOME or ~/.local/state
        state: Option<PathBuf> => "state", DIR, file_path;
    }
}

/// The options of `nebula serve` under the headings that help shows.
pub fn options_by_heading() -> impl Iterator<Item = (&'static str, Setting)> {
    let rooms = [
        ("Server and access", http::Settings::options()),
        ("Functions and their limits", functions::Settings::options()),
        ("Admission", invocation::Settings::options()),
        ("Energy", meter::Settings::options()),
        ("Carbon and cost", carbon::Settings::options()),
        ("Quotas", quota::Settings::options()),
        ("Stored accounts", usage::Settings::options()),
        ("Metrics, logs and traces", telemetry::Settings::options()),
        ("State", OwnSettings::options()),
    ];
    rooms.into_iter().flat_map(|(heading, options)| options.into_iter().map(move |option| (heading, option)))
}

/// All options of `nebula serve`.
pub fn options() -> impl Iterator<Item = Setting> {
    options_by_heading().map(|(_, option)| option)
}

/// The checked configuration of `nebula serve`.
#[derive(Clone, Debug)]
pub struct Config {
    pub http: http::Settings,
    pub functions: functions::Settings,
    pub invocation: invocation::Settings,
    pub meter: meter::Settings,
    pub carbon: carbon::Settings,
    pub quota: quota::Settings,
    pub usage: usage::Settings,
    pub telemetry: telemetry::Settings,
    /// Where the daemon keeps what outlives it; `None` if neither an option nor the environment names a directory.
    pub state: Option<PathBuf>,
}

impl Config {
    /// Reads flags, the environment and the file.
    pub fn read(flags: impl Fn(&str) -> Option<String>, file: Option<&Path>) -> Result<Self, Mistakes> {
        let mut mistakes = Vec::new();
        let file = file.map(|path| read_file(path, &mut mistakes)).unwrap_or_default();
        Self::from_layers(flags, |name| std::env::var(name).ok(), &file, mistakes)
    }

    fn from_layers(
        flags: impl Fn(&str) -> Option<String>,
        variables: impl Fn(&str) -> Option<String>,
        file: &BTreeMap<String, String>,
        mut mistakes: Vec<String>,
    ) -> Result<Self, Mistakes> {
        mistakes.extend(unknown_keys(file, options()));
        let layers = Layers::stack(options(), flags, variables, file);
        let mut check = Checker::new(&layers, mistakes);
        let config = Self {
            http: http::Settings::check(&mut check),
            functions: functions::Settings::read(&mut check),
            invocation: invocation::Settings::read(&mut check),
            meter: meter::Settings::read(&mut check),
            carbon: carbon::Settings::check(&mut check),
            quota: quota::Settings::read(&mut check),
            usage: usage::Settings::read(&mut check),
            telemetry: telemetry::Settings::read(&mut check),
            state: OwnSettings::read(&mut check).state.or_else(|| default_state(|name| std::env::var_os(name))),
        };
        // A bound on energy that silently bounds nothing would be worse than none.
        if check.text("source") == Some(OFF) {
            for key in ["quota.joules-per-hour", "power.max"] {
                check.refuse(key, "nothing is measured (`source` is `off`)");
            }
        }
        if (config.http.connections.bodies_max as u64) < config.functions.module_max.saturating_add(MODULE_COMPANY) {
            check.refuse("limits.bodies", "it must have room for the largest module (`limits.module`) and 1MiB");
        }
        check.finish().map(|()| config)
    }
}

#[cfg(test)]
mod tests;
