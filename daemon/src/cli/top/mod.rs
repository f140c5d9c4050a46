//! `nebula top`: the functions of a running daemon by what they draw, live.

mod columns;
mod draw;
mod frames;
mod ledger;
mod look;
#[cfg(test)]
mod made_up;
mod order;
mod poll;
mod rates;
mod screen;
mod state;
mod trail;
mod units;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use clap::ArgMatches;

pub use frames::Format;
use frames::Frames;
use ledger::Reading;
pub use look::Colour;
use look::Look;
pub use order::Order;
use state::State;

use super::Failure;
use super::client::Client;
use crate::settings;

/// A window is 100 ms unless told otherwise: who asks more often than every other one sees nothing new.
const INTERVAL_MIN: Duration = Duration::from_millis(200);

/// Who asks less often does not watch.
const INTERVAL_MAX: Duration = Duration::from_secs(3600);

/// A daemon that leaves out so many readings is said to be silent, but not before it had time for an answer.
const READINGS_MISSED: u32 = 3;
const PATIENCE_MIN: Duration = Duration::from_secs(3);

/// Reads `--interval`.
///
/// # Errors
/// Says what may be given.
pub fn interval(text: &str) -> Result<Duration, String> {
    let interval = settings::duration(text)?;
    if (INTERVAL_MIN..=INTERVAL_MAX).contains(&interval) {
        return Ok(interval);
    }
    Err(format!("readings are {INTERVAL_MIN:?} to {} h apart", INTERVAL_MAX.as_secs() / 3600))
}

/// Shows a daemon, or prints what is going on there.
pub fn top(matches: &ArgMatches) -> super::Result {
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    // clap knows the names.
    let order = Order::ALL.into_iter().find(|order| Some(order.as_str()) == text("sort")).unwrap_or(Order::Watts);
    let colour = Colour::ALL.into_iter().find(|colour| Some(colour.as_str()) == text("color")).unwrap_or(Colour::Auto);
    let format = Format::ALL.into_iter().find(|format| Some(format.as_str()) == text("format"));
    let interval = matches.get_one("interval").copied().unwrap_or(INTERVAL_MIN);
    let count = matches.get_one::<u64>("count").copied();
    let look = Look::of(colour, |name| std::env::var(name).ok());
    let client = Client::of(matches).map_err(Failure::usage)?;

    let asked = matches.get_flag("batch") || count.is_some() || format.is_some();
    // A terminal without a cursor that can be moved, such as an editor's, scrolls.
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let first = Reading::ask(&client)?;
    if asked || dumb || !std::io::stdout().is_terminal() {
        let count = Some(count.unwrap_or(1)).filter(|count| *count > 0);
        let format = format.unwrap_or(Format::Table);
        Frames { format, order, interval, count, look }.print(&client, first)?;
        return Ok(ExitCode::SUCCESS);
    }
    let state = State::new(client.url(), order, first, PATIENCE_MIN.max(interval * READINGS_MISSED));
    Ok(screen::show(client, state, interval, look)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_have_a_unit_and_bounds() {
        assert_eq!(interval("1s"), Ok(Duration::from_secs(1)));
        assert_eq!(interval("200ms"), Ok(INTERVAL_MIN));
        assert_eq!(interval("199ms"), Err("readings are 200ms to 1 h apart".into()));
        assert_eq!(interval("2h"), Err("readings are 200ms to 1 h apart".into()));
        assert!(interval("5").is_err());
    }
}
