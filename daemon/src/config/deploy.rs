//! How functions are deployed.

use std::path::PathBuf;
use std::time::Duration;

use super::Checker;

/// How functions are deployed.
#[derive(Clone, Debug)]
pub struct Deploy {
    /// Compilations at once.
    pub compilations: usize,
    /// Compilations that wait.
    pub queue: usize,
    /// Longest time of one, and of waiting for it.
    pub time: Duration,
    /// Versions of each function that are kept.
    pub keep: usize,
    /// Directories that manifests which come over the network may name.
    pub directories: Vec<PathBuf>,
}

impl Deploy {
    pub(super) fn check(check: &mut Checker<'_>) -> Self {
        let directories = |text: &str| match std::env::split_paths(text).find(|path| !path.is_absolute()) {
            None => Ok(std::env::split_paths(text).collect::<Vec<_>>()),
            Some(path) => Err(format!("`{}` must begin at the root", path.display())),
        };
        Self {
            compilations: check.number("deploy.compilations", 1..=1024),
            queue: check.number("deploy.queue", 0..=100_000),
            time: check.duration("deploy.time", &(Duration::from_millis(1)..=Duration::from_secs(3600))),
            keep: check.number("deploy.keep", 0..=1000),
            directories: check.optional("deploy.directories", directories).unwrap_or_default(),
        }
    }
}
