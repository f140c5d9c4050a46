//! Makes a function ready to be called: reads its manifest, compiles or loads its code, links it, and charges it for that.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use nebula_metering::{CallId, FunctionId};
use uuid::Uuid;

use super::broken::Broken;
use super::function::{ColdStart, Function, Revision};
use super::manifest::{Ceilings, Manifest, ManifestError, Reuse};
use super::modules::declared;
use super::name::FunctionName;
use super::registry::Registry;
use super::settings::Settings;
use super::source::{Origin, Source};
use super::version::Version;
use crate::admission::Admission;
use crate::meter::{Budget, ColdStartCharge, Metering};
use crate::quota::{Payers, Quota};
use crate::telemetry::Metrics;
use nebula_runtime::{Grants, Limits, Policy, Program, Runtime, SocketPolicy};

/// Bounds on the calls of each function.
#[derive(Clone, Copy, Debug)]
pub struct AdmissionBounds {
    /// The most concurrency that a manifest may ask for.
    pub concurrency: u32,
    /// How many calls of a function with a bound on concurrency may wait, and for how long.
    pub queue: (usize, Duration),
    /// The quota of functions whose manifests set none.
    pub quota: Quota,
}

/// A function whose code can run. It is not in the registry yet.
pub struct Compiled {
    id: FunctionId,
    version: Version,
    source: Source,
    program: Program,
    manifest: Manifest,
    cold_start: ColdStart,
}

impl Compiled {
    pub fn name(&self) -> &FunctionName {
        &self.source.name
    }

    pub fn version(&self) -> Version {
        self.version
    }

    pub fn routes(&self) -> &[String] {
        &self.manifest.routes
    }
}

pub struct Preparation {
    pub settings: Settings,
    pub calls: AdmissionBounds,
    pub runtime: Runtime,
    pub metrics: Arc<Metrics>,
    pub metering: Metering,
    pub registry: Arc<Registry>,
    pub payers: Payers,
}

impl Preparation {
    pub(super) fn parse_manifest(&self, path: &Path, text: &str) -> Result<Manifest, ManifestError> {
        let ceilings = Ceilings { limits: self.settings.limits(), concurrency: self.calls.concurrency };
        Manifest::parse_at(path, text, &ceilings)
    }

    /// Compiles on this thread, because only the work of this thread, and of the processes that it starts, is measured. The
    /// version gets its account when it is compiled, and with `labelled` its label in metrics before anything is charged to
    /// it: counters of one account cannot move to another label.
    pub fn compile(&self, source: Source, labelled: bool) -> Result<Compiled, Broken> {
        let (name, version) = (&source.name, source.version());
        self.registry.check_account(name, version)?;
        let (call, charge, started) = (CallId(Uuid::now_v7().as_u128()), ColdStartCharge::default(), Instant::now());
        let start = |spent: &mut dyn FnMut(Duration)| {
            let (program, manifest) = self.start(&source, spent)?;
            let id = self.registry.account(name, version)?;
            if labelled {
                self.metrics.labels.assign(id, name.as_str());
            }
            Ok::<_, Broken>((id, program, manifest))
        };
        let of = |ready: &Result<(FunctionId, _, _), Broken>| match ready {
            Ok((id, ..)) => *id,
            Err(_) => self.registry.account_of_failed(name),
        };
        let (ready, work) = self.metering.measure_cold_start(call, charge.clone(), start, of);
        let (id, program, manifest) = ready?;
        if self.metering.meter().is_err() {
            warn_of_no_joules(name, &manifest);
        }
        let cold_start = ColdStart { found: program.found(), duration: started.elapsed(), work, charge };
        Ok(Compiled { id, version, source, program, manifest, cold_start })
    }

    /// What a module's `_routes` prints. Running it is charged as preparing.
    pub fn declared_routes(&self, source: &Source) -> Result<Option<String>, Broken> {
        let id = self.registry.account(&source.name, source.version())?;
        let grants = Grants::of(self.settings.limits());
        let run = |spent: &mut dyn FnMut(Duration)| declared(&self.runtime, &source.module, &grants, spent);
        let call = CallId(Uuid::now_v7().as_u128());
        self.metering.measure_cold_start(call, ColdStartCharge::default(), run, |_| id).0.map_err(Broken::Routes)
    }

