//! The last versions of each function, kept for rollbacks.
//!
//! A version is a folder `NAME/NUMBER-VERSION` with the module and, if there is one, the manifest. Numbers rise with time. A
//! folder is written under another name and renamed when it is complete.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use thiserror::Error;

use super::directory::removed;
use super::name::FunctionName;
use super::version::Version;
use crate::regular_file;
use crate::state::write_whole;

const MODULE: &str = "module";
const MANIFEST: &str = "manifest.toml";

#[derive(Debug, Error)]
#[error("cannot {act} the version in `{}`", path.display())]
pub struct HistoryError {
    act: &'static str,
    path: PathBuf,
    pub source: io::Error,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    pub version: Version,
    /// When it was last deployed.
    pub deployed: SystemTime,
    /// Size of the module in bytes.
    pub size: u64,
    number: u64,
}

#[derive(Debug)]
pub struct History {
    root: PathBuf,
    keep: usize,
}

impl History {
    /// Keeps the last `keep` versions of each function below `root`, which is created when needed.
    pub fn new(root: PathBuf, keep: usize) -> Self {
        Self { root, keep }
    }

    /// The versions of a function, the earliest first.
    pub fn versions(&self, name: &FunctionName) -> Result<Vec<Past>, HistoryError> {
        let folder = self.folder(name);
        let failed = |source| HistoryError { act: "list", path: folder.clone(), source };
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut versions = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let Some((number, version)) = entry.file_name().to_str().and_then(parse) else { continue };
            let module = match fs::metadata(entry.path().join(MODULE)) {
                // It has just been removed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                module => module.map_err(failed)?,
            };
            let deployed = module.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            versions.push(Past { version, deployed, size: module.len(), number });
        }
        versions.sort_unstable_by_key(|past| past.number);
        Ok(versions)
    }

    /// Adds a version as the latest, and removes the earliest if there are too many. If the version cannot be written, nothing
    /// has changed.
    pub fn push(
        &self,
        name: &FunctionName,
        version: Version,
        module: &[u8],
        manifest: Option<&str>,
    ) -> Result<(), HistoryError> {
        let known = self.versions(name)?;
        if self.keep == 0 || known.last().is_some_and(|last| last.version == version) {
            return Ok(());
        }
        let number = known.last().map_or(1, |last| last.number + 1);
        let folder = self.folder(name);
        let (beside, place) = (folder.join(".part"), folder.join(format!("{number:08}-{version}")));
        let failed = |source| HistoryError { act: "keep", path: place.clone(), source };
        let written = removed(fs::remove_dir_all(&beside)).and_then(|()| {
            fs::create_dir_all(&beside)?;
            write_whole(&beside.join(MODULE), module)?;
            if let Some(manifest) = manifest {
                write_whole(&beside.join(MANIFEST), manifest.as_bytes())?;
            }
            fs::rename(&beside, &place)
        });
        if written.is_err() {
            // The disk may be full: what is left must not take space.
            let _ = fs::remove_dir_all(&beside);
        }
        written.map_err(failed)?;
        let same = known.iter().filter(|past| past.version == version);
        let others = known.iter().filter(|past| past.version != version);
        let surplus = (others.clone().count() + 1).saturating_sub(self.keep);
        for past in same.chain(others.take(surplus)) {
            let path = self.path(name, past);
            removed(fs::remove_dir_all(&path)).map_err(|source| HistoryError { act: "forget", path, source })?;
        }
        Ok(())
    }

    pub fn read(&self, name: &FunctionName, past: &Past) -> Result<(Vec<u8>, Option<String>), HistoryError> {
        let path = self.path(name, past);
        let failed = |source| HistoryError { act: "read", path: path.clone(), source };
        let module = regular_file::read(&path.join(MODULE)).map_err(failed)?;
        match regular_file::open(&path.join(MANIFEST)).and_then(io::read_to_string) {
            Ok(manifest) => Ok((module, Some(manifest))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((module, None)),
            Err(error) => Err(failed(error)),
        }
    }

    fn folder(&self, name: &FunctionName) -> PathBuf {
        self.root.join(name.as_str())
    }

    fn path(&self, name: &FunctionName, past: &Past) -> PathBuf {
        self.folder(name).join(format!("{:08}-{}", past.number, past.version))
    }
}

fn parse(name: &str) -> Option<(u64, Version)> {
    let (number, version) = name.split_once('-')?;
    Some((number.parse().ok()?, version.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_versions_are_kept_in_order() {
        let root = tempfile::tempdir().unwrap();
        let history = History::new(root.path().join("versions"), 3);
        let name: FunctionName = "f".parse().unwrap();
        assert_eq!(history.versions(&name).unwrap(), []);
        let push = |text: &str| {
            let version = Version::of(text.as_bytes(), "m");
            history.push(&name, version, text.as_bytes(), Some("m")).unwrap();
            version
        };
        let [a, b] = ["a", "b"].map(push);
        let versions = || history.versions(&name).unwrap().iter().map(|past| past.version).collect::<Vec<_>>();
        assert_eq!(versions(), [a, b]);
        push("b");
        assert_eq!(versions(), [a, b], "the latest version is not added again");
        push("a");
        assert_eq!(versions(), [b, a], "an earlier version that returns is the latest");
        let [c, d] = ["c", "d"].map(push);
        assert_eq!(versions(), [a, c, d]);
        let past = &history.versions(&name).unwrap()[1];
        assert_eq!(history.read(&name, past).unwrap(), (b"c".to_vec(), Some("m".into())));
    }

    #[test]
    fn an_incomplete_version_is_ignored() {
        let root = tempfile::tempdir().unwrap();
        let history = History::new(root.path().into(), 3);
        let name: FunctionName = "f".parse().unwrap();
        std::fs::create_dir_all(root.path().join("f/.part")).unwrap();
        std::fs::write(root.path().join("f/.part/module"), "half").unwrap();
        assert_eq!(history.versions(&name).unwrap(), []);
        history.push(&name, Version::of(b"whole", ""), b"whole", None).unwrap();
        let past = &history.versions(&name).unwrap()[0];
        assert_eq!(history.read(&name, past).unwrap(), (b"whole".to_vec(), None));
    }
}
