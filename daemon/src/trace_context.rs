//! The place of a request in a distributed trace, from the headers `traceparent` and `tracestate`.
//!
//! Source: W3C, "Trace Context" (Recommendation of 2021, and Level 2), sections 3.2 and 3.3.

use std::fmt;
use std::str::FromStr;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use nebula_runtime::Propagate;
use opentelemetry::trace::TraceState;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Length of a `traceparent` of version 00: `00-`, 32 digits, `-`, 16 digits, `-`, 2 digits.
const TRACEPARENT_LENGTH: usize = 55;

/// Most members that a `tracestate` may have.
const MEMBERS_MAX: usize = 32;

/// The sender recorded the trace.
const SAMPLED: u8 = 0b01;

/// The trace id is random. Level 2 wants this flag passed on and all others cleared.
const RANDOM: u8 = 0b10;

/// A place in a trace: the span that is the parent of what comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// Never 0.
    pub trace: u128,
    /// Never 0.
    pub span: u64,
    flags: u8,
    /// What tracing systems on the way added, as it is passed on.
    pub state: Option<Box<str>>,
}

impl TraceContext {
    pub fn root(trace: u128, span: u64, sampled: bool) -> Self {
        Self { trace, span, flags: u8::from(sampled), state: None }
    }

    /// From the values of both headers. `None` if `traceparent` is missing, repeated or invalid. An invalid `tracestate` is
    /// ignored.
    pub fn parse<'a>(
        mut parents: impl Iterator<Item = &'a str>,
        states: impl Iterator<Item = &'a str>,
    ) -> Option<Self> {
        let (parent, None) = (parents.next()?, parents.next()) else { return None };
        let (trace, span, flags) = parse_parent(parent)?;
        Some(Self { trace, span, flags, state: parse_state(states) })
    }

    pub fn child(&self, span: u64) -> Self {
        Self { span, ..self.clone() }
    }

    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }
}

/// The value of `traceparent`.
impl fmt::Display for TraceContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, self.flags)
    }
}

impl Propagate for TraceContext {
    /// A guest that sets `traceparent` itself keeps both headers as it set them.
    fn inject(&self, headers: &mut HeaderMap) {
        if headers.contains_key(TRACEPARENT) {
            return;
        }
        // Without its `traceparent`, a `tracestate` belongs to no trace.
        headers.remove(TRACESTATE);
        if let Ok(parent) = HeaderValue::try_from(self.to_string()) {
            headers.insert(TRACEPARENT, parent);
        }
        if let Some(Ok(state)) = self.state.as_deref().map(HeaderValue::try_from) {
            headers.insert(TRACESTATE, state);
        }
    }
}

/// Later versions begin like this one.
fn parse_parent(text: &str) -> Option<(u128, u64, u8)> {
    let digits = |from: usize, to: usize| {
        let digits = text.get(from..to)?;
        digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).then_some(digits)
    };
    let dashed = [2, 35, 52].iter().all(|&place| text.as_bytes().get(place) == Some(&b'-'));
    let version = digits(0, 2).filter(|&version| dashed && version != "ff")?;
    let ends = match text.as_bytes().get(TRACEPARENT_LENGTH) {
        None => true,
        Some(next) => version != "00" && *next == b'-',
    };
    let trace = u128::from_str_radix(digits(3, 35)?, 16).ok().filter(|&trace| trace != 0)?;
    let span = u64::from_str_radix(digits(36, 52)?, 16).ok().filter(|&span| span != 0)?;
    let flags = u8::from_str_radix(digits(53, 55)?, 16).ok()?;
    ends.then_some((trace, span, flags & (SAMPLED | RANDOM)))
}

