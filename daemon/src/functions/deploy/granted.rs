//! What a manifest that is deployed over the network may ask for: directories, hosts and sockets that the configuration allows, and
//! routes that nobody else has.

use std::path::PathBuf;

use nebula_runtime::{Policy, SocketPolicy, shortened};

use super::{DeployError, Deployer};
use crate::functions::broken::Broken;
use crate::functions::function::Function;
use crate::functions::prepare::Compiled;
use crate::functions::source::Source;

impl Deployer {
    pub(super) fn check_grants(&self, source: &Source) -> Result<(), DeployError> {
        let Some((path, text)) = &source.manifest else { return Ok(()) };
        let manifest = self.preparation.parse_manifest(path, text).map_err(Broken::from)?;
        let allowed = &self.preparation.settings.deploy;
        for directory in manifest.directories {
            let real = directory.host.canonicalize().unwrap_or_else(|_| directory.host.clone());
            let below = |root: &PathBuf| root.canonicalize().is_ok_and(|root| real.starts_with(root));
            if !allowed.directories.iter().any(below) {
                return Err(DeployError::Directory(shortened(&directory.host.to_string_lossy())));
            }
            if directory.special {
                return Err(DeployError::Special(shortened(&directory.host.to_string_lossy())));
            }
        }
        for host in manifest.outbound {
            let policy = Policy::parse([host.as_str()]).map_err(Broken::Outbound)?;
            if !allowed.outbound.includes(&policy) {
                return Err(DeployError::Outbound(shortened(&host)));
            }
        }
        for sockets in manifest.network {
            let policy = SocketPolicy::parse([sockets.as_str()]).map_err(Broken::Network)?;
            if !allowed.network.includes(&policy) {
                return Err(DeployError::Network(shortened(&sockets)));
            }
        }
        Ok(())
    }

    /// Neither may a new route lead to where another function is reached, nor a new function be named after another's route.
    /// Whoever keeps files in the directory may do both.
    pub(super) fn check_routes(&self, compiled: &Compiled, live: Option<&Function>) -> Result<(), DeployError> {
        let (name, table) = (compiled.name().as_str(), self.preparation.registry.table());
        let others = || table.functions.values().filter(|other| other.name.as_str() != name);
        let had = |route: &String| live.is_some_and(|live| live.manifest.routes.contains(route));
        let leads =
            |route: &str, to: &str| to.strip_prefix(route).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        for route in compiled.routes().iter().filter(|route| !had(route)) {
            let is_there = |other: &&std::sync::Arc<Function>| {
                leads(&format!("/{}", other.name), route)
                    || other.manifest.routes.iter().any(|theirs| leads(theirs, route))
            };
            if let Some(other) = others().find(is_there) {
                return Err(DeployError::Route { route: shortened(route), owner: other.name.clone() });
            }
        }
        let own = format!("/{name}");
        match others().find(|other| live.is_none() && other.manifest.routes.contains(&own)) {
            Some(other) => Err(DeployError::Route { route: own, owner: other.name.clone() }),
            None => Ok(()),
        }
    }
}
