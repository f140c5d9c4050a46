//! The same figures as text or lines of JSON, for files, pipes and scripts.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use humantime::format_rfc3339_seconds;
use serde::Serialize;

use super::columns::{Column, SPACE};
use super::draw::accounts;
use super::ledger::{LedgerReading, SourceInfo};
use super::order::Order;
use super::poll::Ticks;
use super::rates::{FunctionRates, LiveRates, PerCall, Readings};
use super::theme::Theme;
use super::units;
use crate::cli::client::Client;
use crate::cli::output::offer;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameFormat {
    Table,
    Json,
}

impl FrameFormat {
    pub const ALL: [Self; 2] = [Self::Table, Self::Json];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Json => "json",
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Frames {
    pub format: FrameFormat,
    pub order: Order,
    pub interval: Duration,
    /// `None`: endless.
    pub count: Option<u64>,
    pub theme: Theme,
}

impl Frames {
    /// Prints frames until the count is reached, the reader goes away, or a reading fails.
    pub fn print(self, client: &Client, first: LedgerReading) -> anyhow::Result<()> {
        let mut readings = Readings::default();
        readings.push(first);
        let mut ticks = Ticks::new(self.interval);
        let mut printed = 0;
        while self.count.is_none_or(|count| printed < count) {
            ticks.wait();
            let reading = LedgerReading::ask(client)?;
            let source = reading.source.clone();
            readings.push(reading);
            // After a restart of the daemon one more reading is needed.
            let Some(rates) = readings.rates() else { continue };
            let frame = Frame { daemon: &client.url(), at: SystemTime::now(), source: &source, rates: &rates };
            let text = match self.format {
                FrameFormat::Json => frame.json(self.order)?,
                FrameFormat::Table if printed > 0 => format!("\n{}", frame.table(self.order, self.theme)),
                FrameFormat::Table => frame.table(self.order, self.theme),
            };
            if !offer(text.as_bytes())? {
                break;
            }
            printed += 1;
        }
        Ok(())
    }
}

struct Frame<'f> {
    daemon: &'f str,
    at: SystemTime,
    source: &'f SourceInfo,
    rates: &'f LiveRates,
}

impl Frame<'_> {
    fn sorted(&self, order: Order) -> Vec<&FunctionRates> {
        let mut functions: Vec<_> = self.rates.functions.iter().collect();
        order.sort(false, &mut functions);
        functions
    }

    fn table(&self, order: Order, theme: Theme) -> String {
        let LiveRates { over, power, calls_per_second, .. } = self.rates;
        let mut text = String::new();
        let seconds = over.as_secs_f64();
        let at = format_rfc3339_seconds(self.at);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{} at {at}, means over {seconds:.1} s", self.daemon);
        let description = self.source.description.as_deref().unwrap_or_default();
        let _ = writeln!(text, "{}: {}; {description}", self.source.kind, self.source.nature());
        let parts = accounts(power).map(|(account, watts)| format!("{} {}", account.name(), units::watts(watts)));
        let parts = parts.collect::<Vec<_>>().join(" + ");
        let _ =
            writeln!(text, "{} = {parts}; {} calls/s\n", units::watts(power.total()), units::rate(*calls_per_second));
        let functions = self.sorted(order);
        let columns = Column::ALL.into_iter().filter(|column| *column != Column::Bar);
        let columns: Vec<_> = columns.map(|column| (column, widest(column, &functions))).collect();
        let mut line = |cell: &dyn Fn(Column) -> String| {
            let cells = columns.iter().map(|(column, width)| match column {
                Column::Name => format!("{:<width$}", cell(*column)),
                _ => format!("{:>width$}", cell(*column)),
            });
            let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join(&" ".repeat(SPACE)));
        };
        line(&|column| column.heading().into());
        for function in &functions {
            line(&|column| column.cell(function));
        }
        if functions.iter().any(|function| matches!(function.per_call, PerCall::SinceStart(_))) {
            text.push_str("~ mean since the daemon started: no call settled in this time\n");
        }
        theme.text(text).into_owned()
    }

    fn json(&self, order: Order) -> serde_json::Result<String> {
        let LiveRates { over, power, calls_per_second, .. } = self.rates;
        let functions = self.sorted(order).into_iter().map(|function| FunctionLine {
            function: &function.name,
            watts: function.watts.0,
            share: function.share,
            joules_per_call: match function.per_call {
                PerCall::Recent(joules) => Some(joules.0),
                PerCall::SinceStart(_) | PerCall::Unknown => None,
            },
            calls_per_second: function.calls_per_second,
            active_joules_total: function.joules.0,
            base_joules_total: function.base.0,
            calls_total: function.calls,
        });
        let frame = FrameLine {
            daemon: self.daemon,
            at: format_rfc3339_seconds(self.at).to_string(),
            source: &self.source.kind,
            measured: self.source.measured,
            over_seconds: over.as_secs_f64(),
            watts: WattsLine {
                total: power.total().0,
                functions: power.functions.0,
                runtime: power.runtime.0,
                host: power.host.0,
                base: power.base.0,
                gap: power.gap.0,
            },
            calls_per_second: *calls_per_second,
            functions: functions.collect(),
        };
        serde_json::to_string(&frame).map(|line| line + "\n")
    }
}

