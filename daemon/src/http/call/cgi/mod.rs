//! The Common Gateway Interface, with which a program answers requests without speaking HTTP: it reads environment
//! variables and arguments, and writes header fields and a body.
//!
//! Source: RFC 3875.

mod output;
mod path;
mod variables;

pub use output::parse;
pub use path::{InvalidTarget, PathInfo, arguments};
pub use variables::{CgiRequest, is_reserved, variables};

/// Fields that apply to one connection only. Those that begin with `proxy-` do too.
///
/// Source: RFC 9110, section 7.6.1.
const HOP_BY_HOP: [&str; 7] =
    ["connection", "http2-settings", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];

fn is_hop_by_hop(name: &str) -> bool {
    HOP_BY_HOP.contains(&name) || name.starts_with("proxy-")
}
