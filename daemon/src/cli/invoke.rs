//! `nebula invoke`: calls a function of a running daemon.

use std::io::Read;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::ArgMatches;
use nebula_metering::Joules;
use nebula_metering::source::SourceKind;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::bill::{Bill, Charge};
use super::client::{Answer, Client, Refusal};
use super::stdout::print;
use super::{EXIT_FAILURE, Failure, tell};
use crate::carbon::Grams;

/// What stands for itself in a path. Source: RFC 3986, section 2.3.
pub const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The largest input that is read from stdin: the most that a daemon can be told to take.
const INPUT_BYTES_MAX: u64 = 1 << 30;

/// The query's names for the input and for waiting, which cannot be variables' too, and the flags to use instead.
const INPUT: (&str, &str) = ("input", "give the input with --input");
const SETTLE: (&str, &str) = ("settle", "wait for the settled charge with --settle");

/// The answer to a call that came to its end. Unknown members are left alone: the daemon may be newer.
#[derive(Debug, Deserialize)]
struct Envelope {
    output: Option<String>,
    output_base64: Option<String>,
    exit_code: Option<i32>,
    #[serde(flatten)]
    cost: Cost,
}

/// The answer to a call that did not.
#[derive(Debug, Deserialize)]
struct Problem {
    #[serde(flatten)]
    refusal: Refusal,
    exit_code: Option<i32>,
    #[serde(default)]
    stderr: String,
    /// Missing where nothing ran.
    #[serde(flatten)]
    cost: Option<Cost>,
}

#[derive(Debug, Deserialize)]
struct Cost {
    energy: Energy,
    work: Work,
}

#[derive(Debug, Deserialize)]
struct Energy {
    state: String,
    source: String,
    active_joules: Option<f64>,
    base_joules: Option<f64>,
    uncertainty_joules: Option<f64>,
    carbon_grams: Option<f64>,
    reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Work {
    cpu_ns: Option<u64>,
}

/// Calls the function, and exits as it did.
pub fn invoke(matches: &ArgMatches) -> super::Result {
    let text = |key: &str| matches.get_one::<String>(key).map(String::as_str);
    let client = Client::of(matches).map_err(Failure::usage)?;
    let variables = matches.get_many::<String>("env").into_iter().flatten();
    let settle = matches.get_flag("settle");
    let path = path(text("name").unwrap_or_default(), variables, settle).map_err(Failure::usage)?;
    let answer = client.post(&path, input(text("input"))?)?;
    if matches.get_flag("json") { as_json(&answer) } else { as_text(&answer) }
}

/// Where the function is called, with its variables.
fn path<'a>(name: &str, variables: impl Iterator<Item = &'a String>, settle: bool) -> anyhow::Result<String> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for variable in variables {
        let (name, value) =
            variable.split_once('=').ok_or_else(|| anyhow!("`--env {variable}` has no value: write NAME=VALUE"))?;
        if let Some((taken, instead)) = [INPUT, SETTLE].iter().find(|(taken, _)| *taken == name) {
            return Err(anyhow!("`{taken}` cannot be a variable of a call: {instead}"));
        }
        query.append_pair(name, value);
    }
    if settle {
        query.append_pair(SETTLE.0, "true");
    }
    let (name, query) = (utf8_percent_encode(name, RESERVED), query.finish());
    Ok(if query.is_empty() { format!("/invoke/{name}") } else { format!("/invoke/{name}?{query}") })
}

/// The text, or for `-` what comes on stdin.
fn input(text: Option<&str>) -> anyhow::Result<Vec<u8>> {
    if text != Some("-") {
        return Ok(text.unwrap_or_default().into());
    }
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes).context("cannot read stdin")?;
    if bytes.len() as u64 > INPUT_BYTES_MAX {
        return Err(anyhow!("stdin has more than {INPUT_BYTES_MAX} bytes, which no daemon takes"));
    }
    Ok(bytes)
}

/// The daemon's own words on stdout.
fn as_json(answer: &Answer) -> super::Result {
    let exit_code = if answer.is_success() {
        answer.parse::<Envelope>()?.exit_code.map_or(ExitCode::SUCCESS, own)
    } else {
        failed(answer.parse::<Problem>()?.exit_code)
    };
    print(answer.bytes())?;
    Ok(exit_code)
}

/// The output on stdout, everything else on stderr.
fn as_text(answer: &Answer) -> super::Result {
    if answer.is_success() {
        let envelope: Envelope = answer.parse()?;
        print(&output(&envelope)?)?;
        tell(bill(&envelope.cost));
        return Ok(envelope.exit_code.map_or(ExitCode::SUCCESS, own));
    }
    let problem: Problem = answer.parse()?;
    if !problem.stderr.is_empty() {
        tell(problem.stderr.strip_suffix('\n').unwrap_or(&problem.stderr));
    }
    tell(format_args!("nebula: {}", problem.refusal));
    if let Some(cost) = &problem.cost {
        tell(bill(cost));
    }
    Ok(failed(problem.exit_code))
}

fn output(envelope: &Envelope) -> anyhow::Result<Vec<u8>> {
    match (&envelope.output, &envelope.output_base64) {
        (_, Some(base64)) => STANDARD.decode(base64).context("the daemon's `output_base64` is not base64"),
        (Some(text), None) => Ok(text.as_bytes().into()),
        (None, None) => Err(anyhow!("the daemon's answer has no output")),
    }
}

