//! Puts together what flags, the environment and the file say, and remembers who said it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use toml::{Table, Value};

use super::carbon::FRACTIONS;
use super::nearest::nearest;
use super::options::{OPTIONS, ServeOption};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag on the command line.
    Flag(String),
    /// An environment variable.
    Variable(String),
    /// A key in the file.
    File(String),
    /// Nobody said anything.
    Default(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Variable(variable) => write!(f, "{variable}"),
            Self::File(key) => write!(f, "{key} in the configuration file"),
            Self::Default(key) => write!(f, "the default of {key}"),
        }
    }
}

/// The flag of an option.
#[must_use]
pub fn flag(option: &ServeOption) -> String {
    option.key.replace('.', "-")
}

/// The environment variable of an option.
#[must_use]
pub fn variable(option: &ServeOption) -> String {
    format!("NEBULA_{}", option.key.replace(['.', '-'], "_").to_uppercase())
}

/// The values of the options, by key, each from the strongest layer that has it.
#[derive(Debug, Default)]
pub struct Layers {
    values: BTreeMap<&'static str, (String, Origin)>,
}

impl Layers {
    /// Flags go before variables, variables before the file, the file before defaults. `file` is the parsed file, and
    /// what is wrong with it goes to `mistakes`.
    pub fn stack(
        flags: impl Fn(&str) -> Option<String>,
        variables: impl Fn(&str) -> Option<String>,
        file: &BTreeMap<String, String>,
        mistakes: &mut Vec<String>,
    ) -> Self {
        let mut values = BTreeMap::new();
        for option in OPTIONS {
            let (flag, variable) = (flag(option), variable(option));
            let from_flag = || flags(option.key).map(|value| (value, Origin::Flag(format!("--{flag}"))));
            let from_variable = || variables(&variable).map(|value| (value, Origin::Variable(variable.clone())));
            let from_file = || file.get(option.key).map(|value| (value.clone(), Origin::File(option.key.into())));
            let from_default = || option.default.map(|value| (value.into(), Origin::Default(option.key)));
            if let Some(value) = from_flag().or_else(from_variable).or_else(from_file).or_else(from_default) {
                values.insert(option.key, value);
            }
        }
        for key in file.keys().filter(|key| !OPTIONS.iter().any(|option| option.key == *key)) {
            let meant = nearest(key, OPTIONS.iter().map(|option| option.key));
            let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
            mistakes.push(format!("`{key}` in the configuration file is not an option{meant}"));
        }
        Self { values }
    }

    /// The value of an option and where it came from.
    pub fn value(&self, key: &str) -> Option<(&str, &Origin)> {
        self.values.get(key).map(|(value, origin)| (value.as_str(), origin))
    }
}

/// Reads a file of options into keys with dots and values as text. What is wrong goes to `mistakes`.
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
            Value::Float(number) if FRACTIONS.contains(&&*key) => drop(values.insert(key, number.to_string())),
            Value::Float(_) | Value::Array(_) | Value::Datetime(_) => {
                mistakes.push(format!("`{key}` in the configuration file is neither text nor a whole number"));
            }
        }
    }
}
