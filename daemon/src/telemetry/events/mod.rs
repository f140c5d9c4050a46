//! Events for the clients of /events: settled calls, power, accounts. Each client has a bounded queue. Nobody waits for a
//! client that does not keep up: if its queue is full, it is dropped. Without clients, only power is computed, once a second,
//! for clients that come later.

mod pace;
mod watts;

use std::cell::LazyCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use prometheus::{IntCounter, IntGauge};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, mpsc};

use super::calls::KnownCall;
use super::metrics::Metrics;
use crate::meter::{EnergyMeter, Snapshot};
use crate::settings::{number_in, options};
use pace::Pace;
pub use watts::Watts;

/// In each interval of this length a client gets at most a quarter of its queue in calls: a window may settle thousands at
/// once, and no client could keep up. How many were left out is an event too.
const BURST: Duration = Duration::from_millis(100);
const BURST_PART: usize = 4;

options! {
    #[derive(Clone, Copy, Debug)]
    pub struct EventBounds {
        /// Drop a client of /events that falls this many events behind
        queue: usize => "events.queue", COUNT = "256", number_in(1..=1 << 20);
        /// Clients of /events at once
        clients: usize => "events.clients", COUNT = "64", number_in(0..=100_000);
    }
}

pub enum Event {
    /// A call was settled, or never will be.
    Call(KnownCall),
    /// This many calls were left out.
    Omitted(u64),
    Watts(Arc<Watts>),
    Accounts(Box<Snapshot>),
}

/// An event with its id. Later events have larger ids.
pub struct NumberedEvent {
    pub id: u64,
    pub event: Event,
}

/// The events that a client wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    pub calls: bool,
    pub watts: bool,
    pub accounts: bool,
    /// If set, calls of this function only.
    pub function: Option<Box<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SubscribeError {
    #[error("{0} clients are connected already, the limit (`events.clients`)")]
    Full(usize),
    #[error("the daemon is shutting down")]
    Closed,
}

pub struct Events {
    bounds: EventBounds,
    places: Arc<Semaphore>,
    clients: Mutex<Vec<Client>>,
    next_client: AtomicU64,
    next_event: AtomicU64,
    pace: Mutex<Pace>,
    clients_now: IntGauge,
    clients_dropped: IntCounter,
}

struct Client {
    number: u64,
    filter: EventFilter,
    queue: mpsc::Sender<Arc<NumberedEvent>>,
    was_slow: Arc<AtomicBool>,
    /// The current interval: when it began, and how many calls were sent and left out in it.
    burst: Instant,
    sent: usize,
    omitted: u64,
}

impl Events {
    pub fn new(bounds: EventBounds, metrics: &Metrics) -> prometheus::Result<Self> {
        let of = metrics.instruments();
        Ok(Self {
            bounds,
            places: Arc::new(Semaphore::new(bounds.clients)),
            clients: Mutex::default(),
            next_client: AtomicU64::new(0),
            next_event: AtomicU64::new(0),
            pace: Mutex::default(),
            clients_now: of.gauge("nebula_event_clients", "Clients listening to /events.")?,
            clients_dropped: of.counter(
                "nebula_event_clients_dropped_total",
                "Clients of /events dropped because they read more slowly than events arrived.",
            )?,
        })
    }

    pub fn subscribe(&self, filter: EventFilter) -> Result<Subscription, SubscribeError> {
        let place = self.places.clone().try_acquire_owned().map_err(|error| match error {
            TryAcquireError::NoPermits => SubscribeError::Full(self.bounds.clients),
            TryAcquireError::Closed => SubscribeError::Closed,
        })?;
        let (queue, events) = mpsc::channel(self.bounds.queue);
        let number = self.next_client.fetch_add(1, Ordering::Relaxed);
        let was_slow = Arc::new(AtomicBool::new(false));
        let mut clients = self.clients.lock();
        // Asked again under the lock that `close` takes.
        if self.places.is_closed() {
            return Err(SubscribeError::Closed);
        }
        let (burst, accounts) = (Instant::now(), filter.accounts);
        clients.push(Client { number, filter, queue, was_slow: was_slow.clone(), burst, sent: 0, omitted: 0 });
        // The sampler takes both locks in the other order.
        drop(clients);
        if accounts {
            self.pace.lock().accounts_at_once();
        }
        self.clients_now.inc();
        Ok(Subscription { number, events, was_slow, clients: self.clients_now.clone(), _place: place })
    }

