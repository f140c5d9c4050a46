//! The guests of this suite, and folders of functions to serve.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use tempfile::TempDir;

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests")
}

pub fn source(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap()
}

pub fn path(name: &str) -> PathBuf {
    sources().join(name).with_extension("wat")
}

/// The path of a built-in function.
pub fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../functions/dist").join(name).with_extension("wasm")
}

/// A folder with all guests. It is a copy, so a daemon that writes into it does not change the sources.
pub fn folder() -> &'static str {
    static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
        let folder = TempDir::with_prefix_in("guests-", env!("CARGO_TARGET_TMPDIR")).unwrap();
        for entry in fs::read_dir(sources()).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
        folder
    });
    FOLDER.path().to_str().unwrap()
}

/// A folder with these files.
pub fn folder_of<B: AsRef<[u8]>>(files: &[(&str, B)]) -> TempDir {
    let folder = TempDir::with_prefix_in("functions-", env!("CARGO_TARGET_TMPDIR")).unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}
