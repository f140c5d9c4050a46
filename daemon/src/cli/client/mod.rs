//! Talks to a daemon: one request on a connection of its own.

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

/// Longest time to find the host and connect: a second is much, even across the world.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

/// Largest answer. The envelope of a call grows with its output, of which a daemon allows 4 MiB unless told otherwise
/// and which JSON makes at most six times longer.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// The ports of the two schemes.
const PORT_HTTP: u16 = 80;
const PORT_HTTPS: u16 = 443;

const PROGRAM: &str = concat!("nebula/", env!("CARGO_PKG_VERSION"));

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum ClientError {
    #[error(
        "`{0}` is no address of a daemon: it has the form http://HOST[:PORT] or https://HOST[:PORT], and nothing after that"
    )]
    ParseUrl(String),
    #[error("cannot read the authorities in `{path}` (--ca)")]
    ReadAuthorities { path: String, source: std::io::Error },
    #[error("cannot trust the authorities")]
    Trust(#[source] RootsError),
    #[error("no name of {url} can be proven")]
    Name { url: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("{url} does not prove who it is, or does not speak TLS; an authority of its own is named with --ca")]
    Secure { url: String, source: std::io::Error },
    #[error("a token is given with --token and another with --token-file")]
    TwoTokens,
    #[error("cannot read the token in `{path}` (--token-file)")]
    ReadToken { path: String, source: std::io::Error },
    #[error("the token is none: it is one word, as `nebula token` prints it")]
    Token,
    #[error("no daemon answers at {0}; start one with `nebula serve`, or name another with --daemon")]
    Refused(String),
    #[error("cannot connect to {url}; name another daemon with --daemon")]
    Connect { url: String, source: std::io::Error },
    #[error("cannot connect to {url} within {CONNECT_TIME_MAX:?}; name another daemon with --daemon")]
    ConnectTimedOut { url: String },
    #[error("no answer came from {url} within {time_max:?}")]
    AnswerTimedOut { url: String, time_max: Duration },
    #[error("the connection to {url} broke off before the answer was complete")]
    Exchange { url: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("the answer of {url} has more than {ANSWER_BYTES_MAX} bytes")]
    AnswerTooLarge { url: String },
    #[error("what answers at {url} is no nebula daemon (status {status}); name one with --daemon")]
    Foreign { url: String, status: StatusCode },
    #[error("{}", refusal(.0))]
    Refusal(Box<Problem<'static>>),
    #[error("cannot start the client")]
    Start(#[source] std::io::Error),
}

impl ClientError {
    /// Whether the daemon knows who we are and does not allow it, or asks nobody and allows it to none.
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

/// A daemon's address, and what we tell and believe there.
#[derive(Clone, Debug)]
pub struct Client {
    scheme: &'static str,
    authority: String,
    host: String,
    port: u16,
    /// Where TLS is spoken.
    tls: Option<Arc<ClientConfig>>,
    /// Who we are, as the daemon is told.
    token: Option<HeaderValue>,
}

/// What is sent with a request.
#[derive(Default)]
pub struct Content {
    /// The body.
    pub body: Bytes,
    /// What it is.
    pub media_type: Option<String>,
    /// The version that the request is about.
    pub if_match: Option<String>,
    /// Hears how much of the body has gone.
    pub sent: Option<Sent>,
}

/// A daemon's answer, whatever it is.
#[derive(Debug)]
pub struct Answer {
    url: String,
    status: StatusCode,
    body: Bytes,
}

impl Client {
    /// A client of the daemon at `url`.
    ///
    /// # Errors
    /// When it is not of the form `http://HOST[:PORT]` or `https://HOST[:PORT]`.
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

    /// Trusts the authorities of a PEM file, too.
    fn trust(&mut self, path: &str) -> Result<(), ClientError> {
        let failed = |source| ClientError::ReadAuthorities { path: path.into(), source };
        let pem = std::fs::read(path).map_err(failed)?;
        let configuration = trusting(Some(&pem)).map_err(ClientError::Trust)?;
        self.tls = self.tls.take().map(|_| configuration);
        Ok(())
    }

    /// Says who we are, from now on.
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

    /// Asks for what is at `path`, and waits no longer than `time_max`.
    ///
    /// # Errors
    /// When no answer comes.
    pub fn get(&self, path: &str, time_max: Duration) -> Result<Answer, ClientError> {
        self.exchange(Method::GET, path, Content::default(), time_max)
    }

    /// Sends `body` to `path` and waits for as long as it takes: how long that may be is for the daemon to say.
    ///
    /// # Errors
    /// When no answer comes.
    pub fn post(&self, path: &str, body: impl Into<Bytes>) -> Result<Answer, ClientError> {
        self.send(Method::POST, path, Content { body: body.into(), ..Content::default() })
    }

    /// Sends `content` to `path`, and waits for as long as it takes.
    ///
    /// # Errors
    /// When no answer comes.
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
        // A thread that still waits for the name of a host would keep us.
        executor.shutdown_background();
        answer
    }

    async fn connect(&self) -> Result<TcpStream, ClientError> {
        let connecting = TcpStream::connect((&*self.host, self.port));
        match tokio::time::timeout(CONNECT_TIME_MAX, connecting).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                Err(ClientError::Refused(self.url()))
            }
            Ok(Err(source)) => Err(ClientError::Connect { url: self.url(), source }),
            Err(_) => Err(ClientError::ConnectTimedOut { url: self.url() }),
        }
    }

    async fn secure(&self, stream: TcpStream, tls: &Arc<ClientConfig>) -> Result<TlsStream<TcpStream>, ClientError> {
        let unnamed = |error| ClientError::Name { url: self.url(), source: Box::new(error) };
        let name = ServerName::try_from(self.host.clone()).map_err(unnamed)?;
        let connecting = TlsConnector::from(tls.clone()).connect(name, stream);
        match tokio::time::timeout(CONNECT_TIME_MAX, connecting).await {
            Ok(secured) => secured.map_err(|source| ClientError::Secure { url: self.url(), source }),
            Err(_) => Err(ClientError::ConnectTimedOut { url: self.url() }),
        }
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
        // What becomes of the connection, its answer tells.
        tokio::spawn(async { drop(connection.await) });
        let response = sender.send_request(attach(request, body, sent)).await.map_err(|error| broken(error.into()))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { ClientError::AnswerTooLarge { url: self.url() } } else { broken(error) }
        })?;
        Ok(Answer { url: self.url(), status, body: body.to_bytes() })
    }

    /// The daemon's address, as it is given.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }
}

