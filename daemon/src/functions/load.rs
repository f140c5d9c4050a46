//! Finds functions and compiles them, all processors at once.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nebula_metering::{CallId, FunctionId};
use thiserror::Error;
use uuid::Uuid;

use super::cold_start::ColdStart;
use super::manifest::{self, Ceilings, Manifest, ManifestError, Reuse};
use super::name::{FunctionName, NameError};
use super::registry::{Function, Origin, Registry};
use super::samples::SAMPLES;
use crate::causes::chain;
use crate::invocation::Admission;
use crate::meter::{Budget, Metering};
use crate::quota::{Payer, Quota};
use crate::runtime::{CompileError, Directory, Grants, Limits, Policy, PolicyError, Program, Runtime};
use crate::telemetry::{Metrics, escaped};

/// Functions cannot be served.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The directory cannot be listed.
    #[error("cannot list the functions in `{}`", path.display())]
    ListDirectory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// More functions than the configuration allows.
    #[error("{found} functions are more than `limits.functions` allows ({max})")]
    TooMany {
        /// How many there are.
        found: usize,
        /// How many there may be.
        max: usize,
    },
}

/// One function cannot be served; the others can.
#[derive(Debug, Error)]
enum Broken {
    #[error("its name cannot be used")]
    Name(#[from] NameError),
    #[error("its file name is not text")]
    FileName,
    #[error("both `.wasm` and `.wat` of it exist")]
    Twice,
    #[error("it is the manifest of no function: no `.wasm` or `.wat` of that name is there, nor built in")]
    NoModule,
    #[error("cannot read it")]
    Read(#[source] io::Error),
    #[error("it has {size} bytes, more than `limits.module` allows ({max})")]
    TooLarge { size: u64, max: u64 },
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error("its manifest's `outbound` cannot be used: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Outbound(Vec<PolicyError>),
    #[error(
        "its manifest asks for `reuse = \"serial\"`, but a {0} runs once and ends; proxies and numeric functions can be reused"
    )]
    Reuse(&'static str),
    #[error(transparent)]
    Compile(#[from] CompileError),
}

/// How far loading has come.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// What to load.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A directory of functions, besides those that come with the program.
    pub directory: Option<PathBuf>,
    /// How many functions there may be.
    pub functions_max: usize,
    /// The largest module in bytes.
    pub size_max: u64,
    /// What no manifest may ask more of.
    pub ceilings: Ceilings,
    /// How many calls of a function that bounds its concurrency may wait, and for how long.
    pub queue: (usize, Duration),
    /// What functions may use whose manifests do not say.
    pub quota: Quota,
}

struct Candidate {
    name: FunctionName,
    origin: Origin,
    /// Its manifest, where there is one.
    manifest: Option<PathBuf>,
    example: &'static str,
}

/// Loads the functions that come with the program and those in the directory; one in the directory replaces one of
/// the same name. A broken function is logged and left out. `progress` hears after each function how many of how many
/// are done.
///
/// # Errors
/// When the directory cannot be read, or holds too many.
pub fn load(
    settings: &Settings,
    runtime: &Runtime,
    metrics: &Metrics,
    metering: &Metering,
    progress: Progress<'_>,
) -> Result<Registry, LoadError> {
    let candidates = candidates(settings)?;
    let numbered: Vec<_> = (0..).map(FunctionId).zip(&candidates).collect();
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let compiled = Mutex::new(Vec::new());
    let work = || {
        while let Some((id, candidate)) = numbered.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (call, started) = (CallId(Uuid::now_v7().as_u128()), Instant::now());
            let start = || compile(candidate, settings, runtime);
            let (result, work) = metering.measure_cold_start(call, *id, start);
            match result {
                Ok(ready) => {
                    if metering.meter().is_err() {
                        warn_of_no_joules(&candidate.name, &ready.manifest);
                    }
                    let cold_start = ColdStart::new(ready.program.found(), started.elapsed(), work);
                    let mut compiled = compiled.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    compiled.push((*id, *candidate, ready, cold_start));
                }
                Err(broken) => {
                    let why = escaped(&chain(&broken));
                    tracing::error!(function = %candidate.name, "a function cannot be served: {why}");
                }
            }
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, candidates.len());
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from).min(candidates.len().max(1));
    thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(work))));
    let mut compiled = compiled.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    compiled.sort_by_key(|(id, ..)| *id);
    let function = |(id, candidate, Compiled { program, size, manifest }, cold_start): Ready<'_>| {
        let (queue_max, wait_max) = settings.queue;
        let admission = |concurrency| Admission::new(concurrency as usize, queue_max, wait_max);
        let of_function = metrics.function(id, candidate.name.as_str());
        of_function.observe_cold_start(cold_start.duration);
        let quota = manifest.quota.or(settings.quota);
        let payer = (!quota.is_unlimited()).then(|| Payer::new(candidate.name.as_str(), quota));
        of_function.expect_exceeded(quota.bounded());
        Function {
            name: candidate.name.clone(),
            id,
            origin: candidate.origin.clone(),
            size,
            example: candidate.example,
            program,
            environment: manifest.env.clone().into_iter().collect(),
            budget: Budget { energy: manifest.limits.max_joules, cpu: manifest.limits.cpu },
            admission: manifest.limits.concurrency.map(admission),
            payer,
            manifest,
            cold_start,
            metrics: of_function,
            called: AtomicBool::new(false),
        }
    };
    Ok(Registry::new(compiled.into_iter().map(function).collect()))
}

