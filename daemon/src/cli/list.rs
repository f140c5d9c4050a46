//! `nebula list`: the functions of a running daemon.

use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::ArgMatches;
use serde::Deserialize;

use super::Failure;
use super::client::Client;
use super::stdout::print;

/// A daemon answers this from memory; one that does not is stuck.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);

const HEADINGS: [&str; 4] = ["NAME", "KIND", "ORIGIN", "SIZE"];

#[derive(Debug, Deserialize)]
struct Listing {
    functions: Vec<Function>,
}

#[derive(Debug, Deserialize)]
struct Function {
    name: String,
    kind: String,
    origin: String,
    size_bytes: u64,
}

/// Lists them.
pub fn list(matches: &ArgMatches) -> super::Result {
    let client = Client::of(matches).map_err(Failure::usage)?;
    let answer = client.get("/functions", ANSWER_TIME_MAX)?;
    let listing: Listing = answer.expect()?;
    if matches.get_flag("json") {
        print(answer.bytes())?;
    } else {
        print(table(&listing.functions).as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// One line a function, in columns; sizes end where their column ends.
fn table(functions: &[Function]) -> String {
    let row = |function: &Function| {
        [function.name.clone(), function.kind.clone(), function.origin.clone(), size(function.size_bytes)]
    };
    let rows: Vec<[String; 4]> =
        std::iter::once(HEADINGS.map(str::to_owned)).chain(functions.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; 4] = std::array::from_fn(width);
    let mut table = String::new();
    for [name, kind, origin, size] in &rows {
        let [a, b, c, d] = widths;
        // A string takes whatever is written to it.
        let _ = writeln!(table, "{name:<a$}  {kind:<b$}  {origin:<c$}  {size:>d$}");
    }
    table
}

/// Bytes in the unit that a person reads.
fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB"];
    let mut scaled = bytes as f64;
    let mut unit = "B";
    for next in units.iter().take_while(|_| bytes >= 1024) {
        // What would be shown as 1024.0 is shown in the next unit.
        if scaled < 1023.95 {
            break;
        }
        scaled /= 1024.0;
        unit = next;
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{scaled:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_entry() {
        let function = |name: &str, kind: &str, size_bytes| Function {
            name: name.into(),
            kind: kind.into(),
            origin: "built-in".into(),
            size_bytes,
        };
        let table = table(&[function("fibonacci-recursive", "command", 78_541), function("answer", "numeric", 190)]);
        let expected = "\
NAME                 KIND     ORIGIN        SIZE
fibonacci-recursive  command  built-in  76.7 KiB
answer               numeric  built-in     190 B
";
        assert_eq!(table, expected);
    }

    #[test]
    fn sizes_are_in_the_unit_that_a_person_reads() {
        let shown = [0, 1023, 1024, 78_541, (1 << 20) - 1, 1 << 20, 5 << 30].map(size);
        assert_eq!(shown, ["0 B", "1023 B", "1.0 KiB", "76.7 KiB", "1.0 MiB", "1.0 MiB", "5.0 GiB"]);
    }
}
