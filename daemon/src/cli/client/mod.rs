//! A client of a daemon. Each request has a connection of its own.

mod arguments;
mod upload;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, IF_MATCH, USER_AGENT};
use hyper::http::uri::Authority;
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use nebula_api::problem::Problem;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;
pub use upload::Sent;
use upload::attach;

use nebula_runtime::{RootsError, trusting};

pub use arguments::arguments;

/// Longest time to resolve the host and connect. Across the world it takes a fraction of a second.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

/// Largest answer. An envelope grows with the output of its call: 4 MiB by default, and JSON escapes at most sixfold.
const ANSWER_BYTES_MAX: usize = 256 << 20;

const PORT_HTTP: u16 = 80;
const PORT_HTTPS: u16 = 443;

const PROGRAM: &str = concat!("nebula/", env!("CARGO_PKG_VERSION"));

#[derive(Debug, Error)]
pub enum ClientError {
    #[error("`{0}` is not the address of a daemon: give http://HOST[:PORT] or https://HOST[:PORT], without a path")]
    ParseUrl(String),
    #[error("cannot read the certificate authorities in `{path}` (--ca)")]
    ReadAuthorities { path: String, source: std::io::Error },
    #[error("cannot use the certificate authorities")]
    Trust(#[source] RootsError),
    #[error("the host of {url} cannot be in a certificate")]
    Name { url: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("{url} has no trusted certificate, or does not speak TLS; name its certificate authority with --ca")]
    Secure { url: String, source: std::io::Error },
    #[error("give --token or --token-file, not both")]
    TwoTokens,
    #[error("cannot read the token in `{path}` (--token-file)")]
    ReadToken { path: String, source: std::io::Error },
    #[error("this is not a token: a token is one word, as `nebula token` prints it")]
    Token,
    #[error("no daemon answers at {0}; start one with `nebula serve`, or name another with --daemon")]
    Refused(String),
    #[error("cannot connect to {url}; name another daemon with --daemon")]
    Connect { url: String, source: std::io::Error },
    #[error("cannot connect to {url} within {CONNECT_TIME_MAX:?}; name another daemon with --daemon")]
    ConnectTimedOut { url: String },
    #[error("{url} did not answer within {time_max:?}")]
    AnswerTimedOut { url: String, time_max: Duration },
    #[error("the connection to {url} broke before the answer was complete")]
    Exchange { url: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("the answer of {url} is longer than {ANSWER_BYTES_MAX} bytes")]
    AnswerTooLarge { url: String },
    #[error("what answers at {url} is not a nebula daemon (status {status}); name one with --daemon")]
    Foreign { url: String, status: StatusCode },
    #[error("{}", refusal(.0))]
    Refusal(Box<Problem<'static>>),
    #[error("cannot start the client")]
    Start(#[source] std::io::Error),
}

impl ClientError {
    /// Whether the daemon refuses this to us, or to everybody.
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Refusal(problem) if problem.status == StatusCode::FORBIDDEN)
    }
}

/// What the daemon says instead of doing what it was asked, and what to do about it here.
pub fn refusal(problem: &Problem<'_>) -> String {
    let hint = if problem.status == StatusCode::UNAUTHORIZED {
        "; give a token with NEBULA_TOKEN, --token-file or --token"
    } else {
        ""
    };
    format!("{}: {}{hint}", problem.title, problem.detail)
}

/// A daemon's address, and how to talk to it.
#[derive(Clone, Debug)]
pub struct Client {
    scheme: &'static str,
    authority: String,
    host: String,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
    /// The field `Authorization`.
    token: Option<HeaderValue>,
}

/// What goes with a request.
#[derive(Default)]
pub struct Content {
    pub body: Bytes,
    pub media_type: Option<String>,
    /// The version that must be served now.
    pub if_match: Option<String>,
    pub sent: Option<Sent>,
}

#[derive(Debug)]
pub struct Answer {
    url: String,
    status: StatusCode,
    body: Bytes,
}

impl Client {
    /// # Errors
    /// If `url` is not of the form `http://HOST[:PORT]` or `https://HOST[:PORT]`.
    pub fn new(url: &str) -> Result<Self, ClientError> {
        let wrong = || ClientError::ParseUrl(url.into());
        let parsed: Uri = url.parse().map_err(|_| wrong())?;
        let (scheme, authority) = match (parsed.scheme_str(), parsed.authority()) {
            (Some("http"), Some(authority)) => ("http", authority),
            (Some("https"), Some(authority)) => ("https", authority),
            _ => return Err(wrong()),
        };
        if parsed.path() != "/" || parsed.query().is_some() {
            return Err(wrong());
        }
        let secured = scheme == "https";
        let port = port(authority, if secured { PORT_HTTPS } else { PORT_HTTP }).ok_or_else(wrong)?;
        let tls = if secured { Some(trusting(None).map_err(ClientError::Trust)?) } else { None };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        Ok(Self { scheme, authority: authority.as_str().into(), host: host.into(), port, tls, token: None })
    }

