//! Reads the tables of a manifest, and collects every mistake on the way.

use std::collections::{BTreeMap, BTreeSet};

use nebula_runtime::shortened;
use toml::{Table, Value};

use super::mistake::{Mistake, kind};
use crate::settings::nearest;

pub const KEYS: &[&str] = &[
    "env",
    "args",
    "entry",
    "outbound",
    "network",
    "reuse",
    "priority",
    "routes",
    "directories",
    "directories.host",
    "directories.guest",
    "directories.writable",
    "directories.special",
    "limits",
    "limits.memory",
    "limits.wall",
    "limits.cpu",
    "limits.max_joules",
    "limits.output",
    "limits.concurrency",
    "quota",
    "quota.calls_per_second",
    "quota.concurrency",
    "quota.joules_per_hour",
];

/// The keys of a kind of file, as paths with dots.
#[derive(Clone, Copy)]
pub struct KnownKeys {
    /// What kind of file it is, in words.
    pub file: &'static str,
    pub keys: &'static [&'static str],
}

const OF_A_MANIFEST: KnownKeys = KnownKeys { file: "a manifest", keys: KEYS };

pub enum Wrong {
    /// It must be of this type.
    Type(&'static str),
    /// It has the right type; this is what is wrong.
    Value(String),
}

pub const TWICE: &str = "it is a duplicate";

/// One table that is being read.
pub struct Keys<'t, 'm> {
    table: &'t Table,
    /// Its path in the file.
    path: String,
    known: KnownKeys,
    mistakes: &'m mut Vec<Mistake>,
}

impl<'t, 'm> Keys<'t, 'm> {
    pub fn all(table: &'t Table, mistakes: &'m mut Vec<Mistake>) -> Self {
        Self::of(table, OF_A_MANIFEST, mistakes)
    }

    /// A file with the keys `known`.
    pub fn of(table: &'t Table, known: KnownKeys, mistakes: &'m mut Vec<Mistake>) -> Self {
        Self { table, path: String::new(), known, mistakes }.known("")
    }

    /// Reports unknown keys. `prefix` is the path of this table.
    fn known(self, prefix: &str) -> Self {
        let KnownKeys { file, keys } = self.known;
        for name in self.table.keys() {
            let known = format!("{prefix}{name}");
            // A quoted key that contains a dot is not the path that it looks like.
            if name.contains('.') || !keys.contains(&known.as_str()) {
                let (key, nearest) = (self.key(name), nearest(&known, keys.iter().copied()));
                self.mistakes.push(Mistake::UnknownKey { key, file, nearest });
            }
        }
        self
    }

    fn key(&self, name: &str) -> String {
        let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let name = if !name.is_empty() && name.bytes().all(bare) { name.to_owned() } else { format!("{name:?}") };
        let name = shortened(&name);
        if self.path.is_empty() { name } else { format!("{}.{name}", self.path) }
    }

    fn keep<T>(&mut self, key: String, value: &Value, read: Result<T, Wrong>) -> Option<T> {
        let mistake = match read {
            Ok(read) => return Some(read),
            Err(Wrong::Type(wanted)) => Mistake::Type { key, found: kind(value), wanted },
            Err(Wrong::Value(why)) => Mistake::value(key, value, why),
        };
        self.mistakes.push(mistake);
        None
    }

    /// The value of an optional key.
    pub fn value<T>(&mut self, name: &str, read: impl FnOnce(&'t Value) -> Result<T, Wrong>) -> Option<T> {
        let value = self.table.get(name)?;
        self.keep(self.key(name), value, read(value))
    }

    /// The value of a required key.
    pub fn needed<T>(&mut self, name: &str, read: impl FnOnce(&'t Value) -> Result<T, Wrong>) -> Option<T> {
        if !self.table.contains_key(name) {
            self.mistakes.push(Mistake::Missing { key: self.key(name) });
        }
        self.value(name, read)
    }

    /// The elements of a list.
    pub fn list<T>(&mut self, name: &str, mut read: impl FnMut(&Value) -> Result<T, Wrong>) -> Vec<T> {
        let elements = self.value(name, array).unwrap_or_default();
        let key = self.key(name);
        let element = |(index, value)| self.keep(format!("{key}[{index}]"), value, read(value));
        elements.iter().enumerate().filter_map(element).collect()
    }

    /// The elements of a list without duplicates.
    pub fn distinct(&mut self, name: &str, read: impl Fn(&Value) -> Result<String, Wrong>) -> Vec<String> {
        let mut seen = BTreeSet::new();
        self.list(name, |value| {
            let element = read(value)?;
            if seen.insert(element.clone()) { Ok(element) } else { Err(Wrong::Value(TWICE.into())) }
        })
    }

    /// The pairs of a table with arbitrary keys.
    pub fn map(
        &mut self,
        name: &str,
        read: impl Fn(&str, &Value) -> Result<String, Wrong>,
    ) -> BTreeMap<String, String> {
        let Some(mut keys) = self.inner(name) else { return BTreeMap::new() };
        let pairs = keys.table;
        let pair = |(name, value): (&String, &Value)| {
            Some((name.clone(), keys.keep(keys.key(name), value, read(name, value))?))
        };
        pairs.iter().filter_map(pair).collect()
    }

    pub fn table(&mut self, name: &str) -> Option<Keys<'t, '_>> {
        Some(self.inner(name)?.known(&format!("{name}.")))
    }

    /// The tables in the list of this name.
    pub fn tables<T>(&mut self, name: &str, mut read: impl FnMut(&mut Keys<'t, '_>) -> Option<T>) -> Vec<T> {
        let (elements, key) = (self.value(name, array).unwrap_or_default(), self.key(name));
        let element = |(index, value): (usize, &'t Value)| {
            let path = format!("{key}[{index}]");
            let table = self.keep(path.clone(), value, table(value))?;
            read(&mut Keys { table, path, known: self.known, mistakes: self.mistakes }.known(&format!("{name}.")))
        };
        elements.iter().enumerate().filter_map(element).collect()
    }

    fn inner(&mut self, name: &str) -> Option<Keys<'t, '_>> {
        let table = self.value(name, table)?;
        Some(Keys { table, path: self.key(name), known: self.known, mistakes: self.mistakes })
    }

    /// The tables in the table of this name. `check` accepts their names; their keys are `known`.
    pub fn each<T>(
        &mut self,
        name: &str,
        known: KnownKeys,
        check: impl Fn(&str) -> Result<(), String>,
        mut read: impl FnMut(&str, &mut Keys<'t, '_>) -> Option<T>,
    ) -> Vec<T> {
        let Some(mut keys) = self.inner(name) else { return Vec::new() };
        let tables = keys.table;
        let one = |(name, value): (&'t String, &'t Value)| {
            let path = keys.key(name);
            if let Err(why) = check(name) {
                keys.mistakes.push(Mistake::value(keys.path.clone(), &Value::String(name.clone()), why));
                return None;
            }
            let table = keys.keep(path.clone(), value, table(value))?;
            read(name, &mut Keys { table, path, known, mistakes: keys.mistakes }.known(""))
        };
        tables.iter().filter_map(one).collect()
    }
}

fn array(value: &Value) -> Result<&[Value], Wrong> {
    value.as_array().map(Vec::as_slice).ok_or(Wrong::Type("a list"))
}

fn table(value: &Value) -> Result<&Table, Wrong> {
    value.as_table().ok_or(Wrong::Type("a table"))
}
