//! The table of functions by name. Requests read it without a lock. A change replaces the whole table, so that a request sees
//! all of a version or nothing of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use nebula_metering::FunctionId;
use parking_lot::Mutex;

use super::broken::Broken;
use super::function::{Function, Revision};
use super::gateway::{ModuleRoute, Place};
use super::name::FunctionName;
use super::version::{TooManyVersions, Version};
use crate::causes::chain;
use crate::telemetry::escaped;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenFile {
    pub path: PathBuf,
    pub why: String,
    pub since: SystemTime,
}

impl BrokenFile {
    pub(super) fn new(path: &Path, why: &Broken) -> Self {
        let path = PathBuf::from(escaped(&path.display().to_string()));
        Self { path, why: escaped(&chain(why)), since: SystemTime::now() }
    }
}

#[derive(Clone, Default)]
pub struct Table {
    pub functions: BTreeMap<Box<str>, Arc<Function>>,
    /// Files that cannot be served, by their name without extension.
    pub broken: BTreeMap<Box<str>, BrokenFile>,
    /// Path prefixes from manifests, the longest first.
    routes: Vec<(Box<str>, Arc<Function>)>,
    /// Routes of a `modules.toml` whose modules cannot be served.
    pub lost: Vec<(Place, ModuleRoute)>,
    /// All routes of a `modules.toml`, in its order.
    modules: Vec<(Place, ModuleRoute, Option<Arc<Function>>)>,
}

#[derive(Default)]
struct Accounts {
    /// A version that is served again gets its old account.
    by_version: BTreeMap<(FunctionName, Version), FunctionId>,
    /// The account of what failed to compile under names that no function has.
    failed: Option<FunctionId>,
    revisions: BTreeMap<FunctionId, Arc<Revision>>,
}

impl Accounts {
    /// The next number. There are fewer than a million versions (`limits.versions`).
    fn next(&self) -> FunctionId {
        let number = self.by_version.len() + usize::from(self.failed.is_some());
        FunctionId(u32::try_from(number).unwrap_or(u32::MAX))
    }
}

pub struct Registry {
    table: ArcSwap<Table>,
    revisions: ArcSwap<BTreeMap<FunctionId, Arc<Revision>>>,
    accounts: Mutex<Accounts>,
    versions_max: usize,
}

impl Default for Registry {
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

impl Registry {
    pub fn new(versions_max: usize) -> Self {
        Self { table: ArcSwap::default(), revisions: ArcSwap::default(), accounts: Mutex::default(), versions_max }
    }

    pub fn table(&self) -> Arc<Table> {
        self.table.load_full()
    }

    /// The function whose manifest claims a prefix of this path, and that prefix.
    pub fn route<'path>(&self, path: &'path str) -> Option<(&'path str, Arc<Function>)> {
        let leads =
            |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let table = self.table.load();
        let (prefix, function) = table.routes.iter().find(|(prefix, _)| leads(prefix))?;
        Some((&path[..prefix.len()], function.clone()))
    }

    /// The first module of a `modules.toml` whose route matches this path. `Some(None)` if it cannot be served.
    pub fn module(&self, path: &str) -> Option<Option<Arc<Function>>> {
        let table = self.table.load();
        let first = table.modules.iter().find(|(_, route, _)| route.matches(path));
        first.map(|(_, _, function)| function.clone())
    }

    pub fn find(&self, name: &str) -> Option<Arc<Function>> {
        self.table.load().functions.get(name).cloned()
    }

    pub fn all(&self) -> Vec<Arc<Function>> {
        self.table.load().functions.values().cloned().collect()
    }

    /// The version that has this account, served or not.
    pub fn revision(&self, id: FunctionId) -> Option<Arc<Revision>> {
        self.revisions.load().get(&id).cloned()
    }

    /// Every version that is or was served, by account.
    pub fn revisions(&self) -> Arc<BTreeMap<FunctionId, Arc<Revision>>> {
        self.revisions.load_full()
    }

    /// The name and version of an account, even if the version was never served.
    pub fn version(&self, id: FunctionId) -> Option<(FunctionName, Version)> {
        let accounts = self.accounts.lock();
        accounts.by_version.iter().find(|(_, known)| **known == id).map(|(version, _)| version.clone())
    }

    /// The name of the function of this account, whether or not it ever came to be served.
    pub fn name(&self, id: FunctionId) -> Option<FunctionName> {
        let served = self.revision(id).map(|revision| revision.name.clone());
        served.or_else(|| self.version(id).map(|(name, _)| name))
    }

    /// The accounts of all versions of a function since the daemon started.
    pub fn accounts(&self, name: &str) -> Vec<FunctionId> {
        let revisions = self.revisions.load();
        revisions.values().filter(|revision| revision.name.as_str() == name).map(|revision| revision.id).collect()
    }

