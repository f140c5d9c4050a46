//! What can be wrong with a manifest, or another file of this kind.

use thiserror::Error;
use toml::Value;

/// How much of a value is repeated to whoever wrote it, in characters.
const SHOWN_MAX: usize = 60;

/// One thing that is wrong with such a file. Keys are paths, such as `limits.memory` or `directories[1].guest`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Mistake {
    /// The text cannot be read at all.
    #[error("line {line} is not TOML: {why}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// Nothing is called this.
    #[error("`{key}` is no key of {file}{}", nearest.as_ref().map(|key| format!("; did you mean `{key}`?")).unwrap_or_default())]
    UnknownKey {
        /// The key.
        key: String,
        /// What kind of file it is in.
        file: &'static str,
        /// What was probably meant.
        nearest: Option<&'static str>,
    },
    /// A key that must be there is not.
    #[error("`{key}` is missing")]
    Missing {
        /// The key.
        key: String,
    },
    /// The value is of the wrong type.
    #[error("`{key}` is {found}, and must be {wanted}")]
    Type {
        /// The key.
        key: String,
        /// What it is.
        found: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// The value is of the right type and no good.
    #[error("`{value}` is no good for `{key}`: {why}")]
    Value {
        /// The key.
        key: String,
        /// The value, or its beginning.
        value: String,
        /// What is wanted.
        why: String,
    },
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
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
