//! Changes what is served while it is served. A new version is compiled beside those that run, and takes over between two
//! calls; calls that run finish on the version that they began with.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{Mutex, oneshot};

use super::broken::Broken;
use super::directory::{Files, ListError, Listing, built_in, list, manifest_path, module_path, write};
use super::history::{History, HistoryError, Past};
use super::load::{count, describe, log_broken};
use super::manifest::Manifest;
use super::name::FunctionName;
use super::prepare::{Compiled, Preparation, Source};
use super::registry::{BrokenFile, Function, Origin};
use super::version::Version;
use crate::invocation::{Admission, Busy, lower_priority};

/// What is not deployed, and why. Nothing has changed then.
#[derive(Debug, Error)]
pub enum DeployError {
    /// It cannot be served.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// There is no such function.
    #[error("there is no function `{0}`; `/functions` lists them")]
    Unknown(FunctionName),
    /// What is served is not what the caller takes it for.
    #[error("{}", conflict(.0.as_ref()))]
    Conflict(Option<Version>),
    /// The function comes with the program.
    #[error(
        "`{0}` comes with the program and cannot be removed; a function that is deployed under its name goes before it"
    )]
    BuiltIn(FunctionName),
    /// There is no version to go back to.
    #[error(
        "there is no {which} version of `{name}` to go back to; `/functions/{name}/versions` lists those that are kept (`deploy.keep`)"
    )]
    NoVersion {
        /// The function.
        name: FunctionName,
        /// Which was asked for.
        which: String,
    },
    /// There is no directory.
    #[error("there is nowhere to keep functions; start the daemon with `functions` or `state`")]
    Nowhere,
    /// The manifest names a directory of this machine.
    #[error("the manifest names the directory `{}`: one that comes over the network may only name what is below `deploy.directories`", .0.display())]
    Directory(PathBuf),
    /// Others are being compiled.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The files of the function cannot be written.
    #[error("cannot write the files of the function into `{}`", directory.display())]
    Write {
        /// The directory.
        directory: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What was deployed cannot be kept or found.
    #[error(transparent)]
    History(#[from] HistoryError),
}

fn conflict(live: Option<&Version>) -> String {
    match live {
        Some(live) => format!("version {live} is served, which is not what the request is about"),
        None => "no such function is served, which is not what the request is about".into(),
    }
}

/// What must be served for a change to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Anything, or nothing.
    #[default]
    Any,
    /// Some version of the function.
    Exists,
    /// No version of it.
    Missing,
    /// One of these versions.
    OneOf(Vec<Version>),
}