/// Several headers are one list. Source: RFC 9110, section 5.3.
fn parse_state<'a>(states: impl Iterator<Item = &'a str>) -> Option<Box<str>> {
    let list = states.collect::<Vec<_>>().join(",");
    let members: Vec<_> = list.split(',').map(|member| member.trim_matches([' ', '\t'])).collect();
    let members: Vec<_> = members.into_iter().filter(|member| !member.is_empty()).collect();
    // The library accepts an empty key, and several signs.
    let good = |member: &&str| member.matches('=').count() == 1 && !member.starts_with('=');
    if members.is_empty() || members.len() > MEMBERS_MAX || !members.iter().all(good) {
        return None;
    }
    let state = TraceState::from_str(&list).ok()?.header();
    let visible = |byte: u8| matches!(byte, b' '..=b'~');
    state.bytes().all(visible).then(|| state.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;
    const SPAN: u64 = 0x00f0_67aa_0ba9_02b7;
    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn parse(parents: &[&str], states: &[&str]) -> Option<TraceContext> {
        TraceContext::parse(parents.iter().copied(), states.iter().copied())
    }

    #[test]
    fn a_parent_is_parsed_and_formatted() {
        let context = parse(&[GOOD], &[]).unwrap();
        assert_eq!((context.trace, context.span, context.is_sampled()), (TRACE, SPAN, true));
        assert_eq!(context.to_string(), GOOD);
        let child = context.child(0xab);
        assert_eq!(child.to_string(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00000000000000ab-01");
        assert_eq!(TraceContext::root(1, 2, false).to_string(), format!("00-{:032x}-{:016x}-00", 1, 2));
    }

    #[test]
    fn unknown_flags_are_cleared() {
        for (flags, passed_on, sampled) in
            [("00", "00", false), ("03", "03", true), ("ff", "03", true), ("fe", "02", false)]
        {
            let context = parse(&[&format!("{}{flags}", &GOOD[..53])], &[]).unwrap();
            assert_eq!(
                (context.to_string().split_off(53), context.is_sampled()),
                (passed_on.to_owned(), sampled),
                "{flags}"
            );
        }
    }

    #[test]
    fn later_versions_are_parsed_as_far_as_they_are_known() {
        for good in [GOOD.replacen("00", "01", 1), GOOD.replacen("00", "cc", 1) + "-what-comes-next"] {
            assert_eq!(parse(&[&good], &[]).unwrap().to_string(), GOOD, "{good}");
        }
    }

    #[test]
    fn an_invalid_parent_is_ignored() {
        let zeros = |from: usize, to: usize| {
            let mut text = GOOD.to_owned();
            text.replace_range(from..to, &"0".repeat(to - from));
            text
        };
        let bad = [
            String::new(),
            "00".into(),
            GOOD[..54].into(),
            GOOD.to_owned() + "-",
            GOOD.to_owned() + "-01",
            GOOD.to_owned() + "0",
            GOOD.replacen("00", "cc", 1) + "x",
            GOOD.replacen("00", "ff", 1),
            GOOD.replacen("00", "0x", 1),
            GOOD.to_uppercase(),
            GOOD.replace('-', "_"),
            GOOD.replacen("4b", "+b", 1),
            GOOD.replacen("4bf9", "é9", 1),
            zeros(3, 35),
            zeros(36, 52),
        ];
        for bad in &bad {
            assert_eq!(parse(&[bad], &["a=1"]), None, "{bad}");
        }
        assert_eq!(parse(&[], &["a=1"]), None);
        assert_eq!(parse(&[GOOD, GOOD], &[]), None, "twice");
    }

    #[test]
    fn only_a_valid_state_is_kept() {
        let state = |states: &[&str]| parse(&[GOOD], states).unwrap().state.map(String::from);
        let list = |members: usize| (0..members).map(|member| format!("k{member}=v")).collect::<Vec<_>>().join(",");
        assert_eq!(
            state(&["rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"]).unwrap(),
            "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"
        );
        assert_eq!(state(&["a=1 , ,b@v=2", "\t", "c=3"]).unwrap(), "a=1,b@v=2,c=3");
        assert_eq!(state(&[&list(32)]), Some(list(32)));
        for bad in ["", " ", "a", "A=1", "a=1,b", "a=b=c", "a==b", "=1", "a=ä", &list(33)] {
            assert_eq!(state(&[bad]), None, "{bad}");
        }
    }
}
