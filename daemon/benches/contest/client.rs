//! A client that waits for each answer before it asks again. It costs little, and its times are exact.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::Context;

const HEAD_END: &[u8] = b"\r\n\r\n";

/// A connection that asks for one path, again and again.
pub struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
    head: usize,
    room: Vec<u8>,
}

/// Bytes that are read at once. Metrics come by the megabyte.
const ROOM: usize = 64 << 10;

impl Connection {
    pub fn open(address: SocketAddr, path: &str) -> anyhow::Result<Self> {
        Self::open_with(address, path, "")
    }

    /// The same with further header lines, each with its line break.
    pub fn open_with(address: SocketAddr, path: &str, headers: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n{headers}\r\n").into_bytes();
        Ok(Self { stream, request, answer: Vec::new(), head: 0, room: vec![0; ROOM] })
    }

    /// Asks once. An answer without `content-length`, or with a status other than 200, is an error.
    pub fn ask(&mut self) -> anyhow::Result<()> {
        self.answer.clear();
        self.stream.write_all(&self.request)?;
        let mut length = None;
        while length.is_none_or(|length| self.answer.len() < length) {
            let count = self.stream.read(&mut self.room)?;
            anyhow::ensure!(count > 0, "the connection was closed");
            self.answer.extend_from_slice(&self.room[..count]);
            if length.is_none()
                && let Some(head) = self.answer.windows(HEAD_END.len()).position(|bytes| bytes == HEAD_END)
            {
                self.head = head;
                let of_body = self.header("content-length").context("an answer without length")?.parse::<usize>()?;
                length = Some(head + HEAD_END.len() + of_body);
            }
        }
        anyhow::ensure!(self.answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&self.answer));
        Ok(())
    }

    pub fn headers(&self) -> impl Iterator<Item = &str> {
        std::str::from_utf8(&self.answer[..self.head]).unwrap_or_default().lines().skip(1)
    }

    pub fn body(&self) -> anyhow::Result<&str> {
        Ok(std::str::from_utf8(&self.answer[self.head + HEAD_END.len()..])?)
    }

    /// The length of the last answer's body, as it was sent.
    pub fn body_length(&self) -> usize {
        self.answer.len() - self.head - HEAD_END.len()
    }

    /// Its stream, by which another thread can end it.
    pub fn stream(&self) -> anyhow::Result<TcpStream> {
        Ok(self.stream.try_clone()?)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers().filter_map(|line| line.split_once(": ")).find(|(is, _)| *is == name).map(|(_, value)| value)
    }
}
