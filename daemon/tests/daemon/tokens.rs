//! Files of tokens, made with `nebula token`.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::daemon::{nebula, run, stderr, stdout, temporary_folder};

pub struct TokensFile {
    folder: TempDir,
}

impl TokensFile {
    pub fn empty() -> Self {
        let file = Self { folder: temporary_folder() };
        std::fs::write(file.path(), "").unwrap();
        file
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("tokens.toml")
    }

    pub fn path_str(&self) -> String {
        self.path().to_str().unwrap().to_owned()
    }

    /// Makes a token, and returns the header that presents it.
    pub fn add(&self, name: &str, options: &[&str]) -> String {
        format!("authorization: Bearer {}", make(&self.path(), name, options))
    }
}

pub fn make(file: &Path, name: &str, options: &[&str]) -> String {
    let output = run(nebula().args(["token", name, "--tokens"]).arg(file).args(options));
    assert!(output.status.success(), "{}", stderr(&output));
    let token = stdout(&output).strip_suffix('\n').unwrap().to_owned();
    assert!(token.starts_with("nebula_") && !token.contains('\n'), "{token:?}");
    token
}
