//! Paths and queries as functions see them.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::http::answer::problem::Problem;

/// Why a path cannot be decoded.
pub const NOT_TEXT: &str = "the path is not UTF-8 after decoding its escapes";

/// A part of a path with its escapes undone.
///
/// # Errors
/// When it is not UTF-8.
pub fn decoded(part: &str) -> Result<Cow<'_, str>, Problem> {
    percent_decode_str(part).decode_utf8().map_err(|_| Problem::BadRequest(NOT_TEXT.into()))
}

/// A query as environment variables, in order; a later one of the same name replaces the earlier.
///
/// # Errors
/// When a name cannot be a variable's or a value has a NUL byte.
pub fn variables(query: Option<&str>) -> Result<Vec<(String, String)>, Problem> {
    let mut variables: Vec<(String, String)> = Vec::new();
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        if !is_variable(&name) {
            let shown: String = name.chars().take(40).collect();
            let why = "a name has letters, digits and `_` and begins with no digit";
            return Err(Problem::BadRequest(format!("`{shown}` cannot name an environment variable: {why}")));
        }
        if value.contains('\0') {
            return Err(Problem::BadRequest(format!("the value of `{name}` has a NUL byte")));
        }
        match variables.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value.into_owned(),
            None => variables.push((name.into_owned(), value.into_owned())),
        }
    }
    Ok(variables)
}

/// What of a query can be environment variables, in order; a later one of the same name replaces the earlier.
pub fn nameable(query: Option<&str>) -> Vec<(String, String)> {
    let mut nameable: Vec<(String, String)> = Vec::new();
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        if is_variable(&name) && !value.contains('\0') {
            nameable.retain(|(known, _)| *known != name);
            nameable.push((name.into_owned(), value.into_owned()));
        }
    }
    nameable
}

/// Takes `settle` out of a call's variables: whether the caller wants to wait for the settled charge.
///
/// # Errors
/// When it is neither `true` nor `false`.
pub fn take_settle(variables: &mut Vec<(String, String)>) -> Result<bool, Problem> {
    let Some(index) = variables.iter().position(|(name, _)| name == "settle") else { return Ok(false) };
    match &*variables.remove(index).1 {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Problem::BadRequest("`settle` is `true` or `false`".into())),
    }
}

fn is_variable(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_becomes_variables() {
        let variables = variables(Some("puzzle=5..&name=Ada+L%C3%B6we&puzzle=6&empty=&flag")).unwrap();
        let expected = [("puzzle", "6"), ("name", "Ada Löwe"), ("empty", ""), ("flag", "")];
        assert_eq!(variables, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn names_and_values_that_no_variable_can_have_are_refused() {
        for query in ["1a=x", "a-b=x", "=x", "a%3Db=x", "a=x%00y", "%00=x"] {
            assert!(variables(Some(query)).is_err(), "{query}");
        }
    }
}
