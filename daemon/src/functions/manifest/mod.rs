//! What a function may do and use: the file `NAME.toml` beside `NAME.wasm`. A function has what its manifest lists and
//! nothing more.

mod mistake;
mod table;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nebula_metering::Joules;
use thiserror::Error;
use toml::Table;

use crate::quota::{Priority, Quota};
pub use mistake::Mistake;
pub(crate) use mistake::joined;
pub(crate) use table::{Keys, Known, Wrong};
use values::{
    argument, at_most, boolean, counted, counted_freely, guest_path, host_path, nonempty, route, time, variable,
};
pub(crate) use values::{energy, text};

/// The longest manifest in bytes: a page of settings has two or three thousand.
pub const BYTES_MAX: usize = 64 << 10;

/// The least memory a function can be given: one page of WebAssembly.
const MEMORY_MIN: usize = 64 << 10;

/// What one function may do and use. Nothing is the default, except what every function may use of the daemon.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manifest {
    /// Environment variables. Only their names are shown: values may be secrets.
    pub env: BTreeMap<String, String>,
    /// Arguments after the function's name.
    pub args: Vec<String>,
    /// The export that a numeric module is entered at, if not `run`.
    pub entry: Option<String>,
    /// Hosts that it may call, as written.
    pub outbound: Vec<String>,
    /// Whether an instance serves more than one call.
    pub reuse: Reuse,
    /// Whose calls wait first when functions draw as much power as they may.
    pub priority: Priority,
    /// Prefixes of paths that it answers.
    pub routes: Vec<String>,
    /// Directories that it sees.
    pub directories: Vec<Directory>,
    /// What one call may use.
    pub limits: Limits,
    /// What all of its calls together may use. What it does not say the daemon's options say.
    pub quota: Quota,
}

/// Whether an instance serves more than one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reuse {
    /// Every call has an instance that nobody used.
    #[default]
    Fresh,
    /// Calls follow each other in one instance, and see what earlier ones left there.
    Serial,
}

/// A directory of the host that a function sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// Where it lies; not shown, since where the host keeps things is nobody's business. As written after
    /// [`Manifest::parse`]; after [`Manifest::parse_at`] a relative one begins with the manifest's folder.
    pub host: PathBuf,
    /// Where the function sees it.
    pub guest: String,
    /// Whether it may write there.
    pub writable: bool,
}

/// What one call of a function may use; `None` is what every function may.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// Memory in bytes.
    pub memory: Option<usize>,
    /// Time from the call's beginning.
    pub wall: Option<Duration>,
    /// CPU time.
    pub cpu: Option<Duration>,
    /// Active energy.
    pub max_joules: Option<Joules>,
    /// Standard output in bytes.
    pub output: Option<usize>,
    /// Calls at once.
    pub concurrency: Option<u32>,
}

/// What the daemon gives to any function: no manifest asks for more.
#[derive(Clone, Copy, Debug)]
pub struct Ceilings {
    /// `limits.memory` in bytes: instances have slots of this size.
    pub memory: usize,
    /// `limits.wall`.
    pub wall: Duration,
    /// `limits.stdout` in bytes.
    pub output: usize,
    /// `limits.concurrency`.
    pub concurrency: u32,
}

/// A manifest cannot be used.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// The file cannot be read.
    #[error("cannot read the manifest `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is longer than any manifest.
    #[error("the manifest `{}` has more than {BYTES_MAX} bytes", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// The file is no good.
    #[error("the manifest `{}` cannot be used: {}", path.display(), joined(mistakes))]
    Wrong {
        /// The file.
        path: PathBuf,
        /// All that is wrong with it.
        mistakes: Vec<Mistake>,
    },
}

impl Manifest {
    /// Reads the text of the manifest at `path`.
    ///
    /// # Errors
    /// When it cannot be read. A file that is not there is [`ManifestError::Read`] with [`io::ErrorKind::NotFound`].
    pub fn read_text(path: &Path) -> Result<String, ManifestError> {
        let failed = |source| ManifestError::Read { path: path.into(), source };
        let mut text = Vec::new();
        File::open(path).map_err(failed)?.take(BYTES_MAX as u64 + 1).read_to_end(&mut text).map_err(failed)?;
        if text.len() > BYTES_MAX {
            return Err(ManifestError::TooLong { path: path.into() });
        }
        String::from_utf8(text).map_err(|why| failed(io::Error::new(io::ErrorKind::InvalidData, why)))
    }

    /// What `text` says, which is or will be at `path`.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn parse_at(path: &Path, text: &str, ceilings: &Ceilings) -> Result<Self, ManifestError> {
        let wrong = |mistakes| ManifestError::Wrong { path: path.into(), mistakes };
        let mut manifest = Self::parse(text, ceilings).map_err(wrong)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for directory in &mut manifest.directories {
            directory.host = folder.join(&directory.host);
        }
        Ok(manifest)
    }

    /// Reads the text of a manifest.
    ///
    /// # Errors
    /// All mistakes, in the order of the keys in [`Manifest`], unknown ones first.
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
            reuse: keys.value("reuse", text(Reuse::read)).unwrap_or_default(),
            priority: keys.value("priority", text(priority)).unwrap_or_default(),
            routes: keys.distinct("routes", text(route)),
            directories: Directory::from_keys(keys),
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
            _ => Err("it is one of fresh, serial".into()),
        }
    }
}

fn priority(text: &str) -> Result<Priority, String> {
    let found = Priority::ALL.into_iter().find(|priority| priority.as_str() == text);
    found.ok_or_else(|| "it is one of low, normal, high".into())
}

/// What the table `quota` of a file bounds.
pub(crate) fn quota(keys: &mut Keys<'_, '_>) -> Quota {
    Quota {
        calls_per_second: keys.value("calls_per_second", counted_freely),
        concurrency: keys.value("concurrency", counted_freely),
        joules_per_hour: keys.value("joules_per_hour", energy),
    }
}

impl Directory {
    fn from_keys(keys: &mut Keys<'_, '_>) -> Vec<Self> {
        let mut seen = Vec::new();
        keys.tables("directories", |keys| {
            let host = keys.needed("host", text(host_path));
            let guest = keys.needed("guest", text(|path| guest_path(path, &seen)));
            let writable = keys.value("writable", boolean);
            seen.extend(guest.clone());
            Some(Self { host: host?, guest: guest?, writable: writable.unwrap_or(false) })
        })
    }
}

impl Limits {
    fn from_keys(keys: &mut Keys<'_, '_>, ceilings: &Ceilings) -> Self {
        Self {
            memory: keys.value("memory", at_most("limits.memory", MEMORY_MIN, ceilings.memory)),
            wall: keys.value("wall", time(Some(("limits.wall", ceilings.wall)))),
            cpu: keys.value("cpu", time(None)),
            max_joules: keys.value("max_joules", energy),
            output: keys.value("output", at_most("limits.stdout", 0, ceilings.output)),
            concurrency: keys.value("concurrency", counted("limits.concurrency", ceilings.concurrency)),
        }
    }
}
