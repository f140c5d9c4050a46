//! Manifests: the file `NAME.toml` beside `NAME.wasm`. A function may do and use what its manifest lists, and nothing more.

mod mistake;
mod table;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nebula_metering::Joules;
use nebula_runtime::Directory;
use thiserror::Error;
use toml::Table;

use crate::quota::{Priority, Quota};
use crate::regular_file;
pub use mistake::Mistake;
pub(crate) use mistake::joined;
pub(crate) use table::{Keys, KnownKeys, Wrong};
#[cfg(test)]
pub(crate) use tests::CEILINGS;
use values::{
    argument, at_most, boolean, counted, counted_freely, guest_path, host_path, nonempty, route, time, variable,
};
pub(crate) use values::{energy, text};

/// The longest manifest, in bytes. A page of settings has two or three thousand.
pub const BYTES_MAX: usize = 64 << 10;

/// The least memory of a function, in bytes: a page of WebAssembly.
const MEMORY_MIN: usize = 64 << 10;

/// What a function may do and use. By default that is only CPU time and memory, within the limits of the daemon.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manifest {
    /// Environment variables. Only their names are shown, because values may be secrets.
    pub env: BTreeMap<String, String>,
    /// Arguments after the function's name.
    pub args: Vec<String>,
    /// The export of a numeric function to call in place of `run`.
    pub entry: Option<String>,
    /// Hosts that it may send requests to, as written.
    pub outbound: Vec<String>,
    /// Sockets that it may open, as written.
    pub network: Vec<String>,
    pub reuse: Reuse,
    /// Calls of lower priority wait first when functions reach the power cap.
    pub priority: Priority,
    /// Path prefixes that it answers.
    pub routes: Vec<String>,
    /// Directories that it can open. Their paths on the host are not shown to callers. [`Manifest::parse`] keeps them as
    /// written, [`Manifest::parse_at`] resolves them against the manifest's folder.
    pub directories: Vec<Directory>,
    pub limits: Limits,
    /// What all of its calls together may use. The daemon's options fill the gaps.
    pub quota: Quota,
}

/// Whether an instance serves more than one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reuse {
    /// Every call has a fresh instance.
    #[default]
    Fresh,
    /// An instance serves one call after another, and calls see what earlier ones left in it.
    Serial,
}

/// What one call may use. `None` means the daemon's limit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// In bytes.
    pub memory: Option<usize>,
    pub wall: Option<Duration>,
    pub cpu: Option<Duration>,
    /// Active energy.
    pub max_joules: Option<Joules>,
    /// Standard output in bytes.
    pub output: Option<usize>,
    pub concurrency: Option<u32>,
}

/// The most that a manifest may ask for.
#[derive(Clone, Copy, Debug)]
pub struct Ceilings {
    pub limits: nebula_runtime::Limits,
    pub concurrency: u32,
}

#[derive(Debug, Error)]
pub enum ManifestError {
    #[error("cannot read the manifest `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the manifest `{}` has more than {BYTES_MAX} bytes", path.display())]
    TooLong { path: PathBuf },
    #[error("the manifest `{}` cannot be used: {}", path.display(), joined(mistakes))]
    Wrong { path: PathBuf, mistakes: Vec<Mistake> },
}

impl Manifest {
    /// Reads the text of the manifest at `path`. A missing file is [`ManifestError::Read`] with [`io::ErrorKind::NotFound`].
    pub fn read_text(path: &Path) -> Result<String, ManifestError> {
        let failed = |source| ManifestError::Read { path: path.into(), source };
        let mut text = Vec::new();
        regular_file::open(path).map_err(failed)?.take(BYTES_MAX as u64 + 1).read_to_end(&mut text).map_err(failed)?;
        if text.len() > BYTES_MAX {
            return Err(ManifestError::TooLong { path: path.into() });
        }
        String::from_utf8(text).map_err(|why| failed(io::Error::new(io::ErrorKind::InvalidData, why)))
    }

