//! Decodes paths and queries for functions.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::http::answer::problem::Problem;

pub const NOT_TEXT: &str = "the path is not UTF-8 once percent-decoded";

/// Percent-decodes a part of a path.
pub fn decoded(part: &str) -> Result<Cow<'_, str>, Problem> {
    percent_decode_str(part).decode_utf8().map_err(|_| Problem::BadRequest(NOT_TEXT.into()))
}

/// Turns a query into environment variables, in order. The last value of a name wins.
pub fn variables(query: Option<&str>) -> Result<Vec<(String, String)>, Problem> {
    let mut variables: Vec<(String, String)> = Vec::new();
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        if !is_variable(&name) {
            let shown = shortened(&name);
            let why = "use letters, digits and `_`, and do not begin with a digit";
            return Err(Problem::BadRequest(format!("`{shown}` is not a name for an environment variable: {why}")));
        }
        if value.contains('\0') {
            return Err(Problem::BadRequest(format!("the value of `{name}` contains a NUL byte")));
        }
        match variables.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value.into_owned(),
            None => variables.push((name.into_owned(), value.into_owned())),
        }
    }
    Ok(variables)
}

/// As [`variables`], but skips pairs that cannot be environment variables.
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

/// The problem of a parameter that the endpoint does not have.
pub fn unknown_parameter(name: &str, known: &str) -> Problem {
    Problem::BadRequest(format!("`{}` is not a parameter here; {known}", shortened(name)))
}

/// As much of a caller's text as an error shows.
pub fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Removes `settle` from a call's variables: whether the caller waits for the settled charge.
pub fn take_settle(variables: &mut Vec<(String, String)>) -> Result<bool, Problem> {
    let Some(index) = variables.iter().position(|(name, _)| name == "settle") else { return Ok(false) };
    match &*variables.remove(index).1 {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Problem::BadRequest("`settle` must be `true` or `false`".into())),
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
    fn names_and_values_that_cannot_be_variables_are_refused() {
        for query in ["1a=x", "a-b=x", "=x", "a%3Db=x", "a=x%00y", "%00=x"] {
            assert!(variables(Some(query)).is_err(), "{query}");
        }
    }
}