    /// Whether the version has an account, or could have one.
    pub fn check_account(&self, name: &FunctionName, version: Version) -> Result<(), TooManyVersions> {
        let accounts = self.accounts.lock();
        let has_room = accounts.by_version.len() < self.versions_max;
        let known = || accounts.by_version.contains_key(&(name.clone(), version));
        if has_room || known() { Ok(()) } else { Err(TooManyVersions(self.versions_max)) }
    }

    /// The account of a version, opened now if it has none.
    pub fn account(&self, name: &FunctionName, version: Version) -> Result<FunctionId, TooManyVersions> {
        let mut accounts = self.accounts.lock();
        if let Some(id) = accounts.by_version.get(&(name.clone(), version)) {
            return Ok(*id);
        }
        if accounts.by_version.len() >= self.versions_max {
            return Err(TooManyVersions(self.versions_max));
        }
        let id = accounts.next();
        accounts.by_version.insert((name.clone(), version), id);
        Ok(id)
    }

    /// The account of a version of this name that failed to compile: that of the version which is served, or one that all
    /// names share which are not. Whoever deploys nonsense uses up neither accounts nor labels.
    pub fn account_of_failed(&self, name: &FunctionName) -> FunctionId {
        if let Some(served) = self.find(name.as_str()) {
            return served.id;
        }
        let mut accounts = self.accounts.lock();
        let next = accounts.next();
        *accounts.failed.get_or_insert(next)
    }

    /// The revision of an account, made by `make` if the version was never served.
    pub(crate) fn open(&self, id: FunctionId, make: impl FnOnce() -> Revision) -> Arc<Revision> {
        let mut accounts = self.accounts.lock();
        accounts.revisions.entry(id).or_insert_with(|| Arc::new(make())).clone()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Table)) {
        let accounts = self.accounts.lock();
        let mut table = Table::clone(&self.table.load());
        change(&mut table);
        table.routes = routes(&table.functions);
        let served = table.functions.values().filter_map(|function| Some((function.gateway()?, function)));
        let served = served.map(|(gateway, function)| (gateway.place, gateway.route.clone(), Some(function.clone())));
        let lost = table.lost.iter().map(|(place, route)| (*place, route.clone(), None));
        table.modules = served.chain(lost).collect();
        table.modules.sort_by_key(|(place, ..)| *place);
        // The revisions first: whoever finds a function must find its revision.
        self.revisions.store(Arc::new(accounts.revisions.clone()));
        self.table.store(Arc::new(table));
    }
}

/// If two functions claim a route, the first by name gets it.
fn routes(functions: &BTreeMap<Box<str>, Arc<Function>>) -> Vec<(Box<str>, Arc<Function>)> {
    let mut routes = BTreeMap::<Box<str>, Arc<Function>>::new();
    for function in functions.values() {
        for route in &function.manifest.routes {
            match routes.get(&**route) {
                Some(owner) => {
                    let (name, owner) = (&function.name, &owner.name);
                    tracing::error!("`{name}` is not served at `{route}`: `{owner}` has that route");
                }
                None => drop(routes.insert(route.as_str().into(), function.clone())),
            }
        }
    }
    let mut routes: Vec<_> = routes.into_iter().collect();
    routes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
    routes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_one_account_up_to_the_limit() {
        let registry = Registry::new(2);
        let name = |name: &str| name.parse::<FunctionName>().unwrap();
        let (one, two) = (Version::of(b"1", ""), Version::of(b"2", ""));
        assert_eq!(registry.account(&name("a"), one), Ok(FunctionId(0)));
        assert_eq!(registry.account(&name("b"), one), Ok(FunctionId(1)));
        assert_eq!(registry.account(&name("a"), two), Err(TooManyVersions(2)));
        assert_eq!(registry.account(&name("a"), one), Ok(FunctionId(0)));
    }

    #[test]
    fn what_fails_to_compile_shares_an_account_and_takes_none_of_the_others() {
        let registry = Registry::new(2);
        let name = |name: &str| name.parse::<FunctionName>().unwrap();
        let (one, two) = (Version::of(b"1", ""), Version::of(b"2", ""));
        assert_eq!(registry.account(&name("a"), one), Ok(FunctionId(0)));
        assert_eq!(["x", "y", "x"].map(|failed| registry.account_of_failed(&name(failed))), [FunctionId(1); 3]);
        assert_eq!(registry.check_account(&name("a"), two), Ok(()));
        assert_eq!(registry.account(&name("a"), two), Ok(FunctionId(2)));
        assert_eq!(registry.check_account(&name("b"), two), Err(TooManyVersions(2)));
        assert_eq!((registry.check_account(&name("a"), one), registry.name(FunctionId(1))), (Ok(()), None));
    }
}