/// The port, or `None` if it is none, or if there is more than host and port.
fn port(authority: &Authority, default: u16) -> Option<u16> {
    match authority.as_str().strip_prefix(authority.host())? {
        "" => Some(default),
        rest => rest.strip_prefix(':')?.parse().ok(),
    }
}

impl Answer {
    /// Whether the daemon did as it was asked.
    pub fn is_success(&self) -> bool {
        self.status.is_success()
    }

    /// The answer as it came.
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// What the answer says.
    ///
    /// # Errors
    /// When no daemon of ours would say that.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        let foreign = |_| ClientError::Foreign { url: self.url.clone(), status: self.status };
        serde_json::from_slice(&self.body).map_err(foreign)
    }

    /// What the answer says, provided that the daemon did as it was asked.
    ///
    /// # Errors
    /// What it says if it did not.
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
    fn what_is_no_address_is_refused_with_the_form_of_one() {
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
        assert!(!format!("{client:?}").contains("nebula_x"), "what is logged does not tell it");
        for wrong in ["", " ", "a b", "a\nb", "ä"] {
            assert!(matches!(client.present(wrong), Err(ClientError::Token)), "{wrong:?}");
        }
    }

    #[test]
    fn an_answer_that_no_daemon_gives_is_told_from_a_refusal() {
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
            r#"{"type":"urn:nebula:no-token","title":"A token is needed","detail":"say who you are","status":401}"#;
        let nobody = answer(StatusCode::UNAUTHORIZED, nobody).expect::<serde_json::Value>();
        assert!(nobody.unwrap_err().to_string().ends_with("give a token with NEBULA_TOKEN, --token-file or --token"));
    }
}
