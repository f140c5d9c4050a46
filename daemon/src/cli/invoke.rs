//! `nebula invoke`: calls a function of a running daemon.

use std::io::Read;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::ArgMatches;
use hyper::Method;
use nebula_api::call::{Cost, Envelope, Output};
use nebula_api::energy::{Energy, EnergyState};
use nebula_api::problem::Problem;
use nebula_metering::Joules;
use nebula_metering::source::SourceKind;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::bill::{Bill, Charge};
use super::client::{Answer, Client, Content, refusal};
use super::output::print;
use super::{EXIT_FAILURE, Failure, note};
use crate::carbon::Grams;

/// All but the unreserved characters. Source: RFC 3986, section 2.3.
pub const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The largest input read from stdin: no daemon can be configured to take more.
const INPUT_BYTES_MAX: u64 = 1 << 30;

/// Parameters that cannot be variables, and the flags to use instead.
const INPUT: (&str, &str) = ("input", "give the input with --input");
const SETTLE: (&str, &str) = ("settle", "wait for the settled charge with --settle");

/// Calls the function, and exits as it did.
pub fn invoke(matches: &ArgMatches) -> super::Result {
    let text = |key: &str| matches.get_one::<String>(key).map(String::as_str);
    let client = Client::of(matches)?;
    let variables = matches.get_many::<String>("env").into_iter().flatten();
    let settle = matches.get_flag("settle");
    let path = path(text("name").unwrap_or_default(), variables, settle).map_err(Failure::usage)?;
    let content = Content { body: input(text("input"))?.into(), ..Content::default() };
    let answer = client.send(Method::POST, &path, content)?;
    if matches.get_flag("json") { as_json(&answer) } else { as_text(&answer) }
}

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

/// The text, or stdin for `-`.
fn input(text: Option<&str>) -> anyhow::Result<Vec<u8>> {
    if text != Some("-") {
        return Ok(text.unwrap_or_default().into());
    }
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes).context("cannot read stdin")?;
    if bytes.len() as u64 > INPUT_BYTES_MAX {
        return Err(anyhow!("stdin has more than {INPUT_BYTES_MAX} bytes, more than any daemon takes"));
    }
    Ok(bytes)
}

/// The daemon's answer on stdout, as it is.
fn as_json(answer: &Answer) -> super::Result {
    let exit_code = if answer.is_success() {
        answer.parse::<Envelope<'_>>()?.exit_code.map_or(ExitCode::SUCCESS, own)
    } else {
        failed(answer.parse::<Problem<'_>>()?.call.and_then(|call| call.exit_code))
    };
    print(answer.bytes())?;
    Ok(exit_code)
}

/// The output on stdout, everything else on stderr.
fn as_text(answer: &Answer) -> super::Result {
    if answer.is_success() {
        let envelope: Envelope<'_> = answer.parse()?;
        print(&output(envelope.output)?)?;
        note(bill(&envelope.cost));
        return Ok(envelope.exit_code.map_or(ExitCode::SUCCESS, own));
    }
    let problem: Problem<'_> = answer.parse()?;
    let call = problem.call.as_ref();
    if let Some(stderr) = call.map(|call| &*call.stderr).filter(|stderr| !stderr.is_empty()) {
        note(stderr.strip_suffix('\n').unwrap_or(stderr));
    }
    note(format_args!("nebula: {}", refusal(&problem)));
    if let Some(call) = call {
        note(bill(&call.cost));
    }
    Ok(failed(call.and_then(|call| call.exit_code)))
}

fn output(output: Output<'_>) -> anyhow::Result<Vec<u8>> {
    match output {
        Output::Text(text) => Ok(text.into_owned().into()),
        Output::Base64(base64) => STANDARD.decode(base64).context("the daemon's `output_base64` is not base64"),
    }
}

fn bill(cost: &Cost) -> String {
    let energy = &cost.energy;
    let charge = |active| Charge {
        active: Joules(active),
        uncertainty: energy.uncertainty_joules.map(Joules),
        base: energy.base_joules.map(Joules),
    };
    let unknown = energy.reason.as_deref().unwrap_or("the daemon does not say");
    Bill {
        energy: energy.active_joules.map(charge).ok_or(unknown),
        carbon: energy.carbon.as_ref().and_then(|carbon| carbon.grams).map(Grams),
        cpu: cost.work.cpu_ns.map(Duration::from_nanos),
        source: &energy.source,
        origin: origin(energy),
        work_model: energy.work_model,
    }
    .to_string()
}

/// What kind of figure it is. An estimate is not a measurement of this call, even from a measured source: that comes
/// when it is settled.
fn origin(energy: &Energy) -> &'static str {
    if energy.source == SourceKind::Simulated.as_str() {
        return "made up, nothing is measured";
    }
    let modelled = energy.source == SourceKind::Model.as_str();
    match (energy.state, modelled) {
        (EnergyState::Settled, true) => "settled, but not measured",
        (_, true) => "an estimate, not measured",
        (EnergyState::Settled, false) => "measured",
        (EnergyState::Estimated, false) => "an estimate, not settled yet",
        (state, false) => state.as_str(),
    }
}

