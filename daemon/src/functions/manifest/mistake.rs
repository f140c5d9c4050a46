//! What can be wrong with a manifest or another TOML file of ours.

use thiserror::Error;
use toml::Value;

/// Characters of a value that an error shows.
const SHOWN_MAX: usize = 60;

/// Mistakes of one file that an error shows.
const LISTED_MAX: usize = 20;

/// One mistake in a file. Keys are paths, such as `limits.memory` or `directories[1].guest`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Mistake {
    #[error("line {line} is not TOML: {why}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        why: String,
    },
    #[error("unknown key `{key}` in {file}{}", nearest.as_ref().map(|key| format!("; did you mean `{key}`?")).unwrap_or_default())]
    UnknownKey {
        key: String,
        /// What kind of file it is, in words.
        file: &'static str,
        /// A known key that is spelled almost like it.
        nearest: Option<&'static str>,
    },
    #[error("`{key}` is missing")]
    Missing { key: String },
    #[error("`{key}` must be {wanted}, not {found}")]
    Type { key: String, found: &'static str, wanted: &'static str },
    #[error("invalid value `{value}` for `{key}`: {why}")]
    Value { key: String, value: String, why: String },
}

impl Mistake {
    pub(crate) fn syntax(text: &str, error: &toml::de::Error) -> Self {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.split('\n').count();
        Self::Syntax { line, why: error.message().into() }
    }

    pub(super) fn value(key: String, value: &Value, why: String) -> Self {
        let shown = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let mut value: String = shown.chars().take(SHOWN_MAX).collect();
        if value.len() < shown.len() {
            value.push('…');
        }
        Self::Value { key, value, why }
    }
}

/// What a value is, in words.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date or time",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}

pub(crate) fn joined(mistakes: &[Mistake]) -> String {
    let mut shown: Vec<_> = mistakes.iter().take(LISTED_MAX).map(ToString::to_string).collect();
    let more = mistakes.len() - shown.len();
    if more > 0 {
        shown.push(format!("and {more} more mistakes"));
    }
    shown.join("; ")
}