    /// Opens the function's account and its metrics.
    pub(super) fn open(&self, compiled: Compiled) -> Function {
        let Compiled { id, version, source, program, manifest, cold_start } = compiled;
        let name = source.name;
        let revision = self.registry.open(id, || {
            let metrics = self.metrics.function(id, name.as_str());
            Revision::new(id, name, version, metrics)
        });
        revision.metrics.observe_cold_start(cold_start.duration);
        let quota = manifest.quota.or(self.calls.quota);
        revision.metrics.expect_exceeded(quota.bounded());
        let (queue_max, wait_max) = self.calls.queue;
        let admission = |concurrency| Admission::new(concurrency as usize, queue_max, wait_max);
        let payer = self.payers.of(revision.name.as_str(), quota);
        Function {
            revision,
            origin: source.origin,
            deployed: SystemTime::now(),
            size: source.module.len(),
            example: source.example,
            program,
            environment: manifest.env.clone().into_iter().collect(),
            budget: Budget { energy: manifest.limits.max_joules, cpu: manifest.limits.cpu },
            admission: manifest.limits.concurrency.map(admission),
            payer,
            manifest,
            cold_start,
        }
    }

    fn start(&self, source: &Source, spent: &mut dyn FnMut(Duration)) -> Result<(Program, Manifest), Broken> {
        let size = source.module.len() as u64;
        if source.origin != Origin::BuiltIn && size > self.settings.module_max {
            return Err(Broken::TooLarge { size, max: self.settings.module_max });
        }
        let manifest = match &source.manifest {
            Some((path, text)) => self.parse_manifest(path, text)?,
            None => Manifest::default(),
        };
        let grants = match &source.origin {
            Origin::Module(gateway) => gateway.grant(self.grants(&manifest)?),
            Origin::BuiltIn | Origin::File(_) => self.grants(&manifest)?,
        };
        let runtime = if source.origin == Origin::BuiltIn { &self.runtime.compiling_here() } else { &self.runtime };
        let program = Program::compile_watched(runtime, &source.module, grants, spent);
        let program = program.map_err(|error| self.settings.not_compiled(error))?;
        if manifest.reuse == Reuse::Serial && !program.kind().can_be_reused() {
            return Err(Broken::Reuse(program.kind().as_str()));
        }
        if !manifest.network.is_empty() && !program.can_have_sockets() {
            return Err(Broken::NoSockets);
        }
        Ok((program, manifest))
    }

    /// What the manifest asks for, within what the daemon allows.
    fn grants(&self, manifest: &Manifest) -> Result<Grants, Broken> {
        let (of_daemon, limits) = (self.settings.limits(), &manifest.limits);
        let instances = || limits.concurrency.unwrap_or(self.calls.concurrency);
        Ok(Grants {
            limits: Limits {
                wall: limits.wall.unwrap_or(of_daemon.wall),
                memory: limits.memory.unwrap_or(of_daemon.memory),
                stdout: limits.output.unwrap_or(of_daemon.stdout),
                ..of_daemon
            },
            start: None,
            entry: manifest.entry.clone(),
            directories: manifest.directories.clone(),
            outbound: Policy::parse(manifest.outbound.iter().map(String::as_str))
                .map_err(Broken::Outbound)?
                .reaching(self.settings.outbound_private.clone()),
            network: SocketPolicy::parse(manifest.network.iter().map(String::as_str)).map_err(Broken::Network)?,
            reused: (manifest.reuse == Reuse::Serial).then(instances),
        })
    }
}

/// Limits in joules have no effect if nothing is measured.
fn warn_of_no_joules(name: &FunctionName, manifest: &Manifest) {
    if manifest.limits.max_joules.is_some() {
        tracing::warn!(
            "`limits.max_joules` of `{name}` has no effect: nothing is measured (`source` is `off`); `limits.cpu` and \
             `limits.wall` do"
        );
    }
    if manifest.quota.joules_per_hour.is_some() {
        tracing::warn!("`quota.joules_per_hour` of `{name}` has no effect: nothing is measured (`source` is `off`)");
    }
}
