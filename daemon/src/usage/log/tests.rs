//! Entries, their lines and the queue.

use std::fs;
use std::sync::Arc;

use nebula_metering::source::SourceKind;
use nebula_metering::{CallId, Charge, FunctionId, Joules, Microjoules, Settled};
use serde_json::Value;

use super::*;
use crate::functions::{Revision, Version};
use crate::meter::{CallEnd, ColdStartCharge, Ended, Seat};
use crate::outcome::Outcome;
use crate::telemetry::Metrics;

fn revision() -> Arc<Revision> {
    let metrics = Metrics::new(1).unwrap();
    let version = Version::of(b"", "");
    Arc::new(Revision::new(FunctionId(0), "f".parse().unwrap(), version, metrics.function(FunctionId(0), "f")))
}

fn settled(call: u128, charge: Option<Charge>) -> Settled<CallEnd> {
    let ended = Ended { outcome: Outcome::Trap, ..Ended::clone(&Ended::made_up(0)) };
    let end = CallEnd::Call { ended: Arc::new(ended), seat: Seat(0), waiter: None, booking: None, observer: None };
    Settled { call: CallId(call), function: FunctionId(0), charge, end }
}

fn charge() -> Charge {
    Charge {
        active: Microjoules(12),
        base: Microjoules(3),
        uncertainty: nebula_metering::Uncertainty { own: Joules(1e-6), ..Default::default() },
        zones: Vec::new(),
        source: SourceKind::Model,
    }
}

fn entries(count: u128) -> Vec<UsageLogEntry> {
    (0..count).filter_map(|call| UsageLogEntry::of(&settled(call, Some(charge())), &revision())).collect()
}

#[test]
fn a_line_is_a_call_and_unknown_fields_are_null() {
    let line = |charge| -> Value {
        serde_json::from_slice(&UsageLogEntry::of(&settled(1, charge), &revision()).unwrap().line()).unwrap()
    };
    let known = line(Some(charge()));
    assert_eq!(known["invocation_id"], "00000000-0000-0000-0000-000000000001");
    assert_eq!(
        (&known["function"], &known["outcome"], &known["duration_us"]),
        (&"f".into(), &"trap".into(), &1000.into())
    );
    assert_eq!((&known["active_microjoules"], &known["source"]), (&12.into(), &"model".into()));
    assert_eq!(known["version"].as_str().unwrap().len(), 64);
    let unknown = line(None);
    assert!(unknown["active_microjoules"].is_null() && unknown["source"].is_null() && unknown["reason"].is_string());
    let cold_start = Settled { end: CallEnd::ColdStart(ColdStartCharge::default()), ..settled(1, None) };
    assert!(UsageLogEntry::of(&cold_start, &revision()).is_none());
}

#[test]
fn all_lines_are_written_before_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log");
    let settings = LogSettings { file: file.clone(), size: 1 << 20, keep: 1, queue: 1000 };
    let (log, handle) = UsageLog::start(settings).unwrap();
    let counts = log.counts();
    (0..10).for_each(|_| handle.push(entries(50)));
    drop(handle);
    drop(log);
    assert_eq!((counts.written(), counts.dropped()), (500, 0));
    assert_eq!(fs::read_to_string(file).unwrap().lines().count(), 500);
}

#[test]
fn lines_beyond_the_queue_are_dropped_and_counted() {
    let (lines, received) = mpsc::sync_channel(WINDOWS_MAX);
    let counts = Arc::new(Counts::default());
    let handle = LogHandle { lines, counts: counts.clone(), queue: 10 };
    handle.push(entries(7));
    assert_eq!(counts.dropped(), 0);
    handle.push(entries(3));
    assert_eq!(counts.dropped(), 0);
    handle.push(entries(4));
    assert_eq!(counts.dropped(), 4);
    drop(handle);
    let queued: Vec<_> = received.iter().map(|entries| entries.len()).collect();
    assert_eq!(queued, [7, 3]);
}
