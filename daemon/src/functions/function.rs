//! A function that can be called, and the version of it that outlives it.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use nebula_metering::FunctionId;
use nebula_metering::work::Work;
use nebula_runtime::{Found, Program};

use super::gateway::Gateway;
use super::manifest::Manifest;
use super::name::FunctionName;
use super::source::Origin;
use super::version::Version;
use crate::admission::Admission;
use crate::meter::{Budget, ColdStartCharge, Off};
use crate::quota::Payer;
use crate::telemetry::FunctionMetrics;

/// A version of a function that is or was served. It is kept as long as the daemon runs.
pub struct Revision {
    /// Its account in the ledger.
    pub id: FunctionId,
    pub name: FunctionName,
    pub version: Version,
    pub metrics: FunctionMetrics,
    called: AtomicBool,
}

impl Revision {
    pub fn new(id: FunctionId, name: FunctionName, version: Version, metrics: FunctionMetrics) -> Self {
        Self { id, name, version, metrics, called: AtomicBool::new(false) }
    }

    /// Whether this is its first call since it was loaded. Only one caller gets `true`.
    pub fn is_cold_start(&self) -> bool {
        // A load first: if every call wrote, the cache line would move between processors.
        !self.called.load(Ordering::Relaxed) && !self.called.swap(true, Ordering::Relaxed)
    }

    /// Whether it has been called since it was loaded.
    pub fn was_called(&self) -> bool {
        self.called.load(Ordering::Relaxed)
    }
}

/// A version with its code, ready to be called. It lives as long as its calls run.
pub struct Function {
    pub revision: Arc<Revision>,
    pub origin: Origin,
    /// Since when this version has been served.
    pub deployed: SystemTime,
    /// Size of its binary or text, in bytes.
    pub size: usize,
    /// An input that shows what it does; empty if none is known.
    pub example: &'static str,
    pub program: Program,
    pub manifest: Manifest,
    /// The environment variables of its manifest.
    pub environment: Vec<(String, String)>,
    /// Energy and CPU time that end a call.
    pub budget: Budget,
    /// Bounds its concurrency, if its manifest does.
    pub admission: Option<Admission>,
    /// Its quota, if it has one.
    pub payer: Option<Arc<Payer>>,
    pub cold_start: ColdStart,
}

impl Function {
    /// How requests reach it, if a `modules.toml` lists it.
    pub fn gateway(&self) -> Option<&Arc<Gateway>> {
        match &self.origin {
            Origin::Module(gateway) => Some(gateway),
            Origin::BuiltIn | Origin::File(_) => None,
        }
    }

    /// Whether it is a built-in function without a manifest.
    pub fn is_as_built_in(&self) -> bool {
        self.origin == Origin::BuiltIn && self.manifest == Manifest::default()
    }
}

impl Deref for Function {
    type Target = Revision;

    fn deref(&self) -> &Revision {
        &self.revision
    }
}

/// What it took to make a function ready: compiling or loading its code, and linking it.
#[derive(Debug)]
pub struct ColdStart {
    pub found: Found,
    pub duration: Duration,
    pub work: Result<Work, Off>,
    /// Arrives when its windows are settled.
    pub charge: ColdStartCharge,
}
