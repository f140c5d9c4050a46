//! Tells the daemon's own page from pages that functions answer.
//!
//! Both have the same origin, so a browser sends their requests alike. Where changes need no token, a function's page could
//! make them in the name of whoever looks at it; and its script may come from anywhere, since a function may repeat its
//! input. So the daemon's page carries a key that nobody else knows, and sends it with every change.
//!
//! The key is in the page only if a browser loads it as a document to look at. Scripts cannot ask for it that way, and what
//! they can ask for does not contain it. Browsers that do not say what they load get the key: they could not keep a page's
//! scripts apart from others anyway.
//!
//! Source: W3C, "Fetch Metadata Request Headers", section 2.1 (`Sec-Fetch-Dest`, which no script can set).

use hyper::header::{HeaderMap, HeaderName};

use super::secret;

/// What the browser will use the response as.
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Carries the key.
const NEBULA_PAGE: HeaderName = HeaderName::from_static("nebula-page");

/// New with every start of the daemon. `None` if the system has no random numbers; then no request is the page's.
pub struct PageKey(Option<String>);

impl PageKey {
    pub fn generate() -> Self {
        Self(secret::make().ok())
    }

    /// The key, if a browser loads the page as a document.
    pub fn for_document(&self, headers: &HeaderMap) -> Option<&str> {
        self.0.as_deref().filter(|_| headers.get(SEC_FETCH_DEST).is_none_or(|loaded| loaded == "document"))
    }

    pub fn is_in(&self, headers: &HeaderMap) -> bool {
        // Comparing hashes takes the same time for every guess.
        let given = headers.get(NEBULA_PAGE).and_then(|given| given.to_str().ok());
        given.zip(self.0.as_deref()).is_some_and(|(given, key)| secret::hash(given) == secret::hash(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn only_documents_contain_the_key() {
        let key = PageKey::generate();
        let loaded = |destination| HeaderMap::from_iter([(SEC_FETCH_DEST, HeaderValue::from_static(destination))]);
        let shown = key.for_document(&loaded("document")).unwrap();
        assert_eq!(key.for_document(&HeaderMap::new()), Some(shown));
        for other in ["empty", "iframe", "frame", "script", "worker", "object", "embed", "", "Document"] {
            assert_eq!(key.for_document(&loaded(other)), None, "{other}");
        }
    }

    #[test]
    fn only_the_whole_key_counts() {
        let (key, other) = (PageKey::generate(), PageKey::generate());
        let (shown, of_other) = (key.0.as_deref().unwrap(), other.0.as_deref().unwrap());
        let sending = |text: &str| HeaderMap::from_iter([(NEBULA_PAGE, HeaderValue::from_str(text).unwrap())]);
        assert!(key.is_in(&sending(shown)));
        assert!(!key.is_in(&HeaderMap::new()));
        for wrong in ["", &shown[..shown.len() - 1], of_other] {
            assert!(!key.is_in(&sending(wrong)), "{wrong}");
        }
    }
}
