//! Reads the values of options and collects everything that is wrong with them.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use super::{Layers, duration, size};

/// Everything that is wrong with the configuration.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{}", .0.join("\n"))]
pub struct Mistakes(pub Vec<String>);

/// Collects mistakes while values are read. In place of an invalid value it returns the default; [`Checker::finish`] sees
/// to it that a configuration with mistakes is never used.
pub struct Checker<'a> {
    layers: &'a Layers,
    mistakes: Vec<String>,
}

impl<'a> Checker<'a> {
    /// `mistakes` are those that were found before, in the file itself.
    #[must_use]
    pub fn new(layers: &'a Layers, mistakes: Vec<String>) -> Self {
        Self { layers, mistakes }
    }

    pub fn finish(self) -> Result<(), Mistakes> {
        if self.mistakes.is_empty() { Ok(()) } else { Err(Mistakes(self.mistakes)) }
    }

    /// The text given for an option, valid or not.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&'a str> {
        self.layers.value(key).map(|(text, _)| text)
    }

    /// Reports the value of an option as a mistake, if it has one.
    pub fn refuse(&mut self, key: &str, why: impl Display) {
        if let Some((value, origin)) = self.layers.value(key) {
            self.mistakes.push(format!("invalid value `{value}` for {origin}: {why}"));
        }
    }

    pub fn optional<T>(&mut self, key: &str, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        match read(self.text(key)?) {
            Ok(value) => Some(value),
            Err(why) => {
                self.refuse(key, why);
                read(self.layers.default_of(key)?).ok()
            }
        }
    }

    /// # Panics
    /// If the table gives the option no valid default; a test reads all defaults.
    pub fn parse<T>(&mut self, key: &str, read: impl Fn(&str) -> Result<T, String>) -> T {
        match self.optional(key, read) {
            Some(value) => value,
            None => unreachable!("the option `{key}` has a valid default"),
        }
    }
}

/// The times that most options may have.
pub const UP_TO_A_DAY: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(86_400);

/// Reads a duration within `range`.
pub fn duration_in(range: RangeInclusive<Duration>) -> impl Fn(&str) -> Result<Duration, String> {
    move |text| {
        let value = Some(duration(text)?).filter(|value| range.contains(value));
        value.ok_or_else(|| format!("it must be from {:?} to {:?}", range.start(), range.end()))
    }
}

/// Reads a size within `range`, which is in bytes.
pub fn size_in<T: TryFrom<u64>>(range: RangeInclusive<u64>) -> impl Fn(&str) -> Result<T, String> {
    move |text| {
        let value = Some(size(text)?).filter(|value| range.contains(value)).and_then(|value| value.try_into().ok());
        value.ok_or_else(|| format!("it must be from {} to {} bytes", range.start(), range.end()))
    }
}

/// Reads a whole number within `range`.
pub fn number_in<T: FromStr + PartialOrd + Display>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, String> {
    move |text| {
        let value = text.trim().parse().ok().filter(|value| range.contains(value));
        value.ok_or_else(|| format!("it must be a whole number from {} to {}", range.start(), range.end()))
    }
}

/// Reads one of a few words.
pub fn one_of<T: Copy>(choices: &[(&'static str, T)]) -> impl Fn(&str) -> Result<T, String> {
    move |text| {
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        let found = choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice);
        found.ok_or_else(|| format!("it must be one of {}", names.join(", ")))
    }
}

pub fn file_path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("it must be a path".into()) } else { Ok(text.into()) }
}
