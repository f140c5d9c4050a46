//! Parses a `modules.toml` as WAGI defines it. A mistake in one module is reported with its line and the others are served. If
//! the file does not parse, none is. Unknown keys are ignored with a warning: WAGI ignores them too, and its versions differ.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reqwest::Url;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::functions::gateway::{Argv, Gateway, ModuleRoute, Place};
use crate::functions::name::FunctionName;
use crate::settings::nearest;

const KEYS: [&str; 10] = [
    "route",
    "module",
    "entrypoint",
    "volumes",
    "environment",
    "allowed_hosts",
    "http_max_concurrency",
    "argv",
    "bindle_server",
    "repository",
];

/// The wildcard for hosts in WAGI. Source: the crate `wasi-experimental-http`, which WAGI gives to modules.
const ALL_HOSTS: &str = "insecure:allow-all";

/// The longest name made from a route. It leaves some characters for a suffix.
const NAME_MAX: usize = 50;

#[derive(Clone, Debug)]
pub struct Module {
    pub name: FunctionName,
    pub path: PathBuf,
    /// The text of a manifest that says what it may do.
    pub manifest: String,
    pub gateway: Arc<Gateway>,
}

#[derive(Clone, Debug)]
pub enum Listed {
    Module(Module),
    Wrong(WrongModule),
}

/// A module that cannot be served.
#[derive(Clone, Debug)]
pub struct WrongModule {
    /// Its route, if that is known.
    pub route: Option<ModuleRoute>,
    pub place: Place,
    /// Where it begins in the file.
    pub line: usize,
    pub mistakes: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct ModulesFile {
    pub listed: Vec<Listed>,
    /// What is ignored, as WAGI does: keys of later or earlier versions.
    pub warnings: Vec<String>,
}

/// Parses `text`, the file at `path`. Relative paths start at the folder of the file or, as with WAGI, at the daemon's working
/// directory.
pub fn parse(path: &Path, text: &str) -> Result<ModulesFile, String> {
    let line = |at: usize| line_of(text, at);
    let document = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        format!("line {}: {}", line(at), error.message())
    })?;
    let (mut modules, mut warnings) = (None, Vec::new());
    for (key, value) in document.get_ref() {
        if key.get_ref() == "module" {
            modules = Some(value);
        } else {
            let key_line = line(key.span().start);
            warnings.push(format!("line {key_line}: unknown key `{}`; modules are in `[[module]]`", key.get_ref()));
        }
    }
    let Some(modules) = modules else {
        return Err(warnings.into_iter().next().unwrap_or_else(|| "it has no `[[module]]`".to_owned()));
    };
    let list = modules.get_ref().as_array();
    let list = list.ok_or_else(|| format!("line {}: modules are in `[[module]]`", line(modules.span().start)))?;
    let (mut names, mut routes) = (BTreeSet::new(), BTreeMap::new());
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut listed = Vec::new();
    for (position, value) in list.iter().enumerate() {
        let (own_line, place) = (line(value.span().start), (position, usize::MAX));
        let mut entry = Entry { text, folder, mistakes: Vec::new(), warnings: &mut warnings };
        let (route, module) = match value.get_ref().as_table() {
            Some(table) => entry.read(table, own_line),
            None => (None, None),
        };
        let name = name(route.as_ref(), module.as_ref().map(|module| &*module.path), &mut names);
        if let Some(route) = &route
            && let Some(first) = routes.insert(route.as_str().to_owned(), own_line)
        {
            entry
                .mistakes
                .push(format!("line {own_line}: the module of line {first} has the route `{}`", route.as_str()));
        }
        listed.push(match (route, module, name, entry.mistakes) {
            (Some(route), Some(parts), Some(name), mistakes) if mistakes.is_empty() => {
                let Parts { path: module, entry, argv, connections, manifest } = parts;
                let gateway = Gateway { file: path.into(), place, route, argv, entry, connections };
                Listed::Module(Module { name, path: module, manifest, gateway: Arc::new(gateway) })
            }
            (route, _, _, mistakes) => Listed::Wrong(WrongModule { route, place, line: own_line, mistakes }),
        });
    }
    Ok(ModulesFile { listed, warnings })
}

