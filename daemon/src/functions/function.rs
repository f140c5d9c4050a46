//! A function that can be called, and the version of it that outlives it.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use nebula_metering::work::Work;
use nebula_metering::{Charge, FunctionId};
use nebula_runtime::{Found, Program};

use super::gateway::Gateway;
use super::manifest::Manifest;
use super::name::FunctionName;
use super::source::Origin;
use super::version::Version;
use crate::admission::Admission;
use crate::meter::{Budget, ColdStartCharge, NoCharge, Off};
use crate::quota::Payer;
use crate::telemetry::FunctionMetrics;

/// A version of a function that is served, or was: what is known of it for as long as the daemon runs.
pub struct Revision {
    /// Its account.
    pub id: FunctionId,
    /// The function's name.
    pub name: FunctionName,
    /// Which version it is.
    pub version: Version,
    /// What is counted of its calls.
    pub metrics: FunctionMetrics,
    pub(super) called: AtomicBool,
}

impl Revision {
    /// A version that nobody has called.
    #[must_use]
    pub fn new(id: FunctionId, name: FunctionName, version: Version, metrics: FunctionMetrics) -> Self {
        Self { id, name, version, metrics, called: AtomicBool::new(false) }
    }

    /// Whether nobody has called it since it was loaded. True for one caller only.
    pub fn is_cold_start(&self) -> bool {
        // A plain load first: a write by every call would move the cache line between processors.
        !self.called.load(Ordering::Relaxed) && !self.called.swap(true, Ordering::Relaxed)
    }

    /// Whether somebody has called it since it was loaded.
    pub fn was_called(&self) -> bool {
        self.called.load(Ordering::Relaxed)
    }
}

/// A function that can be called: a revision with its code. It lives for as long as calls of it run.
pub struct Function {
    /// Which version of which function it is.
    pub revision: Arc<Revision>,
    /// Where it came from.
    pub origin: Origin,
    /// Since when this version is served.
    pub deployed: SystemTime,
    /// Size of its binary or text, in bytes.
    pub size: usize,
    /// An input that shows what it does, where one is known.
    pub example: &'static str,
    /// Its code.
    pub program: Program,
    /// What it may do and use.
    pub manifest: Manifest,
    /// Environment variables of every call.
    pub environment: Vec<(String, String)>,
    /// What a call may use, as far as its own work tells.
    pub budget: Budget,
    /// How many of its calls run at once, if that is bounded apart from all others.
    pub admission: Option<Admission>,
    /// What all of its calls together may use, and have used, if that is bounded.
    pub payer: Option<Arc<Payer>>,
    /// What it took until it could be called.
    pub cold_start: ColdStart,
}

impl Function {
    /// How requests come to it, where a `modules.toml` lists it.
    #[must_use]
    pub fn gateway(&self) -> Option<&Arc<Gateway>> {
        match &self.origin {
            Origin::Module(gateway) => Some(gateway),
            Origin::BuiltIn | Origin::File(_) => None,
        }
    }

    /// Whether it is served as it comes with the program, and has no manifest either.
    #[must_use]
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

/// What it took until a function could be called.
#[derive(Debug)]
pub struct ColdStart {
    /// Whether its code had to be compiled.
    pub found: Found,
    /// From reading its file to its being ready.
    pub duration: Duration,
    /// What that took from the processor.
    pub work: Result<Work, Off>,
    charge: ColdStartCharge,
}

impl ColdStart {
    /// One whose charge comes to `charge`.
    #[must_use]
    pub fn new(found: Found, duration: Duration, work: Result<Work, Off>, charge: ColdStartCharge) -> Self {
        Self { found, duration, work, charge }
    }

    /// What it was charged, once that is known.
    #[must_use]
    pub fn charge(&self) -> Option<&Result<Charge, NoCharge>> {
        self.charge.get()
    }
}
