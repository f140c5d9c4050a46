//! The directory of functions: `NAME.wasm` or `NAME.wat`, and beside it `NAME.toml`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::broken::Broken;
use super::manifest::Manifest;
use super::name::FunctionName;
use super::samples::SAMPLES;
use super::source::{Origin, Source};
use crate::regular_file;

/// The first bytes of a binary. Source: WebAssembly Core Specification, "Binary Format", Modules.
const BINARY_MAGIC: &[u8] = b"\0asm";

/// The end of the name of a folder with a deployment that is decided.
pub const COMMIT: &str = ".commit";

#[derive(Debug, Error)]
#[error("cannot list the functions in `{}`", path.display())]
pub struct ListError {
    pub path: PathBuf,
    pub source: io::Error,
}

/// Shows that a file has changed without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self { inode: metadata.ino(), size: metadata.size(), modified: (metadata.mtime(), metadata.mtime_nsec()) }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    module: Option<(PathBuf, Stamp)>,
    manifest: Option<(PathBuf, Stamp)>,
}

#[derive(Debug, Default)]
pub struct Listing {
    pub functions: BTreeMap<FunctionName, Files>,
    /// Files that cannot belong to a function, and why.
    pub strays: Vec<(PathBuf, Broken)>,
    /// Functions whose files are not those of one version, because a deployment is not finished.
    pub unfinished: BTreeSet<FunctionName>,
}

/// Lists the directory without reading any file.
pub fn list(directory: &Path) -> Result<Listing, ListError> {
    let failed = |source| ListError { path: directory.into(), source };
    let mut listing = Listing::default();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        listing.unfinished.extend(name_of_commit(&path));
        let is_manifest = match path.extension().and_then(|extension| extension.to_str()) {
            Some("wasm" | "wat") => false,
            Some("toml") => true,
            _ => continue,
        };
        let name = match name_of(&path) {
            Ok(name) => name,
            Err(broken) => {
                listing.strays.push((path, broken));
                continue;
            }
        };
        // It may be gone by now.
        let Ok(metadata) = std::fs::metadata(&path) else { continue };
        let files = listing.functions.entry(name).or_default();
        let place = if is_manifest { &mut files.manifest } else { &mut files.module };
        match place {
            Some(_) => listing.strays.push((path, Broken::Twice)),
            None => *place = Some((path, Stamp::of(&metadata))),
        }
    }
    let Listing { functions, unfinished, .. } = &mut listing;
    functions.retain(|name, _| !unfinished.contains(name));
    Ok(listing)
}

/// The name of the function whose deployment is in this folder, if it is decided and not finished.
pub fn name_of_commit(path: &Path) -> Option<FunctionName> {
    path.file_name()?.to_str()?.strip_prefix('.')?.strip_suffix(COMMIT)?.parse().ok()
}

fn name_of(path: &Path) -> Result<FunctionName, Broken> {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).ok_or(Broken::FileName)?;
    Ok(stem.parse()?)
}

impl Files {
    /// The file to name if the function is broken.
    pub fn path(&self) -> &Path {
        let file = self.module.as_ref().or(self.manifest.as_ref());
        file.map_or(Path::new(""), |(path, _)| path)
    }

    /// Reads them. A manifest without a module belongs to a built-in function.
    pub fn read(&self, name: &FunctionName, size_max: u64) -> Result<Source, Broken> {
        let manifest = match &self.manifest {
            Some((path, _)) => Some((path.clone(), Manifest::read_text(path)?)),
            None => None,
        };
        let Some((path, _)) = &self.module else {
            let built_in = built_in(name).ok_or(Broken::NoModule)?;
            return Ok(Source { manifest, ..built_in });
        };
        let (origin, module) = (Origin::File(path.clone()), read_module(path, size_max)?);
        Ok(Source { name: name.clone(), origin, module, manifest, example: "" })
    }
}

/// Reads a binary or text of at most `size_max` bytes.
pub fn read_module(path: &Path, size_max: u64) -> Result<Cow<'static, [u8]>, Broken> {
    let file = regular_file::open(path).map_err(Broken::Read)?;
    let size = file.metadata().map_err(Broken::Read)?.len();
    if size > size_max {
        return Err(Broken::TooLarge { size, max: size_max });
    }
    let mut module = Vec::new();
    // It may be growing.
    file.take(size).read_to_end(&mut module).map_err(Broken::Read)?;
    Ok(module.into())
}

pub fn built_in(name: &FunctionName) -> Option<Source> {
    let sample = SAMPLES.iter().find(|sample| sample.name == name.as_str())?;
    Some(Source {
        name: name.clone(),
        origin: Origin::BuiltIn,
        module: Cow::Borrowed(sample.wasm),
        manifest: None,
        example: sample.example,
    })
}

pub fn module_path(directory: &Path, name: &FunctionName, module: &[u8]) -> PathBuf {
    let extension = if module.starts_with(BINARY_MAGIC) { "wasm" } else { "wat" };
    directory.join(format!("{name}.{extension}"))
}

pub fn manifest_path(directory: &Path, name: &FunctionName) -> PathBuf {
    directory.join(format!("{name}.toml"))
}

/// The outcome of removing something that may be missing.
pub fn removed(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_read_with_its_manifest_unless_it_is_too_large_or_being_deployed() {
        let directory = tempfile::tempdir().unwrap();
        let name: FunctionName = "f".parse().unwrap();
        std::fs::write(directory.path().join("f.wasm"), b"\0asm\x01\0\0\0").unwrap();
        let listing = list(directory.path()).unwrap();
        let source = listing.functions[&name].read(&name, 8).unwrap();
        assert_eq!((&*source.module, source.manifest.is_none()), (&b"\0asm\x01\0\0\0"[..], true));
        assert!(matches!(listing.functions[&name].read(&name, 7), Err(Broken::TooLarge { size: 8, max: 7 })));
        std::fs::create_dir(directory.path().join(".f.commit")).unwrap();
        let listing = list(directory.path()).unwrap();
        assert!(listing.functions.is_empty() && listing.unfinished.contains(&name));
    }

    #[test]
    fn files_that_belong_to_no_function_are_reported() {
        let directory = tempfile::tempdir().unwrap();
        for file in ["twice.wasm", "twice.wat", "Bad Name.wasm", "notes.txt", ".hidden.wasm.part", "lone.toml"] {
            std::fs::write(directory.path().join(file), "").unwrap();
        }
        let listing = list(directory.path()).unwrap();
        let mut strays: Vec<_> = listing.strays.iter().map(|(_, why)| why.to_string()).collect();
        strays.sort();
        assert_eq!(strays, ["both a `.wasm` and a `.wat` file have its name", "its name cannot be used"]);
        let lone: FunctionName = "lone".parse().unwrap();
        assert!(matches!(listing.functions[&lone].read(&lone, 8), Err(Broken::NoModule)));
    }
}
