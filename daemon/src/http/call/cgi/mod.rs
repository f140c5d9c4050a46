//! The Common Gateway Interface, by which a program that knows nothing of HTTP answers a request: what it is told about
//! the request, and what its output means.
//!
//! Source: RFC 3875.

mod output;
mod path;
mod variables;

pub use output::parse;
pub use path::{PathInfo, Unfit, arguments};
pub use variables::{CgiRequest, is_reserved, variables};

/// Fields that concern one connection and nobody behind it; those that begin with `proxy-` are such fields too.
///
/// Source: RFC 9110, section 7.6.1.
const HOP_BY_HOP: [&str; 7] =
    ["connection", "http2-settings", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];

fn is_hop_by_hop(name: &str) -> bool {
    HOP_BY_HOP.contains(&name) || name.starts_with("proxy-")
}
