//! A report as a table for people, with units in the heads of columns.

use std::fmt::Write;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use super::{By, Report, Row};

/// The name of the last row. No function has a name in capitals.
pub const TOTAL: &str = "TOTAL";

/// Two spaces between columns.
const GAP: u16 = 2;

/// Digits of a version that are shown.
const VERSION_SHOWN: usize = 12;

/// Stands for what is not known.
const UNKNOWN: &str = "-";

/// A column of the table. If there is no room, columns are left out by `leave`, the lowest first; columns without it stay.
struct Column {
    head: String,
    left: bool,
    leave: Option<u8>,
    cell: fn(&Row) -> String,
}

/// The report as a table, with its notes below. Columns that would make it wider than `width` are left out.
pub fn table(report: &Report, width: Option<usize>) -> String {
    let from = report.since.as_deref().map_or("from the beginning".into(), |since| format!("since {since}"));
    let until = report.until.as_deref().unwrap_or("the beginning");
    let mut text = format!("Energy of functions {from}, as stored until {until}; policy {}\n\n", report.policy);
    let mut columns = columns(report);
    let mut lines = lines(&columns, report);
    let mut left_out = Vec::new();
    while width.is_some_and(|most| widest(&lines) > most) {
        let leave = (0..columns.len()).filter(|place| columns[*place].leave.is_some());
        let Some(least) = leave.min_by_key(|place| columns[*place].leave) else { break };
        left_out.push(columns.remove(least).head);
        lines = self::lines(&columns, report);
    }
    let rule = "─".repeat(widest(&lines));
    for (place, line) in lines.iter().enumerate() {
        // A string takes whatever is written to it.
        if place == 1 || place + 1 == lines.len() {
            let _ = writeln!(text, "{rule}");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let room = "left out for lack of room (a wider terminal or --format csv shows it)";
    let left_out = (!left_out.is_empty()).then(|| format!("{room}: {}", left_out.join(", ")));
    for (place, note) in left_out.iter().chain(&report.notes).enumerate() {
        let _ = writeln!(text, "{}{note}", if place == 0 { "\n" } else { "" });
    }
    text
}

/// The heads, the rows and the total, aligned in columns.
fn lines(columns: &[Column], report: &Report) -> Vec<String> {
    let total = Row { function: Some(TOTAL.into()), hour: Some(TOTAL.into()), ..report.total.clone() };
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(columns.iter().map(|column| &column.head));
    for row in report.rows.iter().chain([&total]) {
        table.add_row(columns.iter().map(|column| (column.cell)(row)));
    }
    for (place, (drawn, column)) in table.column_iter_mut().zip(columns).enumerate() {
        drawn.set_padding((if place == 0 { 0 } else { GAP }, 0));
        drawn.set_cell_alignment(if column.left { CellAlignment::Left } else { CellAlignment::Right });
    }
    table.lines().collect()
}

fn widest(lines: &[String]) -> usize {
    lines.iter().map(|line| line.chars().count()).max().unwrap_or_default()
}

fn columns(report: &Report) -> Vec<Column> {
    let text = |head: &str, cell| Column { head: head.into(), left: true, leave: None, cell };
    let number = |head: &str, leave, cell| Column { head: head.into(), left: false, leave, cell };
    let mut columns = match report.by {
        By::Function => vec![text("FUNCTION", |row| row.function.clone().unwrap_or_default())],
        By::Version => vec![
            text("FUNCTION", |row| row.function.clone().unwrap_or_default()),
            text("VERSION", |row| short(row.version.as_deref())),
        ],
        By::Hour => vec![text("HOUR (UTC)", |row| hour(row.hour.as_deref()))],
    };
    let cost = report.currency.as_ref().map_or("COST".into(), |currency| format!("COST {currency}"));
    columns.extend([
        number("ACTIVE J", None, |row| figure(row.active_joules)),
        number("±", Some(10), |row| digits(row.active_joules_uncertainty, 2)),
        number("PREPARING J", Some(11), |row| figure(row.preparing_joules)),
        number("BASE J", Some(6), |row| figure(row.base_joules)),
        number("kWh", Some(5), |row| figure(row.kwh)),
        number("gCO2e", Some(8), |row| figure(row.gco2e)),
        number(&cost, Some(7), |row| figure(row.cost)),
        number("CALLS", None, |row| row.calls.to_string()),
        number("ERRORS", Some(3), |row| row.errors.to_string()),
        number("J/CALL", Some(9), |row| figure(row.joules_per_call)),
        number("CPU s", Some(2), |row| figure(row.cpu_seconds)),
        number("SHARE %", Some(4), |row| figure(row.share.map(|share| share * 100.0))),
    ]);
    columns.push(Column {
        leave: Some(1),
        ..text("SOURCE", |row| match &*row.source() {
            "" => UNKNOWN.into(),
            source => source.into(),
        })
    });
    columns
}

fn short(version: Option<&str>) -> String {
    version.unwrap_or_default().chars().take(VERSION_SHOWN).collect()
}

/// An hour as people read it, or the name of the last row.
fn hour(hour: Option<&str>) -> String {
    let hour = hour.unwrap_or_default();
    match hour.strip_suffix(":00Z") {
        Some(hour) => hour.replace('T', " "),
        None => hour.into(),
    }
}

fn figure(number: Option<f64>) -> String {
    digits(number, 4)
}

/// A number with this many significant digits; very small and very large ones with one less.
fn digits(number: Option<f64>, digits: u8) -> String {
    let Some(number) = number else { return UNKNOWN.into() };
    match number.abs() {
        0.0 => "0".into(),
        small if small < 1e-4 => format!("{number:.places$e}", places = usize::from(digits.min(3)) - 1),
        large if large >= 1e9 => format!("{number:.places$e}", places = usize::from(digits) - 1),
        size => {
            // With four digits, 0.0001234 has seven places, 1.234 three and 12345 none.
            let places = (i32::from(digits) - 1 - size.log10().floor() as i32).max(0).unsigned_abs() as usize;
            format!("{number:.places$}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_four_significant_digits() {
        for (number, shown) in [
            (0.0, "0"),
            (1.0, "1.000"),
            (12.3456, "12.35"),
            (123_456.7, "123457"),
            (0.000_213_45, "0.0002135"),
            (0.000_021_3, "2.13e-5"),
            (2.5e12, "2.500e12"),
        ] {
            assert_eq!(figure(Some(number)), shown);
        }
        assert_eq!(figure(None), "-");
        for (number, shown) in [(0.0, "0"), (12.3456, "12"), (0.123, "0.12"), (1234.5, "1234"), (0.000_012_3, "1.2e-5")]
        {
            assert_eq!(digits(Some(number), 2), shown);
        }
    }
}