/// A module without its route.
struct Parts {
    path: PathBuf,
    entry: Option<String>,
    argv: Argv,
    connections: Option<usize>,
    manifest: String,
}

/// A module that is being parsed.
struct Entry<'a> {
    text: &'a str,
    folder: &'a Path,
    mistakes: Vec<String>,
    warnings: &'a mut Vec<String>,
}

type Value<'a, 'i> = &'a Spanned<DeValue<'i>>;

impl Entry<'_> {
    fn wrong(&mut self, at: usize, why: &str) {
        self.mistakes.push(format!("line {}: {why}", line_of(self.text, at)));
    }

    fn read(&mut self, table: &DeTable<'_>, own_line: usize) -> (Option<ModuleRoute>, Option<Parts>) {
        for key in table.keys().filter(|key| !KEYS.contains(&&**key.get_ref())) {
            let meant = nearest(key.get_ref(), KEYS.iter().copied());
            let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
            let key_line = line_of(self.text, key.span().start);
            self.warnings.push(format!("line {key_line}: unknown key `{}` in a module{meant}", key.get_ref()));
        }
        let value = |name: &str| table.iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value);
        if let Some(server) = value("bindle_server") {
            self.wrong(server.span().start, "`bindle_server` is not supported: modules must be files");
        }
        for needed in ["route", "module"] {
            if value(needed).is_none() {
                self.mistakes.push(format!("line {own_line}: `{needed}` is missing"));
            }
        }
        let route = value("route").and_then(|value| self.text("route", value, ModuleRoute::parse));
        let folder = self.folder;
        let path = value("module").and_then(|value| self.text("module", value, |text| file(folder, text)));
        let entry = value("entrypoint").and_then(|value| self.text("entrypoint", value, |text| Ok(text.to_owned())));
        let argv = value("argv").and_then(|value| self.text("argv", value, |text| Ok(Argv::parse(text))));
        let connections = value("http_max_concurrency").and_then(|value| self.count("http_max_concurrency", value));
        let mut manifest = toml::Table::new();
        if let Some(environment) = value("environment") {
            let pairs = self.pairs("environment", environment).into_iter();
            manifest.insert(
                "env".into(),
                pairs.map(|(name, value, _)| (name, value.into())).collect::<toml::Table>().into(),
            );
        }
        if let Some(volumes) = value("volumes") {
            manifest.insert("directories".into(), self.volumes(volumes).into());
        }
        if let Some(hosts) = value("allowed_hosts") {
            manifest.insert("outbound".into(), self.hosts(hosts).into());
        }
        let entry = entry.filter(|entry| entry != "_start");
        // A comment, so that what is no key of a manifest still makes a different version.
        let comment = format!("# {route:?} {entry:?} {argv:?} {connections:?}\n");
        let parts = path.map(|path| Parts {
            path,
            entry,
            argv: argv.unwrap_or_default(),
            connections,
            manifest: comment + &manifest.to_string(),
        });
        (route, parts)
    }

    fn text<T>(&mut self, key: &str, value: Value<'_, '_>, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let read = match value.get_ref().as_str() {
            Some(text) => read(text).map_err(|why| format!("invalid value `{text}` for `{key}`: {why}")),
            None => Err(format!("`{key}` must be text")),
        };
        read.map_err(|why| self.wrong(value.span().start, &why)).ok()
    }

    fn count(&mut self, key: &str, value: Value<'_, '_>) -> Option<usize> {
        let number = value.get_ref().as_integer().filter(|number| number.radix() == 10);
        let number = number.and_then(|number| number.as_str().parse().ok()).filter(|number| *number > 0);
        if number.is_none() {
            self.wrong(value.span().start, &format!("`{key}` must be a whole number from 1"));
        }
        number
    }

    fn pairs(&mut self, key: &str, value: Value<'_, '_>) -> Vec<(String, String, usize)> {
        let Some(table) = value.get_ref().as_table() else {
            self.wrong(value.span().start, &format!("`{key}` must be a table of texts"));
            return Vec::new();
        };
        let mut pairs = Vec::new();
        for (name, value) in table {
            if let Some(text) = self.text(&format!("{key}.{}", name.get_ref()), value, |text| Ok(text.to_owned())) {
                pairs.push((name.get_ref().clone().into_owned(), text, value.span().start));
            }
        }
        pairs
    }

    /// Volumes are writable, as with WAGI.
    fn volumes(&mut self, value: Value<'_, '_>) -> Vec<toml::Value> {
        let mut directories = Vec::new();
        for (guest, host, at) in self.pairs("volumes", value) {
            let found = below(self.folder, Path::new(&host));
            if !found.is_dir() {
                self.wrong(at, &format!("there is no directory `{host}` for the volume `{guest}`"));
                continue;
            }
            let host = found.to_string_lossy().into_owned();
            let directory = [("host", host.into()), ("guest", guest.into()), ("writable", true.into())];
            let directory: toml::Table = directory.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
            directories.push(directory.into());
        }
        directories
    }

    fn hosts(&mut self, value: Value<'_, '_>) -> Vec<String> {
        let Some(list) = value.get_ref().as_array() else {
            self.wrong(value.span().start, "`allowed_hosts` must be a list of texts");
            return Vec::new();
        };
        let mut hosts = Vec::new();
        for host in list {
            match self.text("allowed_hosts", host, |text| Ok(text.trim_end_matches('/').to_owned())) {
                Some(all) if all == ALL_HOSTS => hosts.extend(["https://*".to_owned(), "http://*".to_owned()]),
                host => hosts.extend(host),
            }
        }
        hosts
    }
}

