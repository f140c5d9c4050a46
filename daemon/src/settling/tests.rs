use std::fs;
use std::path::Path;

use nebula_metering::source::SourceKind;
use nebula_metering::{CallId, Charge, FunctionId, Joules, Microjoules};
use tokio::sync::oneshot;

use super::*;
use crate::functions::{Revision, Version};
use crate::meter::{self, Choice, ColdStartCharge, Ended};
use crate::quota::{self, Payer, Quota};
use crate::telemetry::{self, CallBounds, Event, EventFilter, MetricsFormat, Progress};
use crate::units::Policy;
use crate::usage::{LogSettings, UsageLog};

const FUNCTION: FunctionId = FunctionId(0);
const CALL: CallId = CallId(7);

/// Everything that settled charges reach, with one function.
struct Consumers {
    settling: Settling,
    log: UsageLog,
    folder: tempfile::TempDir,
}

impl Consumers {
    fn new() -> Self {
        let nowhere = Path::new("/nonexistent");
        let source = meter::open_source(Choice::Only(SourceKind::Simulated), nowhere, nowhere).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log");
        let (log, handle) = UsageLog::start(LogSettings { file, size: 1 << 20, keep: 0, queue: 16 }).unwrap();
        let metrics = Arc::new(Metrics::new(8).unwrap());
        let settling = Settling {
            registry: Arc::default(),
            meter: Arc::new(EnergyMeter::new(source, &meter::Settings::made_up(), 1)),
            observers: Arc::new(Observers::start(&telemetry::Settings::default(), Policy::Active, &metrics).unwrap()),
            metrics,
            calls: Arc::new(Calls::new(CallBounds { running: 2, recent: 2 })),
            usage_log: Some(handle),
            power: None,
        };
        Self { settling, log, folder }
    }

    /// A table with the function, as it is once functions are loaded.
    fn loaded(&self) -> (Arc<Registry>, Arc<Revision>) {
        let registry = Registry::new(8);
        let metrics = self.settling.metrics.function(FUNCTION, "shop");
        let revision = Revision::new(FUNCTION, "shop".parse().unwrap(), Version::of(b"", ""), metrics);
        let revision = registry.open(FUNCTION, || revision);
        registry.change(|_| ());
        (Arc::new(registry), revision)
    }
}

fn charge(active: u64) -> Charge {
    Charge {
        active: Microjoules(active),
        base: Microjoules(0),
        uncertainty: nebula_metering::Uncertainty::default(),
        zones: Vec::new(),
        source: SourceKind::Simulated,
    }
}

#[test]
fn a_settled_call_reaches_every_consumer_once() {
    let consumers = Consumers::new();
    let (registry, revision) = consumers.loaded();
    let Consumers { settling, log, folder } = consumers;
    assert!(settling.registry.set(registry).is_ok());
    let calls = settling.calls.clone();
    let payer = Payer::new("shop", Quota { joules_per_hour: Some(Joules(1.0)), ..Quota::default() });
    let booking = quota::QuotaPermit::acquire(Some(&payer), None).unwrap().book(Some(Joules(0.5)));
    let mut listener =
        settling.observers.events.subscribe(EventFilter { calls: true, ..EventFilter::default() }).unwrap();

    let ended = Ended::made_up(0);
    let seat = calls.end(calls.begin(CALL, FUNCTION), CALL, FUNCTION, ended.clone());
    let (waiter, mut charged) = oneshot::channel();
    let end = CallEnd::Call { ended, seat, waiter: Some(waiter), observer: None, booking };
    let settled = Settled { call: CALL, function: FUNCTION, charge: Some(charge(300_000)), end };
    let mut consume = settling.into_consumer();
    consume(vec![settled]);
    consume(Vec::new());

    assert_eq!(charged.try_recv().unwrap().unwrap().active, Microjoules(300_000), "whoever waits");
    assert!(matches!(calls.find(CALL).unwrap().progress, Progress::Settled(_, Ok(_))), "known calls");
    assert_eq!(payer.usage().energy, Microjoules(300_000), "quotas, instead of the estimate");
    let settled = revision.metrics.settled();
    assert_eq!((settled.calls, settled.active), (1, Microjoules(300_000)), "metrics");
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(Some(event)) = listener.poll_next(&mut context) else { panic!("no event") };
    assert!(matches!(&event.event, Event::Call(known) if known.call == CALL), "events");
    drop((consume, log));
    assert_eq!(fs::read_to_string(folder.path().join("log")).unwrap().lines().count(), 1, "the usage log");
}

#[test]
fn charges_settled_while_functions_load_are_counted_afterwards() {
    let consumers = Consumers::new();
    let (loaded, _) = consumers.loaded();
    let (registry, metrics) = (consumers.settling.registry.clone(), consumers.settling.metrics.clone());
    let is_counted = || {
        let text = String::from_utf8(metrics.render(MetricsFormat::Prometheus).unwrap()).unwrap();
        text.contains("nebula_cold_start_energy_joules_total{function=\"shop\"} 0.00004")
    };
    let place = ColdStartCharge::default();
    let end = CallEnd::ColdStart(place.clone());

    let mut consume = consumers.settling.into_consumer();
    consume(vec![Settled { call: CALL, function: FUNCTION, charge: Some(charge(40)), end }]);
    assert!(place.get().is_none() && !is_counted());
    assert!(registry.set(loaded).is_ok());
    consume(Vec::new());
    assert_eq!(place.get().unwrap().as_ref().unwrap().active, Microjoules(40));
    assert!(is_counted());
}