fn bill(cost: &Cost) -> String {
    let energy = &cost.energy;
    let charge = |active| Charge {
        active: Joules(active),
        uncertainty: energy.uncertainty_joules.map(Joules),
        base: energy.base_joules.map(Joules),
    };
    let unknown = energy.reason.as_deref().unwrap_or("the daemon does not tell");
    Bill {
        energy: energy.active_joules.map(charge).ok_or(unknown),
        carbon: energy.carbon_grams.map(Grams),
        cpu: cost.work.cpu_ns.map(Duration::from_nanos),
        source: &energy.source,
        origin: origin(energy),
    }
    .to_string()
}

/// What the figure is. An estimate from a measured source is no measurement of this call: that comes when it is
/// settled.
fn origin(energy: &Energy) -> &str {
    if energy.source == SourceKind::Simulated.as_str() {
        return "made up, nothing is measured";
    }
    let modelled = energy.source == SourceKind::Model.as_str();
    match (&*energy.state, modelled) {
        ("settled", true) => "settled, but not measured",
        (_, true) => "an estimate, not measured",
        ("settled", false) => "measured",
        ("estimated", false) => "an estimate, not settled yet",
        (state, false) => state,
    }
}

/// A function's exit code as ours. The kernel keeps the lowest byte of an exit code, as it does for every process.
fn own(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code & 0xff).unwrap_or(EXIT_FAILURE))
}

/// The exit code of a call that failed, which is never zero.
fn failed(code: Option<i32>) -> ExitCode {
    match code {
        Some(code) if code & 0xff != 0 => own(code),
        _ => ExitCode::from(EXIT_FAILURE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path_of(name: &str, variables: &[&str]) -> anyhow::Result<String> {
        let variables: Vec<String> = variables.iter().map(|&variable| variable.to_owned()).collect();
        path(name, variables.iter(), false)
    }

    #[test]
    fn names_and_variables_are_escaped() {
        assert_eq!(path_of("hello-world_2", &[]).unwrap(), "/invoke/hello-world_2");
        assert_eq!(path_of("a/../b?ü", &[]).unwrap(), "/invoke/a%2F..%2Fb%3F%C3%BC");
        assert_eq!(path_of("x", &["A=1=2", "B=a b&ö"]).unwrap(), "/invoke/x?A=1%3D2&B=a+b%26%C3%B6");
    }

    #[test]
    fn a_variable_has_a_value_and_is_not_the_input() {
        assert!(path_of("x", &["A"]).unwrap_err().to_string().contains("NAME=VALUE"));
        assert!(path_of("x", &["input=1"]).unwrap_err().to_string().contains("--input"));
        assert!(path_of("x", &["settle=true"]).unwrap_err().to_string().contains("--settle"));
    }

    #[test]
    fn waiting_is_asked_for_in_the_query() {
        assert_eq!(path("x", [].iter(), true).unwrap(), "/invoke/x?settle=true");
        assert_eq!(path("x", ["A=1".to_owned()].iter(), true).unwrap(), "/invoke/x?A=1&settle=true");
    }

    #[test]
    fn a_failed_call_never_exits_with_zero() {
        for (code, expected) in [(None, 1), (Some(0), 1), (Some(256), 1), (Some(7), 7), (Some(-1), 255), (Some(259), 3)]
        {
            assert_eq!(failed(code), ExitCode::from(expected), "{code:?}");
        }
    }

    fn cost(energy: &str) -> Cost {
        serde_json::from_str(&format!(r#"{{"energy":{energy},"work":{{"cpu_ns":196000}}}}"#)).unwrap()
    }

    #[test]
    fn a_bill_says_what_kind_of_figure_it_is() {
        let energy = |state: &str, source: &str| {
            cost(&format!(
                r#"{{"state":"{state}","source":"{source}","active_joules":0.000213,"base_joules":0.00009,
                    "uncertainty_joules":0.000061}}"#
            ))
        };
        assert_eq!(
            bill(&energy("estimated", "model")),
            "nebula: 213.0 µJ ± 61.0 µJ + 90.0 µJ base; 0.196 ms CPU; source model (an estimate, not measured)"
        );
        assert!(bill(&energy("estimated", "powercap")).ends_with("source powercap (an estimate, not settled yet)"));
        assert!(bill(&energy("settled", "powercap")).ends_with("source powercap (measured)"));
        assert!(bill(&energy("settled", "simulated")).ends_with("source simulated (made up, nothing is measured)"));
        assert!(bill(&energy("settled", "model")).ends_with("source model (settled, but not measured)"));
    }

    #[test]
    fn joules_that_are_null_are_not_known() {
        let energy = r#"{"state":"unknown","source":"powercap","active_joules":null,"reason":"no window has closed"}"#;
        assert_eq!(
            bill(&cost(energy)),
            "nebula: joules not known: no window has closed; 0.196 ms CPU; source powercap"
        );
    }

    #[test]
    fn a_problem_before_the_call_has_no_cost() {
        let problem = r#"{"type":"urn:nebula:busy","title":"Too many calls","status":503,"detail":"later"}"#;
        let problem: Problem = serde_json::from_str(problem).unwrap();
        assert!(problem.cost.is_none() && problem.stderr.is_empty() && problem.exit_code.is_none());
    }
}
