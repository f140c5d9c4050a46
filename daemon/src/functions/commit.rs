//! Writes what is deployed into the directory of functions, so that a module and its manifest appear together, whenever the
//! daemon is killed and however full the disk is.
//!
//! Both are written into a folder `.NAME.VERSION.part`. Renaming it to `.NAME.commit` is the one step that decides. From then on
//! the files in it take their places in the directory: now or, if the daemon is killed meanwhile, at the next start. A file whose
//! name ends in `.gone` stands for one to be removed. Each of these steps can be repeated. A folder that was never renamed is removed at
//! the next start.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::directory::{COMMIT, module_path, name_of_commit, removed};
use super::name::FunctionName;
use super::version::Version;
use crate::state::write_whole;

/// The extensions of a function's files.
const FILES: [&str; 3] = ["wasm", "wat", "toml"];

/// The ends of names: of a file to be removed, and of a folder that is not complete.
const GONE: &str = ".gone";
const PART: &str = ".part";

/// Replaces the files of a function by these, and removes those for which there is `None`. If this fails, nothing has
/// changed; once it has succeeded, [`finish`] puts the files in their places.
pub fn commit(directory: &Path, name: &FunctionName, module: Option<&[u8]>, manifest: Option<&str>) -> io::Result<()> {
    let version = Version::of(module.unwrap_or_default(), manifest.unwrap_or_default());
    let part = directory.join(format!(".{name}.{version}{PART}"));
    let written = removed(fs::remove_dir_all(&part)).and_then(|()| {
        fs::create_dir_all(&part)?;
        let module = module.map(|module| (module_path(&part, name, module), module));
        let manifest = manifest.map(|text| (part.join(format!("{name}.toml")), text.as_bytes()));
        let kept: Vec<_> = module.into_iter().chain(manifest).collect();
        for (path, content) in &kept {
            write_whole(path, content)?;
        }
        for path in FILES.map(|extension| part.join(format!("{name}.{extension}"))) {
            if kept.iter().all(|(kept, _)| *kept != path) {
                let mut gone = path.into_os_string();
                gone.push(GONE);
                File::create(gone)?;
            }
        }
        synced(&part);
        fs::rename(&part, committed(directory, name))
    });
    if written.is_err() {
        // The disk may be full: what is left must not take space. The first error is the one to report.
        let _ = fs::remove_dir_all(&part);
    }
    written.inspect(|()| synced(directory))
}

/// Removes the files of a function.
pub fn remove(directory: &Path, name: &FunctionName) -> io::Result<()> {
    let full = |error: &io::Error| matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
    match commit(directory, name, None, None) {
        // A full disk must not keep anybody from making room. The manifest goes first: nothing is granted without it.
        Err(error) if full(&error) => {
            let files = FILES.iter().rev().map(|extension| directory.join(format!("{name}.{extension}")));
            files.map(fs::remove_file).try_for_each(removed)
        }
        decided => decided.and_then(|()| finish(directory, name)),
    }
}

/// Puts the files of a deployment that is decided in their places, if there is one. Another process may do the same.
pub fn finish(directory: &Path, name: &FunctionName) -> io::Result<()> {
    let folder = committed(directory, name);
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let file_name = entry.file_name();
        let Some(file_name) = file_name.to_str() else { continue };
        let (target, is_gone) = match file_name.strip_suffix(GONE) {
            Some(target) => (target, true),
            None => (file_name, false),
        };
        if !FILES.iter().any(|extension| target == format!("{name}.{extension}")) {
            continue;
        }
        let place = directory.join(target);
        if is_gone {
            removed(fs::remove_file(place)).and_then(|()| removed(fs::remove_file(entry.path())))?;
        } else {
            removed(fs::rename(entry.path(), place))?;
        }
    }
    removed(fs::remove_dir_all(folder))
}

