//! The host clock against recorded and live `stat` files.

use std::error::Error;

use proptest::prelude::*;

use super::*;

fn fixture(machine: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/proc").join(machine)
}

#[test]
fn work_is_all_but_idling_stealing_and_guests() {
    let line = "cpu  1000 200 30 777777 888888 4 5 999999 1000 200";
    assert_eq!(parse_machine(line), Some(Duration::from_millis(12_390)));
}

#[test]
fn kernels_without_steal_and_guests_are_understood() {
    assert_eq!(parse_machine("cpu  1 2 3 4 5 6 7"), Some(Duration::from_millis(190)));
}

#[test]
fn other_lines_are_refused() {
    for line in ["", "cpu", "cpu0 1 2 3 4 5 6 7", "cpu  1 2 3 4 5 6", "cpu  1 2 3 -4 5 6 7", "intr 1 2 3 4 5 6 7"] {
        assert_eq!(parse_machine(line), None, "{line}");
    }
}

#[test]
fn processors_are_counted_without_their_sum() {
    assert_eq!(parse_cpu_count("cpu  9 9\ncpu0 1 2\ncpu1 1 2\ncpu17 3 4\ncpufreq 1\nintr 3\n"), 3);
    assert_eq!(parse_cpu_count(""), 0);
}

#[test]
fn a_recorded_machine_stands_still_while_the_process_works() {
    let mut clock = HostClock::open(&fixture("skylake-sp")).expect("the fixture is there");
    let first = clock.now().expect("the fixture can be read");
    let second = clock.now().expect("the fixture can be read");
    assert_eq!(first.busy, first.process);
    assert!(second.process >= first.process && second.monotonic >= first.monotonic);
    assert_eq!(second.busy, second.process);
}

#[test]
fn others_are_what_the_file_gains_beyond_the_process() {
    let root = tempfile::tempdir().expect("a directory can be made");
    let stat = root.path().join("stat");
    std::fs::write(&stat, "cpu  100 0 0 0 0 0 0 0 0 0\n").expect("the file can be written");
    let mut clock = HostClock::open(root.path()).expect("the file is there");
    std::fs::write(&stat, "cpu  9000100 0 0 0 0 0 0 0 0 0\n").expect("the file can be written");
    let moment = clock.now().expect("the file can be read");
    let others = moment.busy - moment.process;
    assert!(others <= Duration::from_secs(90_000) && others > Duration::from_secs(89_990), "{others:?}");
}

#[test]
fn this_machine_does_at_least_what_this_process_does() {
    let mut clock = HostClock::open(Path::new("/proc")).expect("Linux has /proc/stat");
    let mut last = clock.now().expect("it can be read");
    for _ in 0..1000 {
        let now = clock.now().expect("it can be read");
        assert!(now.busy >= now.process && now.busy >= last.busy && now.process >= last.process);
        assert!(now.monotonic >= last.monotonic && now.boottime >= now.monotonic.min(last.boottime));
        last = now;
    }
}

#[test]
fn a_missing_file_is_named_and_the_cause_kept() {
    let error = HostClock::open(Path::new("/nowhere")).expect_err("there is no such tree");
    assert_eq!(error.to_string(), "cannot open the processor times `/nowhere/stat`");
    assert!(error.source().is_some());
}

#[test]
fn a_file_of_something_else_is_quoted() {
    let root = tempfile::tempdir().expect("a directory can be made");
    std::fs::write(root.path().join("stat"), "hello\nworld\n").expect("the file can be written");
    let error = HostClock::open(root.path()).expect_err("that is no stat file");
    let cause = error.source().expect("the reading failed").to_string();
    assert!(cause.ends_with("stat` begins with `hello`, which is not a line of processor times"), "{cause}");
}

proptest! {
    #[test]
    fn no_text_stops_the_parsers(text in "(cpu[0-9 ]{0,30}|\\PC{0,20}|\n){0,10}") {
        let _ = (parse_machine(&text), parse_cpu_count(&text));
    }

    #[test]
    fn no_number_is_too_large(fields: [u64; 10]) {
        let line = fields.iter().fold(String::from("cpu "), |line, field| format!("{line} {field}"));
        prop_assert!(line.len() < LINE_LENGTH_MAX);
        let _ = parse_machine(&line);
    }
}
