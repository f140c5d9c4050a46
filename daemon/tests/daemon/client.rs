//! A small HTTP client that can also send malformed requests.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use hyper::body::Body;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;

use crate::daemon::Daemon;
use crate::waiting::{LONGEST_WAIT, eventually, until};

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// Reads one answer from the beginning of `bytes`, and returns what follows it.
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

    /// The problem in its body. Checks what all problems have in common.
    pub fn problem(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        assert!(problem["type"].as_str().is_some_and(|kind| kind.starts_with("urn:nebula:")), "{problem}");
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
        problem
    }

    /// Its problem, which has this status and kind.
    #[track_caller]
    pub fn expect_problem(&self, status: u16, kind: &str) -> Value {
        let problem = self.problem();
        let expected = (status, &Value::from(format!("urn:nebula:{kind}")));
        assert_eq!((self.status, &problem["type"]), expected, "{problem}");
        problem
    }

    /// What the function wrote, in its envelope.
    pub fn output(&self) -> Value {
        self.json()["output"].clone()
    }
}

#[track_caller]
pub fn assert_detail(problem: &Value, part: &str) {
    assert!(problem["detail"].as_str().unwrap().contains(part), "{part}: {problem}");
}

/// The value has these members; it may have others, in every object.
#[track_caller]
pub fn assert_has(value: &Value, members: &Value) {
    fn has(value: &Value, members: &Value) -> bool {
        match members {
            Value::Object(members) => members.iter().all(|(name, member)| has(&value[name], member)),
            member => value == member,
        }
    }
    assert!(has(value, members), "{members} in {value}");
}

impl Daemon {
    pub fn get(&self, target: &str) -> Response {
        self.request("GET", target, &[], b"")
    }

    pub fn get_with(&self, target: &str, headers: &[&str]) -> Response {
        self.request("GET", target, headers, b"")
    }

    pub fn post(&self, target: &str, body: impl AsRef<[u8]>) -> Response {
        self.request("POST", target, &[], body)
    }

    pub fn request(&self, method: &str, target: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Response {
        let answer = self.send(&request(method, target, headers, body.as_ref()));
        let (response, rest) = Response::parse(&answer);
        assert_eq!(rest, b"", "after the answer to {method} {target}");
        response
    }

    /// What the function writes that is called like this: `add?input=2,3`.
    #[track_caller]
    pub fn output(&self, call: &str) -> Value {
        self.get(&format!("/invoke/{call}")).output()
    }

    /// The functions that it serves, in the order of the list.
    pub fn function_names(&self) -> Vec<String> {
        let list = self.get("/functions").json();
        let functions = list["functions"].as_array().unwrap().iter();
        functions.map(|function| function["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until the meter has closed a window. The first one of a source is its baseline: calls in it are not known.
    pub fn await_estimates(&self) {
        until("a window is closed", || self.get("/invoke/answer").json()["energy"]["state"] == "estimated");
    }

    /// Calls until an answer has a settled charge. The target must say `settle=true`.
    pub fn settled(&self, target: &str) -> Value {
        let envelope = || Some(self.get(target).json());
        eventually("a call is settled", || envelope().filter(|envelope| envelope["energy"]["state"] == "settled"))
    }

    /// The call of this answer, as `/invocations` shows it.
    pub fn invocation(&self, answer: &Value) -> Value {
        let id = answer["invocation_id"].as_str().unwrap_or_else(|| panic!("{answer}"));
        self.get(&format!("/invocations/{id}")).json()
    }

    /// The same once it is settled.
    pub fn settled_invocation(&self, answer: &Value) -> Value {
        let call = || Some(self.invocation(answer));
        eventually("the call is settled", || call().filter(|call| call["energy"]["state"] == "settled"))
    }

    /// The same at the address for operators.
    pub fn get_as_operator(&self, target: &str) -> Response {
        get_from(self.admin(), target)
    }

    /// Sends these bytes, and reads until the daemon closes the connection.
    pub fn send(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        // A daemon that refuses a body may close the connection before all of it has gone.
        let _ = stream.write_all(bytes);
        read_to_end(&mut stream)
    }

    pub fn connect(&self) -> TcpStream {
        connect(self.address()).unwrap()
    }

    /// A connection that stays open after an answer.
    pub fn idle_connection(&self) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        assert_eq!(read_answer(&mut stream).status, 200);
        stream
    }

    /// Sends a request, whose answer is still to be read.
    pub fn begin(&self, target: &str) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(&request("GET", target, &[], b"")).unwrap();
        stream
    }
}

/// The variables in what a guest writes that repeats them. None is there twice.
pub fn variables(output: &str) -> BTreeMap<&str, &str> {
    let pairs: Vec<_> = output.split_terminator('\0').map(|pair| pair.split_once('=').unwrap()).collect();
    let variables: BTreeMap<_, _> = pairs.iter().copied().collect();
    assert_eq!(variables.len(), pairs.len(), "{pairs:?}");
    variables
}

/// Sends requests until it is dropped or the daemon has ended.
pub struct Load(Arc<AtomicBool>, Vec<JoinHandle<()>>);

impl Load {
    /// One thread for each target.
    pub fn on(daemon: &Daemon, targets: &[&'static str]) -> Self {
        let (stop, address) = (Arc::new(AtomicBool::new(false)), daemon.address());
        let work = |target: &&'static str| {
            let (stop, request) = (stop.clone(), request("GET", target, &[], b""));
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let Ok(mut stream) = connect(address) else { return };
                    if stream.write_all(&request).is_err() {
                        return;
                    }
                    read_to_end(&mut stream);
                }
            })
        };
        let threads = targets.iter().map(work).collect();
        Self(stop, threads)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        self.1.drain(..).for_each(|thread| thread.join().unwrap());
    }
}

/// Runs what is asynchronous.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// A connection that speaks HTTP/2 from the start.
pub async fn http2_connection<B>(daemon: &Daemon) -> http2::SendRequest<B>
where
    B: Body<Data: Send, Error: std::error::Error + Send + Sync> + Unpin + Send + 'static,
{
    let stream = tokio::net::TcpStream::connect(daemon.address()).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

pub fn get_from(address: SocketAddr, target: &str) -> Response {
    let mut stream = connect(address).unwrap();
    stream.write_all(&request("GET", target, &[], b"")).unwrap();
    answer(&mut stream)
}

/// A connection that waits for no longer than tests do.
pub fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LONGEST_WAIT))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A request that asks to close the connection after the answer.
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

/// Reads until the other side closes the connection, or resets it.
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

/// The answer on a connection that is closed after it.
pub fn answer(stream: &mut TcpStream) -> Response {
    Response::parse(&read_to_end(stream)).0
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
