//! The table of functions by name.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nebula_metering::FunctionId;

use super::cold_start::ColdStart;
use super::manifest::Manifest;
use super::name::FunctionName;
use crate::invocation::Admission;
use crate::meter::Budget;
use crate::quota::Payer;
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
    /// Prefixes of paths and whom they lead to; the longest first.
    routes: Vec<(Box<str>, Arc<Function>)>,
    by_id: BTreeMap<FunctionId, Arc<Function>>,
}

impl Registry {
    /// A table of these functions.
    #[must_use]
    pub fn new(functions: Vec<Function>) -> Self {
        let all: Vec<_> = functions.into_iter().map(Arc::new).collect();
        let functions = all.iter().map(|function| (function.name.as_str().into(), function.clone())).collect();
        let routes = routes(&all);
        Self { functions, routes, by_id: all.into_iter().map(|function| (function.id, function)).collect() }
    }

    /// The function that a path leads to, and the prefix by which it does.
    #[must_use]
    pub fn route(&self, path: &str) -> Option<(&str, &Arc<Function>)> {
        let leads = |prefix: &str| {
            path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || prefix == "/")
        };
        self.routes.iter().find(|(prefix, _)| leads(prefix)).map(|(prefix, function)| (&**prefix, function))
    }

    /// The function of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Arc<Function>> {
        self.functions.get(name)
    }

    /// The function of this account.
    #[must_use]
    pub fn by_id(&self, id: FunctionId) -> Option<&Arc<Function>> {
        self.by_id.get(&id)
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

/// The routes of all functions. Of two that claim the same the first has it.
fn routes(functions: &[Arc<Function>]) -> Vec<(Box<str>, Arc<Function>)> {
    let mut routes = BTreeMap::<Box<str>, Arc<Function>>::new();
    for function in functions {
        for route in &function.manifest.routes {
            match routes.get(&**route) {
                Some(owner) => {
                    let (name, owner) = (&function.name, &owner.name);
                    tracing::error!("`{name}` is not served at `{route}`, which `{owner}` has");
                }
                None => drop(routes.insert(route.as_str().into(), function.clone())),
            }
        }
    }
    let mut routes: Vec<_> = routes.into_iter().collect();
    routes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
    routes
}
