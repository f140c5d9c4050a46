//! Loads all functions at the start, all processors at once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::SystemTime;

use thiserror::Error;

use super::broken::Broken;
use super::directory::{Files, ListError, built_in, list};
use super::modules::{Listed, Module};
use super::name::FunctionName;
use super::prepare::{Compiled, Preparation};
use super::registry::BrokenFile;
use super::samples::SAMPLES;
use crate::causes::chain;
use crate::telemetry::escaped;

/// Functions cannot be served.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The directory cannot be listed.
    #[error(transparent)]
    List(#[from] ListError),
    /// More functions than the configuration allows.
    #[error("{found} functions are more than `limits.functions` allows ({max})")]
    TooMany {
        /// How many there are.
        found: usize,
        /// How many there may be.
        max: usize,
    },
}

/// How far loading has come.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// Loads the functions that come with the program and those in the directory; one in the directory replaces one of
/// the same name. A broken function is logged and left out. `progress` hears after each function how many of how many
/// are done. Gives the files as they were found.
///
/// # Errors
/// When the directory cannot be read, or holds too many.
pub fn load(
    directory: Option<&Path>,
    preparation: &Preparation,
    progress: Progress<'_>,
) -> Result<BTreeMap<FunctionName, Files>, LoadError> {
    let listing = directory.map(list).transpose()?.unwrap_or_default();
    let mut names: BTreeMap<FunctionName, Option<&Files>> =
        SAMPLES.iter().filter_map(|sample| Some((sample.name.parse().ok()?, None))).collect();
    names.extend(listing.functions.iter().map(|(name, files)| (name.clone(), Some(files))));
    let max = preparation.settings.functions_max;
    if names.len() > max {
        return Err(LoadError::TooMany { found: names.len(), max });
    }
    let mut broken = Vec::new();
    for (path, why) in listing.strays {
        log_broken(&path, &why);
        broken.push(describe(&path, &why));
    }
    let candidates: Vec<_> = names.into_iter().collect();
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let results = Mutex::new(Vec::new());
    let work = || {
        while let Some((name, files)) = candidates.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = compile(name, *files, preparation);
            results.lock().unwrap_or_else(PoisonError::into_inner).push((name, *files, result));
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, candidates.len());
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from).min(candidates.len().max(1));
    thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(work))));
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    // The first so many have labels of their own.
    results.sort_by_key(|(name, ..)| *name);
    let mut functions = Vec::new();
    for (name, files, result) in results {
        match result {
            Ok(compiled) => functions.push(Arc::new(preparation.open(compiled))),
            Err(why) => {
                let path = files.map_or(Path::new(name.as_str()), Files::path);
                log_broken(path, &why);
                broken.push(describe(path, &why));
            }
        }
    }
    preparation.registry().change(|table| {
        table.functions = functions.into_iter().map(|function| (function.name.as_str().into(), function)).collect();
        table.broken = broken.into_iter().collect();
    });
    count(preparation);
    Ok(listing.functions)
}

/// Loads what a `modules.toml` lists; it goes before functions of the same names. A broken module is logged and left out.
///
/// # Errors
/// When there are too many functions then.
pub fn load_modules(file: &Path, listed: Vec<Listed>, preparation: &Preparation) -> Result<(), LoadError> {
    let (mut modules, mut wrong) = (Vec::new(), Vec::new());
    for listed in listed {
        match listed {
            Listed::Module(module) => modules.push(module),
            Listed::Wrong(place, mistakes) => wrong.push((place, Broken::Listed(mistakes))),
        }
    }
    let registry = preparation.registry();
    let known = registry.table();
    let further = modules.iter().filter(|module| !known.functions.contains_key(module.name.as_str())).count();
    let (found, max) = (known.functions.len() + further, preparation.settings.functions_max);
    if found > max {
        return Err(LoadError::TooMany { found, max });
    }
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    let compile = |module: &Module| preparation.compile(module.read(preparation.settings.size_max)?);
    let work = || {
        while let Some(module) = modules.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = compile(module);
            results.lock().unwrap_or_else(PoisonError::into_inner).push((module, result));
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from).min(modules.len().max(1));
    thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(work))));
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(module, _)| module.gateway.position);
    let mut functions = Vec::new();
    for (module, result) in results {
        let route = module.gateway.route.as_str();
        match result {
            Ok(compiled) => {
                let function = Arc::new(preparation.open(compiled));
                tracing::info!("`{route}` leads to `{}`, which is `{}`", function.name, module.path.display());
                functions.push((Box::from(function.name.as_str()), function));
            }
            Err(why) => wrong.push((route.to_owned(), why)),
        }
    }
    let broken: Vec<_> = wrong.iter().map(|(place, why)| describe_module(file, place, why)).collect();
    registry.change(|table| {
        table.functions.extend(functions);
        table.broken.extend(broken);
    });
    count(preparation);
    Ok(())
}

fn describe_module(file: &Path, place: &str, why: &Broken) -> (Box<str>, BrokenFile) {
    let told = escaped(&chain(why));
    tracing::error!("the module of `{}` at `{}` cannot be served: {told}", file.display(), escaped(place));
    let path = PathBuf::from(escaped(&file.display().to_string()));
    (escaped(place).into(), BrokenFile { path, why: told, since: SystemTime::now() })
}

fn compile(name: &FunctionName, files: Option<&Files>, preparation: &Preparation) -> Result<Compiled, Broken> {
    let source = match files {
        Some(files) => files.read(name, preparation.settings.size_max)?,
        None => built_in(name).ok_or(Broken::NoModule)?,
    };
    preparation.compile(source)
}

/// A file that is not served, by its name without the ending.
pub(super) fn describe(path: &Path, why: &Broken) -> (Box<str>, BrokenFile) {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let path = PathBuf::from(escaped(&path.display().to_string()));
    (escaped(&name).into(), BrokenFile { path, why: escaped(&chain(why)), since: SystemTime::now() })
}

pub(super) fn log_broken(path: &Path, broken: &Broken) {
    let name = escaped(&path.file_stem().unwrap_or_default().to_string_lossy());
    let (path, why) = (escaped(&path.display().to_string()), escaped(&chain(broken)));
    tracing::error!(function = %name, "`{path}` cannot be served: {why}");
}

/// Counts what is served in the metrics.
pub(super) fn count(preparation: &Preparation) {
    let table = preparation.registry().table();
    preparation.metrics().count_functions(table.functions.len(), table.broken.len());
}
