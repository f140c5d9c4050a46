//! Nothing is lost while the daemon lives, whatever happens to the file.

use std::fs;
use std::time::UNIX_EPOCH;

use nebula_metering::source::SourceKind;

use super::super::made_up::MadeUp;
use super::super::{By, FILE, Since, report_of};
use super::*;
use crate::units::Policy;

/// Accounting for a daemon that serves `a`. The directory of the file does not exist yet.
fn accounting() -> (tempfile::TempDir, Accounting, MadeUp) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state").join(FILE);
    let bounds = Bounds { hours: 100, rows: 1_000_000 };
    let settings = FlusherSettings { file, flush: Duration::from_secs(3600), bounds };
    let daemon = MadeUp::new(SourceKind::Model, &[("a", "1")]);
    (folder, Accounting::new(settings, None, Arc::default()), daemon)
}

fn create_directory(settings: &FlusherSettings) {
    fs::create_dir(settings.file.parent().unwrap()).unwrap();
}

fn time(hours: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(hours * 3600)
}

fn stored(settings: &FlusherSettings) -> u64 {
    let mut connection = Store::read(&settings.file).unwrap();
    let report = report_of(&mut connection, Since::Ever, By::Function, Policy::Active).unwrap();
    report.machine.iter().map(|machine| machine.total_microjoules).sum()
}

#[test]
fn accounts_that_could_not_be_stored_are_stored_later_in_their_own_hour() {
    let (_folder, mut accounting, mut daemon) = accounting();
    let (settings, status) = (accounting.settings.clone(), accounting.status.clone());
    for hour in 10..13 {
        daemon.window([1000, 0, 0], 0, [1, 1, 1]);
        accounting.flush(daemon.reading.clone(), &[], time(hour));
    }
    assert_eq!((status.stored(), status.failed()), (0, 3));
    assert!(status.failing_for() > Duration::ZERO);
    create_directory(&settings);
    accounting.flush(daemon.reading.clone(), &[], time(13));
    assert_eq!((status.stored(), status.failing_for()), (1, Duration::ZERO));
    assert_eq!(stored(&settings), 3000);
    let mut connection = Store::read(&settings.file).unwrap();
    let hours = report_of(&mut connection, Since::Ever, By::Hour, Policy::Active).unwrap().rows;
    assert_eq!(hours.len(), 3, "{hours:?}");
}

#[test]
fn without_growth_nothing_is_written() {
    let (_folder, mut accounting, daemon) = accounting();
    create_directory(&accounting.settings);
    accounting.flush(daemon.reading, &[], time(10));
    assert_eq!((accounting.status.stored(), accounting.status.failed()), (0, 0));
    assert!(!accounting.settings.file.exists());
}

#[test]
fn no_reading_is_taken_while_too_many_rows_wait_and_nothing_is_lost() {
    let (_folder, mut accounting, mut daemon) = accounting();
    let mut hour = 10;
    while accounting.pending.len() <= PENDING_MAX {
        daemon.window([1000, 100, 10], 0, [1, 1, 1]);
        let reading = daemon.reading.clone();
        // What failing flushes do, without as many attempts.
        accounting.pending.add(Hour(hour), &accounting.last, &reading, &[]);
        accounting.last = reading;
        hour += 1;
    }
    let most = accounting.pending.len();
    for _ in 0..3 {
        daemon.window([1000, 100, 10], 0, [1, 1, 1]);
        accounting.flush(daemon.reading.clone(), &[], time(999_999));
    }
    assert_eq!(accounting.pending.len(), most);
    create_directory(&accounting.settings);
    (0..2).for_each(|_| accounting.flush(daemon.reading.clone(), &[], time(999_999)));
    let [package, dram, _] = daemon.totals();
    assert_eq!(stored(&accounting.settings), package + dram);
}

#[test]
fn a_file_that_was_deleted_or_replaced_while_the_daemon_runs_is_written_anew() {
    let (_folder, mut accounting, mut daemon) = accounting();
    let settings = accounting.settings.clone();
    create_directory(&settings);
    let mut window = |accounting: &mut Accounting| {
        daemon.window([1000, 0, 0], 0, [1, 1, 1]);
        accounting.flush(daemon.reading.clone(), &[], time(10));
    };
    (0..2).for_each(|_| window(&mut accounting));
    // Only the file: what SQLite keeps beside it belongs to it, and not to the next one.
    fs::remove_file(&settings.file).unwrap();
    window(&mut accounting);
    assert_eq!(stored(&settings), 3000, "everything since the start");

    let other = settings.file.with_file_name("other");
    drop(Store::open(&other).unwrap());
    fs::rename(&other, &settings.file).unwrap();
    (0..2).for_each(|_| window(&mut accounting));
    assert_eq!(stored(&settings), 2000, "everything since it was replaced");
    assert_eq!(accounting.status.failed(), 0);
}

#[test]
fn the_last_accounts_are_stored_at_the_end() {
    let (_folder, Accounting { settings, .. }, mut daemon) = accounting();
    create_directory(&settings);
    let read = move || {
        daemon.window([1000, 0, 0], 0, [1, 1, 1]);
        daemon.reading.clone()
    };
    drop(Flusher::start(settings.clone(), None, Arc::default(), read, Vec::new).unwrap());
    assert_eq!(stored(&settings), 1000);
}
