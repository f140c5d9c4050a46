//! What a program is told of the URL: the path below its own, and its arguments.

use percent_encoding::percent_decode_str;
use thiserror::Error;

/// What no program can be handed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unfit {
    /// The path goes on within the segment that names the function.
    #[error("the path below a function begins with `/`")]
    NotBelow,
    /// The path is no text.
    #[error("the path is not UTF-8 once its escapes are undone")]
    NotText,
    /// The path would end too early.
    #[error("the path has a NUL byte")]
    NulInPath,
    /// An argument would end too early.
    #[error("the query has a NUL byte")]
    NulInQuery,
}

/// The part of a path below the function's own, its escapes undone: empty, or beginning with `/`.
///
/// What was `%2F` is a `/` in it, and `..` is left as it is: `REQUEST_URI` has the path as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathInfo(String);

impl PathInfo {
    /// Undoes the escapes of `raw`, which is what follows the function's own path.
    ///
    /// # Errors
    /// When no program could be handed it.
    pub fn parse(raw: &str) -> Result<Self, Unfit> {
        if !raw.is_empty() && !raw.starts_with('/') {
            return Err(Unfit::NotBelow);
        }
        let path = percent_decode_str(raw).decode_utf8().map_err(|_| Unfit::NotText)?;
        if path.contains('\0') { Err(Unfit::NulInPath) } else { Ok(Self(path.into_owned())) }
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The arguments of a program: the path below its own, where there is one, and then `name=value` for each pair of the
/// query in order, without escapes.
///
/// A pair without `=` becomes `name=`, so that nobody can make an option such as `--help` out of a query. One with a value,
/// such as `--user=me`, is a pair like any other: a program that takes options from its arguments takes them from callers.
///
/// RFC 3875 hands queries without any `=` to a program as its words (section 4.4), which is how options were smuggled
/// into interpreters (CVE-2012-1823). That is not done here.
///
/// # Errors
/// When no program could be handed them.
pub fn arguments(path: &PathInfo, query: Option<&str>) -> Result<Vec<String>, Unfit> {
    let path = (!path.0.is_empty()).then(|| path.0.clone());
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let arguments: Vec<_> = path.into_iter().chain(pairs.map(|(name, value)| format!("{name}={value}"))).collect();
    let unfit = arguments.iter().any(|argument| argument.contains('\0'));
    if unfit { Err(Unfit::NulInQuery) } else { Ok(arguments) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(raw: &str) -> PathInfo {
        PathInfo::parse(raw).unwrap()
    }

    #[test]
    fn escapes_are_undone() {
        let expected =
            [("", ""), ("/", "/"), ("/a/b", "/a/b"), ("/a%20b/%C3%A4+", "/a b/ä+"), ("/a%2F..%2fb", "/a/../b")];
        for (raw, decoded) in expected {
            assert_eq!(path(raw).as_str(), decoded);
        }
    }

    #[test]
    fn what_no_program_can_be_handed_is_refused() {
        assert_eq!(PathInfo::parse("a"), Err(Unfit::NotBelow));
        assert_eq!(PathInfo::parse("/%ff"), Err(Unfit::NotText));
        assert_eq!(PathInfo::parse("/a%00b"), Err(Unfit::NulInPath));
        for query in ["a=%00", "%00=a", "a=b&%00"] {
            assert_eq!(arguments(&path(""), Some(query)), Err(Unfit::NulInQuery), "{query}");
        }
    }

    #[test]
    fn arguments_are_the_path_and_then_the_pairs() {
        let table: [(&str, Option<&str>, &[&str]); 6] = [
            ("", None, &[]),
            ("/", None, &["/"]),
            ("/a/b", Some(""), &["/a/b"]),
            ("/a/b", Some("k=v&n=1&k=w"), &["/a/b", "k=v", "n=1", "k=w"]),
            ("", Some("name=Ada+L%C3%B6we&eq=a%3Db&&=x"), &["name=Ada Löwe", "eq=a=b", "=x"]),
            ("", Some("--help&-d+x"), &["--help=", "-d x="]),
        ];
        for (raw, query, expected) in table {
            assert_eq!(arguments(&path(raw), query).unwrap(), expected, "{raw}?{query:?}");
        }
    }
}
