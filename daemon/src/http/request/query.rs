//! Decodes paths and queries for functions.

use std::borrow::Cow;
use std::collections::HashMap;

use percent_encoding::percent_decode_str;

use crate::http::answer::problem::Problem;

pub const NOT_TEXT: &str = "the path is not UTF-8 once percent-decoded";

/// Percent-decodes a part of a path.
pub fn decoded(part: &str) -> Result<Cow<'_, str>, Problem> {
    percent_decode_str(part).decode_utf8().map_err(|_| Problem::BadRequest(NOT_TEXT.into()))
}

/// The query again, if it has at most so many parameters (`limits.parameters`).
pub fn bounded(query: Option<&str>, parameters_max: usize) -> Result<Option<&str>, Problem> {
    let has_more =
        query.is_some_and(|query| query.split('&').filter(|pair| !pair.is_empty()).nth(parameters_max).is_some());
    if has_more {
        let why = format!("a query may have at most {parameters_max} parameters here (`limits.parameters`)");
        return Err(Problem::BadRequest(why));
    }
    Ok(query)
}

/// Names and values.
type Pairs = Vec<(String, String)>;

/// Environment variables in the order in which their names first came. The last value of a name wins.
#[derive(Default)]
struct Variables<'q> {
    list: Pairs,
    /// Where each name stands in the list.
    places: HashMap<Cow<'q, str>, usize>,
}

impl<'q> Variables<'q> {
    fn insert(&mut self, name: Cow<'q, str>, value: Cow<'q, str>) {
        match self.places.get(&name) {
            Some(&place) => self.list[place].1 = value.into_owned(),
            None => {
                self.list.push((name.clone().into_owned(), value.into_owned()));
                self.places.insert(name, self.list.len() - 1);
            }
        }
    }
}

/// Turns a query into environment variables.
pub fn variables(query: Option<&str>) -> Result<Pairs, Problem> {
    Ok(variables_and(query, None)?.0)
}

/// Turns a query into environment variables, without the parameter `apart`. Its value is returned too: any text.
pub fn variables_and(query: Option<&str>, apart: Option<&str>) -> Result<(Pairs, Option<String>), Problem> {
    let (mut variables, mut value_apart) = (Variables::default(), None);
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        if apart == Some(&*name) {
            value_apart = Some(value.into_owned());
            continue;
        }
        if !is_variable(&name) {
            let shown = shortened(&name);
            let why = "use letters, digits and `_`, and do not begin with a digit";
            return Err(Problem::BadRequest(format!("`{shown}` is not a name for an environment variable: {why}")));
        }
        if value.contains('\0') {
            return Err(Problem::BadRequest(format!("the value of `{}` contains a NUL byte", shortened(&name))));
        }
        variables.insert(name, value);
    }
    Ok((variables.list, value_apart))
}

/// As [`variables`], but skips pairs that cannot be environment variables.
pub fn nameable(query: Option<&str>) -> Pairs {
    let mut variables = Variables::default();
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs
        .filter(|(name, value)| is_variable(name) && !value.contains('\0'))
        .for_each(|(name, value)| variables.insert(name, value));
    variables.list
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

    #[test]
    fn an_input_is_any_text_and_no_variable() {
        let (variables, input) = variables_and(Some("input=1&a=b&input=x%00y"), Some("input")).unwrap();
        assert_eq!((variables, input.as_deref()), (vec![("a".into(), "b".into())], Some("x\0y")));
    }

    #[test]
    fn a_query_has_a_bounded_number_of_parameters() {
        for (query, fits) in [(None, true), (Some("&&"), true), (Some("a&b=1&"), true), (Some("a&b&c"), false)] {
            assert_eq!(bounded(query, 2).is_ok(), fits, "{query:?}");
        }
    }

    /// With a look at all earlier names for each, these would take minutes.
    #[test]
    fn the_time_to_read_a_query_is_proportional_to_its_length() {
        let names: Vec<_> = (0..300_000).map(|number| format!("v{number}=1")).collect();
        let query = names.join("&");
        assert_eq!(variables(Some(&query)).unwrap().len(), 300_000);
        assert_eq!(nameable(Some(&(query + "&v7=2")))[7], ("v7".into(), "2".into()));
    }
}
