//! What a program gets of the URL: the path below its own, and its arguments.

use percent_encoding::percent_decode_str;
use thiserror::Error;

/// Why a path or query cannot be passed to a program.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidTarget {
    /// The path continues the segment that names the function.
    #[error("the path below a function must begin with `/`")]
    NotBelow,
    #[error("the path is not UTF-8 once percent-decoded")]
    NotText,
    #[error("the path contains a NUL byte")]
    NulInPath,
    #[error("the query contains a NUL byte")]
    NulInQuery,
}

/// The part of a path below the function's own, percent-decoded: empty, or beginning with `/`.
///
/// `%2F` becomes `/`, and `..` stays. `REQUEST_URI` has the path as the client sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathInfo(String);

impl PathInfo {
    /// Decodes `raw`, which follows the function's own path.
    pub fn parse(raw: &str) -> Result<Self, InvalidTarget> {
        if !raw.is_empty() && !raw.starts_with('/') {
            return Err(InvalidTarget::NotBelow);
        }
        let path = percent_decode_str(raw).decode_utf8().map_err(|_| InvalidTarget::NotText)?;
        if path.contains('\0') { Err(InvalidTarget::NulInPath) } else { Ok(Self(path.into_owned())) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The arguments of a program: the path below its own, if there is one, then a decoded `name=value` for each pair of the
/// query, in order.
///
/// A pair without `=` becomes `name=`, so a query cannot form an option such as `--help`. `--user=me` is passed like any
/// other pair: a program that reads options from its arguments accepts them from callers.
///
/// RFC 3875, section 4.4, passes a query without `=` as words, which allowed callers to smuggle options into interpreters
/// (CVE-2012-1823). Nebula does not do that.
pub fn arguments(path: &PathInfo, query: Option<&str>) -> Result<Vec<String>, InvalidTarget> {
    let path = (!path.0.is_empty()).then(|| path.0.clone());
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let arguments: Vec<_> = path.into_iter().chain(pairs.map(|(name, value)| format!("{name}={value}"))).collect();
    let has_nul = arguments.iter().any(|argument| argument.contains('\0'));
    if has_nul { Err(InvalidTarget::NulInQuery) } else { Ok(arguments) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(raw: &str) -> PathInfo {
        PathInfo::parse(raw).unwrap()
    }

    #[test]
    fn paths_are_decoded() {
        let expected =
            [("", ""), ("/", "/"), ("/a/b", "/a/b"), ("/a%20b/%C3%A4+", "/a b/ä+"), ("/a%2F..%2fb", "/a/../b")];
        for (raw, decoded) in expected {
            assert_eq!(path(raw).as_str(), decoded);
        }
    }

    #[test]
    fn invalid_paths_and_queries_are_refused() {
        assert_eq!(PathInfo::parse("a"), Err(InvalidTarget::NotBelow));
        assert_eq!(PathInfo::parse("/%ff"), Err(InvalidTarget::NotText));
        assert_eq!(PathInfo::parse("/a%00b"), Err(InvalidTarget::NulInPath));
        for query in ["a=%00", "%00=a", "a=b&%00"] {
            assert_eq!(arguments(&path(""), Some(query)), Err(InvalidTarget::NulInQuery), "{query}");
        }
    }

    #[test]
    fn arguments_are_the_path_and_then_the_querys_pairs() {
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
