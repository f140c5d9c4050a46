//! wasmtime's command line, which nebula is compared with: `$WASMTIME`, or the first on the path.

use std::ffi::OsString;
use std::process::Command;

pub struct Wasmtime(OsString);

impl Wasmtime {
    /// If it is missing, prints how to install it.
    pub fn find() -> Option<Self> {
        let program = std::env::var_os("WASMTIME").unwrap_or_else(|| "wasmtime".into());
        match Command::new(&program).arg("--version").output() {
            Ok(said) => {
                println!("beside {}", String::from_utf8_lossy(&said.stdout).trim());
                Some(Self(program))
            }
            Err(_) => {
                println!(
                    "SKIPPED: wasmtime is neither in $WASMTIME nor on the path. \
                     `cargo install wasmtime-cli --version 48.0.8 --locked` installs it"
                );
                None
            }
        }
    }

    pub fn command(&self) -> Command {
        Command::new(&self.0)
    }
}

/// A file of `functions/dist`.
pub fn artefact(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../functions/dist").join(name).with_extension("wasm")
}