/// A function's exit code as ours: the kernel keeps the lowest byte.
fn own(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code & 0xff).unwrap_or(EXIT_FAILURE))
}

/// The exit code of a failed call: never zero.
fn failed(code: Option<i32>) -> ExitCode {
    match code {
        Some(code) if code & 0xff != 0 => own(code),
        _ => ExitCode::from(EXIT_FAILURE),
    }
}

#[cfg(test)]
mod tests {
    use nebula_api::call::{Times, Timing, Work};
    use nebula_api::problem::FailedCall;
    use uuid::Uuid;

    use super::*;

    fn path_of(name: &str, variables: &[&str], settle: bool) -> anyhow::Result<String> {
        let variables: Vec<String> = variables.iter().map(|&variable| variable.to_owned()).collect();
        path(name, variables.iter(), settle)
    }

    #[test]
    fn names_and_variables_are_escaped() {
        for (name, variables, settle, expected) in [
            ("hello-world_2", &[][..], false, "/invoke/hello-world_2"),
            ("a/../b?ü", &[], false, "/invoke/a%2F..%2Fb%3F%C3%BC"),
            ("x", &["A=1=2", "B=a b&ö"], false, "/invoke/x?A=1%3D2&B=a+b%26%C3%B6"),
            ("x", &[], true, "/invoke/x?settle=true"),
            ("x", &["A=1"], true, "/invoke/x?A=1&settle=true"),
        ] {
            assert_eq!(path_of(name, variables, settle).unwrap(), expected);
        }
    }

    #[test]
    fn a_variable_has_a_value_and_is_not_the_input() {
        for (variable, hint) in [("A", "NAME=VALUE"), ("input=1", "--input"), ("settle=true", "--settle")] {
            assert!(path_of("x", &[variable], false).unwrap_err().to_string().contains(hint), "{variable}");
        }
    }

    #[test]
    fn a_failed_call_never_exits_with_zero() {
        for (code, expected) in [(None, 1), (Some(0), 1), (Some(256), 1), (Some(7), 7), (Some(-1), 255), (Some(259), 3)]
        {
            assert_eq!(failed(code), ExitCode::from(expected), "{code:?}");
        }
    }

    fn cost(state: EnergyState, source: &'static str, active_joules: Option<f64>) -> Cost {
        let energy = Energy {
            state,
            source: source.into(),
            policy: "active".into(),
            uncertainty_joules: active_joules.map(|_| 0.000_061),
            active_joules,
            base_joules: active_joules.map(|_| 0.000_09),
            reason: active_joules.is_none().then(|| "no window has closed".into()),
            ..Energy::default()
        };
        let times = Times { startup_us: 4, execution_us: 196, total_us: 200, cpu_us: Some(196), ..Times::default() };
        let timing = Timing { times, ..Timing::default() };
        let work = Work { cpu_ns: Some(196_000), ..Work::default() };
        Cost { energy_joules: active_joules, energy, timing, work }
    }

    #[test]
    fn a_bill_says_what_kind_of_figure_it_is() {
        use EnergyState::{Estimated, Settled};
        let bill = |state, source| bill(&cost(state, source, Some(0.000_213)));
        assert_eq!(
            bill(Estimated, "model"),
            "nebula: 213.0 µJ ± 61.0 µJ + 90.0 µJ base; 0.196 ms CPU; source model (an estimate, not measured)"
        );
        for (state, source, nature) in [
            (Estimated, "powercap", "an estimate, not settled yet"),
            (Settled, "powercap", "measured"),
            (Settled, "simulated", "made up, nothing is measured"),
            (Settled, "model", "settled, but not measured"),
        ] {
            assert!(bill(state, source).ends_with(&format!("source {source} ({nature})")), "{source}");
        }
    }

    #[test]
    fn a_bill_without_joules_says_why() {
        assert_eq!(
            bill(&cost(EnergyState::Unknown, "powercap", None)),
            "nebula: joules not known: no window has closed; 0.196 ms CPU; source powercap"
        );
    }

    #[test]
    fn a_problem_may_hold_the_call_that_failed() {
        let busy = r#"{"type":"urn:nebula:busy","title":"Too many calls","status":503,"detail":"later"}"#;
        let busy: Problem<'_> = serde_json::from_str(busy).unwrap();
        assert!(busy.call.is_none());
        let failed = FailedCall {
            function: "f".into(),
            invocation_id: Uuid::nil(),
            exit_code: Some(7),
            stderr: "oops".into(),
            cost: cost(EnergyState::Estimated, "model", None),
        };
        let exit = Problem { call: Some(failed), ..busy };
        assert_eq!(serde_json::from_str::<Problem<'_>>(&serde_json::to_string(&exit).unwrap()).unwrap(), exit);
    }
}
