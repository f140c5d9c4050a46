//! Puts together what flags, the environment and the file say, and remembers where each value came from.

use std::collections::BTreeMap;
use std::path::Path;

use toml::{Table, Value};

use super::{Setting, nearest};

/// The values of the options, by key, each from the strongest layer that has it.
#[derive(Debug, Default)]
pub struct Layers {
    /// Each value, and where it came from in the words of an error message.
    values: BTreeMap<&'static str, (String, String)>,
    defaults: BTreeMap<&'static str, &'static str>,
}

impl Layers {
    /// Flags override variables, variables override the file, and the file overrides defaults.
    pub fn stack(
        options: impl IntoIterator<Item = Setting>,
        flags: impl Fn(&str) -> Option<String>,
        variables: impl Fn(&str) -> Option<String>,
        file: &BTreeMap<String, String>,
    ) -> Self {
        let mut layers = Self::default();
        for option in options {
            let (key, flag, variable) = (option.key, option.flag(), option.variable());
            let from_flag = || flags(key).map(|value| (value, format!("--{flag}")));
            let from_variable = || variables(&variable).map(|value| (value, variable.clone()));
            let from_file = || file.get(key).map(|value| (value.clone(), format!("{key} in the configuration file")));
            let from_default = || option.default.map(|value| (value.into(), format!("the default of {key}")));
            if let Some(value) = from_flag().or_else(from_variable).or_else(from_file).or_else(from_default) {
                layers.values.insert(key, value);
            }
            layers.defaults.extend(option.default.map(|default| (key, default)));
        }
        layers
    }

    /// The value of an option and where it came from.
    pub(super) fn value(&self, key: &str) -> Option<(&str, &str)> {
        self.values.get(key).map(|(value, origin)| (value.as_str(), origin.as_str()))
    }

    pub(super) fn default_of(&self, key: &str) -> Option<&'static str> {
        self.defaults.get(key).copied()
    }
}

/// Says which keys of the file are no options, and which were probably meant.
#[must_use]
pub fn unknown_keys(file: &BTreeMap<String, String>, options: impl Iterator<Item = Setting>) -> Vec<String> {
    let known: Vec<_> = options.map(|option| option.key).collect();
    let unknown = file.keys().filter(|key| !known.contains(&key.as_str()));
    let mistake = |key: &String| {
        let meant = nearest(key, known.iter().copied());
        let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
        format!("`{key}` in the configuration file is not an option{meant}")
    };
    unknown.map(mistake).collect()
}

/// Reads a file of options into dotted keys and their values as text.
pub fn read_file(path: &Path, mistakes: &mut Vec<String>) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    match std::fs::read_to_string(path) {
        Ok(text) => match text.parse::<Table>() {
            Ok(table) => flatten("", table, &mut values, mistakes),
            Err(error) => mistakes.push(format!("`{}` is not TOML: {error}", path.display())),
        },
        Err(error) => mistakes.push(format!("cannot read the configuration file `{}`: {error}", path.display())),
    }
    values
}

fn flatten(prefix: &str, table: Table, values: &mut BTreeMap<String, String>, mistakes: &mut Vec<String>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value {
            Value::Table(table) => flatten(&key, table, values, mistakes),
            Value::String(text) => drop(values.insert(key, text)),
            Value::Integer(number) => drop(values.insert(key, number.to_string())),
            Value::Boolean(value) => drop(values.insert(key, value.to_string())),
            Value::Float(number) => drop(values.insert(key, number.to_string())),
            Value::Array(_) | Value::Datetime(_) => {
                mistakes.push(format!("`{key}` in the configuration file must be a string or a number"));
            }
        }
    }
}
