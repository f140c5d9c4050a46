//! Prometheus and its exporters: each takes a free port and logs it to stderr.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::thread;

/// A program of the Prometheus family. It is stopped when this value is dropped.
pub struct Peer {
    child: Child,
    address: SocketAddr,
}

impl Peer {
    /// Starts it and waits until it listens, or returns `None` if it is not installed.
    pub fn start(command: &mut Command) -> Option<Self> {
        command.arg("--web.listen-address=127.0.0.1:0").stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().ok()?;
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let address =
            lines.find_map(|line| line.split_once("\"Listening on\" address=").map(|(_, end)| end.to_owned()));
        // It goes on writing, and must not wait for a reader.
        thread::spawn(move || lines.for_each(drop));
        let address = address.unwrap().trim().parse().unwrap();
        Some(Self { child, address })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}
