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

    /// # Errors
    /// All mistakes together, if there are any.
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

    pub fn duration(&mut self, key: &str, range: &RangeInclusive<Duration>) -> Duration {
        self.parse(key, |text| {
            let value = duration(text)?;
            let (least, most) = (range.start(), range.end());
            if range.contains(&value) { Ok(value) } else { Err(format!("it must be from {least:?} to {most:?}")) }
        })
    }

    pub fn size(&mut self, key: &str, range: RangeInclusive<u64>) -> usize {
        self.parse(key, |text| {
            let value = size(text)?;
            let (least, most) = (range.start(), range.end());
            let wrong = || format!("it must be from {least} to {most} bytes");
            if range.contains(&value) { usize::try_from(value).map_err(|_| wrong()) } else { Err(wrong()) }
        })
    }

    pub fn number<T: FromStr + PartialOrd + Display>(&mut self, key: &str, range: RangeInclusive<T>) -> T {
        self.parse(key, |text| within(text, &range))
    }
}

/// # Errors
/// If `text` is not a whole number within `range`.
pub fn within<T: FromStr + PartialOrd + Display>(text: &str, range: &RangeInclusive<T>) -> Result<T, String> {
    let value = text.trim().parse().ok().filter(|value| range.contains(value));
    value.ok_or_else(|| format!("it must be a whole number from {} to {}", range.start(), range.end()))
}

/// Reads one of a few words.
pub fn one_of<T: Copy>(choices: &[(&'static str, T)]) -> impl Fn(&str) -> Result<T, String> {
    move |text| {
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        let found = choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice);
        found.ok_or_else(|| format!("it must be one of {}", names.join(", ")))
    }
}

/// # Errors
/// If `text` is empty.
pub fn file_path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("it must be a path".into()) } else { Ok(text.into()) }
}
