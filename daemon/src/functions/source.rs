//! What a function is made from.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use super::gateway::Gateway;
use super::name::FunctionName;
use super::version::Version;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    BuiltIn,
    File(PathBuf),
    Module(Arc<Gateway>),
}

#[derive(Clone)]
pub struct Source {
    pub name: FunctionName,
    pub origin: Origin,
    /// Binary or text.
    pub module: Cow<'static, [u8]>,
    /// The text of its manifest, and the path where it is or will be.
    pub manifest: Option<(PathBuf, String)>,
    /// An input that shows what it does; empty if none is known.
    pub example: &'static str,
}

impl Source {
    pub fn version(&self) -> Version {
        Version::of(&self.module, self.manifest.as_ref().map_or("", |(_, text)| text))
    }
}
