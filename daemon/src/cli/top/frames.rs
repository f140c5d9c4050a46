//! The same figures as text or lines of JSON, for files, pipes and scripts.

use std::fmt::Write;
use std::iter;
use std::time::{Duration, SystemTime};

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use humantime::format_rfc3339_seconds;
use serde_json::json;
use strum::{EnumString, VariantArray, VariantNames};

use super::account::{Account, shown, total};
use super::columns::{Column, SPACE};
use super::ledger::{LedgerReading, SourceInfo};
use super::order::Order;
use super::poll::Ticks;
use super::rates::{FunctionRates, LiveRates, PerCall, Readings};
use super::theme::Theme;
use super::units;
use crate::cli::client::Client;
use crate::cli::output::offer;

#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum FrameFormat {
    Table,
    Json,
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
                FrameFormat::Json => frame.json(self.order),
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
        let parts = shown(power).map(|(account, watts)| format!("{} {}", account.name(), units::watts(watts)));
        let parts = parts.collect::<Vec<_>>().join(" + ");
        let _ = writeln!(text, "{} = {parts}; {} calls/s\n", self.rates.total(), units::rate(*calls_per_second));
        let functions = self.sorted(order);
        let columns = Column::VARIANTS.iter().filter(|column| **column != Column::Bar);
        let mut table = Table::new();
        table.load_style(NOTHING).set_header(columns.clone().map(|column| column.heading()));
        for function in &functions {
            table.add_row(columns.clone().map(|column| column.cell(function)));
        }
        for (index, column) in table.column_iter_mut().enumerate() {
            let (left, alignment) = if index == 0 { (0, CellAlignment::Left) } else { (SPACE, CellAlignment::Right) };
            column.set_padding((left as u16, 0)).set_cell_alignment(alignment);
        }
        let _ = writeln!(text, "{table}");
        if functions.iter().any(|function| matches!(function.per_call, PerCall::SinceStart(_))) {
            text.push_str("~ mean since the daemon started: no call settled in this time\n");
        }
        theme.text(text).into_owned()
    }

    fn json(&self, order: Order) -> String {
        let LiveRates { over, power, calls_per_second, .. } = self.rates;
        let each = Account::VARIANTS.iter().zip(power).map(|(account, watts)| (account.name(), watts.0));
        let watts: serde_json::Map<_, _> = iter::once(("total", total(power).0))
            .chain(each)
            .map(|(name, watts)| (name.into(), watts.into()))
            .collect();
        let function = |function: &FunctionRates| {
            let per_call = match function.per_call {
                PerCall::Recent(joules) => Some(joules.0),
                // No call settled in this time.
                PerCall::SinceStart(_) | PerCall::Unknown => None,
            };
            json!({
                "function": &*function.name,
                "watts": function.watts.0,
                "share": function.share,
                "joules_per_call": per_call,
                "calls_per_second": function.calls_per_second,
                "active_joules_total": function.joules.0,
                "base_joules_total": function.base.0,
                "calls_total": function.calls,
            })
        };
        let mut frame = json!({
            "daemon": self.daemon,
            "at": format_rfc3339_seconds(self.at).to_string(),
            "source": self.source.kind,
            "measured": self.source.measured,
            "over_seconds": over.as_secs_f64(),
            "watts": watts,
            "calls_per_second": calls_per_second,
            "functions": self.sorted(order).into_iter().map(function).collect::<Vec<_>>(),
        });
        if let Some(work_model) = self.source.work_model {
            frame["work_model"] = json!(work_model);
        }
        if let Some(error) = self.rates.relative_error {
            frame["relative_error"] = json!(error);
        }
        format!("{frame}\n")
    }
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
    fn a_table_has_the_same_figures_as_the_screen() {
        let (source, rates) = example();
        let frame = Frame { daemon: "http://a", at: SystemTime::UNIX_EPOCH, source: &source, rates: &rates };
        let theme = Theme { colour: false, unicode: true };
        let expected = "\
http://a at 1970-01-01T00:00:00Z, means over 1.0 s
model: estimated, ranks by CPU time; model of a made-up processor, 2 threads, 1.5–7.0 W ±80 %; not measured
5.50 W ±80 % = functions 2.00 W + runtime 500 mW + host 1.00 W + base 2.00 W; 1,200 calls/s

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
    fn a_line_of_json_has_every_figure() {
        let (source, rates) = example();
        let frame = Frame { daemon: "http://a", at: SystemTime::UNIX_EPOCH, source: &source, rates: &rates };
        let line = frame.json(Order::Name);
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
