//! The daemon's page and the pages that guests answer are of one origin. What keeps guests from taking over the page, and
//! from reading the token that somebody has given it:
//!
//! - The page keeps the token in its own memory, unless its user asks for more (`page/daemon.js`).
//! - No other document holds the page's window, and none frames it: [`ALONE`], which is the page's alone ([`confine`]), and
//!   `frame-ancestors` in its policy.
//! - No guest installs a service worker that stands between the page and the daemon ([`check_worker`], [`confine`]).
//! - Where no token is asked for, only the page may change something ([`super::page_proof`]).
//!
//! A guest's page may still read and call what whoever looks at it may. Where that is too much, the daemon is managed at an
//! address of its own (`admin.listen`), which is another origin.
//!
//! Source: WHATWG HTML, "Cross-origin opener policies": documents of one origin with the same policy stay together; W3C,
//! "Service Workers", `Service-Worker`, `Service-Worker-Allowed`: the widest scope is the folder of the script.

use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use crate::http::Response;
use crate::http::answer::problem::Problem;

/// Documents without this policy that open the page, or are opened by it, hold no window of it.
pub const ALONE: HeaderValue = HeaderValue::from_static("same-origin");
pub const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// A browser says with it that it asks for the script of a worker.
const SERVICE_WORKER: HeaderName = HeaderName::from_static("service-worker");

/// A server says with it that a worker may stand above its own folder.
const SERVICE_WORKER_ALLOWED: HeaderName = HeaderName::from_static("service-worker-allowed");

/// Folders that are no single function's.
const SHARED: [&str; 2] = ["/", "/fn/"];

/// Whether a browser asks for the script of a service worker.
pub fn asks_for_worker(headers: &HeaderMap) -> bool {
    headers.contains_key(SERVICE_WORKER)
}

/// Whether the script of a service worker may be at `path`: the worker would stand before everything in its folder.
pub fn check_worker(path: &str) -> Result<(), Problem> {
    let folder = path.rfind('/').map_or("/", |end| &path[..=end]);
    if SHARED.contains(&folder) {
        let why =
            format!("a service worker at `{path}` would stand before what is not its own; `/fn/NAME/…` is its place");
        return Err(Problem::BadRequest(why));
    }
    Ok(())
}

/// Takes from an answer that is not the page what would bring it near the page. None of the daemon's own has it.
pub fn confine(response: &mut Response) {
    response.headers_mut().remove(SERVICE_WORKER_ALLOWED);
    response.headers_mut().remove(CROSS_ORIGIN_OPENER_POLICY);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_worker_stays_in_its_functions_folder() {
        for (path, may) in [
            ("/", false),
            ("/shop", false),
            ("/shop.js", false),
            ("/fn/shop", false),
            ("/fn/shop/", true),
            ("/fn/shop/worker.js", true),
            ("/fn/shop/js/worker.js", true),
            ("/static/worker.js", true),
        ] {
            assert_eq!(check_worker(path).is_ok(), may, "{path}");
        }
    }
}
