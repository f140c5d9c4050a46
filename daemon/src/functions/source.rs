//! What a function is made from.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use super::gateway::Gateway;
use super::name::FunctionName;
use super::version::Version;

/// Where a function came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It comes with the program.
    BuiltIn,
    /// A file in the directory of functions.
    File(PathBuf),
    /// A file that a `modules.toml` lists.
    Module(Arc<Gateway>),
}

/// What a function is made from.
#[derive(Clone)]
pub struct Source {
    /// Its name.
    pub name: FunctionName,
    /// Where it came from.
    pub origin: Origin,
    /// Its binary or text.
    pub module: Cow<'static, [u8]>,
    /// Its manifest, and the file that it is or will be in.
    pub manifest: Option<(PathBuf, String)>,
    /// An input that shows what it does, where one is known.
    pub example: &'static str,
}

impl Source {
    /// Which version it is.
    #[must_use]
    pub fn version(&self) -> Version {
        Version::of(&self.module, self.manifest.as_ref().map_or("", |(_, text)| text))
    }
}
