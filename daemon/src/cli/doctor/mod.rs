//! `nebula doctor`: what this machine can measure, what is missing, and how to fix it.

mod calibration;
mod finding;
mod powercap;
mod sources;
mod work;

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use clap::ArgMatches;
use nebula_metering::source::SourceKind;
use nebula_metering::source::model::cpu::parse_cpuinfo;
use nebula_metering::source::powercap::survey;

use super::output::print;
use super::{EXIT_FAILURE, Failure};
use crate::causes::chain;
use crate::config::Config;
use crate::knowledge::Machine;
use crate::meter::{Choice, open_source};
use finding::{Finding, Verdict, report};

/// Prints a report; exits with 0 if a source can measure.
pub fn doctor(matches: &ArgMatches) -> super::Result {
    let flags = |key: &str| matches.try_get_one::<String>(key).ok().flatten().cloned();
    let config = Config::read(flags, None).map_err(Failure::usage)?;
    let (sysfs_root, procfs_root) = (config.meter.sysfs_root, config.meter.procfs_root);

    let cpuinfo = std::fs::read(procfs_root.join("cpuinfo")).unwrap_or_default();
    let processor = parse_cpuinfo(&String::from_utf8_lossy(&cpuinfo));
    let (auto, chosen) = auto(&sysfs_root, &procfs_root);
    let machine = Machine::read(&sysfs_root, &procfs_root);
    let findings = [
        powercap::finding(&survey(&sysfs_root), &sysfs_root, &processor),
        sources::perf(&sysfs_root, &procfs_root, &processor),
        sources::hwmon(&sysfs_root),
        sources::rapl_energy(),
        sources::model(&sysfs_root, &procfs_root),
        work::counters(&sysfs_root, &procfs_root, &processor),
        work::clock(&sysfs_root, &procfs_root),
        auto,
        calibration::finding(config.state.as_deref(), machine, chosen),
    ];
    let is_measured = chosen.is_some_and(SourceKind::is_measured);
    let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    print(report(&findings, colours).as_bytes())?;
    Ok(if is_measured { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILURE) })
}

/// What `--source auto` chooses.
fn auto(sysfs_root: &Path, procfs_root: &Path) -> (Finding, Option<SourceKind>) {
    match open_source(Choice::Auto, sysfs_root, procfs_root) {
        Ok(source) => {
            let (kind, reason) = (source.kind(), source.reason().unwrap_or_default());
            let fact = format!("chooses `{kind}`: {reason}");
            (Finding::new(Verdict::Ok, "--source auto", fact), Some(kind))
        }
        Err(error) => (Finding::new(Verdict::Missing, "--source auto", chain(&error)), None),
    }
}
