//! A small HTTP client, which sends just what it is told to, right or wrong.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use serde_json::Value;

use crate::daemon::Daemon;
use crate::waiting::LONGEST_WAIT;

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// Reads one answer from the beginning of `bytes`, and gives what follows it.
    pub fn parse(bytes: &[u8]) -> (Self, &[u8]) {
        let shown = String::from_utf8_lossy(bytes);
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no answer, but {shown:?}"));
        let head = str::from_utf8(&bytes[..end]).unwrap();
        let (first, lines) = head.split_once("\r\n").unwrap_or((head, ""));
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        let headers = lines.lines().map(|line| header(line).unwrap()).collect();
        let mut response = Self { status: status.unwrap(), headers, body: bytes[end + 4..].to_vec() };
        let length = response.header("content-length").map(|length| length.parse().unwrap());
        let length = length.unwrap_or(0_usize).min(response.body.len());
        response.body.truncate(length);
        (response, &bytes[end + 4 + length..])
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The problem that it describes, having checked what all problems have in common.
    pub fn problem(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        assert!(problem["type"].as_str().is_some_and(|kind| kind.starts_with("urn:nebula:")), "{problem}");
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
        problem
    }
}

impl Daemon {
    pub fn get(&self, target: &str) -> Response {
        self.request("GET", target, &[], b"")
    }

    pub fn post(&self, target: &str, body: impl AsRef<[u8]>) -> Response {
        self.request("POST", target, &[], body.as_ref())
    }

    pub fn request(&self, method: &str, target: &str, headers: &[&str], body: &[u8]) -> Response {
        let answer = self.send(&request(method, target, headers, body));
        let (response, rest) = Response::parse(&answer);
        assert_eq!(rest, b"", "after the answer to {method} {target}");
        response
    }

    /// Asks where operators do.
    pub fn get_as_operator(&self, target: &str) -> Response {
        let mut stream = connect(self.admin()).unwrap();
        stream.write_all(&request("GET", target, &[], b"")).unwrap();
        Response::parse(&read_to_end(&mut stream)).0
    }

    /// Sends these bytes, and reads until the daemon closes the connection.
    pub fn send(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        stream.write_all(bytes).unwrap();
        read_to_end(&mut stream)
    }

    pub fn connect(&self) -> TcpStream {
        connect(self.address()).unwrap()
    }
}

/// A connection that waits for no longer than tests do.
pub fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LONGEST_WAIT))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A request after whose answer the connection is closed.
pub fn request(method: &str, target: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    for header in headers {
        head.extend([header, "\r\n"]);
    }
    if !body.is_empty() {
        head.extend(["content-length: ", &body.len().to_string(), "\r\n"]);
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

/// All that comes until the other side closes; a reset is a close.
pub fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the connection was not closed: {error}; so far: {}", String::from_utf8_lossy(&bytes)),
    }
    let _ = stream.shutdown(Shutdown::Both);
    bytes
}

/// One answer on a connection that stays open.
pub fn read_answer(stream: &mut TcpStream) -> Response {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "closed after {:?}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&buffer[..count]);
        if !bytes.windows(4).any(|window| window == b"\r\n\r\n") {
            continue;
        }
        let (response, _) = Response::parse(&bytes);
        let length = response.header("content-length").map_or(0, |length| length.parse().unwrap());
        if response.body.len() >= length {
            return response;
        }
    }
}
