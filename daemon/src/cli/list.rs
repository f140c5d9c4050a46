//! `nebula list`: the functions of a running daemon.

use std::process::ExitCode;
use std::time::Duration;

use clap::ArgMatches;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use nebula_api::functions::{BrokenFile, Function, Functions};

use super::client::Client;
use super::note;
use super::output::print;

/// Longest time to wait: a daemon answers this from memory.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);

const HEADINGS: [&str; 5] = ["NAME", "VERSION", "KIND", "ORIGIN", "SIZE"];

const VERSION_DIGITS: usize = 12;

pub fn list(matches: &ArgMatches) -> super::Result {
    let client = Client::of(matches)?;
    let answer = client.get("/functions", ANSWER_TIME_MAX)?;
    let listing: Functions = answer.expect()?;
    if matches.get_flag("json") {
        print(answer.bytes())?;
    } else {
        print(table(&listing.functions).as_bytes())?;
        for BrokenFile { file, reason, .. } in &listing.broken {
            note(format_args!("`{file}` is not served: {reason}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// One line per function, in columns; sizes are aligned on the right.
fn table(functions: &[Function]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(HEADINGS);
    for function in functions {
        let version: String = function.version.chars().take(VERSION_DIGITS).collect();
        table.add_row([&function.name, &*version, &function.kind, &function.origin, &size(function.size_bytes)]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    if let Some(sizes) = table.column_mut(HEADINGS.len() - 1) {
        sizes.set_padding((0, 0)).set_cell_alignment(CellAlignment::Right);
    }
    format!("{table}\n")
}

/// Bytes in the unit that a person reads.
pub fn size(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let scaled = |bits: u32| bytes as f64 / f64::from(1_u32 << bits);
    // What would be shown as 1024.0 goes to the next unit.
    let (bits, unit) = match [10, 20].map(|bits| scaled(bits) < 1023.95) {
        [true, _] => (10, "KiB"),
        [_, true] => (20, "MiB"),
        _ => (30, "GiB"),
    };
    format!("{:.1} {unit}", scaled(bits))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_entry() {
        let function = |name: &str, kind: &'static str, size_bytes| Function {
            name: name.into(),
            version: "2a55e855a3fd42153ade".into(),
            kind: kind.into(),
            origin: "built-in".into(),
            size_bytes,
            deployed: SystemTime::UNIX_EPOCH.into(),
            invoke: String::new(),
            example: String::new(),
        };
        let table = table(&[function("fibonacci-recursive", "command", 78_541), function("answer", "numeric", 190)]);
        let expected = "\
NAME                 VERSION       KIND     ORIGIN        SIZE
fibonacci-recursive  2a55e855a3fd  command  built-in  76.7 KiB
answer               2a55e855a3fd  numeric  built-in     190 B
";
        assert_eq!(table, expected);
    }

    #[test]
    fn sizes_are_in_the_unit_that_a_person_reads() {
        let shown = [0, 1023, 1024, 78_541, (1 << 20) - 1, 1 << 20, 5 << 30].map(size);
        assert_eq!(shown, ["0 B", "1023 B", "1.0 KiB", "76.7 KiB", "1.0 MiB", "1.0 MiB", "5.0 GiB"]);
    }
}
