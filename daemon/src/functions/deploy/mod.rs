//! Deploys functions while others are served. A new version is compiled beside the running ones and takes over between two
//! calls. Calls finish on the version that they started with.

mod compile;
mod condition;
mod error;
mod granted;
mod refresh;
mod source;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Mutex;

pub use condition::Condition;
pub use error::DeployError;

use super::broken::Broken;
use super::commit::{commit, finish, remove};
use super::directory::{Files, built_in, list};
use super::function::Function;
use super::history::{History, HistoryError, Past};
use super::load::count;
use super::name::FunctionName;
use super::prepare::{Compiled, Preparation};
use super::settings::DeploySettings;
use super::source::{Origin, Source};
use super::version::Version;
use crate::admission::Admission;

/// What to deploy. `None` keeps what is served.
#[derive(Debug, Default)]
pub struct Upload {
    pub module: Option<Vec<u8>>,
    pub manifest: Option<String>,
}

#[derive(Clone)]
pub struct Deployed {
    pub function: Arc<Function>,
    /// The version served before, if it was another one.
    pub before: Option<Version>,
    pub created: bool,
}

pub struct Deployer {
    preparation: Arc<Preparation>,
    pub(super) directory: Option<PathBuf>,
    history: Option<History>,
    compilers: Admission,
    /// The files as they were last seen. Locked while the table of functions changes.
    files: Mutex<BTreeMap<FunctionName, Files>>,
}

impl Deployer {
    /// Functions are kept in `directory`, whose `files` have been loaded, and earlier versions in `history`.
    pub fn new(
        preparation: Arc<Preparation>,
        directory: Option<PathBuf>,
        history: Option<History>,
        files: BTreeMap<FunctionName, Files>,
    ) -> Self {
        let DeploySettings { compilations, queue, time, .. } = preparation.settings.deploy;
        let compilers = Admission::new(compilations, queue, time);
        Self { preparation, directory, history, compilers, files: Mutex::new(files) }
    }

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
            self.check_grants(&source)?;
        }
        self.take_over(source, condition, true).await
    }

    /// Goes back to the version before the served one, or to the one whose digest begins with `to`.
    pub async fn roll_back(
        &self,
        name: &FunctionName,
        to: Option<&str>,
        condition: &Condition,
    ) -> Result<Deployed, DeployError> {
        self.check_modules(name)?;
        let live = self.live(name);
        condition.check(live.as_ref().map(|live| live.version))?;
        // Nothing is forgotten between looking for a version and reading it.
        let files = self.files.lock().await;
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
        drop(files);
        // A rollback does not reorder the history: the next one goes further back.
        self.take_over(source, condition, false).await
    }

    fn may_go_back_to(built_in: &Source, live: Option<&Function>, to: Option<&str>) -> bool {
        match to {
            Some(digits) => built_in.version().begins_with(digits),
            None => live.is_some_and(|live| live.version != built_in.version()),
        }
    }

    /// Removes a function. A built-in function of that name is served again.
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
        let failed = |source| DeployError::Write { directory: directory.into(), source };
        finish(directory, name).and_then(|()| remove(directory, name)).map_err(failed)?;
        files.remove(name);
        self.put(name, again);
        self.count("removed");
        tracing::info!("removed `{name}`");
        Ok(())
    }

    /// The kept versions of a function, the earliest first.
    pub fn past(&self, name: &FunctionName) -> Result<Vec<Past>, DeployError> {
        Ok(self.history.as_ref().map(|history| history.versions(name)).transpose()?.unwrap_or_default())
    }

    /// Compiles `source` and serves it.
    async fn take_over(&self, source: Source, condition: &Condition, is_new: bool) -> Result<Deployed, DeployError> {
        let directory = self.directory.as_deref().ok_or(DeployError::Nowhere)?;
        let (name, version) = (source.name.clone(), source.version());
        self.check_room(&name)?;
        let mut compiled = None;
        let (mut files, live, before, compiled) = loop {
            if compiled.is_none() && self.live(&name).is_none_or(|live| live.version != version) {
                compiled = Some(self.compile(source.clone()).await.inspect_err(|_| self.count("broken"))?);
            }
            let files = self.files.lock().await;
            // Another deployment may have been faster.
            let live = self.live(&name);
            condition.check(live.as_ref().map(|live| live.version))?;
            let before = live.as_ref().map(|live| live.version).filter(|before| *before != version);
            if let (Some(live), None) = (&live, &before) {
                self.count("unchanged");
                return Ok(Deployed { function: live.clone(), before: None, created: false });
            }
            // Without it, this version was served a moment ago, and has been replaced since.
            if let Some(compiled) = compiled.take() {
                break (files, live, before, compiled);
            }
        };
        self.check_room(&name)?;
        self.check_routes(&compiled, live.as_deref())?;
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
        tracing::info!("deployed `{name}`, version {}", version.short());
        let function = function.ok_or_else(|| DeployError::Unknown(name.clone()))?;
        Ok(Deployed { function, before, created: live.is_none() })
    }

    /// Modules change only with their `modules.toml`.
    fn check_modules(&self, name: &FunctionName) -> Result<(), DeployError> {
        match self.live(name).as_ref().and_then(|live| live.gateway()) {
            Some(gateway) => Err(DeployError::OfModules { name: name.clone(), file: gateway.file.clone() }),
            None => Ok(()),
        }
    }

    fn check_room(&self, name: &FunctionName) -> Result<(), Broken> {
        let (table, max) = (self.preparation.registry.table(), self.preparation.settings.functions_max);
        let has_room = table.functions.contains_key(name.as_str()) || table.functions.len() < max;
        if has_room { Ok(()) } else { Err(Broken::TooMany(max)) }
    }

    /// Serves `compiled` under this name from now on, or nothing.
    fn put(&self, name: &FunctionName, compiled: Option<Compiled>) -> Option<Arc<Function>> {
        let function = compiled.map(|compiled| Arc::new(self.preparation.open(compiled)));
        self.preparation.registry.change(|table| {
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
        // What was decided before comes first.
        let begun = std::fs::create_dir_all(directory).and_then(|()| finish(directory, name));
        begun.and_then(|()| commit(directory, name, module, manifest)).map_err(failed)?;
        if let Err(error) = finish(directory, name) {
            // It will be finished when the directory is looked at, or at the next start.
            tracing::error!("`{name}` is deployed, but its files are not all in `{}`: {error}", directory.display());
        }
        Ok(())
    }

    fn live(&self, name: &FunctionName) -> Option<Arc<Function>> {
        self.preparation.registry.find(name.as_str())
    }

    fn count(&self, result: &'static str) {
        self.preparation.metrics.count_deployment(result);
    }
}