fn widest(column: Column, functions: &[&FunctionRates]) -> usize {
    let cells = functions.iter().map(|function| column.cell(function).chars().count());
    cells.chain([column.heading().len()]).max().unwrap_or_default()
}

#[derive(Serialize)]
struct FrameLine<'t> {
    daemon: &'t str,
    at: String,
    source: &'t str,
    measured: bool,
    over_seconds: f64,
    watts: WattsLine,
    calls_per_second: f64,
    functions: Vec<FunctionLine<'t>>,
}

#[derive(Serialize)]
struct WattsLine {
    total: f64,
    functions: f64,
    runtime: f64,
    host: f64,
    base: f64,
    gap: f64,
}

#[derive(Serialize)]
struct FunctionLine<'t> {
    function: &'t str,
    watts: f64,
    share: f64,
    /// Null if no call settled in this time.
    joules_per_call: Option<f64>,
    calls_per_second: f64,
    active_joules_total: f64,
    base_joules_total: f64,
    calls_total: u64,
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{rates, reading, used};
    use super::*;
    use std::time::Instant;

    fn example() -> (SourceInfo, LiveRates) {
        let rates = rates(
            &[("fibonacci", used(0, 0, 0)), ("idle", used(4, 2, 4)), ("new", used(0, 0, 0))],
            &[("fibonacci", used(1500, 1200, 1440)), ("idle", used(4, 2, 4)), ("new", used(500, 0, 0))],
        );
        (reading(Instant::now(), 0, &[]).source, rates)
    }

    #[test]
    fn a_table_tells_what_the_screen_does() {
        let (source, rates) = example();
        let frame = Frame { daemon: "http://a", at: SystemTime::UNIX_EPOCH, source: &source, rates: &rates };
        let theme = Theme { colour: false, unicode: true };
        let expected = "\
http://a at 1970-01-01T00:00:00Z, means over 1.0 s
model: estimated, not measured; model of a made-up processor, 2 threads, 1.5–7.0 W ±80 %; not measured
5.50 W = functions 2.00 W + runtime 500 mW + host 1.00 W + base 2.00 W; 1,200 calls/s

FUNCTION    WATTS  SHARE    J/CALL  CALLS/S   JOULES  CALLS
fibonacci  1.50 W   75 %   1.20 mJ    1,200   1.50 J  1,200
new        500 mW   25 %         -        0   500 mJ      0
idle          0 W    0 %  ~2.00 mJ        0  4.00 mJ      2
~ mean since the daemon started: no call settled in this time
";
        assert_eq!(frame.table(Order::Watts, theme), expected);
        let ascii = frame.table(Order::Watts, Theme { unicode: false, ..theme });
        assert!(ascii.is_ascii() && ascii.contains("1.5-7.0 W +-80 %"), "{ascii}");
    }

    #[test]
    fn a_line_of_json_holds_it_all() {
        let (source, rates) = example();
        let frame = Frame { daemon: "http://a", at: SystemTime::UNIX_EPOCH, source: &source, rates: &rates };
        let line = frame.json(Order::Name).unwrap();
        assert_eq!(line.lines().count(), 1);
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&line["source"], &line["measured"], &line["over_seconds"]),
            (&"model".into(), &false.into(), &1.0.into())
        );
        let total =
            ["functions", "runtime", "host", "base", "gap"].map(|account| line["watts"][account].as_f64().unwrap());
        assert_eq!(line["watts"]["total"], total.iter().sum::<f64>());
        let [first, idle, _] = [0, 1, 2].map(|index| &line["functions"][index]);
        assert_eq!((&first["function"], &first["joules_per_call"]), (&"fibonacci".into(), &0.0012.into()));
        assert_eq!((&first["calls_total"], &first["active_joules_total"]), (&1200.into(), &1.5.into()));
        assert!(idle["joules_per_call"].is_null());
    }
}