    /// Trusts the authorities of a PEM file too.
    fn trust(&mut self, path: &str) -> Result<(), ClientError> {
        let failed = |source| ClientError::ReadAuthorities { path: path.into(), source };
        let pem = std::fs::read(path).map_err(failed)?;
        let configuration = trusting(Some(&pem)).map_err(ClientError::Trust)?;
        self.tls = self.tls.take().map(|_| configuration);
        Ok(())
    }

    /// Sends this token with every request.
    fn present(&mut self, token: &str) -> Result<(), ClientError> {
        let token = token.trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ClientError::Token);
        }
        let mut field = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| ClientError::Token)?;
        field.set_sensitive(true);
        self.token = Some(field);
        Ok(())
    }

    pub fn get(&self, path: &str, time_max: Duration) -> Result<Answer, ClientError> {
        self.exchange(Method::GET, path, Content::default(), time_max)
    }

    /// Waits as long as it takes: the daemon limits how long a call may run.
    pub fn send(&self, method: Method, path: &str, content: Content) -> Result<Answer, ClientError> {
        self.exchange(method, path, content, Duration::MAX)
    }

    fn exchange(
        &self,
        method: Method,
        path: &str,
        content: Content,
        time_max: Duration,
    ) -> Result<Answer, ClientError> {
        let executor =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ClientError::Start)?;
        let answer = executor.block_on(async {
            let stream = self.connect().await?;
            let timed_out = |_| ClientError::AnswerTimedOut { url: self.url(), time_max };
            let asked = async {
                match &self.tls {
                    Some(tls) => self.ask(self.secure(stream, tls).await?, method, path, content).await,
                    None => self.ask(stream, method, path, content).await,
                }
            };
            tokio::time::timeout(time_max, asked).await.map_err(timed_out)?
        });
        // Dropping it would wait for a thread that still resolves a host name.
        executor.shutdown_background();
        answer
    }

    async fn connect(&self) -> Result<TcpStream, ClientError> {
        let stream = self.in_time(TcpStream::connect((&*self.host, self.port))).await?;
        stream.map_err(|error| match error.kind() {
            std::io::ErrorKind::ConnectionRefused => ClientError::Refused(self.url()),
            _ => ClientError::Connect { url: self.url(), source: error },
        })
    }

    async fn secure(&self, stream: TcpStream, tls: &Arc<ClientConfig>) -> Result<TlsStream<TcpStream>, ClientError> {
        let unnamed = |error| ClientError::Name { url: self.url(), source: Box::new(error) };
        let name = ServerName::try_from(self.host.clone()).map_err(unnamed)?;
        let secured = self.in_time(TlsConnector::from(tls.clone()).connect(name, stream)).await?;
        secured.map_err(|source| ClientError::Secure { url: self.url(), source })
    }

    async fn in_time<T>(&self, connecting: impl Future<Output = T>) -> Result<T, ClientError> {
        let connected = tokio::time::timeout(CONNECT_TIME_MAX, connecting).await;
        connected.map_err(|_| ClientError::ConnectTimedOut { url: self.url() })
    }

    async fn ask(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        method: Method,
        path: &str,
        content: Content,
    ) -> Result<Answer, ClientError> {
        let broken = |source| ClientError::Exchange { url: self.url(), source };
        let Content { body, media_type, if_match, sent } = content;
        let content_type = media_type.as_deref().unwrap_or("application/octet-stream");
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.authority)
            .header(USER_AGENT, PROGRAM)
            .header(ACCEPT, "application/json, application/problem+json")
            .header(CONTENT_TYPE, content_type);
        if let Some(version) = if_match {
            request = request.header(IF_MATCH, format!("\"{version}\""));
        }
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token.clone());
        }
        let request = request.body(()).map_err(|error| broken(error.into()))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(error.into()))?;
        // If the connection fails, so does the answer.
        tokio::spawn(async { drop(connection.await) });
        let response = sender.send_request(attach(request, body, sent)).await.map_err(|error| broken(error.into()))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { ClientError::AnswerTooLarge { url: self.url() } } else { broken(error) }
        })?;
        Ok(Answer { url: self.url(), status, body: body.to_bytes() })
    }

    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }
}

