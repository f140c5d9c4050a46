//! Parsers of the values in a manifest.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use nebula_metering::Joules;
use toml::Value;

use super::table::{TWICE, Wrong};
use crate::functions::OWN_PATHS;
use crate::quota::COUNT_MAX;
use crate::settings::{duration, joules, shown_duration, shown_size, size};

/// The least time limit: timers are no finer.
const TIME_MIN: Duration = Duration::from_millis(1);

/// Text that `check` accepts; otherwise it says what is wrong.
pub fn text<T>(check: impl Fn(&str) -> Result<T, String>) -> impl Fn(&Value) -> Result<T, Wrong> {
    move |value| check(value.as_str().ok_or(Wrong::Type("text"))?).map_err(Wrong::Value)
}

pub fn boolean(value: &Value) -> Result<bool, Wrong> {
    value.as_bool().ok_or(Wrong::Type("true or false"))
}

/// A size from `least` to `most` bytes. The option `option` sets `most`.
pub fn at_most(option: &'static str, least: usize, most: usize) -> impl Fn(&Value) -> Result<usize, Wrong> {
    move |value| {
        let bytes = match value {
            Value::Integer(number) => u64::try_from(*number).map_err(|_| "a size cannot be negative".into()),
            Value::String(text) => size(text),
            _ => return Err(Wrong::Type("a size, such as \"64MiB\"")),
        };
        let bytes = usize::try_from(bytes.map_err(Wrong::Value)?).unwrap_or(usize::MAX);
        match bytes {
            _ if bytes > most => Err(beyond(option, &shown_size(most as u64))),
            _ if bytes < least => Err(Wrong::Value(format!("it must be at least {}", shown_size(least as u64)))),
            _ => Ok(bytes),
        }
    }
}

/// A time, up to the value of the option if there is one.
pub fn time(ceiling: Option<(&'static str, Duration)>) -> impl Fn(&Value) -> Result<Duration, Wrong> {
    move |value| {
        let text = value.as_str().ok_or(Wrong::Type("a duration, such as \"5s\""))?;
        let time = duration(text).map_err(Wrong::Value)?;
        match ceiling {
            Some((option, most)) if time > most => Err(beyond(option, &shown_duration(most))),
            _ if time < TIME_MIN => Err(Wrong::Value(format!("it must be at least {}", shown_duration(TIME_MIN)))),
            _ => Ok(time),
        }
    }
}

/// A count from 1 to `most`. The option `option` sets `most`.
pub fn counted(option: &'static str, most: u32) -> impl Fn(&Value) -> Result<u32, Wrong> {
    move |value| match value.as_integer().ok_or(Wrong::Type("a whole number"))? {
        number if number > i64::from(most) => Err(beyond(option, &most.to_string())),
        number => match u32::try_from(number) {
            Ok(count @ 1..) => Ok(count),
            _ => Err(Wrong::Value("it must be at least 1".into())),
        },
    }
}

/// A count that no option bounds.
pub fn counted_freely(value: &Value) -> Result<u32, Wrong> {
    let number = value.as_integer().ok_or(Wrong::Type("a whole number"))?;
    let count = u32::try_from(number).ok().filter(|count| (1..=COUNT_MAX).contains(count));
    count.ok_or_else(|| Wrong::Value(format!("it must be from 1 to {COUNT_MAX}")))
}

/// An energy with its unit, or a number of joules.
pub fn energy(value: &Value) -> Result<Joules, Wrong> {
    let number = match value {
        Value::String(text) => return joules(text).map_err(Wrong::Value),
        Value::Integer(number) => *number as f64,
        Value::Float(number) => *number,
        _ => return Err(Wrong::Type("an energy, such as \"500mJ\" or 0.5 (joules)")),
    };
    let some = number.is_finite() && number > 0.0;
    if some { Ok(Joules(number)) } else { Err(Wrong::Value("it must be greater than 0".into())) }
}

fn beyond(option: &str, most: &str) -> Wrong {
    Wrong::Value(format!("the daemon allows at most {most}; ask for less, or raise its option `{option}`"))
}

pub fn variable(name: &str, value: &Value) -> Result<String, Wrong> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err(Wrong::Value("a variable's name must not be empty or contain `=` or a NUL byte".into()));
    }
    text(argument)(value)
}

/// Text that can be a program's argument.
pub fn argument(text: &str) -> Result<String, String> {
    if text.contains('\0') { Err("it contains a NUL byte".into()) } else { Ok(text.into()) }
}

pub fn nonempty(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("it is empty".into()) } else { Ok(text.into()) }
}

/// A path on the host: absolute, or below the manifest's folder.
pub fn host_path(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    if text.is_empty() || text.contains('\0') {
        return Err("it must be the path of a directory".into());
    }
    // `a` may be a link, so `a/..` may be anywhere.
    if path.is_relative() && path.components().any(|part| part == Component::ParentDir) {
        return Err("`..` may lead out of the manifest's folder; use an absolute path for a directory elsewhere".into());
    }
    Ok(path.into())
}

/// An absolute path for the guest that is not `taken`.
pub fn guest_path(text: &str, taken: &[String]) -> Result<String, String> {
    let clean = |rest: &str| !text.contains('\0') && rest.split('/').all(is_segment);
    match text.strip_prefix('/') {
        _ if taken.iter().any(|taken| taken == text) => Err(TWICE.into()),
        Some(rest) if rest.is_empty() || clean(rest) => Ok(text.into()),
        _ => Err("it must be an absolute path such as /data, without empty, `.` or `..` parts".into()),
    }
}

/// A path prefix that a function answers.
pub fn route(text: &str) -> Result<String, String> {
    let clean = |segment| is_segment(segment) && segment.bytes().all(is_plain);
    match text.strip_prefix('/') {
        Some(rest) if rest.split('/').all(clean) => match rest.split('/').next() {
            Some(first) if OWN_PATHS.contains(&first) => Err(format!("`/{first}` is reserved for the daemon")),
            _ => Ok(text.into()),
        },
        _ => Err("it must be a path such as /shop or /api.v2/cart: no `/` at its end, no empty, `.` or `..` parts, \
                  and no characters that a URL escapes"
            .into()),
    }
}

fn is_segment(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..")
}

/// Whether a URL's path contains this byte unescaped (`pchar`).
///
/// Source: RFC 3986, section 3.3.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte)
}