/// Finishes what is decided, and removes what is not. To be called before the directory is read for the first time.
pub fn settle(directory: &Path) {
    for path in hidden(directory) {
        let settled = match name_of_commit(&path) {
            Some(name) => finish(directory, &name),
            None if path.is_dir() => removed(fs::remove_dir_all(&path)),
            None => removed(fs::remove_file(&path)),
        };
        match settled {
            Ok(()) => tracing::info!("a deployment had been interrupted: settled `{}`", path.display()),
            Err(error) => tracing::warn!("cannot settle the interrupted deployment in `{}`: {error}", path.display()),
        }
    }
}

/// What deployments leave behind that are interrupted.
fn hidden(directory: &Path) -> Vec<PathBuf> {
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name_of_commit(path).is_some() || (name.starts_with('.') && name.ends_with(PART))
    };
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_ours).collect()
}

fn committed(directory: &Path, name: &FunctionName) -> PathBuf {
    directory.join(format!(".{name}{COMMIT}"))
}

/// Has the names in a folder survive a power cut. Not every file system can do that.
fn synced(folder: &Path) {
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> FunctionName {
        "f".parse().unwrap()
    }

    /// The files in a folder with their contents, sorted.
    fn files(folder: &Path) -> Vec<(String, String)> {
        let entry = |entry: io::Result<fs::DirEntry>| {
            let path = entry.unwrap().path();
            let content = fs::read_to_string(&path).unwrap_or_else(|_| "folder".into());
            (path.file_name().unwrap().to_str().unwrap().to_owned(), content)
        };
        let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(entry).collect();
        files.sort();
        files
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, content)| ((*name).to_owned(), (*content).to_owned())).collect()
    }

    #[test]
    fn files_are_replaced_together_and_nothing_else_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let deploy = |module: Option<&str>, manifest| {
            commit(directory.path(), &name(), module.map(str::as_bytes), manifest).unwrap();
            finish(directory.path(), &name()).unwrap();
            files(directory.path())
        };
        assert_eq!(
            deploy(Some("(module)"), Some("args = []")),
            pairs(&[("f.toml", "args = []"), ("f.wat", "(module)")])
        );
        assert_eq!(deploy(Some("\0asm"), None), pairs(&[("f.wasm", "\0asm")]));
        assert_eq!(deploy(None, Some("x")), pairs(&[("f.toml", "x")]));
        assert_eq!(deploy(None, None), []);
    }

    #[test]
    fn a_deployment_that_is_cut_off_is_undone_before_it_is_decided_and_finished_after() {
        // The order of the steps after the decision is that of the folder, so all of them are tried.
        for steps in 0..=3_usize {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path();
            commit(path, &name(), Some(b"\0asm old"), Some("old")).and_then(|()| finish(path, &name())).unwrap();

            let part = path.join(".f.0123.part");
            fs::create_dir(&part).unwrap();
            fs::write(part.join("f.toml"), "half").unwrap();
            fs::write(path.join(".f.toml.part"), "of an older program").unwrap();
            settle(path);
            assert_eq!(files(path), pairs(&[("f.toml", "old"), ("f.wasm", "\0asm old")]));

            commit(path, &name(), Some(b"(module)"), Some("new")).unwrap();
            let folder = committed(path, &name());
            for (file, _) in files(&folder).into_iter().take(steps) {
                match file.strip_suffix(GONE) {
                    Some(gone) => fs::remove_file(path.join(gone)).unwrap(),
                    None => fs::rename(folder.join(&file), path.join(&file)).unwrap(),
                }
            }
            assert_eq!(name_of_commit(&folder), Some(name()));
            settle(path);
            assert_eq!(files(path), pairs(&[("f.toml", "new"), ("f.wat", "(module)")]), "after {steps} steps");
        }
    }

    #[test]
    fn what_is_not_of_a_deployment_stays() {
        let directory = tempfile::tempdir().unwrap();
        for kept in [".hidden", "a.part", ".A B.commit", "f.commit"] {
            fs::write(directory.path().join(kept), "").unwrap();
        }
        fs::create_dir(directory.path().join(".f.commit")).unwrap();
        fs::write(directory.path().join(".f.commit/g.toml"), "no file of its function").unwrap();
        settle(directory.path());
        assert_eq!(files(directory.path()).len(), 4);
    }
}