/// The port; `None` if it is malformed, or if there is more than a host and a port.
fn port(authority: &Authority, default: u16) -> Option<u16> {
    match authority.as_str().strip_prefix(authority.host())? {
        "" => Some(default),
        rest => rest.strip_prefix(':')?.parse().ok(),
    }
}

impl Answer {
    pub fn is_success(&self) -> bool {
        self.status.is_success()
    }

    pub fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// # Errors
    /// If no daemon of ours would say that.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        let foreign = |_| ClientError::Foreign { url: self.url.clone(), status: self.status };
        serde_json::from_slice(&self.body).map_err(foreign)
    }

    /// The body of a success.
    pub fn expect<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        if self.is_success() { self.parse() } else { Err(ClientError::Refusal(Box::new(self.parse()?))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_is_a_host_and_a_port() {
        for (url, host, port) in [
            ("http://127.0.0.1:8080", "127.0.0.1", 8080),
            ("http://localhost/", "localhost", 80),
            ("HTTP://[::1]:9000", "::1", 9000),
            ("https://nebula.example", "nebula.example", 443),
            ("https://[::1]:9000/", "::1", 9000),
        ] {
            let client = Client::new(url).unwrap();
            assert_eq!(
                (&*client.host, client.port, client.tls.is_some()),
                (host, port, url.starts_with("https")),
                "{url}"
            );
        }
    }

    #[test]
    fn other_addresses_are_refused_with_the_form_of_one() {
        for url in [
            "",
            "localhost",
            "localhost:8080",
            "ftp://a",
            "http://",
            "http://a:99999",
            "http://a:",
            "http://me:secret@a",
            "http://a/path",
            "http://a/?x=y",
            "http://a b",
        ] {
            let error = Client::new(url).unwrap_err().to_string();
            assert!(error.contains("http://HOST[:PORT]"), "{url}: {error}");
        }
    }

    #[test]
    fn a_token_is_one_word() {
        let mut client = Client::new("http://a").unwrap();
        client.present(" nebula_x\n").unwrap();
        assert_eq!(client.token.as_ref().unwrap(), "Bearer nebula_x");
        assert!(!format!("{client:?}").contains("nebula_x"), "it is not in logs");
        for wrong in ["", " ", "a b", "a\nb", "ä"] {
            assert!(matches!(client.present(wrong), Err(ClientError::Token)), "{wrong:?}");
        }
    }

    #[test]
    fn refusals_differ_from_answers_of_other_servers() {
        let answer = |status, body: &'static str| Answer {
            url: "http://a".into(),
            status,
            body: Bytes::from_static(body.as_bytes()),
        };
        let page = answer(StatusCode::NOT_FOUND, "<html>").expect::<serde_json::Value>();
        assert!(matches!(page, Err(ClientError::Foreign { .. })));
        let text = answer(StatusCode::OK, "hello").expect::<serde_json::Value>();
        assert!(matches!(text, Err(ClientError::Foreign { .. })));
        let busy = r#"{"type":"urn:nebula:busy","title":"Too many calls","detail":"try again later","status":503}"#;
        let busy = answer(StatusCode::SERVICE_UNAVAILABLE, busy).expect::<serde_json::Value>();
        assert_eq!(busy.unwrap_err().to_string(), "Too many calls: try again later");
        let nobody =
            r#"{"type":"urn:nebula:no-token","title":"A token is needed","detail":"send a token","status":401}"#;
        let nobody = answer(StatusCode::UNAUTHORIZED, nobody).expect::<serde_json::Value>();
        assert!(nobody.unwrap_err().to_string().ends_with("give a token with NEBULA_TOKEN, --token-file or --token"));
    }
}
