//! A line of the access log.

use std::fmt::Write;
use std::time::SystemTime;

use humantime::{format_rfc3339_micros, format_rfc3339_seconds};
use serde_json::json;

use super::super::facts::{Facts, ResponseFacts};
use crate::units::Policy;

/// The status for a caller that disconnected before its response, as nginx writes it.
const GONE: u16 = 499;

/// The months in Apache's log format, which is always in English.
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessFormat {
    /// Apache's Combined Log Format, which every tool reads, followed by the request's id, the function, the invocation's id,
    /// the time in microseconds and the estimated joules.
    ///
    /// Source: Apache HTTP Server, "Log Files", Combined Log Format.
    Combined,
    /// One object per line.
    Json,
}

impl AccessFormat {
    /// Writes the line of a request that was answered.
    pub(super) fn write(self, facts: &Facts, policy: Policy, line: &mut String) {
        let Some(response) = facts.response.get() else { return };
        match self {
            Self::Combined => combined(facts, policy, *response, line),
            Self::Json => json_line(facts, policy, *response, line),
        }
        line.push('\n');
    }
}

fn combined(facts: &Facts, policy: Policy, response: ResponseFacts, line: &mut String) {
    let request = &facts.request;
    let call = facts.call.get();
    let status = response.status.unwrap_or(GONE);
    let joules = facts.energy(policy).map(|energy| energy.joules);
    // Writing to a string cannot fail.
    let _ = write!(line, "{} - - {} \"", request.remote.ip().to_canonical(), apache_time(request.at));
    escape(line, &request.method);
    line.push(' ');
    escape(line, &request.target);
    let _ = write!(line, " HTTP/{}\" {status} {} \"", request.version, response.bytes);
    escape(line, request.referer.as_deref().unwrap_or("-"));
    line.push_str("\" \"");
    escape(line, request.user_agent.as_deref().unwrap_or("-"));
    line.push_str("\" \"");
    escape(line, request.id.as_str());
    let (function, call) = (call.map_or("-", |call| &*call.function), call.map(|call| call.id.to_string()));
    let _ = write!(line, "\" {function} {} {}", call.as_deref().unwrap_or("-"), response.duration.as_micros());
    let _ = match joules {
        Ok(joules) => write!(line, " {joules}"),
        Err(_) => write!(line, " -"),
    };
}

fn json_line(facts: &Facts, policy: Policy, response: ResponseFacts, line: &mut String) {
    let request = &facts.request;
    let call = facts.call.get();
    let end = facts.end.get();
    let energy = facts.energy(policy);
    let shown = json!({
        "time": format_rfc3339_micros(request.at).to_string(),
        "request_id": request.id.as_str(),
        "remote": request.remote.ip().to_canonical().to_string(),
        "method": request.method,
        "target": request.target,
        "http": request.version,
        "status": response.status.unwrap_or(GONE),
        "bytes": response.bytes,
        "duration_us": u64::try_from(response.duration.as_micros()).unwrap_or(u64::MAX),
        "referer": request.referer,
        "user_agent": request.user_agent,
        "function": call.map(|call| &*call.function),
        "version": call.map(|call| &call.version),
        "invocation_id": call.map(|call| call.id),
        "outcome": end.map(|end| end.ended.outcome.as_str()),
        "energy_joules": energy.as_ref().ok().map(|energy| energy.joules),
        "energy_state": energy.as_ref().ok().map(|energy| energy.state),
        "trace_id": request.span.as_ref().map(|(context, _)| format!("{:032x}", context.trace)),
    });
    let _ = write!(line, "{shown}");
}

/// `[10/Oct/2000:13:55:36 +0000]`. Source: Apache HTTP Server, `mod_log_config`, `%t`.
fn apache_time(time: SystemTime) -> String {
    // `2000-10-10T13:55:36Z`
    let text = format_rfc3339_seconds(time).to_string();
    let month = text.get(5..7).and_then(|month| month.parse::<usize>().ok()).and_then(|month| MONTHS.get(month - 1));
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    format!("[{}/{}/{}:{} +0000]", part(8, 10), month.unwrap_or(&"-"), part(0, 4), part(11, 19))
}

