//! The files of the page, served as they are in the source: no build step, and nothing from other servers.
//!
//! Browsers cache the files but revalidate them at each use, so scripts of an older daemon never talk to a newer one.

use std::sync::LazyLock;

use hyper::header::{CACHE_CONTROL, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
use hyper::{Request, StatusCode};

use crate::http::Response;
use crate::http::answer::answer as plain;
use crate::http::answer::problem::Problem;

/// The folder of the files. No function can have this name: names begin with a letter or a digit.
pub const FOLDER: &str = "/_page/";

const SCRIPT: HeaderValue = HeaderValue::from_static("text/javascript; charset=utf-8");
const SHEET: HeaderValue = HeaderValue::from_static("text/css; charset=utf-8");

/// Cached, but revalidated before each use. Source: RFC 9111, section 5.2.2.4.
const ASK_FIRST: HeaderValue = HeaderValue::from_static("no-cache");

/// Hexadecimal digits of a digest in an `ETag`.
const TAG_DIGITS: usize = 32;

macro_rules! files {
    ($($name:literal)*) => { [$(($name, include_str!($name))),*] };
}

/// Names and contents. They reveal nothing about this daemon, so no token is needed to read them.
const FILES: [(&str, &str); 18] = files! {
    "style.css" "begin.js" "main.js" "calls.js" "chart.js" "confirm.js" "daemon.js" "deploy.js" "dom.js" "functions.js"
    "history.js" "ledger.js" "polling.js" "power.js" "rates.js" "stream.js" "try.js" "units.js"
};

/// The `ETag` of each file.
static TAGS: LazyLock<[String; FILES.len()]> =
    LazyLock::new(|| FILES.map(|(_, text)| format!("\"{}\"", &blake3::hash(text.as_bytes()).to_hex()[..TAG_DIGITS])));

fn is_sheet(name: &str) -> bool {
    name.rsplit('.').next() == Some("css")
}

/// The scripts that others import.
pub fn modules() -> impl Iterator<Item = &'static str> {
    let names = FILES.iter().map(|(name, _)| *name);
    names.filter(|name| !is_sheet(name) && !matches!(*name, "begin.js" | "main.js"))
}

/// Answers with the file of this name, or with 304 if the client has it.
pub fn answer<B>(name: &str, request: &Request<B>) -> Result<Response, Problem> {
    let found = FILES.iter().position(|(known, _)| *known == name);
    let at = found.ok_or_else(|| Problem::NoRoute(request.uri().path().to_owned()))?;
    let ((name, text), tag) = (FILES[at], &TAGS[at]);
    let (status, text) =
        if is_cached(tag, request.headers()) { (StatusCode::NOT_MODIFIED, "") } else { (StatusCode::OK, text) };
    let mut response = plain(status, if is_sheet(name) { SHEET } else { SCRIPT }, text);
    response.headers_mut().insert(CACHE_CONTROL, ASK_FIRST);
    if let Ok(tag) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    Ok(response)
}

/// Whether the client already has the file with this tag. Source: RFC 9110, section 13.1.2.
fn is_cached(tag: &str, headers: &HeaderMap) -> bool {
    let tags = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    tags.flat_map(|value| value.split(','))
        .any(|cached| cached.trim() == "*" || cached.trim().trim_start_matches("W/") == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: &str, fields: &[&str]) -> Response {
        let request = fields.iter().fold(Request::get("/_page/x"), |request, tag| request.header(IF_NONE_MATCH, *tag));
        answer(name, &request.body(()).unwrap()).unwrap()
    }

    #[test]
    fn a_cached_file_is_not_sent_again() {
        let tag = asked("main.js", &[]).headers()[ETAG].to_str().unwrap().to_owned();
        assert_ne!(tag, asked("units.js", &[]).headers()[ETAG], "tags tell files apart");
        let weak = format!("W/{tag}");
        let several = format!("\"another\", {tag}");
        for (fields, status) in [
            (&[][..], StatusCode::OK),
            (&["\"another\""], StatusCode::OK),
            (&[tag.trim_matches('"')], StatusCode::OK),
            (&[&tag], StatusCode::NOT_MODIFIED),
            (&[&weak], StatusCode::NOT_MODIFIED),
            (&[&several], StatusCode::NOT_MODIFIED),
            (&["\"another\"", &tag], StatusCode::NOT_MODIFIED),
            (&["*"], StatusCode::NOT_MODIFIED),
        ] {
            let response = asked("main.js", fields);
            assert_eq!((response.status(), &response.headers()[ETAG]), (status, &HeaderValue::from_str(&tag).unwrap()));
            assert_eq!(response.headers()[CACHE_CONTROL], "no-cache", "{fields:?}");
        }
    }

    #[test]
    fn scripts_import_files_that_are_served_and_nothing_else() {
        for (name, text) in FILES.iter().filter(|(name, _)| !is_sheet(name)) {
            let imports = text.lines().filter(|line| line.starts_with("import ")).map(|line| {
                line.rsplit_once("from \"./").unwrap_or_else(|| panic!("{name}: {line}")).1.trim_end_matches("\";")
            });
            for import in imports {
                assert!(FILES.iter().any(|(known, _)| *known == import), "{name} imports {import}");
            }
            for foreign in ["http://", "https://", "innerHTML", "eval(", "import("] {
                let lines = text.lines().filter(|line| !line.contains("www.w3.org/2000/svg"));
                assert!(!lines.into_iter().any(|line| line.contains(foreign)), "{name} has {foreign}");
            }
        }
    }
}
