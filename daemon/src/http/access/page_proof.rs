//! What shows that the daemon's own page asks, and no other of its origin.
//!
//! The pages that guests answer are of the same origin as the daemon's, and their requests look the same. Where no token is
//! needed to change something, they could change it in the name of whoever looks at them; and what such a page says may
//! come from anywhere: a function that repeats its input repeats a script too. So the page carries a text that is known
//! to nobody else, and brings it with what it changes.
//!
//! It is in the page only where a browser asks for a document to be looked at. Scripts cannot ask so, and the answer to what
//! they do ask has it not. Browsers that do not say what they ask for are given it: they do not tell a page's scripts apart
//! from those of others either way.
//!
//! Source: W3C, "Fetch Metadata Request Headers", section 2.1 (`Sec-Fetch-Dest`, which no script can set).

use hyper::header::{HeaderMap, HeaderName};

use super::secret;

/// What a browser asks for.
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Where the page brings it.
const NEBULA_PAGE: HeaderName = HeaderName::from_static("nebula-page");

/// Made anew with every start of the daemon; `None` where the system gives no random numbers, and then nobody has it.
pub struct Proof(Option<String>);

impl Proof {
    /// One that nobody knows.
    pub fn make() -> Self {
        Self(secret::make().ok())
    }

    /// What goes into the page, if it is asked for to be looked at.
    pub fn for_document(&self, headers: &HeaderMap) -> Option<&str> {
        self.0.as_deref().filter(|_| headers.get(SEC_FETCH_DEST).is_none_or(|asked| asked == "document"))
    }

    /// Whether a request has it.
    pub fn is_in(&self, headers: &HeaderMap) -> bool {
        // Hashes are compared in a time that tells nothing of what is in them.
        let given = headers.get(NEBULA_PAGE).and_then(|given| given.to_str().ok());
        given.zip(self.0.as_deref()).is_some_and(|(given, proof)| secret::hash(given) == secret::hash(proof))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn it_is_only_in_documents_that_are_looked_at() {
        let proof = Proof::make();
        let asked = |as_what| HeaderMap::from_iter([(SEC_FETCH_DEST, HeaderValue::from_static(as_what))]);
        let shown = proof.for_document(&asked("document")).unwrap();
        assert_eq!(proof.for_document(&HeaderMap::new()), Some(shown));
        for other in ["empty", "iframe", "frame", "script", "worker", "object", "embed", "", "Document"] {
            assert_eq!(proof.for_document(&asked(other)), None, "{other}");
        }
    }

    #[test]
    fn only_the_whole_of_it_is_believed() {
        let (proof, other) = (Proof::make(), Proof::make());
        let (shown, of_other) = (proof.0.as_deref().unwrap(), other.0.as_deref().unwrap());
        let bringing = |text: &str| HeaderMap::from_iter([(NEBULA_PAGE, HeaderValue::from_str(text).unwrap())]);
        assert!(proof.is_in(&bringing(shown)));
        assert!(!proof.is_in(&HeaderMap::new()));
        for wrong in ["", &shown[..shown.len() - 1], of_other] {
            assert!(!proof.is_in(&bringing(wrong)), "{wrong}");
        }
    }
}
