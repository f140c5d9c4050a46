//! Changes what is served while it is served. A new version is compiled beside those that run, and takes over between two
//! calls; calls that run finish on the version that they began with.

mod compile;
mod condition;
mod error;
mod refresh;
mod source;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

pub use condition::Condition;
pub use error::DeployError;

use super::broken::Broken;
use super::directory::{Files, built_in, list, write};
use super::function::Function;
use super::history::{History, HistoryError, Past};
use super::load::count;
use super::name::FunctionName;
use super::prepare::{Compiled, Preparation};
use super::source::{Origin, Source};
use super::version::Version;
use crate::admission::Admission;

/// What is to be deployed; what is `None` stays as it is.
#[derive(Debug, Default)]
pub struct Upload {
    /// The module.
    pub module: Option<Vec<u8>>,
    /// The manifest.
    pub manifest: Option<String>,
}

/// What has changed.
#[derive(Clone)]
pub struct Deployed {
    /// What is served now.
    pub function: Arc<Function>,
    /// What was served before, if it was another version.
    pub before: Option<Version>,
    /// Whether nothing of that name was served before.
    pub created: bool,
}

/// How deployments are bounded.
#[derive(Clone, Debug)]
pub struct DeployBounds {
    /// Compilations at once.
    pub compilations: usize,
    /// Compilations that wait for others, and for how long.
    pub queue: (usize, Duration),
    /// Longest time of a compilation.
    pub time: Duration,
    /// What manifests that come over the network may name: directories below these.
    pub directories: Vec<PathBuf>,
}

/// Changes what is served.
pub struct Deployer {
    preparation: Arc<Preparation>,
    directory: Option<PathBuf>,
    history: Option<History>,
    compilers: Admission,
    bounds: DeployBounds,
    /// The files as they were when they were last looked at. Held while what is served changes.
    files: Mutex<BTreeMap<FunctionName, Files>>,
}

impl Deployer {
    /// Functions are kept in `directory`, whose `files` have been loaded; those that went before in `history`.
    #[must_use]
    pub fn new(
        preparation: Arc<Preparation>,
        directory: Option<PathBuf>,
        history: Option<History>,
        bounds: DeployBounds,
        files: BTreeMap<FunctionName, Files>,
    ) -> Self {
        let compilers = Admission::new(bounds.compilations, bounds.queue.0, bounds.queue.1);
        Self { preparation, directory, history, compilers, bounds, files: Mutex::new(files) }
    }

    /// The directory that functions are kept in.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// Deploys a function, or a version of it.
    ///
    /// # Errors
    /// When it cannot be served, or not kept.
    pub async fn deploy(
        &self,
        name: &FunctionName,
        upload: Upload,
        condition: &Condition,
    ) -> Result<Deployed, DeployError> {
        let directory = self.directory.as_deref().ok_or(DeployError::Nowhere)?;
        self.check_modules(name)?;
        condition.check(self.live(name).map(|live| live.version))?;
        let asked = upload.manifest.is_some();
        let source = self.complete(name, upload, directory).await?;
        if asked {
            self.check_directories(&source)?;
        }
        self.take_over(source, condition, true).await
    }

    /// Goes back to the version before the one that is served, or to one that is told by its first digits.
    ///
    /// # Errors
    /// When there is none, or it cannot be served any more.
    pub async fn roll_back(
        &self,
        name: &FunctionName,
        to: Option<&str>,
        condition: &Condition,
    ) -> Result<Deployed, DeployError> {
        self.check_modules(name)?;
        let live = self.live(name);
        condition.check(live.as_ref().map(|live| live.version))?;
        let past = self.past(name)?;
        let found = match to {
            Some(digits) => past.iter().rev().find(|past| past.version.begins_with(digits)),
            None => match live.as_ref().and_then(|live| past.iter().rposition(|past| past.version == live.version)) {
                Some(place) => past[..place].last(),
                None => past.last(),
            },
        };
        let source = match (found, built_in(name)) {
            (Some(past), _) => self.restore(name, past)?,
            (None, Some(built_in)) if Self::may_go_back_to(&built_in, live.as_deref(), to) => built_in,
            _ => {
                let which = to.map_or_else(|| "earlier".to_owned(), |digits| format!("`{digits}`"));
                return Err(DeployError::NoVersion { name: name.clone(), which });
            }
        };
        // The order of versions is that in which they were deployed: going back again goes further back.
        self.take_over(source, condition, false).await
    }

    fn may_go_back_to(built_in: &Source, live: Option<&Function>, to: Option<&str>) -> bool {
        match to {
            Some(digits) => built_in.version().begins_with(digits),
            None => live.is_some_and(|live| live.version != built_in.version()),
        }
    }