fn file(folder: &Path, text: &str) -> Result<PathBuf, String> {
    let scheme = text.split_once(':').map(|(scheme, _)| scheme);
    match scheme.filter(|scheme| scheme.len() > 1 && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
        Some("file") => {
            let path = text.parse::<Url>().ok().and_then(|url| url.to_file_path().ok());
            path.ok_or_else(|| "it must be a path on this machine, such as file:///srv/hello.wasm".into())
        }
        Some(_) => Err("modules must be files: download it and name the file".into()),
        None if text.is_empty() => Err("it must name a file".into()),
        None => Ok(below(folder, Path::new(text))),
    }
}

fn below(folder: &Path, path: &Path) -> PathBuf {
    let here = folder.join(path);
    let here = if here.exists() || !path.exists() { here } else { path.to_owned() };
    std::path::absolute(&here).unwrap_or(here)
}

/// A function's name: the route, with `-` for characters that names cannot have, or the name of the file for the root. A
/// reserved name gets the suffix `-module`, the second of the same name `-2`.
pub fn name(route: Option<&ModuleRoute>, module: Option<&Path>, taken: &mut BTreeSet<String>) -> Option<FunctionName> {
    let route = route?.as_str().trim_end_matches("...");
    let stem = || module.and_then(Path::file_stem).map(|stem| plain(&stem.to_string_lossy())).unwrap_or_default();
    let base = [plain(route), stem(), "module".into()].into_iter().find(|name| !name.is_empty())?;
    let base = if base.parse::<FunctionName>().is_ok() { base } else { format!("{base}-module") };
    let numbered = (2..).map(|number| format!("{base}-{number}"));
    let free = std::iter::once(base.clone()).chain(numbered).find(|name| !taken.contains(name))?;
    taken.insert(free.clone());
    free.parse().ok()
}

fn plain(text: &str) -> String {
    let allowed = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_';
    let mut name = String::new();
    for character in text.to_ascii_lowercase().chars() {
        match character {
            character if allowed(character) => name.push(character),
            _ if !name.ends_with('-') => name.push('-'),
            _ => {}
        }
    }
    let name = name.trim_matches(['-', '_']);
    name.get(..NAME_MAX).unwrap_or(name).trim_end_matches('-').to_owned()
}

fn line_of(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or_default().bytes().filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests;
