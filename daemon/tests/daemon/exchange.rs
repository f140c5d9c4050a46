//! A connection on which a request and its answer go on at the same time, piece by piece.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::client::Response;
use crate::daemon::Daemon;

/// A request that is being sent, and the answer as far as it was read.
pub struct Exchange {
    stream: TcpStream,
    read: Vec<u8>,
}

/// What is left of an answer: its body and its trailers.
#[derive(Debug, Default)]
pub struct Rest {
    pub body: Vec<u8>,
    pub trailers: Vec<(String, String)>,
}

/// The connection was closed before the answer's end; this had come of its body.
#[derive(Debug)]
pub struct BrokenOff(pub Vec<u8>);

impl Exchange {
    /// Sends a request's line and these headers; its body is to come in chunks.
    pub fn begin(daemon: &Daemon, line: &str, headers: &[&str]) -> Self {
        Self::say(daemon, line, &[headers, &["transfer-encoding: chunked"]].concat())
    }

    /// Sends a request that has no body.
    pub fn ask(daemon: &Daemon, target: &str, headers: &[&str]) -> Self {
        Self::say(daemon, &format!("GET {target}"), headers)
    }

    fn say(daemon: &Daemon, line: &str, headers: &[&str]) -> Self {
        let mut stream = daemon.connect();
        let headers: String = headers.iter().flat_map(|header| [header, "\r\n"]).collect();
        let head = format!("{line} HTTP/1.1\r\nhost: nebula.test\r\nconnection: close\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        Self { stream, read: Vec::new() }
    }

    /// Sends a piece of the body.
    pub fn send(&mut self, piece: &[u8]) {
        let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
        self.write(&chunk);
    }

    /// Ends the body, with these trailers.
    pub fn end(&mut self, trailers: &[&str]) {
        let trailers: String = trailers.iter().flat_map(|trailer| [trailer, "\r\n"]).collect();
        self.write(format!("0\r\n{trailers}\r\n").as_bytes());
    }

    fn write(&mut self, bytes: &[u8]) {
        use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
        match self.stream.write_all(bytes) {
            // Of a connection that was closed in the middle the answer tells.
            Err(error) if !matches!(error.kind(), BrokenPipe | ConnectionReset) => panic!("{error}"),
            _ => {}
        }
    }

    /// The answer's head.
    pub fn head(&mut self) -> Response {
        let head = self.until(b"\r\n\r\n").unwrap_or_else(|| panic!("no head, but {:?}", self.read));
        let (mut response, _) = Response::parse(&head);
        response.body.clear();
        response
    }

    /// As many bytes of a body that comes in chunks.
    pub fn take(&mut self, length: usize) -> Vec<u8> {
        let mut body = Vec::new();
        while body.len() < length {
            body.extend(self.chunk().filter(|chunk| !chunk.is_empty()).unwrap_or_else(|| panic!("only {body:?}")));
        }
        body
    }

    /// The rest of a body that comes in chunks, and what follows it.
    pub fn rest(&mut self) -> Result<Rest, BrokenOff> {
        let mut body = Vec::new();
        loop {
            let Some(chunk) = self.chunk() else { return Err(BrokenOff(body)) };
            body.extend_from_slice(&chunk);
            if chunk.is_empty() {
                break;
            }
        }
        let mut trailers = Vec::new();
        loop {
            let Some(line) = self.until(b"\r\n") else { return Err(BrokenOff(body)) };
            let line = str::from_utf8(&line).unwrap().trim_end();
            let Some((name, value)) = line.split_once(": ") else { return Ok(Rest { body, trailers }) };
            trailers.push((name.to_lowercase(), value.to_owned()));
        }
    }

    /// The next chunk, of which the last is empty; nothing where the connection was closed before.
    fn chunk(&mut self) -> Option<Vec<u8>> {
        let line = self.until(b"\r\n")?;
        let length = usize::from_str_radix(str::from_utf8(&line).unwrap().trim_end(), 16).unwrap();
        while length > 0 && self.read.len() < length + 2 {
            self.more()?;
        }
        Some(if length == 0 { Vec::new() } else { self.read.drain(..length + 2).take(length).collect() })
    }

    fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.read.windows(end.len()).position(|window| window == end) {
                return Some(self.read.drain(..at + end.len()).collect());
            }
            self.more()?;
        }
    }

    fn more(&mut self) -> Option<()> {
        let mut buffer = vec![0; 64 << 10];
        match self.stream.read(&mut buffer) {
            Ok(0) => None,
            Ok(count) => {
                self.read.extend_from_slice(&buffer[..count]);
                Some(())
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("{error}; so far: {:?}", String::from_utf8_lossy(&self.read)),
        }
    }

    /// The other way to the same connection, for sending while this one reads.
    pub fn writer(&self) -> Self {
        Self { stream: self.stream.try_clone().unwrap(), read: Vec::new() }
    }
}

impl Rest {
    /// The trailer of this name.
    pub fn trailer(&self, name: &str) -> Option<&str> {
        self.trailers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}
