//! `nebula calibrate`: learns what work costs on this machine before a daemon serves the first call.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;
use clap::ArgMatches;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tracing::level_filters::LevelFilter;

use super::Failure;
use super::output::print;
use crate::calibrating::{CalibrateError, Conduct, Experiment, Findings};
use crate::config::Config;
use crate::knowledge::{KnowledgeFile, Machine};
use crate::meter::{Off, open_source};
use crate::settings::duration;
use crate::state::{State, StateError};
use crate::telemetry::{LogFormat, LogLevel, start_logging};

/// Shorter, a step is hardly longer than a window; longer, nothing new is learned.
const TIME_MIN: Duration = Duration::from_secs(5);
const TIME_MAX: Duration = Duration::from_secs(600);

/// The unit of the progress bar.
const WHOLE: u64 = 1000;

/// What `--json` prints.
#[derive(Serialize)]
struct Printed<'a> {
    #[serde(flatten)]
    findings: Findings,
    stored_in: &'a Path,
}

pub fn calibrate(matches: &ArgMatches) -> super::Result {
    start_logging(LogFormat::Text, LogLevel(LevelFilter::WARN));
    let flags = |key: &str| matches.try_get_one::<String>(key).ok().flatten().cloned();
    let config = Config::read(flags, None).map_err(Failure::usage)?;
    let settings = &config.meter;
    let time = matches.get_one::<Duration>("time").copied().unwrap_or(Conduct::TIME);
    let conduct = Conduct { time, force: matches.get_flag("force") };

    let choice =
        settings.source.ok_or_else(|| Failure::usage(anyhow!("there is nothing to calibrate: {}", Off::Configured)))?;
    // Held to the end, so that no daemon writes what it knows over this.
    let state = hold(config.state.as_deref())?;
    let file = KnowledgeFile::new(state.path(), Machine::read(&settings.sysfs_root, &settings.procfs_root));
    let source = open_source(choice, &settings.sysfs_root, &settings.procfs_root)?;
    let recalled = file.recall(source.counters());

    let bar = bar();
    let experiment = Experiment::run(source, settings, conduct, |done| bar.set_position((done * WHOLE as f64) as u64));
    bar.finish_and_clear();
    let experiment = experiment.map_err(|error| match error {
        unusable @ CalibrateError::NotMeasured { .. } => Failure::usage(unusable),
        error => error.into(),
    })?;
    file.store(experiment.known(&recalled))?;

    let findings = Findings::of(&experiment);
    let stored_in = file.path();
    let text = if matches.get_flag("json") {
        serde_json::to_string_pretty(&Printed { findings, stored_in })? + "\n"
    } else {
        format!("{findings}\nstored in `{}`; a daemon with this --state starts from it\n", stored_in.display())
    };
    print(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// The value of `--time`.
pub fn time(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if (TIME_MIN..=TIME_MAX).contains(&time) { Ok(time) } else { Err("it must be from 5s to 10m".into()) }
}

fn hold(directory: Option<&Path>) -> Result<State, Failure> {
    let nowhere = "there is no place to keep what is learned: name a directory with --state DIR";
    let directory = directory.ok_or_else(|| Failure::usage(anyhow!(nowhere)))?;
    State::hold(directory).map_err(|error| match error {
        StateError::Held { path, pid } => {
            let process = pid.map(|pid| format!(" (process {pid})")).unwrap_or_default();
            let path = path.display();
            anyhow!("a daemon{process} keeps its state in `{path}`: stop it, calibrate, and start it again").into()
        }
        failed @ StateError::Open { .. } => failed.into(),
    })
}

fn bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(WHOLE);
    if let Ok(style) = ProgressStyle::with_template("calibrating {bar:40} {percent} %, {elapsed} so far") {
        bar.set_style(style);
    }
    // Shown at once: the machine is watched before anything runs.
    bar.tick();
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_has_bounds() {
        assert_eq!(time("30s"), Ok(Duration::from_secs(30)));
        for text in ["1s", "1h", "30"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
