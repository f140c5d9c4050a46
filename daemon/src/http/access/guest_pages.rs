//! Keeps pages that functions answer away from the daemon's page, which has the same origin, and from the token that
//! somebody may have entered there:
//!
//! - The page keeps the token in its own memory, unless its user asks for more (`page/daemon.js`).
//! - No other document gets hold of the page's window: only the page has `Cross-Origin-Opener-Policy: same-origin`, and its policy forbids
//!   frames.
//! - No function installs a service worker between the page and the daemon ([`check_worker`], [`confine`]).
//! - Where changes need no token, only the page makes them (`page_key.rs`).
//!
//! A function's page can still read and call whatever its viewer may. Where that is too much, the daemon is managed at an
//! address of its own (`admin.listen`), which is another origin.
//!
//! Source: WHATWG HTML, "Cross-origin opener policies": documents of one origin with the same policy stay together; W3C,
//! "Service Workers", `Service-Worker`, `Service-Worker-Allowed`: the widest scope is the folder of the script.

use hyper::header::{HeaderMap, HeaderName};

use crate::http::Response;
use crate::http::answer::headers::CROSS_ORIGIN_OPENER_POLICY;
use crate::http::answer::problem::Problem;

/// Browsers send it when they load a service worker's script.
const SERVICE_WORKER: HeaderName = HeaderName::from_static("service-worker");

/// Lets a service worker control paths above its own folder.
const SERVICE_WORKER_ALLOWED: HeaderName = HeaderName::from_static("service-worker-allowed");

/// Folders that several functions share.
const SHARED: [&str; 2] = ["/", "/fn/"];

pub fn asks_for_worker(headers: &HeaderMap) -> bool {
    headers.contains_key(SERVICE_WORKER)
}

/// Refuses the script of a service worker at `path` if it would control more than one function's paths.
pub fn check_worker(path: &str) -> Result<(), Problem> {
    let folder = path.rfind('/').map_or("/", |end| &path[..=end]);
    if SHARED.contains(&folder) {
        let why = format!("a service worker at `{path}` would control paths of others; serve it below `/fn/NAME/`");
        return Err(Problem::BadRequest(why));
    }
    Ok(())
}

/// Removes the headers by which a function's answer could reach the page. The daemon's other answers do not have them.
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
