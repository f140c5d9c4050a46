//! The table of functions by name.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nebula_metering::FunctionId;

use super::name::FunctionName;
use crate::invocation::Admission;
use crate::meter::Budget;
use crate::runtime::Program;
use crate::telemetry::FunctionMetrics;

/// Where a function came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It comes with the program.
    BuiltIn,
    /// A file in the directory of functions.
    File(PathBuf),
}

/// A function that can be called.
pub struct Function {
    /// Its name.
    pub name: FunctionName,
    /// Its account.
    pub id: FunctionId,
    /// Where it came from.
    pub origin: Origin,
    /// Size of its binary or text, in bytes.
    pub size: usize,
    /// An input that shows what it does, where one is known.
    pub example: &'static str,
    /// Its code.
    pub program: Program,
    /// Arguments of every call, after its name.
    pub arguments: Vec<String>,
    /// Environment variables of every call.
    pub environment: Vec<(String, String)>,
    /// What a call may use, as far as its own work tells.
    pub budget: Budget,
    /// How many of its calls run at once, if that is bounded apart from all others.
    pub admission: Option<Admission>,
    /// What is counted of its calls.
    pub metrics: FunctionMetrics,
    pub(super) called: AtomicBool,
}

impl Function {
    /// Whether nobody has called this function since it was loaded. True for one caller only.
    pub fn is_cold_start(&self) -> bool {
        // A plain load first: a write by every call would move the cache line between processors.
        !self.called.load(Ordering::Relaxed) && !self.called.swap(true, Ordering::Relaxed)
    }
}

/// All functions.
#[derive(Default)]
pub struct Registry {
    functions: BTreeMap<Box<str>, Arc<Function>>,
    by_id: Vec<Arc<Function>>,
}

impl Registry {
    /// A table of these functions, which are numbered in order.
    #[must_use]
    pub fn new(functions: Vec<Function>) -> Self {
        let by_id: Vec<_> = functions.into_iter().map(Arc::new).collect();
        let functions = by_id.iter().map(|function| (function.name.as_str().into(), function.clone())).collect();
        Self { functions, by_id }
    }

    /// The function of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Arc<Function>> {
        self.functions.get(name)
    }

    /// The function of this account.
    #[must_use]
    pub fn by_id(&self, id: FunctionId) -> Option<&Arc<Function>> {
        self.by_id.get(id.0 as usize)
    }

    /// All functions by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Function>> {
        self.functions.values()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}
