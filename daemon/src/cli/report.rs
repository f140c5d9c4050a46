//! `nebula report`: what functions have used, from a daemon or from its state directory.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::ArgMatches;
use terminal_size::{Width, terminal_size_of};

use super::Failure;
use super::client::Client;
use super::output::print;
use crate::units::Policy;
use crate::usage::{By, FILE, Report, ReportFormat, Since, Store, report_of};

/// Longest time to wait for a report. A daemon reads a year of hours in a second or two.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);

pub fn report(matches: &ArgMatches) -> super::Result {
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str).unwrap_or_default();
    let (since, by, format) = (text("since"), text("by"), text("format"));
    let parsed = Since::parse(since, SystemTime::now());
    let parsed = parsed.map_err(|why| Failure::usage(anyhow::anyhow!("`{since}` is not a time for --since: {why}")))?;
    // clap has checked the names.
    let by = By::ALL.into_iter().find(|known| known.as_str() == by).unwrap_or(By::Function);
    let format = ReportFormat::ALL.into_iter().find(|known| known.as_str() == format).unwrap_or(ReportFormat::Table);
    let policy = matches.get_one::<String>("policy").map(String::as_str);
    let report: Report = match matches.get_one::<String>("state") {
        Some(directory) => {
            let policy = if policy == Some(Policy::Usage.as_str()) { Policy::Usage } else { Policy::Active };
            report_of(&mut Store::read(&Path::new(directory).join(FILE))?, parsed, by, policy)?
        }
        None => {
            let client = Client::of(matches)?;
            let mut query = form_urlencoded::Serializer::new(String::from("/usage?"));
            query.append_pair("since", since).append_pair("by", by.as_str());
            if let Some(policy) = policy {
                query.append_pair("policy", policy);
            }
            client.get(&query.finish(), ANSWER_TIME_MAX)?.expect()?
        }
    };
    print(&format.write(&report, width())?)?;
    Ok(ExitCode::SUCCESS)
}

/// The width of the terminal; no limit elsewhere.
fn width() -> Option<usize> {
    let stdout = std::io::stdout();
    let size = stdout.is_terminal().then(|| terminal_size_of(stdout)).flatten();
    size.map(|(Width(width), _)| width.into())
}