    /// Parses the manifest at `path`, which need not be written yet.
    pub fn parse_at(path: &Path, text: &str, ceilings: &Ceilings) -> Result<Self, ManifestError> {
        let wrong = |mistakes| ManifestError::Wrong { path: path.into(), mistakes };
        let mut manifest = Self::parse(text, ceilings).map_err(wrong)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for directory in &mut manifest.directories {
            directory.host = folder.join(&directory.host);
        }
        Ok(manifest)
    }

    /// Parses a manifest. Returns all mistakes, in the order of the keys in [`Manifest`], unknown keys first.
    pub fn parse(text: &str, ceilings: &Ceilings) -> Result<Self, Vec<Mistake>> {
        let table = text.parse::<Table>().map_err(|error| vec![Mistake::syntax(text, &error)])?;
        let mut mistakes = Vec::new();
        let manifest = Self::from_keys(&mut Keys::all(&table, &mut mistakes), ceilings);
        if mistakes.is_empty() { Ok(manifest) } else { Err(mistakes) }
    }

    fn from_keys(keys: &mut Keys<'_, '_>, ceilings: &Ceilings) -> Self {
        Self {
            env: keys.map("env", variable),
            args: keys.list("args", text(argument)),
            entry: keys.value("entry", text(nonempty)),
            outbound: keys.list("outbound", text(nonempty)),
            network: keys.list("network", text(nonempty)),
            reuse: keys.value("reuse", text(Reuse::read)).unwrap_or_default(),
            priority: keys.value("priority", text(priority)).unwrap_or_default(),
            routes: keys.distinct("routes", text(route)),
            directories: directories(keys),
            limits: keys.table("limits").map(|mut keys| Limits::from_keys(&mut keys, ceilings)).unwrap_or_default(),
            quota: keys.table("quota").map(|mut keys| quota(&mut keys)).unwrap_or_default(),
        }
    }
}

impl Reuse {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "fresh" => Ok(Self::Fresh),
            "serial" => Ok(Self::Serial),
            _ => Err("it must be `fresh` or `serial`".into()),
        }
    }
}

fn priority(text: &str) -> Result<Priority, String> {
    let found = Priority::ALL.into_iter().find(|priority| priority.as_str() == text);
    found.ok_or_else(|| "it must be `low`, `normal` or `high`".into())
}

/// Parses the table `quota` of a manifest or a file of tokens.
pub(crate) fn quota(keys: &mut Keys<'_, '_>) -> Quota {
    Quota {
        calls_per_second: keys.value("calls_per_second", counted_freely),
        concurrency: keys.value("concurrency", counted_freely),
        joules_per_hour: keys.value("joules_per_hour", energy),
    }
}

fn directories(keys: &mut Keys<'_, '_>) -> Vec<Directory> {
    let mut seen = Vec::new();
    keys.tables("directories", |keys| {
        let host = keys.needed("host", text(host_path));
        let guest = keys.needed("guest", text(|path| guest_path(path, &seen)));
        let writable = keys.value("writable", boolean);
        let special = keys.value("special", boolean);
        seen.extend(guest.clone());
        let (writable, special) = (writable.unwrap_or(false), special.unwrap_or(false));
        Some(Directory { host: host?, guest: guest?, writable, special })
    })
}

impl Limits {
    fn from_keys(keys: &mut Keys<'_, '_>, ceilings: &Ceilings) -> Self {
        Self {
            memory: keys.value("memory", at_most("limits.memory", MEMORY_MIN, ceilings.limits.memory)),
            wall: keys.value("wall", time(Some(("limits.wall", ceilings.limits.wall)))),
            cpu: keys.value("cpu", time(None)),
            max_joules: keys.value("max_joules", energy),
            output: keys.value("output", at_most("limits.stdout", 0, ceilings.limits.stdout)),
            concurrency: keys.value("concurrency", counted("limits.concurrency", ceilings.concurrency)),
        }
    }
}
