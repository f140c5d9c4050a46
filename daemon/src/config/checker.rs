//! Reads values, and collects what is wrong with them.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::{Expose, Layers, OPTIONS, duration, size};

/// Collects mistakes while values are read. A value that is wrong is replaced by its default, which is never used,
/// since a configuration with mistakes is not given out.
pub(super) struct Checker<'a> {
    pub(super) layers: &'a Layers,
    pub(super) mistakes: Vec<String>,
}

impl Checker<'_> {
    pub(super) fn optional<T>(&mut self, key: &str, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let (value, origin) = self.layers.value(key)?;
        match read(value) {
            Ok(value) => Some(value),
            Err(why) => {
                self.mistakes.push(format!("`{value}` is no good for {origin}: {why}"));
                let default = OPTIONS.iter().find(|option| option.key == key).and_then(|option| option.default)?;
                read(default).ok()
            }
        }
    }

    /// Two doors are two, and somebody must see what callers must not.
    pub(super) fn doors(&mut self, listen: SocketAddr, admin: Option<SocketAddr>, expose: Expose) {
        // An address that could not be read is a mistake of its own.
        let given = self.layers.value("admin.listen");
        if expose == Expose::Operators
            && given.is_none()
            && self.layers.value("tokens").is_none()
            && let Some((value, origin)) = self.layers.value("energy.expose")
        {
            self.mistakes.push(format!(
                "`{value}` is no good for {origin}: nobody could see the joules; give operators an address of their own \
                 with admin.listen, or tokens"
            ));
        }
        if admin == Some(listen)
            && listen.port() != 0
            && let Some((value, origin)) = given
        {
            self.mistakes.push(format!("`{value}` is no good for {origin}: callers have this address"));
        }
    }

    /// # Panics
    /// When an option of the table has no good default; a test reads all defaults.
    pub(super) fn parse<T>(&mut self, key: &str, read: impl Fn(&str) -> Result<T, String>) -> T {
        match self.optional(key, read) {
            Some(value) => value,
            None => unreachable!("the option `{key}` has a default that can be read"),
        }
    }

    pub(super) fn duration(&mut self, key: &str, range: &RangeInclusive<Duration>) -> Duration {
        self.parse(key, |text| {
            let value = duration(text)?;
            let (least, most) = (range.start(), range.end());
            if range.contains(&value) { Ok(value) } else { Err(format!("it must be from {least:?} to {most:?}")) }
        })
    }

    pub(super) fn size(&mut self, key: &str, range: RangeInclusive<u64>) -> usize {
        self.parse(key, |text| {
            let value = size(text)?;
            let (least, most) = (range.start(), range.end());
            let wrong = || format!("it must be from {least} to {most} bytes");
            if range.contains(&value) { usize::try_from(value).map_err(|_| wrong()) } else { Err(wrong()) }
        })
    }

    pub(super) fn number<T: FromStr + PartialOrd + std::fmt::Display>(
        &mut self,
        key: &str,
        range: RangeInclusive<T>,
    ) -> T {
        self.parse(key, |text| within(text, &range))
    }
}

pub(super) fn within<T: FromStr + PartialOrd + std::fmt::Display>(
    text: &str,
    range: &RangeInclusive<T>,
) -> Result<T, String> {
    let value = text.trim().parse().ok().filter(|value| range.contains(value));
    value.ok_or_else(|| format!("it must be a whole number from {} to {}", range.start(), range.end()))
}

pub(super) fn one_of<T: Copy>(choices: &[(&'static str, T)]) -> impl Fn(&str) -> Result<T, String> {
    move |text| {
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        let found = choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice);
        found.ok_or_else(|| format!("it is one of {}", names.join(", ")))
    }
}