    pub fn have_clients(&self) -> bool {
        self.places.available_permits() < self.bounds.clients
    }

    /// Publishes a settled call of the function of this name.
    pub fn publish_call(&self, function: &str, known: KnownCall) {
        let now = Instant::now();
        // Numbered when the first client gets it.
        let event = LazyCell::new(|| self.number(Event::Call(known)));
        let most = (self.bounds.queue / BURST_PART).max(1);
        self.for_each_client(|client| {
            let wanted =
                client.filter.calls && client.filter.function.as_deref().is_none_or(|wanted| wanted == function);
            if !wanted {
                return Ok(());
            }
            if now.saturating_duration_since(client.burst) >= BURST {
                self.end_burst(client, now)?;
            }
            if client.sent >= most {
                client.omitted += 1;
                return Ok(());
            }
            client.sent += 1;
            client.send(event.clone())
        });
    }

    /// Publishes power and accounts if they are due. To be called when a window was closed.
    pub fn window_closed(&self, meter: &EnergyMeter) {
        let (mut pace, now) = (self.pace.lock(), Instant::now());
        let have_clients = self.have_clients();
        if have_clients {
            self.for_each_client(|client| if client.omitted > 0 { self.end_burst(client, now) } else { Ok(()) });
        }
        let wanted = have_clients && self.clients.lock().iter().any(|client| client.filter.accounts);
        let Ok((watts, accounts)) = pace.due(now, wanted, || meter.snapshot()) else { return };
        drop(pace);
        if let Some(watts) = watts.filter(|_| have_clients) {
            self.publish(Event::Watts(watts), |filter| filter.watts);
        }
        if let Some(accounts) = accounts {
            self.publish(Event::Accounts(Box::new(accounts)), |filter| filter.accounts);
        }
    }

    fn publish(&self, event: Event, is_wanted: impl Fn(&EventFilter) -> bool) {
        let event = self.number(event);
        self.for_each_client(|client| if is_wanted(&client.filter) { client.send(event.clone()) } else { Ok(()) });
    }

    /// The power of the last minutes, the earliest first, and how long ago it was.
    pub fn past(&self) -> Vec<(Duration, Arc<Watts>)> {
        let now = Instant::now();
        self.pace.lock().past().map(|(at, watts)| (now.saturating_duration_since(at), watts)).collect()
    }

    /// Ends all streams, since the daemon is shutting down.
    pub fn close(&self) {
        let mut clients = self.clients.lock();
        self.places.close();
        clients.clear();
    }

    fn number(&self, event: Event) -> Arc<NumberedEvent> {
        Arc::new(NumberedEvent { id: self.next_event.fetch_add(1, Ordering::Relaxed), event })
    }

    fn end_burst(&self, client: &mut Client, now: Instant) -> Result<(), Gone> {
        let omitted = std::mem::take(&mut client.omitted);
        (client.burst, client.sent) = (now, 0);
        if omitted > 0 { client.send(self.number(Event::Omitted(omitted))) } else { Ok(()) }
    }

    /// Calls `each` for every client, and drops those for which it fails.
    fn for_each_client(&self, mut each: impl FnMut(&mut Client) -> Result<(), Gone>) {
        let mut clients = self.clients.lock();
        clients.retain_mut(|client| match each(client) {
            Ok(()) => true,
            Err(Gone::Disconnected) => false,
            Err(Gone::Slow) => {
                client.was_slow.store(true, Ordering::Relaxed);
                self.clients_dropped.inc();
                tracing::debug!("client {} of /events was dropped: its queue is full", client.number);
                false
            }
        });
    }
}

enum Gone {
    Disconnected,
    /// Its queue is full.
    Slow,
}

impl Client {
    fn send(&self, event: Arc<NumberedEvent>) -> Result<(), Gone> {
        self.queue.try_send(event).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Gone::Slow,
            mpsc::error::TrySendError::Closed(_) => Gone::Disconnected,
        })
    }
}

/// The receiving end of a client's queue.
pub struct Subscription {
    number: u64,
    events: mpsc::Receiver<Arc<NumberedEvent>>,
    was_slow: Arc<AtomicBool>,
    clients: IntGauge,
    _place: OwnedSemaphorePermit,
}

