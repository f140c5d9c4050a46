//! The carbon intensity from an HTTP endpoint, in the format of Electricity Maps:
//!
//! ```json
//! { "zone": "DE", "carbonIntensity": 302, "datetime": "2026-03-01T12:00:00.000Z", "isEstimated": false }
//! ```
//!
//! The URL names the zone. Any endpoint that answers like this will do; `datetime` may be missing.
//! Source: Electricity Maps API reference, `/v3/carbon-intensity/latest`.

use std::io::{self, Read};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use reqwest::blocking::{Client, Response};
use reqwest::header::{ACCEPT, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use thiserror::Error;
use tokio_rustls::rustls::ClientConfig;

use super::units::GramsPerKilowattHour;
use crate::regular_file;
use crate::settings::rfc3339;

/// The header with the token. Source: its API reference, "Authorization".
const TOKEN: &str = "auth-token";

/// A real answer has a few hundred bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// The longest time from connecting to the end of the answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The longest `retry-after` that is respected.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

#[derive(Debug)]
pub struct Endpoint {
    url: Url,
    token_file: Option<PathBuf>,
    client: Client,
}

#[derive(Debug, Error)]
pub enum EndpointError {
    #[error("cannot read the token in `{}` (`carbon.token-file`)", .path.display())]
    ReadToken { path: PathBuf, source: io::Error },
    #[error("`{}` (`carbon.token-file`) must hold a token: one line of ASCII", .0.display())]
    Token(PathBuf),
    #[error("the request failed")]
    Ask(#[source] reqwest::Error),
    #[error("the status was {status}")]
    Status { status: StatusCode, retry_after: Option<Duration> },
    /// The answer broke off, or came too slowly.
    #[error("cannot read the answer")]
    Read(#[source] io::Error),
    #[error("the answer has more than {ANSWER_BYTES_MAX} bytes")]
    TooLarge,
    #[error("the answer does not have the format of Electricity Maps")]
    Parse(#[source] serde_json::Error),
    #[error("the endpoint does not know the intensity: `carbonIntensity` is null")]
    NoFigure,
    #[error("`{0}` is not a carbon intensity in grams per kilowatt-hour")]
    Figure(f64),
    #[error("the `datetime` of the answer is not an RFC 3339 time")]
    Time,
}

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(rename = "carbonIntensity")]
    carbon_intensity: Option<f64>,
    datetime: Option<String>,
}

impl Endpoint {
    pub fn new(url: Url, token_file: Option<PathBuf>, tls: ClientConfig) -> Result<Self, EndpointError> {
        // The token is for the endpoint alone, not for proxies or targets of redirects.
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(Policy::none())
            .no_proxy()
            .http1_only()
            .user_agent(concat!("nebula/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(EndpointError::Ask)?;
        Ok(Self { url, token_file, client })
    }

    /// The URL without its query, which may hold a key.
    pub fn shown(&self) -> String {
        format!("{}{}", self.url.origin().ascii_serialization(), self.url.path())
    }

    /// The intensity, and since when it holds.
    pub fn ask(&self) -> Result<(SystemTime, GramsPerKilowattHour), EndpointError> {
        let mut request = self.client.get(self.url.clone()).timeout(TIMEOUT).header(ACCEPT, "application/json");
        if let Some(token) = self.token()? {
            request = request.header(TOKEN, token);
        }
        let response = request.send().map_err(|error| EndpointError::Ask(error.without_url()))?;
        let status = response.status();
        if status != StatusCode::OK {
            return Err(EndpointError::Status { status, retry_after: retry_after(&response) });
        }
        parse(&read(response)?, SystemTime::now())
    }

    /// Read anew each time, so that the token can be replaced.
    fn token(&self) -> Result<Option<HeaderValue>, EndpointError> {
        let Some(path) = &self.token_file else { return Ok(None) };
        let text = regular_file::open(path).and_then(io::read_to_string);
        let text = text.map_err(|source| EndpointError::ReadToken { path: path.clone(), source })?;
        let token = HeaderValue::from_str(text.trim()).ok().filter(|token| !token.is_empty());
        let mut token = token.ok_or_else(|| EndpointError::Token(path.clone()))?;
        token.set_sensitive(true);
        Ok(Some(token))
    }
}

impl EndpointError {
    /// How long the endpoint asks us to wait, if it does.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// Source: RFC 9110, section 10.2.3; the form with a date is ignored.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

fn read(response: Response) -> Result<Vec<u8>, EndpointError> {
    let mut body = Vec::new();
    response.take(ANSWER_BYTES_MAX as u64 + 1).read_to_end(&mut body).map_err(EndpointError::Read)?;
    if body.len() > ANSWER_BYTES_MAX { Err(EndpointError::TooLarge) } else { Ok(body) }
}

/// Parses an answer that came at `now`. A `datetime` in the future, from a clock ahead of ours, counts as `now`.
fn parse(answer: &[u8], now: SystemTime) -> Result<(SystemTime, GramsPerKilowattHour), EndpointError> {
    let answer: Answer = serde_json::from_slice(answer).map_err(EndpointError::Parse)?;
    let figure = answer.carbon_intensity.ok_or(EndpointError::NoFigure)?;
    let figure = GramsPerKilowattHour::new(figure).ok_or(EndpointError::Figure(figure))?;
    let since = match answer.datetime {
        Some(datetime) => rfc3339(&datetime).ok_or(EndpointError::Time)?.min(now),
        None => now,
    };
    Ok((since, figure))
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use nebula_runtime::trusting;
    use std::io::Write;
    use std::net::{SocketAddr, TcpListener};
    use std::sync::mpsc::{self, Receiver};
    use std::thread;

    /// Answers each connection with the next of these answers, and returns the requests.
    pub fn answering(answers: Vec<Vec<u8>>) -> (SocketAddr, Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = mpsc::channel();
        thread::spawn(move || {
            for answer in answers {
                let Ok((mut stream, _)) = listener.accept() else { return };
                let (mut request, mut piece) = (Vec::new(), [0; 1024]);
                while !request.ends_with(b"\r\n\r\n") {
                    let count = stream.read(&mut piece).unwrap();
                    request.extend_from_slice(&piece[..count]);
                }
                let _ = sender.send(String::from_utf8(request).unwrap());
                let _ = stream.write_all(&answer);
            }
        });
        (address, requests)
    }

    pub fn ok(body: &str) -> Vec<u8> {
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()).into()
    }

    pub fn endpoint(address: SocketAddr, token_file: Option<PathBuf>) -> Endpoint {
        // Not the process's own configuration, which another test sets.
        let tls = trusting(None).unwrap().as_ref().clone();
        let url = format!("http://{address}/v3/carbon-intensity/latest?zone=DE&key=secret").parse().unwrap();
        Endpoint::new(url, token_file, tls).unwrap()
    }

    #[test]
    fn an_answer_has_a_figure_and_its_time() {
        let now = rfc3339("2026-03-01T12:40:00Z").unwrap();
        let of = |text: &str| parse(text.as_bytes(), now);
        let full = r#"{"zone":"DE","carbonIntensity":302,"datetime":"2026-03-01T12:00:00.000Z",
            "updatedAt":"2026-03-01T12:35:02.123Z","createdAt":"2026-02-26T12:50:57.646Z","emissionFactorType":"lifecycle",
            "isEstimated":true,"estimationMethod":"FORECASTS_HIERARCHY","temporalGranularity":"hourly"}"#;
        let figure = |grams| GramsPerKilowattHour::new(grams).unwrap();
        assert_eq!(of(full).unwrap(), (rfc3339("2026-03-01T12:00:00Z").unwrap(), figure(302.0)));
        assert_eq!(of(r#"{"carbonIntensity":24.5}"#).unwrap(), (now, figure(24.5)));
        let ahead = r#"{"carbonIntensity":1,"datetime":"2026-03-01T13:00:00Z"}"#;
        assert_eq!(of(ahead).unwrap(), (now, figure(1.0)));
    }

    #[test]
    fn a_broken_answer_is_an_error() {
        let of = |text: &str| parse(text.as_bytes(), SystemTime::now()).unwrap_err();
        for text in ["", "[]", "{", "302", r#"{"carbonIntensity":"302"}"#, "\u{fffd}"] {
            assert!(matches!(of(text), EndpointError::Parse(_)), "{text}");
        }
        assert!(matches!(of("{}"), EndpointError::NoFigure));
        assert!(matches!(of(r#"{"zone":"DE","carbonIntensity":null}"#), EndpointError::NoFigure));
        assert!(matches!(of(r#"{"carbonIntensity":-1}"#), EndpointError::Figure(_)));
        assert!(matches!(of(r#"{"carbonIntensity":1e9}"#), EndpointError::Figure(_)));
        assert!(matches!(of(r#"{"carbonIntensity":1,"datetime":"today"}"#), EndpointError::Time));
    }

    #[test]
    fn the_token_is_read_for_each_request() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let (address, requests) = answering(vec![ok(r#"{"carbonIntensity":302}"#), ok(r#"{"carbonIntensity":303}"#)]);
        let endpoint = endpoint(address, Some(path.clone()));
        assert!(matches!(endpoint.ask(), Err(EndpointError::ReadToken { .. })));
        std::fs::write(&path, "\n").unwrap();
        assert!(matches!(endpoint.ask(), Err(EndpointError::Token(_))));
        std::fs::write(&path, "first\n").unwrap();
        assert_eq!(endpoint.ask().unwrap().1.grams(), 302.0);
        std::fs::write(&path, "second\n").unwrap();
        assert_eq!(endpoint.ask().unwrap().1.grams(), 303.0);
        for token in ["first", "second"] {
            let request = requests.recv().unwrap();
            assert!(
                request.starts_with("GET /v3/carbon-intensity/latest?zone=DE&key=secret HTTP/1.1\r\n"),
                "{request}"
            );
            assert!(request.to_lowercase().contains(&format!("\r\nauth-token: {token}\r\n")), "{request}");
        }
        assert_eq!(endpoint.shown(), format!("http://{address}/v3/carbon-intensity/latest"));
    }

    #[test]
    fn failed_requests_are_errors_that_do_not_show_the_key() {
        let status =
            b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 90\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let moved =
            b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{\"carbon";
        let answers =
            vec![status.to_vec(), moved.to_vec(), cut.to_vec(), ok(&" ".repeat(ANSWER_BYTES_MAX + 1)), vec![]];
        let (address, _requests) = answering(answers);
        let endpoint = endpoint(address, None);
        let errors: [EndpointError; 5] = std::array::from_fn(|_| endpoint.ask().unwrap_err());
        let [limited, redirected, truncated, large, closed] = &errors;
        assert_eq!(limited.retry_after(), Some(Duration::from_secs(90)), "{limited:?}");
        assert!(matches!(redirected, EndpointError::Status { status: StatusCode::FOUND, .. }), "{redirected:?}");
        assert!(matches!(truncated, EndpointError::Read(_)), "{truncated:?}");
        assert!(matches!(large, EndpointError::TooLarge), "{large:?}");
        assert!(matches!(closed, EndpointError::Ask(_)), "{closed:?}");
        let text = crate::causes::chain(closed);
        assert!(!text.contains("secret"), "{text}");
    }
}