/// Escapes whatever could end a value's quotes, or the line. Source: Apache HTTP Server, `mod_log_config`, "Format Notes".
fn escape(line: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '"' | '\\' => line.extend(['\\', character]),
            ' '..='~' => line.push(character),
            _ => {
                let mut bytes = [0; 4];
                for byte in character.encode_utf8(&mut bytes).bytes() {
                    let _ = write!(line, "\\x{byte:02x}");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::{Ended, NotEstimated};
    use crate::outcome::Outcome;
    use crate::telemetry::facts::{CallFacts, EndFacts, RequestFacts};
    use crate::telemetry::request_id::RequestId;
    use nebula_metering::{Estimate, Joules};
    use std::sync::Arc;
    use std::time::{Duration, Instant};
    use uuid::Uuid;

    fn facts(estimate: Result<Estimate, NotEstimated>) -> Facts {
        let at = SystemTime::UNIX_EPOCH + Duration::from_micros(971_186_136_000_007);
        let facts = Facts::new(RequestFacts {
            id: RequestId::given(b"a\"b").unwrap(),
            at,
            since: Instant::now(),
            remote: "[::ffff:192.0.2.7]:5".parse().unwrap(),
            local: "127.0.0.1:8080".parse().unwrap(),
            method: "GET".into(),
            target: "/invoke/add?input=\"1 ä".into(),
            scheme: "http",
            version: "1.1",
            referer: None,
            user_agent: Some("curl\n\\8".into()),
            span: None,
        });
        let call = CallFacts { function: "add".into(), version: "1f".into(), id: Uuid::from_u128(7) };
        assert!(facts.call.set(call).is_ok());
        let ended = Arc::new(Ended { outcome: Outcome::Ok, at, duration: Duration::ZERO, estimate });
        let response = ResponseFacts { status: Some(200), bytes: 3, duration: Duration::from_micros(1_500) };
        assert!(facts.end.set(EndFacts { ended, source: "model", times: None }).is_ok());
        facts.response.set(response).unwrap();
        facts
    }

    fn written(format: AccessFormat, facts: &Facts) -> String {
        let mut line = String::new();
        format.write(facts, Policy::Active, &mut line);
        line
    }

    fn estimate() -> Estimate {
        Estimate {
            active: Joules(0.000_213_456_7),
            base: None,
            uncertainty: nebula_metering::Uncertainty::default(),
            zones: Vec::new(),
        }
    }

    #[test]
    fn a_combined_line_is_apaches_followed_by_our_fields() {
        let expected = "192.0.2.7 - - [10/Oct/2000:13:55:36 +0000] \"GET /invoke/add?input=\\\"1 \\xc3\\xa4 HTTP/1.1\" 200 3 \
                        \"-\" \"curl\\x0a\\\\8\" \"a\\\"b\" add 00000000-0000-0000-0000-000000000007 1500 0.000213457\n";
        assert_eq!(written(AccessFormat::Combined, &facts(Ok(estimate()))), expected);
    }

    #[test]
    fn a_json_line_is_one_object_and_unknown_fields_are_null() {
        let line = written(AccessFormat::Json, &facts(Ok(estimate())));
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        let shown: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&shown["energy_joules"], &shown["energy_state"]), (&json!(0.000_213_457), &json!("estimated")));
        assert_eq!((&shown["target"], &shown["duration_us"]), (&json!("/invoke/add?input=\"1 ä"), &json!(1_500)));
        assert_eq!(shown["time"], "2000-10-10T13:55:36.000007Z");
        let line = written(AccessFormat::Json, &facts(Err(NotEstimated::Cancelled)));
        let shown: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert!(shown["energy_joules"].is_null() && shown["energy_state"].is_null() && shown["trace_id"].is_null());
    }

    #[test]
    fn a_request_without_a_call_has_a_line_and_one_without_a_response_has_status_499() {
        let mut facts = facts(Ok(estimate()));
        (facts.call, facts.end, facts.response) = Default::default();
        facts.response.set(ResponseFacts { status: None, bytes: 0, duration: Duration::ZERO }).unwrap();
        let line = written(AccessFormat::Combined, &facts);
        assert!(line.contains(" 499 0 ") && line.ends_with("\"a\\\"b\" - - 0 -\n"), "{line}");
    }
}