    /// Removes a function; what comes with the program under that name is served again.
    ///
    /// # Errors
    /// When there is none, or it comes with the program.
    pub async fn remove(&self, name: &FunctionName, condition: &Condition) -> Result<(), DeployError> {
        let mut files = self.files.lock().await;
        self.check_modules(name)?;
        let live = self.live(name).ok_or_else(|| DeployError::Unknown(name.clone()))?;
        condition.check(Some(live.version))?;
        let directory = self.directory.as_deref().ok_or(DeployError::Nowhere)?;
        if live.is_as_built_in() {
            return Err(DeployError::BuiltIn(name.clone()));
        }
        let again = match built_in(name) {
            Some(source) => Some(self.compile(source).await?),
            None => None,
        };
        Self::write(directory, name, None, None)?;
        files.remove(name);
        self.put(name, again);
        self.count("removed");
        tracing::info!("`{name}` was removed");
        Ok(())
    }

    /// The versions of a function that are kept, the earliest first.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn past(&self, name: &FunctionName) -> Result<Vec<Past>, DeployError> {
        Ok(self.history.as_ref().map(|history| history.versions(name)).transpose()?.unwrap_or_default())
    }

    /// Compiles `source`, and serves it from then on.
    async fn take_over(&self, source: Source, condition: &Condition, is_new: bool) -> Result<Deployed, DeployError> {
        let directory = self.directory.as_deref().ok_or(DeployError::Nowhere)?;
        let (name, version) = (source.name.clone(), source.version());
        self.check_room(&name)?;
        let live = self.live(&name);
        let compiled = match &live {
            Some(live) if live.version == version => None,
            _ => Some(self.compile(source.clone()).await.inspect_err(|_| self.count("broken"))?),
        };
        let mut files = self.files.lock().await;
        // Another may have been quicker.
        let live = self.live(&name);
        condition.check(live.as_ref().map(|live| live.version))?;
        let before = live.as_ref().map(|live| live.version).filter(|before| *before != version);
        if let (Some(live), None) = (&live, &before) {
            self.count("unchanged");
            return Ok(Deployed { function: live.clone(), before: None, created: false });
        }
        let Some(compiled) = compiled else { return Err(DeployError::Conflict(live.map(|live| live.version))) };
        self.check_room(&name)?;
        if is_new {
            self.keep(&source)?;
        }
        let module = matches!(source.origin, Origin::File(_)).then_some(&*source.module);
        Self::write(directory, &name, module, source.manifest.as_ref().map(|(_, text)| text.as_str()))?;
        let function = self.put(&name, Some(compiled));
        if let Ok(mut listing) = list(directory) {
            match listing.functions.remove(&name) {
                Some(now) => drop(files.insert(name.clone(), now)),
                None => drop(files.remove(&name)),
            }
        }
        self.count("deployed");
        tracing::info!("`{name}` is served in version {}", version.short());
        let function = function.ok_or_else(|| DeployError::Unknown(name.clone()))?;
        Ok(Deployed { function, before, created: live.is_none() })
    }

    /// What a list of modules says is not changed by anything else.
    fn check_modules(&self, name: &FunctionName) -> Result<(), DeployError> {
        match self.live(name).as_ref().and_then(|live| live.gateway()) {
            Some(gateway) => Err(DeployError::OfModules { name: name.clone(), file: gateway.file.clone() }),
            None => Ok(()),
        }
    }

    fn check_room(&self, name: &FunctionName) -> Result<(), Broken> {
        let (table, max) = (self.preparation.registry().table(), self.preparation.settings.functions_max);
        let has_room = table.functions.contains_key(name.as_str()) || table.functions.len() < max;
        if has_room { Ok(()) } else { Err(Broken::TooMany(max)) }
    }

    /// Serves what was compiled in the place of what is served under this name.
    fn put(&self, name: &FunctionName, compiled: Option<Compiled>) -> Option<Arc<Function>> {
        let function = compiled.map(|compiled| Arc::new(self.preparation.open(compiled)));
        self.preparation.registry().change(|table| {
            table.broken.remove(name.as_str());
            match &function {
                Some(function) => drop(table.functions.insert(name.as_str().into(), function.clone())),
                None => drop(table.functions.remove(name.as_str())),
            }
        });
        count(&self.preparation);
        function
    }

    fn keep(&self, source: &Source) -> Result<(), HistoryError> {
        match (&self.history, &source.origin) {
            (Some(history), Origin::File(_)) => {
                let manifest = source.manifest.as_ref().map(|(_, text)| text.as_str());
                history.push(&source.name, source.version(), &source.module, manifest)
            }
            _ => Ok(()),
        }
    }

    fn write(
        directory: &Path,
        name: &FunctionName,
        module: Option<&[u8]>,
        manifest: Option<&str>,
    ) -> Result<(), DeployError> {
        let failed = |source| DeployError::Write { directory: directory.into(), source };
        std::fs::create_dir_all(directory).and_then(|()| write(directory, name, module, manifest)).map_err(failed)
    }

    fn live(&self, name: &FunctionName) -> Option<Arc<Function>> {
        self.preparation.registry().find(name.as_str())
    }

    fn count(&self, result: &'static str) {
        self.preparation.metrics().count_deployment(result);
    }
}