impl Subscription {
    /// The next event; `None` after the last.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Arc<NumberedEvent>>> {
        self.events.poll_recv(context)
    }

    /// Whether the client was dropped because its queue was full.
    pub fn was_slow(&self) -> bool {
        self.was_slow.load(Ordering::Relaxed)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        tracing::trace!("client {} of /events has disconnected", self.number);
        self.clients.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::super::calls::Progress;
    use super::*;
    use crate::meter::{Ended, NoCharge};
    use nebula_metering::{CallId, FunctionId};
    use std::future::poll_fn;

    fn events(queue: usize, clients: usize) -> Events {
        Events::new(EventBounds { queue, clients }, &Metrics::new(0).unwrap()).unwrap()
    }

    fn call(events: &Events, function: &str, call: u128) {
        let progress = Progress::Settled(Ended::made_up(0), Err(NoCharge::Incomplete));
        events.publish_call(function, KnownCall { call: CallId(call), function: FunctionId(0), progress });
    }

    fn calls(function: Option<&str>) -> EventFilter {
        EventFilter { calls: true, function: function.map(Box::from), ..EventFilter::default() }
    }

    async fn next(listener: &mut Subscription) -> Option<Result<u128, u64>> {
        poll_fn(|context| listener.poll_next(context)).await.map(|numbered| match numbered.event {
            Event::Call(ref known) => Ok(known.call.0),
            Event::Omitted(count) => Err(count),
            Event::Watts(_) | Event::Accounts(_) => panic!("not asked for"),
        })
    }

    #[tokio::test]
    async fn each_client_gets_the_events_that_it_wants() {
        let events = events(64, 8);
        call(&events, "add", 1);
        let (mut all, mut some) =
            (events.subscribe(calls(None)).unwrap(), events.subscribe(calls(Some("add"))).unwrap());
        let mut none = events.subscribe(EventFilter { watts: true, ..EventFilter::default() }).unwrap();
        call(&events, "echo", 2);
        call(&events, "add", 3);
        events.close();
        assert_eq!(
            [next(&mut all).await, next(&mut all).await, next(&mut all).await],
            [Some(Ok(2)), Some(Ok(3)), None]
        );
        assert_eq!([next(&mut some).await, next(&mut some).await], [Some(Ok(3)), None]);
        assert_eq!((next(&mut none).await, none.was_slow()), (None, false));
        assert_eq!(events.subscribe(calls(None)).err(), Some(SubscribeError::Closed));
    }

    #[tokio::test]
    async fn a_slow_client_is_dropped_and_the_others_are_not() {
        let events = events(1, 8);
        let (mut slow, mut quick) = (events.subscribe(calls(None)).unwrap(), events.subscribe(calls(None)).unwrap());
        for number in 1..4 {
            events.clients.lock().iter_mut().for_each(|client| client.sent = 0);
            call(&events, "add", number);
            assert_eq!(next(&mut quick).await, Some(Ok(number)));
        }
        assert_eq!((next(&mut slow).await, next(&mut slow).await, slow.was_slow()), (Some(Ok(1)), None, true));
        assert_eq!((events.clients_dropped.get(), quick.was_slow()), (1, false));
    }

    #[tokio::test]
    async fn a_burst_is_sent_in_part_with_the_number_of_calls_left_out() {
        let events = events(16, 1);
        let mut listener = events.subscribe(calls(None)).unwrap();
        for number in 0..100 {
            call(&events, "add", number);
        }
        events.clients.lock().iter_mut().for_each(|client| client.burst -= BURST);
        call(&events, "add", 100);
        let mut received = Vec::new();
        for _ in 0..6 {
            received.push(next(&mut listener).await.unwrap());
        }
        assert_eq!(received, [Ok(0), Ok(1), Ok(2), Ok(3), Err(96), Ok(100)]);
    }

    #[test]
    fn clients_are_limited_and_one_that_disconnects_makes_room() {
        let events = events(4, 2);
        let (first, _second) = (events.subscribe(calls(None)).unwrap(), events.subscribe(calls(None)).unwrap());
        assert_eq!(events.subscribe(calls(None)).err(), Some(SubscribeError::Full(2)));
        assert_eq!(events.clients_now.get(), 2);
        drop(first);
        assert!(events.subscribe(calls(None)).is_ok());
        // A disconnected client is noticed at the next event.
        call(&events, "add", 1);
        assert_eq!((events.clients.lock().len(), events.clients_now.get()), (1, 1));
        assert_eq!(events.clients_dropped.get(), 0);
    }
}
