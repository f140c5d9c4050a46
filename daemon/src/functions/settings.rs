//! The options of functions: where they come from, what a call of one may use, how they are deployed.

use std::path::PathBuf;
use std::time::Duration;

use nebula_runtime::{Limits, Networks, Policy, SocketPolicy};

use crate::settings::{UP_TO_A_DAY, duration_in, file_path, number_in, options, size_in};

options! {
    #[derive(Clone, Debug)]
    pub struct Settings {
        /// Serve the .wasm and .wat files of this directory besides the built-in functions, and keep deployed functions
        /// there; changes are picked up at once. By default the folder `functions` of `state`
        directory: Option<PathBuf> => "functions", DIR, |text| Ok(PathBuf::from(text));
        /// Serve the modules of this modules.toml (WAGI's format) at their routes
        modules: Option<PathBuf> => "modules", FILE, file_path;
        /// Keep this much compiled code, so that a restart need not compile; 0 keeps none
        cache_size: u64 => "cache.size", SIZE = "512MiB", size_in(0..=1 << 40);
        /// Keep compiled code here rather than in `state`; several daemons may share the directory
        cache_dir: Option<PathBuf> => "cache.dir", DIR, file_path;
        /// Trust these certificates (PEM) too in functions' outbound requests
        outbound_ca: Option<PathBuf> => "outbound.ca", FILE, file_path;
        /// Let functions whose manifests list a host reach it at these private addresses too: addresses, with or without a
        /// port, and networks, such as 127.0.0.1:9000,10.1.0.0/16; by default they reach only public addresses
        outbound_private: Networks => "outbound.private", ADDRESSES, networks, or Networks::default();
        /// Time that a call may run
        wall: Duration => "limits.wall", DURATION = "30s", duration_in(UP_TO_A_DAY);
        /// Memory that a call may have, with what the daemon holds for it, such as bodies that wait to be sent
        memory: usize => "limits.memory", SIZE = "128MiB", size_in(64 << 10..=4 << 30);
        /// Elements that a table of a call may have
        table_elements: usize => "limits.table", COUNT = "100000", number_in(0..=10_000_000);
        /// Output that a call may write
        stdout: usize => "limits.stdout", SIZE = "4MiB", size_in(0..=1 << 30);
        /// Keep this much from the end of a call's stderr
        stderr: usize => "limits.stderr", SIZE = "64KiB", size_in(0..=1 << 30);
        /// Files and directories that a call may have open, and sockets that it may open in all
        files: usize => "limits.files", COUNT = "64", number_in(0..=1_000_000);
        /// Files, directories and connections that all calls together may have open; by default a quarter of what the
        /// process may open, so that the others are left for callers and compiled code
        files_in_all: Option<usize> => "limits.files-in-all", COUNT, number_in(0..=1_000_000_000);
        /// Functions that are loaded
        functions_max: usize => "limits.functions", COUNT = "10000", number_in(1..=100_000);
        /// Versions of functions that one run of the daemon keeps accounts of
        versions_max: usize => "limits.versions", COUNT = "10000", number_in(1..=1_000_000);
        /// Largest module that is loaded
        module_max: u64 => "limits.module", SIZE = "64MiB", size_in(8..=1 << 30);
        /// Let other calls have their turn after a call has run this long
        tick: Duration => "runtime.tick", DURATION = "5ms",
            duration_in(Duration::from_millis(1)..=Duration::from_secs(60));
        ..deploy: DeploySettings;
    }
}

options! {
    #[derive(Clone, Debug)]
    pub struct DeploySettings {
        /// Deployed functions that are compiled at once
        compilations: usize => "deploy.compilations", COUNT = "1", number_in(1..=1024);
        /// Deployed functions that wait to be compiled
        queue: usize => "deploy.queue", COUNT = "16", number_in(0..=100_000);
        /// Time to compile a function, and for a deployed one to wait for others
        time: Duration => "deploy.time", DURATION = "60s",
            duration_in(Duration::from_millis(1)..=Duration::from_secs(3600));
        /// Memory to compile a function, as address space
        memory: u64 => "deploy.memory", SIZE = "1GiB", size_in(256 << 20..=1 << 40);
        /// Largest sum, over the blocks of one of its functions, of locals and of blocks around each: what it takes to compile
        /// grows with it
        complexity: u64 => "deploy.complexity", COUNT = "250000000", number_in(1..=u64::MAX);
        /// How deep components and modules may be nested in a function
        nesting: u64 => "deploy.nesting", COUNT = "32", number_in(1..=1000);
        /// Keep this many earlier versions of each function to roll back to
        keep: usize => "deploy.keep", COUNT = "10", number_in(0..=1000);
        /// Let manifests that are deployed over the network name these directories and those below them; separate several
        /// by colons
        directories: Vec<PathBuf> => "deploy.directories", DIRS, directories, or Vec::new();
        /// Let manifests that are deployed over the network list these hosts in `outbound`, and hosts below *.NAME; as in
        /// manifests, separated by commas: api.example.com,http://*.example.org:8080, or https://* for any
        outbound: Policy => "deploy.outbound", HOSTS, hosts, or Policy::default();
        /// Let manifests that are deployed over the network list these sockets in `network`; as in manifests, separated by
        /// commas: tcp:db.example.com:5432,udp:*:53
        network: SocketPolicy => "deploy.network", SOCKETS, sockets, or SocketPolicy::default();
    }
}

impl Settings {
    /// What one call may use.
    pub fn limits(&self) -> Limits {
        let Self { wall, memory, table_elements, stdout, stderr, files, .. } = *self;
        Limits { wall, memory, table_elements, stdout, stderr, files }
    }
}

fn directories(text: &str) -> Result<Vec<PathBuf>, String> {
    match std::env::split_paths(text).find(|path| !path.is_absolute()) {
        None => Ok(std::env::split_paths(text).collect()),
        Some(path) => Err(format!("`{}` must be an absolute path", path.display())),
    }
}

fn networks(text: &str) -> Result<Networks, String> {
    Networks::parse(text.split(',').map(str::trim)).map_err(|error| error.to_string())
}

fn hosts(text: &str) -> Result<Policy, String> {
    Policy::parse(text.split(',').map(str::trim)).map_err(|errors| joined(&errors))
}

fn sockets(text: &str) -> Result<SocketPolicy, String> {
    SocketPolicy::parse(text.split(',').map(str::trim)).map_err(|errors| joined(&errors))
}

fn joined(errors: &[impl ToString]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::checked;

    #[test]
    fn values_out_of_range_are_refused() {
        let good = |key, value| checked(Settings::options(), &[(key, value)], Settings::read).is_ok();
        for (key, inside, outside) in [
            ("limits.memory", "65536", "65535"),
            ("runtime.tick", "60s", "61s"),
            ("cache.size", "0", "2000GiB"),
            ("cache.size", "1GiB", "much"),
            ("deploy.directories", "/a:/b", "/a:b"),
            ("deploy.network", "tcp:db.example:5432, udp:*:53", "db.example:5432"),
            ("deploy.outbound", "a.example, http://*:80", "a.example,"),
            ("outbound.private", "127.0.0.1:9000, 10.0.0.0/8", "localhost"),
        ] {
            assert!(good(key, inside) && !good(key, outside), "{key}");
        }
    }
}
