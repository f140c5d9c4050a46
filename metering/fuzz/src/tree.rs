//! Files for sources to read. One folder for each thread, since a fuzzer makes thousands of trees a second.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

thread_local! {
    static FOLDER: TempDir = tempfile::tempdir().expect("a temporary directory can be made");
}

/// Calls `act` with a folder that holds nothing but these files.
pub(crate) fn with_files(files: &[(&str, &[u8])], act: impl FnOnce(&Path)) {
    FOLDER.with(|folder| {
        let root = folder.path().join("root");
        let _ = fs::remove_dir_all(&root);
        for (path, content) in files {
            write(&root.join(path), content);
        }
        act(&root);
    });
}

/// Writes a file and makes the folders above it.
pub(crate) fn write(path: &Path, content: &[u8]) {
    let folder = path.parent().expect("a file is in a folder");
    fs::create_dir_all(folder).and_then(|()| fs::write(path, content)).expect("the temporary directory is writable");
}
