//! `nebula top`: the functions of a running daemon, by power, live.

mod account;
mod columns;
mod draw;
#[cfg(test)]
mod fixtures;
mod frames;
mod ledger;
mod order;
mod poll;
mod power_history;
mod rates;
mod screen;
mod theme;
mod units;
mod view;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use clap::ArgMatches;

pub use frames::FrameFormat;
use frames::Frames;
use ledger::LedgerReading;
pub use order::Order;
pub use theme::Colour;
use theme::Theme;
use view::View;

use super::client::Client;
use crate::settings;

/// Two windows of the default length: more often there is nothing new.
const INTERVAL_MIN: Duration = Duration::from_millis(200);

const INTERVAL_MAX: Duration = Duration::from_secs(3600);

/// The daemon counts as silent after this many missed readings, but not before it had time to answer.
const READINGS_MISSED: u32 = 3;
const PATIENCE_MIN: Duration = Duration::from_secs(3);

/// Parses `--interval`.
pub fn interval(text: &str) -> Result<Duration, String> {
    let interval = settings::duration(text)?;
    if (INTERVAL_MIN..=INTERVAL_MAX).contains(&interval) {
        return Ok(interval);
    }
    Err(format!("the interval must be between {INTERVAL_MIN:?} and {} h", INTERVAL_MAX.as_secs() / 3600))
}

pub fn top(matches: &ArgMatches) -> super::Result {
    let order = matches.get_one("sort").copied().unwrap_or(Order::Watts);
    let colour = matches.get_one("color").copied().unwrap_or(Colour::Auto);
    let format = matches.get_one("format").copied();
    let interval = matches.get_one("interval").copied().unwrap_or(INTERVAL_MIN);
    let count = matches.get_one::<u64>("count").copied();
    let theme = Theme::of(colour, |name| std::env::var(name).ok());
    let client = Client::of(matches)?;

    let asked = matches.get_flag("batch") || count.is_some() || format.is_some();
    // A terminal without cursor movement, such as an editor's.
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let first = LedgerReading::ask(&client)?;
    if asked || dumb || !std::io::stdout().is_terminal() {
        let count = Some(count.unwrap_or(1)).filter(|count| *count > 0);
        let format = format.unwrap_or(FrameFormat::Table);
        Frames { format, order, interval, count, theme }.print(&client, first)?;
        return Ok(ExitCode::SUCCESS);
    }
    let view = View::new(client.url(), order, first, PATIENCE_MIN.max(interval * READINGS_MISSED));
    Ok(screen::show(client, view, interval, theme)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_have_a_unit_and_bounds() {
        assert_eq!(interval("1s"), Ok(Duration::from_secs(1)));
        assert_eq!(interval("200ms"), Ok(INTERVAL_MIN));
        assert_eq!(interval("199ms"), Err("the interval must be between 200ms and 1 h".into()));
        assert_eq!(interval("2h"), Err("the interval must be between 200ms and 1 h".into()));
        assert!(interval("5").is_err());
    }
}
