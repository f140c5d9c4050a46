//! Brings the table of functions in step with the directory.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{DeployError, Deployer};
use crate::causes::chain;
use crate::functions::broken::Broken;
use crate::functions::commit::finish;
use crate::functions::directory::{Files, ListError, Listing, built_in, list};
use crate::functions::history::Past;
use crate::functions::load::{count, describe, report};
use crate::functions::name::FunctionName;
use crate::functions::registry::BrokenFile;
use crate::functions::source::Origin;

impl Deployer {
    /// Deploys what has changed in the directory. If a file fails to load, the log says why once and the previous version keeps
    /// serving.
    pub async fn refresh(&self) -> Result<(), ListError> {
        let Some(directory) = &self.directory else { return Ok(()) };
        let mut known = self.files.lock().await;
        let mut listing = list(directory)?;
        if !listing.unfinished.is_empty() {
            for name in &listing.unfinished {
                if let Err(error) = finish(directory, name) {
                    tracing::debug!("a deployment of `{name}` is not finished yet: {error}");
                }
            }
            listing = list(directory)?;
        }
        let before = self.preparation.registry.table().broken.clone();
        let mut broken = strays(&listing, &before);
        // Files elsewhere are read only when the daemon starts.
        broken.extend(before.clone().into_iter().filter(|(_, known)| !known.path.starts_with(directory)));
        for (name, files) in &listing.functions {
            if known.get(name) == Some(files) {
                broken.extend(before.get(name.as_str()).map(|broken| (name.as_str().into(), broken.clone())));
                continue;
            }
            known.insert(name.clone(), files.clone());
            if let Err(why) = self.replace(name, files).await {
                self.count("broken");
                broken.extend([report(files.path(), &why)]);
            }
        }
        let is_gone =
            |name: &&FunctionName| !listing.functions.contains_key(*name) && !listing.unfinished.contains(*name);
        let gone: Vec<_> = known.keys().filter(is_gone).cloned().collect();
        for name in gone {
            known.remove(&name);
            if self.live(&name).is_none_or(|live| live.is_as_built_in() || live.gateway().is_some()) {
                continue;
            }
            let again = match built_in(&name) {
                Some(source) => self.compile(source).await.ok(),
                None => None,
            };
            self.put(&name, again);
            self.count("removed");
            tracing::info!("removed `{name}`, which is no longer in `{}`", directory.display());
        }
        if broken != before {
            self.preparation.registry.change(|table| table.broken = broken);
        }
        count(&self.preparation);
        Ok(())
    }

    /// Keeps the versions that the daemon started with, for rollbacks.
    pub async fn keep_what_is_served(&self) {
        for function in self.preparation.registry.all() {
            if matches!(function.origin, Origin::BuiltIn) {
                continue;
            }
            let files = self.files.lock().await;
            let Some(of_function) = files.get(&function.name) else { continue };
            let Ok(source) = of_function.read(&function.name, self.preparation.settings.module_max) else { continue };
            // A file that has changed since is kept when it is deployed.
            let is_kept = |past: Vec<Past>| past.iter().any(|past| past.version == function.version);
            if source.version() == function.version
                && !self.past(&function.name).is_ok_and(is_kept)
                && let Err(error) = self.keep(&source)
            {
                tracing::warn!("{}", chain(&error));
                return;
            }
        }
    }

    async fn replace(&self, name: &FunctionName, files: &Files) -> Result<(), Broken> {
        if let Err(DeployError::OfModules { file, .. }) = self.check_modules(name) {
            return Err(Broken::OfModule(file));
        }
        let source = files.read(name, self.preparation.settings.module_max)?;
        if self.live(name).is_some_and(|live| live.version == source.version()) {
            return Ok(());
        }
        self.check_room(name)?;
        let compiled = match self.compile(source.clone()).await {
            Ok(compiled) => compiled,
            Err(DeployError::Broken(broken)) => return Err(broken),
            Err(_) => return Err(Broken::TooSlow(self.preparation.settings.deploy.time)),
        };
        if let Err(error) = self.keep(&source) {
            tracing::warn!("this version is not kept for rollbacks: {}", chain(&error));
        }
        let version = compiled.version();
        self.put(name, Some(compiled));
        self.count("deployed");
        tracing::info!("deployed `{name}` from `{}`, version {}", files.path().display(), version.short());
        Ok(())
    }
}

/// Files that belong to no function. New ones are logged.
fn strays(listing: &Listing, before: &BTreeMap<Box<str>, BrokenFile>) -> BTreeMap<Box<str>, BrokenFile> {
    let stray = |(path, why): &(PathBuf, Broken)| {
        let (name, broken) = describe(path, why);
        match before.get(&name).filter(|known| (&known.path, &known.why) == (&broken.path, &broken.why)) {
            Some(known) => (name, known.clone()),
            None => report(path, why),
        }
    };
    listing.strays.iter().map(stray).collect()
}
