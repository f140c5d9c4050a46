//! What a program's output means: fields and a body, or plain text.

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use thiserror::Error;

use super::is_hop_by_hop;
use crate::http::answer::{BYTES, TEXT};

/// The longest block of fields in bytes, its empty line included: as much as a request's head may have by default.
const HEAD_MAX: usize = 64 << 10;

/// The most fields, which is what `hyper` lets a request have.
const FIELDS_MAX: usize = 100;

/// How much of a value is repeated to whoever wrote it, in characters.
const SHOWN_MAX: usize = 60;

const STATUS: HeaderName = HeaderName::from_static("status");

/// What a program answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgiAnswer {
    /// The status.
    pub status: StatusCode,
    /// The fields, those of one name in their order.
    pub headers: HeaderMap,
    /// The body, which is a part of the output and no copy.
    pub body: Bytes,
}

/// The output has fields, and they are no good.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// It goes on with the line before.
    #[error("line {line} of the answer begins with a space: fields have one line each")]
    Folded {
        /// Counted from 1.
        line: usize,
    },
    /// It is no field.
    #[error("line {line} of the answer is not of the form `name: value`")]
    Field {
        /// Counted from 1.
        line: usize,
    },
    /// It has control characters.
    #[error("the value of `{name}` in the answer cannot be in a header")]
    Value {
        /// The field.
        name: HeaderName,
    },
    /// It can be there only once.
    #[error("`{name}` is in the answer more than once")]
    Twice {
        /// The field.
        name: HeaderName,
    },
    /// It is no status.
    #[error("`{status}` in the answer is no status: it is a number from 200 to 599, and words if you like")]
    Status {
        /// Its beginning.
        status: String,
    },
    /// It is neither a URI nor a path.
    #[error("`{location}` in the answer is no location: it is an absolute URI, or a path that begins with `/`")]
    Location {
        /// Its beginning.
        location: String,
    },
}

/// Reads a program's output.
///
/// Fields are believed to be fields if the first line is one, an empty line ends them, and one of them is `Content-Type`,
/// `Location` or `Status`, as RFC 3875, section 6.2, demands. Everything else is plain output, also where it happens
/// to begin like `Note: this`.
///
/// A `Location` without a `Status` makes the answer a redirection (302) that the client follows. RFC 3875 would have the
/// server follow a local one itself (section 6.2.2): that would be a second call, of which the first caller would pay
/// and see nothing. The words after a status are dropped, as HTTP/2 has none.
///
/// # Errors
/// When there are fields that are no good.
pub fn parse(output: Bytes) -> Result<CgiAnswer, Malformed> {
    let Some((lines, end)) = head(&output) else { return Ok(plain(output)) };
    let (mut status, mut headers) = (None, HeaderMap::new());
    for (line, text) in (1..).zip(lines) {
        if text.starts_with(b" ") || text.starts_with(b"\t") {
            return Err(Malformed::Folded { line });
        }
        let (name, value) = field(text).ok_or(Malformed::Field { line })?;
        // A field without a value is as good as none (RFC 3875, section 6.3).
        if value.is_empty() {
            continue;
        }
        if name == STATUS {
            if status.replace(read_status(value)?).is_some() {
                return Err(Malformed::Twice { name });
            }
        } else if !is_the_servers(&name) {
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
    let unless_said = if headers.contains_key(LOCATION) { StatusCode::FOUND } else { StatusCode::OK };
    let status = status.unwrap_or(unless_said);
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

/// Fields that a program cannot speak for: those of the connection, the length, which is counted, the meter's own, and
/// messages to the server.
///
/// Source: RFC 3875, sections 6.3.4 and 6.3.5.
fn is_the_servers(name: &HeaderName) -> bool {
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

/// Answers that have no body whatever was written.
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
