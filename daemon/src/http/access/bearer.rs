//! The token in a request's `Authorization` header.

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;

use super::secret::PREFIX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bearer<'h> {
    /// No bearer token. Other schemes are left to the function.
    None,
    /// Several, or a token that no Nebula daemon makes.
    Foreign,
    /// A token with our prefix; it may still be unknown.
    Ours(&'h str),
}

impl<'h> Bearer<'h> {
    /// Source: RFC 9110, section 11.4 (schemes have no case), and RFC 6750, section 2.1.
    pub fn of(headers: &'h HeaderMap) -> Self {
        let mut fields = headers.get_all(AUTHORIZATION).iter();
        let (Some(field), more) = (fields.next(), fields.next()) else { return Self::None };
        let Ok(field) = field.to_str() else { return Self::Foreign };
        let (scheme, token) = field.split_once(' ').unwrap_or((field, ""));
        if !scheme.eq_ignore_ascii_case("bearer") {
            return if more.is_some() { Self::Foreign } else { Self::None };
        }
        let token = token.trim();
        if more.is_none() && token.starts_with(PREFIX) { Self::Ours(token) } else { Self::Foreign }
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn tokens_are_known_by_scheme_and_prefix() {
        for (fields, expected) in [
            (&[][..], Bearer::None),
            (&["Bearer nebula_x"], Bearer::Ours("nebula_x")),
            (&["bEARER   nebula_x "], Bearer::Ours("nebula_x")),
            (&["Bearer"], Bearer::Foreign),
            (&["Bearer "], Bearer::Foreign),
            (&["Bearer eyJhbGciOi.x.y"], Bearer::Foreign),
            (&["Basic bWU6c2VjcmV0"], Bearer::None),
            (&["nebula_x"], Bearer::None),
            (&["Bearer nebula_x", "Bearer nebula_y"], Bearer::Foreign),
            (&["Basic bWU6c2VjcmV0", "Bearer nebula_x"], Bearer::Foreign),
        ] {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(AUTHORIZATION, HeaderValue::from_static(field));
            }
            assert_eq!(Bearer::of(&headers), expected, "{headers:?}");
        }
        let bytes = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_bytes(b"Bearer \xff").unwrap())]);
        assert_eq!(Bearer::of(&bytes), Bearer::Foreign);
    }
}
