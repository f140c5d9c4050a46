//! As much of RFC 3986 as it takes to ask another server.

use std::borrow::Cow;

/// An absolute URL of HTTP, in the parts that a request is made of.
#[derive(Debug, PartialEq, Eq)]
pub struct Url<'a> {
    /// Whether the scheme is `https`.
    pub secure: bool,
    /// The host, with a port where one is named.
    pub authority: &'a str,
    /// The path and the query, never empty.
    pub path: Cow<'a, str>,
}

impl<'a> Url<'a> {
    /// Nothing where the text is no such URL.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let secure = scheme.eq_ignore_ascii_case("https");
        if !secure && !scheme.eq_ignore_ascii_case("http") {
            return None;
        }
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.is_empty() {
            return None;
        }
        let path = if path.starts_with('/') { Cow::Borrowed(path) } else { Cow::Owned(format!("/{path}")) };
        Some(Self { secure, authority, path })
    }
}

/// The value of the first parameter of that name in the query, decoded; nothing where there is none.
pub fn parameter(path: &str, name: &str) -> Option<String> {
    let (_, query) = path.split_once('?')?;
    let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let (_, value) = pairs.find(|(found, _)| *found == name)?;
    Some(decoded(value))
}

/// What stands behind `%XX`. A percent sign that is followed by no such digits stands for itself.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digit = |at: usize| after.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        if let (b'%', Some(high), Some(low)) = (first, digit(0), digit(1)) {
            bytes.extend(u8::try_from(high * 16 + low));
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Option<(bool, &str, String)> {
        Url::parse(text).map(|url| (url.secure, url.authority, url.path.into_owned()))
    }

    #[test]
    fn urls_are_taken_apart() {
        assert_eq!(parts("http://a:81/b?c=d#e"), Some((false, "a:81", "/b?c=d".to_owned())));
        assert_eq!(parts("HTTPS://a"), Some((true, "a", "/".to_owned())));
        assert_eq!(parts("http://[::1]:80?x"), Some((false, "[::1]:80", "/?x".to_owned())));
    }

    #[test]
    fn what_is_no_url_of_http_is_refused() {
        for text in ["", "a", "/a", "ftp://a/", "http:/a", "http://", "http:///a"] {
            assert_eq!(Url::parse(text), None, "{text}");
        }
    }

    #[test]
    fn parameters_are_found_and_decoded() {
        assert_eq!(parameter("/?a=1&url=http%3A%2f%2fb/&url=2", "url").as_deref(), Some("http://b/"));
        assert_eq!(parameter("/?url", "url").as_deref(), Some(""));
        assert_eq!(parameter("/?curl=1", "url"), None);
        assert_eq!(parameter("/url=1", "url"), None);
    }

    #[test]
    fn a_percent_sign_without_digits_stands_for_itself() {
        assert_eq!(decoded("100%"), "100%");
        assert_eq!(decoded("%4x%+1%41"), "%4x%+1A");
    }
}
