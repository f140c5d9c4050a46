//! A request and its answer that are streamed at the same time, piece by piece.

use std::io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use crate::client::Response;
use crate::daemon::Daemon;

pub struct Exchange {
    stream: BufReader<TcpStream>,
}

/// The rest of an answer.
#[derive(Debug, Default)]
pub struct Rest {
    pub body: Vec<u8>,
    pub trailers: Vec<(String, String)>,
}

/// The connection was closed before the end of the answer. This part of its body had been received.
#[derive(Debug)]
pub struct BrokenOff(pub Vec<u8>);

impl Exchange {
    /// Sends a request line and these headers. The body follows in chunks.
    pub fn begin(daemon: &Daemon, line: &str, headers: &[&str]) -> Self {
        Self::say(daemon, line, &[headers, &["transfer-encoding: chunked"]].concat())
    }

    pub fn ask(daemon: &Daemon, target: &str, headers: &[&str]) -> Self {
        Self::say(daemon, &format!("GET {target}"), headers)
    }

    fn say(daemon: &Daemon, line: &str, headers: &[&str]) -> Self {
        let mut stream = daemon.connect();
        let headers: String = headers.iter().flat_map(|header| [header, "\r\n"]).collect();
        let head = format!("{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        Self { stream: BufReader::new(stream) }
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
        // If the daemon has closed the connection, the answer shows it.
        unless_closed(self.stream.get_mut().write_all(bytes));
    }

    pub fn head(&mut self) -> Response {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            head += &self.line().unwrap_or_else(|| panic!("no head, but {head:?}"));
        }
        Response::parse(head.as_bytes()).0
    }

    /// Reads at least this many bytes of a chunked body.
    pub fn take(&mut self, length: usize) -> Vec<u8> {
        let mut body = Vec::new();
        while body.len() < length {
            body.extend(self.chunk().filter(|chunk| !chunk.is_empty()).unwrap_or_else(|| panic!("only {body:?}")));
        }
        body
    }

    /// Reads a chunked body and its trailers to the end.
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
            let Some(line) = self.line() else { return Err(BrokenOff(body)) };
            let Some((name, value)) = line.trim_end().split_once(": ") else { return Ok(Rest { body, trailers }) };
            trailers.push((name.to_lowercase(), value.to_owned()));
        }
    }

    /// The next chunk, of which the last is empty; `None` if the connection was closed before.
    pub fn chunk(&mut self) -> Option<Vec<u8>> {
        let length = usize::from_str_radix(self.line()?.trim_end(), 16).unwrap();
        let mut chunk = vec![0; length];
        if length > 0 {
            unless_closed(self.stream.read_exact(&mut chunk))?;
            self.line()?;
        }
        Some(chunk)
    }

    /// A line with its end.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        unless_closed(self.stream.read_line(&mut line)).filter(|_| line.ends_with('\n'))?;
        Some(line)
    }

    /// The same connection, for sending while this value reads.
    pub fn writer(&self) -> Self {
        Self { stream: BufReader::new(self.stream.get_ref().try_clone().unwrap()) }
    }
}

/// `None` if the daemon has closed the connection.
fn unless_closed<T>(result: std::io::Result<T>) -> Option<T> {
    match result {
        Err(error) if !matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof) => panic!("{error}"),
        result => result.ok(),
    }
}

impl Rest {
    pub fn trailer(&self, name: &str) -> Option<&str> {
        self.trailers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}
