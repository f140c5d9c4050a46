//! Loads all functions when the daemon starts, on all processors.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use parking_lot::Mutex;
use thiserror::Error;

use super::broken::Broken;
use super::commit::settle;
use super::directory::{Files, ListError, built_in, list};
use super::gateway::ModuleRoute;
use super::modules::{Listed, Module, WrongModule, expand};
use super::name::FunctionName;
use super::prepare::{Compiled, Preparation};
use super::registry::BrokenFile;
use super::samples::SAMPLES;
use crate::telemetry::escaped;

#[derive(Debug, Error)]
pub enum LoadError {
    #[error(transparent)]
    List(#[from] ListError),
    #[error("there are {found} functions, and `limits.functions` allows {max}")]
    TooMany { found: usize, max: usize },
}

/// Called after each function with the number of those done and of all.
pub type ReportProgress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// Loads the built-in functions and those in the directory, which replace built-in ones of the same name. If one fails to
/// load, the log says why and it is left out. Returns the files as they were found.
pub fn load(
    directory: Option<&Path>,
    preparation: &Preparation,
    progress: ReportProgress<'_>,
) -> Result<BTreeMap<FunctionName, Files>, LoadError> {
    if let Some(directory) = directory {
        settle(directory);
    }
    let listing = directory.map(list).transpose()?.unwrap_or_default();
    let mut names: BTreeMap<FunctionName, Option<&Files>> =
        SAMPLES.iter().filter_map(|sample| Some((sample.name.parse().ok()?, None))).collect();
    names.extend(listing.functions.iter().map(|(name, files)| (name.clone(), Some(files))));
    let max = preparation.settings.functions_max;
    if names.len() > max {
        return Err(LoadError::TooMany { found: names.len(), max });
    }
    let mut broken: Vec<_> = listing.strays.iter().map(|(path, why)| report(path, why)).collect();
    let candidates: Vec<_> = names.into_iter().collect();
    let done = AtomicUsize::new(0);
    let mut results = in_parallel(&candidates, |(name, files)| {
        let result = compile(name, *files, preparation);
        progress(done.fetch_add(1, Ordering::Relaxed) + 1, candidates.len());
        (name, *files, result)
    });
    // Labels of metrics are given in this order, until there are too many.
    results.sort_by_key(|(name, ..)| *name);
    let mut functions = Vec::new();
    for (name, files, result) in results {
        match result {
            Ok(compiled) => functions.push(Arc::new(preparation.open(compiled))),
            Err(why) => {
                broken.push(report(files.map_or(Path::new(name.as_str()), Files::path), &why));
            }
        }
    }
    preparation.registry.change(|table| {
        table.functions = functions.into_iter().map(|function| (function.name.as_str().into(), function)).collect();
        table.broken = broken.into_iter().collect();
    });
    count(preparation);
    Ok(listing.functions)
}

/// Loads the modules of a `modules.toml`, which replace functions of the same names. If one fails to load, the log says why and
/// its route answers that.
pub fn load_modules(file: &Path, listed: Vec<Listed>, preparation: &Preparation) -> Result<(), LoadError> {
    let (mut modules, mut lost) = (Vec::new(), Vec::new());
    for listed in listed {
        match listed {
            Listed::Module(module) => modules.push(module),
            Listed::Wrong(WrongModule { route, place, line, mistakes }) => {
                lost.push((place, route.ok_or(line), Broken::Listed(mistakes)));
            }
        }
    }
    let max = preparation.settings.functions_max;
    let mut names: BTreeSet<_> = modules.iter().map(|module| module.name.as_str().to_owned()).collect();
    let declared = |module: &Module| preparation.declared_routes(&module.read(preparation.settings.module_max)?);
    let mut declared = in_parallel(&modules, |module| (module, declared(module)));
    declared.sort_by_key(|(module, _)| module.gateway.place);
    let mut routes = Vec::new();
    for (module, declared) in declared {
        let expand = |text: String| expand(module, &text, &mut names, max).map_err(Broken::Routes);
        match declared.and_then(|text| text.map(expand).transpose()) {
            Ok(below) => routes.extend(below.into_iter().flatten().chain([module.clone()])),
            Err(why) => lost.push((module.gateway.place, Ok(module.gateway.route.clone()), why)),
        }
    }
    let modules = routes;
    let registry = &preparation.registry;
    let known = registry.table();
    let further = modules.iter().filter(|module| !known.functions.contains_key(module.name.as_str())).count();
    let found = known.functions.len() + further;
    if found > max {
        return Err(LoadError::TooMany { found, max });
    }
    let compile = |module: &Module| preparation.compile(module.read(preparation.settings.module_max)?, false);
    let mut results = in_parallel(&modules, |module| (module, compile(module)));
    results.sort_by_key(|(module, _)| module.gateway.place);
    let mut functions = Vec::new();
    for (module, result) in results {
        let gateway = &module.gateway;
        match result {
            Ok(compiled) => {
                let function = Arc::new(preparation.open(compiled));
                let (route, path) = (gateway.route.as_str(), module.path.display());
                tracing::info!("`{route}` is served by `{}` from `{path}`", function.name);
                functions.push((Box::from(function.name.as_str()), function));
            }
            Err(why) => lost.push((gateway.place, Ok(gateway.route.clone()), why)),
        }
    }
    let describe = |(_, route, why): &(_, Result<ModuleRoute, usize>, _)| {
        let place = route.as_ref().map_or_else(|line| format!("line {line}"), |route| route.as_str().to_owned());
        describe_module(file, &place, why)
    };
    let broken: Vec<_> = lost.iter().map(describe).collect();
    registry.change(|table| {
        table.functions.extend(functions);
        table.broken.extend(broken);
        table.lost = lost.into_iter().filter_map(|(place, route, _)| Some((place, route.ok()?))).collect();
    });
    count(preparation);
    Ok(())
}

/// Does `work` for each of `items`, on all processors. The results come in no order.
fn in_parallel<'a, I: Sync, T: Send>(items: &'a [I], work: impl Fn(&'a I) -> T + Sync) -> Vec<T> {
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(items.len())));
    let run = || {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = work(item);
            results.lock().push(result);
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from).min(items.len());
    thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(run))));
    results.into_inner()
}

fn describe_module(file: &Path, place: &str, why: &Broken) -> (Box<str>, BrokenFile) {
    let (place, broken) = (escaped(place), BrokenFile::new(file, why));
    tracing::error!("the module of `{}` at `{place}` cannot be served: {}", file.display(), broken.why);
    (place.into(), broken)
}

fn compile(name: &FunctionName, files: Option<&Files>, preparation: &Preparation) -> Result<Compiled, Broken> {
    let source = match files {
        Some(files) => files.read(name, preparation.settings.module_max)?,
        None => built_in(name).ok_or(Broken::NoModule)?,
    };
    preparation.compile(source, false)
}

/// A file that cannot be served, by its name without extension.
pub(super) fn describe(path: &Path, why: &Broken) -> (Box<str>, BrokenFile) {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    (escaped(&name).into(), BrokenFile::new(path, why))
}

/// Describes and logs a file that cannot be served.
pub(super) fn report(path: &Path, why: &Broken) -> (Box<str>, BrokenFile) {
    let (name, broken) = describe(path, why);
    tracing::error!(function = %name, "`{}` cannot be served: {}", broken.path.display(), broken.why);
    (name, broken)
}

/// Updates the numbers of functions in the metrics.
pub(super) fn count(preparation: &Preparation) {
    let table = preparation.registry.table();
    preparation.metrics.count_functions(table.functions.len(), table.broken.len());
}
