//! The options of functions: where they come from, what a call of one may use, how they are deployed.

use std::path::PathBuf;
use std::time::Duration;

use crate::settings::{Checker, Setting, defaulted, file_path, optional};
use nebula_runtime::Limits;

pub const OPTIONS: &[Setting] = &[
    optional(
        "functions",
        "DIR",
        "Serve the .wasm and .wat files of this directory besides the built-in functions, and keep deployed functions \
         there; changes are picked up at once. By default the folder `functions` of `state`",
    ),
    optional("modules", "FILE", "Serve the modules of this modules.toml (WAGI's format) at their routes"),
    defaulted(
        "cache.size",
        "SIZE",
        "512MiB",
        "Keep this much compiled code, so that a restart need not compile; 0 keeps none",
    ),
    optional(
        "cache.dir",
        "DIR",
        "Keep compiled code here rather than in `state`; several daemons may share the directory",
    ),
    optional("outbound.ca", "FILE", "Trust these certificates (PEM) too in functions' outbound requests"),
    defaulted("limits.wall", "DURATION", "30s", "Time that a call may run"),
    defaulted("limits.memory", "SIZE", "128MiB", "Memory that a call may have"),
    defaulted("limits.table", "COUNT", "100000", "Elements that a table of a call may have"),
    defaulted("limits.stdout", "SIZE", "4MiB", "Output that a call may write"),
    defaulted("limits.stderr", "SIZE", "64KiB", "Keep this much from the end of a call's stderr"),
    defaulted("limits.functions", "COUNT", "10000", "Functions that are loaded"),
    defaulted(
        "limits.versions",
        "COUNT",
        "10000",
        "Versions of functions that one run of the daemon keeps accounts of",
    ),
    defaulted("limits.module", "SIZE", "64MiB", "Largest module that is loaded"),
    defaulted("deploy.compilations", "COUNT", "1", "Deployed functions that are compiled at once"),
    defaulted("deploy.queue", "COUNT", "16", "Deployed functions that wait to be compiled"),
    defaulted("deploy.time", "DURATION", "60s", "Time to compile a deployed function, and to wait for others"),
    defaulted("deploy.keep", "COUNT", "10", "Keep this many earlier versions of each function to roll back to"),
    optional(
        "deploy.directories",
        "DIRS",
        "Let manifests that are deployed over the network name these directories and those below them; separate several \
         by colons",
    ),
    defaulted("runtime.tick", "DURATION", "5ms", "Let other calls have their turn after a call has run this long"),
];

#[derive(Clone, Debug)]
pub struct Settings {
    pub directory: Option<PathBuf>,
    pub modules: Option<PathBuf>,
    pub functions_max: usize,
    pub versions_max: usize,
    /// In bytes.
    pub module_max: u64,
    /// In bytes; 0 keeps none.
    pub cache_size: u64,
    pub cache_dir: Option<PathBuf>,
    pub outbound_ca: Option<PathBuf>,
    pub limits: Limits,
    pub tick: Duration,
    pub deploy: DeploySettings,
}

#[derive(Clone, Debug)]
pub struct DeploySettings {
    pub compilations: usize,
    pub queue: usize,
    pub time: Duration,
    pub keep: usize,
    pub directories: Vec<PathBuf>,
}

impl Settings {
    pub fn check(check: &mut Checker<'_>) -> Self {
        let short = Duration::from_millis(1)..=Duration::from_secs(60);
        let long = Duration::from_millis(1)..=Duration::from_secs(86_400);
        Self {
            directory: check.optional("functions", |text| Ok(PathBuf::from(text))),
            modules: check.optional("modules", file_path),
            functions_max: check.number("limits.functions", 1..=100_000),
            versions_max: check.number("limits.versions", 1..=1_000_000),
            module_max: check.size("limits.module", 8..=1 << 30) as u64,
            cache_size: check.size("cache.size", 0..=1 << 40) as u64,
            cache_dir: check.optional("cache.dir", file_path),
            outbound_ca: check.optional("outbound.ca", file_path),
            limits: Limits {
                wall: check.duration("limits.wall", &long),
                memory: check.size("limits.memory", 64 << 10..=4 << 30),
                table_elements: check.number("limits.table", 0..=10_000_000),
                stdout: check.size("limits.stdout", 0..=1 << 30),
                stderr: check.size("limits.stderr", 0..=1 << 30),
            },
            tick: check.duration("runtime.tick", &short),
            deploy: DeploySettings {
                compilations: check.number("deploy.compilations", 1..=1024),
                queue: check.number("deploy.queue", 0..=100_000),
                time: check.duration("deploy.time", &(Duration::from_millis(1)..=Duration::from_secs(3600))),
                keep: check.number("deploy.keep", 0..=1000),
                directories: check.optional("deploy.directories", directories).unwrap_or_default(),
            },
        }
    }
}

fn directories(text: &str) -> Result<Vec<PathBuf>, String> {
    match std::env::split_paths(text).find(|path| !path.is_absolute()) {
        None => Ok(std::env::split_paths(text).collect()),
        Some(path) => Err(format!("`{}` must be an absolute path", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::checked;

    #[test]
    fn limits_end_where_they_say() {
        let good = |key, value| checked(OPTIONS, &[(key, value)], Settings::check).is_ok();
        for (key, inside, outside) in [
            ("limits.memory", "65536", "65535"),
            ("runtime.tick", "60s", "61s"),
            ("cache.size", "0", "2000GiB"),
            ("cache.size", "1GiB", "much"),
            ("deploy.directories", "/a:/b", "/a:b"),
        ] {
            assert!(good(key, inside) && !good(key, outside), "{key}");
        }
    }
}