impl Condition {
    fn check(&self, live: Option<Version>) -> Result<(), DeployError> {
        let holds = match self {
            Self::Any => true,
            Self::Exists => live.is_some(),
            Self::Missing => live.is_none(),
            Self::OneOf(versions) => live.is_some_and(|live| versions.contains(&live)),
        };
        if holds { Ok(()) } else { Err(DeployError::Conflict(live)) }
    }
}

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
        condition.check(self.live(name).map(|live| live.version))?;
        let asked = upload.manifest.is_some();
        let source = self.complete(name, upload, directory).await?;
        if asked {
            self.check_directories(&source)?;
        }
        self.take_over(source, condition).await
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
        self.take_over(source, condition).await
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
        self.write(directory, name, None, None)?;
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

    /// Looks at the directory, and serves what has changed there. A file that cannot be served is told of once, and the
    /// version before it goes on.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub async fn refresh(&self) -> Result<(), ListError> {
        let Some(directory) = &self.directory else { return Ok(()) };
        let mut known = self.files.lock().await;
        let listing = list(directory)?;
        let before = self.preparation.registry().table().broken.clone();
        let mut broken = strays(&listing, &before);
        for (name, files) in &listing.functions {
            if known.get(name) == Some(files) {
                broken.extend(before.get(name.as_str()).map(|broken| (name.as_str().into(), broken.clone())));
                continue;
            }
            known.insert(name.clone(), files.clone());
            if let Err(why) = self.replace(name, files).await {
                log_broken(files.path(), &why);
                self.count("broken");
                broken.extend([describe(files.path(), &why)]);
            }
        }
        let gone: Vec<_> = known.keys().filter(|name| !listing.functions.contains_key(*name)).cloned().collect();
        for name in gone {
            known.remove(&name);
            if self.live(&name).is_none_or(|live| live.is_as_built_in()) {
                continue;
            }
            let again = match built_in(&name) {
                Some(source) => self.compile(source).await.ok(),
                None => None,
            };
            self.put(&name, again);
            self.count("removed");
            tracing::info!("`{name}` is no longer in `{}`", directory.display());
        }
        if broken != before {
            self.preparation.registry().change(|table| table.broken = broken);
        }
        count(&self.preparation);
        Ok(())
    }

    /// Keeps those versions that were there when the daemon started, so that one can go back to them too.
    pub async fn keep_what_is_served(&self) {
        for function in self.preparation.registry().all() {
            if matches!(function.origin, Origin::BuiltIn) {
                continue;
            }
            let files = self.files.lock().await;
            let Some(of_function) = files.get(&function.name) else { continue };
            let Ok(source) = of_function.read(&function.name, self.preparation.settings.size_max) else { continue };
            // One that has changed since is kept when it is looked at.
            if source.version() == function.version
                && let Err(error) = self.keep(&source)
            {
                tracing::warn!("{}", crate::causes::chain(&error));
                return;
            }
        }
    }

    async fn replace(&self, name: &FunctionName, files: &Files) -> Result<(), Broken> {
        let source = files.read(name, self.preparation.settings.size_max)?;
        if self.live(name).is_some_and(|live| live.version == source.version()) {
            return Ok(());
        }
        self.check_room(name)?;
        let compiled = match self.compile(source.clone()).await {
            Ok(compiled) => compiled,
            Err(DeployError::Broken(broken)) => return Err(broken),
            Err(_) => return Err(Broken::TooSlow(self.bounds.time)),
        };
        if let Err(error) = self.keep(&source) {
            tracing::warn!("one cannot go back to this version later: {}", crate::causes::chain(&error));
        }
        let version = compiled.version();
        self.put(name, Some(compiled));
        self.count("deployed");
        tracing::info!("`{name}` is served from `{}`, version {}", files.path().display(), version.short());
        Ok(())
    }

    /// Compiles `source`, and serves it from then on.
    async fn take_over(&self, source: Source, condition: &Condition) -> Result<Deployed, DeployError> {
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
        self.keep(&source)?;
        let module = matches!(source.origin, Origin::File(_)).then_some(&*source.module);
        self.write(directory, &name, module, source.manifest.as_ref().map(|(_, text)| text.as_str()))?;
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

    /// What an upload leaves out is taken from what is served.
    async fn complete(&self, name: &FunctionName, upload: Upload, directory: &Path) -> Result<Source, DeployError> {
        let files = self.files.lock().await;
        let present = files.get(name).map(|files| files.read(name, self.preparation.settings.size_max));
        let present = || match present {
            Some(present) => Ok(present?),
            None => built_in(name).ok_or_else(|| DeployError::Unknown(name.clone())),
        };
        let manifest = |text: String| (manifest_path(directory, name), text);
        match upload {
            Upload { module: Some(module), manifest: text } => {
                // A file that cannot be read has no manifest to keep.
                let kept = || present().ok().filter(|present| present.origin != Origin::BuiltIn)?.manifest;
                let manifest = text.map_or_else(kept, |text| Some(manifest(text)));
                let origin = Origin::File(module_path(directory, name, &module));
                Ok(Source { name: name.clone(), origin, module: module.into(), manifest, example: "" })
            }
            Upload { module: None, manifest: text } => {
                let present = present()?;
                Ok(Source { manifest: text.map(manifest).or_else(|| present.manifest.clone()), ..present })
            }
        }
    }

    fn restore(&self, name: &FunctionName, past: &Past) -> Result<Source, DeployError> {
        let history = self.history.as_ref().ok_or(DeployError::Nowhere)?;
        let directory = self.directory.as_deref().ok_or(DeployError::Nowhere)?;
        let (module, manifest) = history.read(name, past)?;
        Ok(Source {
            name: name.clone(),
            origin: Origin::File(module_path(directory, name, &module)),
            module: module.into(),
            manifest: manifest.map(|text| (manifest_path(directory, name), text)),
            example: "",
        })
    }

    /// A manifest that came over the network gives no access to what the daemon was not told to give.
    fn check_directories(&self, source: &Source) -> Result<(), DeployError> {
        let Some((path, text)) = &source.manifest else { return Ok(()) };
        let manifest = Manifest::parse_at(path, text, &self.preparation.settings.ceilings).map_err(Broken::from)?;
        for directory in manifest.directories {
            let real = directory.host.canonicalize().unwrap_or_else(|_| directory.host.clone());
            let allowed = |root: &PathBuf| root.canonicalize().is_ok_and(|root| real.starts_with(root));
            if !self.bounds.directories.iter().any(allowed) {
                return Err(DeployError::Directory(directory.host));
            }
        }
        Ok(())
    }

    fn check_room(&self, name: &FunctionName) -> Result<(), Broken> {
        let (table, max) = (self.preparation.registry().table(), self.preparation.settings.functions_max);
        let has_room = table.functions.contains_key(name.as_str()) || table.functions.len() < max;
        if has_room { Ok(()) } else { Err(Broken::TooMany(max)) }
    }

    /// Compiles on a thread of its own, of a lower priority than those that run calls. One that takes too long is
    /// abandoned: it keeps its place among the compilations until it is done, since nothing can stop it.
    async fn compile(&self, source: Source) -> Result<Compiled, DeployError> {
        let place = self.compilers.enter().await?;
        let (done, compiled) = oneshot::channel();
        let preparation = self.preparation.clone();
        let work = move || {
            lower_priority();
            // Whoever waited may have given up.
            let _ = done.send(preparation.compile(source));
            drop(place);
        };
        let failed = |_| Broken::CompilerFailed;
        std::thread::Builder::new().name("compiler".into()).spawn(work).map_err(failed)?;
        match tokio::time::timeout(self.bounds.time, compiled).await {
            Ok(Ok(compiled)) => Ok(compiled?),
            Ok(Err(_)) => Err(Broken::CompilerFailed.into()),
            Err(_) => Err(Broken::TooSlow(self.bounds.time).into()),
        }
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
        &self,
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

/// Files that can be no function's; new ones are logged.
fn strays(listing: &Listing, before: &BTreeMap<Box<str>, BrokenFile>) -> BTreeMap<Box<str>, BrokenFile> {
    let stray = |(path, why): &(PathBuf, Broken)| {
        let (name, broken) = describe(path, why);
        let known = before.get(&name).filter(|known| (&known.path, &known.why) == (&broken.path, &broken.why));
        if known.is_none() {
            log_broken(path, why);
        }
        (name, known.cloned().unwrap_or(broken))
    };
    listing.strays.iter().map(stray).collect()
}
