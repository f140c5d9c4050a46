//! Parses the output of a program: fields and a body, or plain text.

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use thiserror::Error;

use super::is_hop_by_hop;
use crate::http::answer::{BYTES, TEXT};

/// Longest block of fields in bytes, with its empty line: as long as a request head may be by default.
const HEAD_MAX: usize = 64 << 10;

/// Most fields; hyper allows a request as many.
const FIELDS_MAX: usize = 100;

/// Most characters of a value that an error repeats.
const SHOWN_MAX: usize = 60;

const STATUS: HeaderName = HeaderName::from_static("status");

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgiAnswer {
    pub status: StatusCode,
    /// Fields of one name keep their order.
    pub headers: HeaderMap,
    /// A slice of the output, not a copy.
    pub body: Bytes,
}

/// Why the fields of an output are invalid. Lines count from 1.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    #[error("line {line} of the answer begins with a space: a field must fit on one line")]
    Folded { line: usize },
    #[error("line {line} of the answer is not of the form `name: value`")]
    Field { line: usize },
    #[error("the value of `{name}` in the answer contains control characters")]
    Value { name: HeaderName },
    #[error("the answer has more than one `{name}`")]
    Twice { name: HeaderName },
    #[error("`{status}` in the answer is not a status: write a number from 200 to 599, such as `404 Not Found`")]
    Status { status: String },
    #[error("`{location}` in the answer is not a location: write an absolute URI, or a path that begins with `/`")]
    Location { location: String },
}

/// Parses a program's output.
///
/// The output has fields if its first line is one, an empty line ends them, and one of them is `Content-Type`, `Location` or
/// `Status`, as RFC 3875, section 6.2, requires. Everything else is plain output, even if it begins like `Note: this`.
///
/// A `Location` without a `Status` redirects the client (302). RFC 3875, section 6.2.2, lets the server follow a local
/// location itself; that would be a second call, whose joules the caller would not see. The words after a status are dropped:
/// HTTP/2 has none.
pub fn parse(output: Bytes) -> Result<CgiAnswer, Malformed> {
    let Some((lines, end)) = head(&output) else { return Ok(plain(output)) };
    let (mut status, mut headers) = (None, HeaderMap::new());
    for (line, text) in (1..).zip(lines) {
        if text.starts_with(b" ") || text.starts_with(b"\t") {
            return Err(Malformed::Folded { line });
        }
        let (name, value) = field(text).ok_or(Malformed::Field { line })?;
        // An empty field counts as absent (RFC 3875, section 6.3).
        if value.is_empty() {
            continue;
        }
        if name == STATUS {
            if status.replace(read_status(value)?).is_some() {
                return Err(Malformed::Twice { name });
            }
        } else if !is_reserved(&name) {
            if (name == CONTENT_TYPE || name == LOCATION) && headers.contains_key(&name) {
                return Err(Malformed::Twice { name });
            }
            if name == LOCATION && !is_location(value) {
                return Err(Malformed::Location { location: shown(value) });
            }
            let value = HeaderValue::from_bytes(value).map_err(|_| Malformed::Value { name: name.clone() })?;
            headers.append(name, value);
        }
    }
    let default = if headers.contains_key(LOCATION) { StatusCode::FOUND } else { StatusCode::OK };
    let status = status.unwrap_or(default);
    let body = if has_no_body(status) { Bytes::new() } else { output.slice(end..) };
    Ok(CgiAnswer { status, headers, body })
}

/// The lines of the fields and where the body begins, or `None` if there are no fields.
fn head(output: &[u8]) -> Option<(Vec<&[u8]>, usize)> {
    let within = &output[..output.len().min(HEAD_MAX)];
    let (mut lines, mut start) = (Vec::new(), 0);
    loop {
        let end = start + within[start..].iter().position(|byte| *byte == b'\n')?;
        let line = &within[start..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        start = end + 1;
        if line.is_empty() {
            break;
        }
        if lines.len() == FIELDS_MAX {
            return None;
        }
        lines.push(line);
    }
    field(lines.first()?)?;
    let mut fields = lines.iter().filter_map(|line| field(line));
    let demanded = [CONTENT_TYPE, LOCATION, STATUS];
    fields.any(|(name, value)| demanded.contains(&name) && !value.is_empty()).then_some((lines, start))
}

fn field(line: &[u8]) -> Option<(HeaderName, &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = HeaderName::from_bytes(&line[..colon]).ok()?;
    Some((name, line[colon + 1..].trim_ascii()))
}

/// Fields that a program cannot set: those of the connection, the length, Nebula's own, and messages to the server.
///
/// Source: RFC 3875, sections 6.3.4 and 6.3.5.
fn is_reserved(name: &HeaderName) -> bool {
    let text = name.as_str();
    name == CONTENT_LENGTH || is_hop_by_hop(text) || text.starts_with("nebula-") || text.starts_with("x-cgi-")
}

fn read_status(value: &[u8]) -> Result<StatusCode, Malformed> {
    let (code, words) = value.split_at(value.len().min(3));
    let apart = words.first().is_none_or(u8::is_ascii_whitespace);
    let status = StatusCode::from_bytes(code).ok().filter(|status| apart && (200..600).contains(&status.as_u16()));
    status.ok_or_else(|| Malformed::Status { status: shown(value) })
}

fn is_location(value: &[u8]) -> bool {
    let in_scheme = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    let colon = value.iter().position(|byte| *byte == b':');
    let absolute = colon.is_some_and(|colon| {
        let (scheme, rest) = (&value[..colon], &value[colon + 1..]);
        scheme.first().is_some_and(u8::is_ascii_alphabetic) && scheme.iter().all(in_scheme) && !rest.is_empty()
    });
    (absolute || value.starts_with(b"/")) && value.iter().all(u8::is_ascii_graphic)
}

/// Whether answers with this status never have a body.
///
/// Source: RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5.
fn has_no_body(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED)
}

fn plain(output: Bytes) -> CgiAnswer {
    let content_type = if str::from_utf8(&output).is_ok() { TEXT } else { BYTES };
    CgiAnswer { status: StatusCode::OK, headers: HeaderMap::from_iter([(CONTENT_TYPE, content_type)]), body: output }
}

fn shown(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    let mut shown: String = text.chars().take(SHOWN_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests;