/// Limits of joules hold only where joules are known.
fn warn_of_no_joules(name: &FunctionName, manifest: &Manifest) {
    if manifest.limits.max_joules.is_some() {
        tracing::warn!(
            "`limits.max_joules` of `{name}` does not hold: nothing is measured (`source` is `off`); \
             `limits.cpu` and `limits.wall` do"
        );
    }
    if manifest.quota.joules_per_hour.is_some() {
        tracing::warn!("`quota.joules_per_hour` of `{name}` does not hold: nothing is measured (`source` is `off`)");
    }
}

fn candidates(settings: &Settings) -> Result<Vec<Candidate>, LoadError> {
    let mut found = BTreeMap::new();
    for sample in SAMPLES {
        if let Ok(name) = sample.name.parse::<FunctionName>() {
            let candidate =
                Candidate { name: name.clone(), origin: Origin::BuiltIn, manifest: None, example: sample.example };
            found.insert(name, candidate);
        }
    }
    if let Some(directory) = &settings.directory {
        let (modules, manifests) = files(directory)?;
        for (name, path) in modules {
            found.insert(name.clone(), Candidate { name, origin: Origin::File(path), manifest: None, example: "" });
        }
        for (name, path) in manifests {
            match found.get_mut(&name) {
                Some(candidate) => candidate.manifest = Some(path),
                None => log_broken(&path, &Broken::NoModule),
            }
        }
    }
    if found.len() > settings.functions_max {
        return Err(LoadError::TooMany { found: found.len(), max: settings.functions_max });
    }
    Ok(found.into_values().collect())
}

/// Files of a directory, by the function that they belong to.
type Files = BTreeMap<FunctionName, PathBuf>;

/// The modules of a directory, and the manifests.
fn files(directory: &Path) -> Result<(Files, Files), LoadError> {
    let failed = |source| LoadError::ListDirectory { path: directory.into(), source };
    let (mut modules, mut manifests) = (Files::new(), Files::new());
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let found = match path.extension().and_then(|extension| extension.to_str()) {
            Some("wasm" | "wat") => &mut modules,
            Some("toml") => &mut manifests,
            _ => continue,
        };
        match name_of(&path) {
            Ok(name) if found.contains_key(&name) => log_broken(&path, &Broken::Twice),
            Ok(name) => drop(found.insert(name, path)),
            Err(broken) => log_broken(&path, &broken),
        }
    }
    Ok((modules, manifests))
}

fn name_of(path: &Path) -> Result<FunctionName, Broken> {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).ok_or(Broken::FileName)?;
    Ok(stem.parse()?)
}

fn log_broken(path: &Path, broken: &Broken) {
    let (path, why) = (escaped(&path.display().to_string()), escaped(&chain(broken)));
    tracing::error!("`{path}` cannot be served: {why}");
}

/// A function that can be called, with its number.
type Ready<'a> = (FunctionId, &'a Candidate, Compiled, ColdStart);

/// A function that can be called.
struct Compiled {
    program: Program,
    size: usize,
    manifest: Manifest,
}

fn compile(candidate: &Candidate, settings: &Settings, runtime: &Runtime) -> Result<Compiled, Broken> {
    let manifest = match &candidate.manifest {
        Some(path) => Manifest::read(path, &settings.ceilings)?,
        None => Manifest::default(),
    };
    let grants = grants(&manifest, settings, *runtime.limits())?;
    let wasm = match &candidate.origin {
        Origin::BuiltIn => {
            let sample = SAMPLES.iter().find(|sample| sample.name == candidate.name.as_str());
            sample.map(|sample| sample.wasm.to_vec()).unwrap_or_default()
        }
        Origin::File(path) => {
            let size = std::fs::metadata(path).map_err(Broken::Read)?.len();
            if size > settings.size_max {
                return Err(Broken::TooLarge { size, max: settings.size_max });
            }
            std::fs::read(path).map_err(Broken::Read)?
        }
    };
    let (program, size) = (Program::compile(runtime, &wasm, grants)?, wasm.len());
    if manifest.reuse == Reuse::Serial && !program.kind().can_be_reused() {
        return Err(Broken::Reuse(program.kind().as_str()));
    }
    Ok(Compiled { program, size, manifest })
}

/// What a manifest grants, of what the daemon allows.
fn grants(manifest: &Manifest, settings: &Settings, of_daemon: Limits) -> Result<Grants, Broken> {
    let limits = &manifest.limits;
    let directory = |directory: &manifest::Directory| Directory {
        host: directory.host.clone(),
        guest: directory.guest.clone(),
        writable: directory.writable,
    };
    Ok(Grants {
        limits: Limits {
            wall: limits.wall.unwrap_or(of_daemon.wall),
            memory: limits.memory.unwrap_or(of_daemon.memory),
            stdout: limits.output.unwrap_or(of_daemon.stdout),
            ..of_daemon
        },
        entry: manifest.entry.clone(),
        directories: manifest.directories.iter().map(directory).collect(),
        outbound: Policy::parse(manifest.outbound.iter().map(String::as_str)).map_err(Broken::Outbound)?,
        reused: (manifest.reuse == Reuse::Serial).then(|| limits.concurrency.unwrap_or(settings.ceilings.concurrency)),
    })
}
