//! What a request brings to say who sent it.

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;

use super::secret::PREFIX;

/// What a request brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presented<'h> {
    /// Nothing, or what is no bearer's token: a function may know what to make of it.
    Nothing,
    /// A bearer's token, but none that a daemon of ours has made; or several.
    Foreign,
    /// What looks like one of ours.
    Token(&'h str),
}

impl<'h> Presented<'h> {
    /// Source: RFC 9110, section 11.4 (schemes have no case), and RFC 6750, section 2.1.
    pub fn of(headers: &'h HeaderMap) -> Self {
        let mut fields = headers.get_all(AUTHORIZATION).iter();
        let (Some(field), more) = (fields.next(), fields.next()) else { return Self::Nothing };
        let Ok(field) = field.to_str() else { return Self::Foreign };
        let (scheme, token) = field.split_once(' ').unwrap_or((field, ""));
        if !scheme.eq_ignore_ascii_case("bearer") {
            return if more.is_some() { Self::Foreign } else { Self::Nothing };
        }
        let token = token.trim();
        if more.is_none() && token.starts_with(PREFIX) { Self::Token(token) } else { Self::Foreign }
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn tokens_are_known_by_scheme_and_prefix() {
        for (fields, expected) in [
            (&[][..], Presented::Nothing),
            (&["Bearer nebula_x"], Presented::Token("nebula_x")),
            (&["bEARER   nebula_x "], Presented::Token("nebula_x")),
            (&["Bearer"], Presented::Foreign),
            (&["Bearer "], Presented::Foreign),
            (&["Bearer eyJhbGciOi.x.y"], Presented::Foreign),
            (&["Basic bWU6c2VjcmV0"], Presented::Nothing),
            (&["nebula_x"], Presented::Nothing),
            (&["Bearer nebula_x", "Bearer nebula_y"], Presented::Foreign),
            (&["Basic bWU6c2VjcmV0", "Bearer nebula_x"], Presented::Foreign),
        ] {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(AUTHORIZATION, HeaderValue::from_static(field));
            }
            assert_eq!(Presented::of(&headers), expected, "{fields:?}");
        }
        let bytes = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_bytes(b"Bearer \xff").unwrap())]);
        assert_eq!(Presented::of(&bytes), Presented::Foreign);
    }
}
