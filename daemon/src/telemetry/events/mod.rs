//! Those who listen to what happens: calls as they are settled, power, accounts. Each has a bounded queue. Nobody waits for
//! one who does not keep up: whoever's queue is full is dropped. While nobody listens nothing is made but a look at power
//! every second, for those who come later.

mod pace;
mod watts;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use prometheus::{IntCounter, IntGauge};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::calls::KnownCall;
use crate::meter::{EnergyMeter, Snapshot};
use pace::Pace;
pub use watts::Watts;

/// In each such time a client is told of no more calls than a quarter of its queue holds: a window may settle thousands at
/// once, and one who reads at any speed could not keep up. How many were left out is told too.
const BURST: Duration = Duration::from_millis(100);
const BURST_PART: usize = 4;

/// How many may listen, and how far behind they may be.
#[derive(Clone, Copy, Debug)]
pub struct EventBounds {
    /// Events that wait for a client.
    pub queue: usize,
    /// Clients at once.
    pub clients: usize,
}

/// What happened.
pub enum Event {
    /// A call was settled, or never will be.
    Call(KnownCall),
    /// So many calls happened that were not told.
    Omitted(u64),
    /// Power, as it was lately.
    Watts(Arc<Watts>),
    /// The accounts as they stand.
    Accounts(Box<Snapshot>),
}

/// An event with its number: the later the larger.
pub struct Numbered {
    /// Its number.
    pub id: u64,
    /// What happened.
    pub event: Event,
}

/// What a client wants to hear of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// Calls.
    pub calls: bool,
    /// Power.
    pub watts: bool,
    /// Accounts.
    pub accounts: bool,
    /// Calls of this function only.
    pub function: Option<Box<str>>,
}

/// Nobody can listen any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoRoom {
    /// As many listen as may.
    #[error("{0} clients listen already, as many as may (`events.clients`)")]
    Full(usize),
    /// The daemon is about to end.
    #[error("the daemon is about to end")]
    Closed,
}

/// What is counted of those who listen.
#[derive(Clone, Debug)]
pub struct EventMetrics {
    /// How many listen.
    pub clients: IntGauge,
    /// How many were dropped.
    pub dropped: IntCounter,
}

/// All who listen.
pub struct Events {
    bounds: EventBounds,
    places: Arc<Semaphore>,
    clients: Mutex<Vec<Client>>,
    /// How many are in the list, for those who want to know without a lock whether anybody is.
    listening: AtomicUsize,
    next_client: AtomicU64,
    next_event: AtomicU64,
    closed: AtomicBool,
    pace: Mutex<Pace>,
    metrics: EventMetrics,
}

struct Client {
    number: u64,
    wants: Wants,
    queue: mpsc::Sender<Arc<Numbered>>,
    was_slow: Arc<AtomicBool>,
    /// Since when, and how many, calls were told and left out.
    burst: Instant,
    told: usize,
    omitted: u64,
}

impl Events {
    /// Nobody listens yet.
    #[must_use]
    pub fn new(bounds: EventBounds, metrics: EventMetrics) -> Self {
        Self {
            bounds,
            places: Arc::new(Semaphore::new(bounds.clients)),
            clients: Mutex::default(),
            listening: AtomicUsize::new(0),
            next_client: AtomicU64::new(0),
            next_event: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            pace: Mutex::default(),
            metrics,
        }
    }

    /// Begins to tell a client of what it wants.
    ///
    /// # Errors
    /// When too many listen, or the daemon is about to end.
    pub fn subscribe(&self, wants: Wants) -> Result<Listener, NoRoom> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| NoRoom::Full(self.bounds.clients))?;
        let (queue, events) = mpsc::channel(self.bounds.queue);
        let number = self.next_client.fetch_add(1, Ordering::Relaxed);
        let was_slow = Arc::new(AtomicBool::new(false));
        let mut clients = self.clients.lock();
        // Looked at under the lock that closing takes.
        if self.closed.load(Ordering::Relaxed) {
            return Err(NoRoom::Closed);
        }
        let (burst, accounts) = (Instant::now(), wants.accounts);
        clients.push(Client { number, wants, queue, was_slow: was_slow.clone(), burst, told: 0, omitted: 0 });
        self.listening.store(clients.len(), Ordering::Relaxed);
        // Whoever closes a window takes both locks in the other order.
        drop(clients);
        if accounts {
            self.pace.lock().accounts_at_once();
        }
        self.metrics.clients.inc();
        Ok(Listener { number, events, was_slow, clients: self.metrics.clients.clone(), _place: place })
    }

    /// Whether anybody listens.
    #[must_use]
    pub fn are_heard(&self) -> bool {
        self.listening.load(Ordering::Relaxed) > 0
    }

    /// Tells of a call of the function of this name, whose charge is final.
    pub fn call(&self, function: &str, known: KnownCall) {
        let now = Instant::now();
        let mut known = Some(known);
        let mut made: Option<Arc<Numbered>> = None;
        let most = (self.bounds.queue / BURST_PART).max(1);
        self.tell(|client| {
            let wanted = client.wants.calls && client.wants.function.as_deref().is_none_or(|wanted| wanted == function);
            if !wanted {
                return Ok(());
            }
            if now.saturating_duration_since(client.burst) >= BURST {
                self.end_burst(client, now)?;
            }
            if client.told >= most {
                client.omitted += 1;
                return Ok(());
            }
            client.told += 1;
            if let Some(known) = known.take() {
                made = Some(self.number(Event::Call(known)));
            }
            made.clone().map_or(Ok(()), |event| client.send(event))
        });
    }

    /// Takes in that a window was closed: power and accounts are told now and then.
    pub fn window_closed(&self, meter: &EnergyMeter) {
        let (mut pace, now) = (self.pace.lock(), Instant::now());
        let heard = self.are_heard();
        if heard {
            self.tell(|client| if client.omitted > 0 { self.end_burst(client, now) } else { Ok(()) });
        }
        let wanted = heard && self.clients.lock().iter().any(|client| client.wants.accounts);
        let Ok((watts, accounts)) = pace.due(now, wanted, || meter.snapshot()) else { return };
        drop(pace);
        if let Some(watts) = watts.filter(|_| heard) {
            let event = self.number(Event::Watts(watts));
            self.tell(|client| if client.wants.watts { client.send(event.clone()) } else { Ok(()) });
        }
        if let Some(accounts) = accounts {
            let event = self.number(Event::Accounts(Box::new(accounts)));
            self.tell(|client| if client.wants.accounts { client.send(event.clone()) } else { Ok(()) });
        }
    }

    /// Power in the last minutes, the earliest first, and how long ago it was.
    pub fn past(&self) -> Vec<(Duration, Arc<Watts>)> {
        let now = Instant::now();
        self.pace.lock().past().map(|(at, watts)| (now.saturating_duration_since(at), watts)).collect()
    }

    /// Ends all streams: the daemon is about to end.
    pub fn close(&self) {
        let mut clients = self.clients.lock();
        self.closed.store(true, Ordering::Relaxed);
        clients.clear();
        self.listening.store(0, Ordering::Relaxed);
    }

    fn number(&self, event: Event) -> Arc<Numbered> {
        Arc::new(Numbered { id: self.next_event.fetch_add(1, Ordering::Relaxed), event })
    }

    fn end_burst(&self, client: &mut Client, now: Instant) -> Result<(), Gone> {
        let omitted = std::mem::take(&mut client.omitted);
        (client.burst, client.told) = (now, 0);
        if omitted > 0 { client.send(self.number(Event::Omitted(omitted))) } else { Ok(()) }
    }

    /// Does this with every client, and lets go of those with whom it cannot be done.
    fn tell(&self, mut each: impl FnMut(&mut Client) -> Result<(), Gone>) {
        let mut clients = self.clients.lock();
        clients.retain_mut(|client| match each(client) {
            Ok(()) => true,
            Err(Gone::Away) => false,
            Err(Gone::Slow) => {
                client.was_slow.store(true, Ordering::Relaxed);
                self.metrics.dropped.inc();
                tracing::debug!("client {} of /events was dropped: its queue is full", client.number);
                false
            }
        });
        self.listening.store(clients.len(), Ordering::Relaxed);
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Events").field("bounds", &self.bounds).finish_non_exhaustive()
    }
}

/// Why a client is not told any more.
enum Gone {
    /// It has hung up.
    Away,
    /// Its queue is full.
    Slow,
}

impl Client {
    fn send(&self, event: Arc<Numbered>) -> Result<(), Gone> {
        self.queue.try_send(event).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Gone::Slow,
            mpsc::error::TrySendError::Closed(_) => Gone::Away,
        })
    }
}

/// The other end of a client's queue.
pub struct Listener {
    number: u64,
    events: mpsc::Receiver<Arc<Numbered>>,
    was_slow: Arc<AtomicBool>,
    clients: IntGauge,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    /// The next event; `None` after the last.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Arc<Numbered>>> {
        self.events.poll_recv(context)
    }

    /// Whether it was dropped since its queue was full.
    #[must_use]
    pub fn was_slow(&self) -> bool {
        self.was_slow.load(Ordering::Relaxed)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        tracing::trace!("client {} of /events has gone", self.number);
        self.clients.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::super::calls::Progress;
    use super::*;
    use crate::meter::{Ended, NoCharge, NotEstimated};
    use crate::outcome::Outcome;
    use nebula_metering::{CallId, FunctionId};
    use std::future::poll_fn;
    use std::time::SystemTime;

    fn events(queue: usize, clients: usize) -> Events {
        let metrics = EventMetrics {
            clients: IntGauge::new("clients", "?").unwrap(),
            dropped: IntCounter::new("dropped", "?").unwrap(),
        };
        Events::new(EventBounds { queue, clients }, metrics)
    }

    fn call(events: &Events, function: &str, call: u128) {
        let ended = Ended {
            outcome: Outcome::Ok,
            at: SystemTime::UNIX_EPOCH,
            duration: Duration::ZERO,
            estimate: Err(NotEstimated::Cancelled),
        };
        let progress = Progress::Settled(Arc::new(ended), Err(NoCharge::Incomplete));
        events.call(function, KnownCall { call: CallId(call), function: FunctionId(0), progress });
    }

    fn calls(function: Option<&str>) -> Wants {
        Wants { calls: true, function: function.map(Box::from), ..Wants::default() }
    }

    async fn next(listener: &mut Listener) -> Option<Result<u128, u64>> {
        poll_fn(|context| listener.poll_next(context)).await.map(|numbered| match numbered.event {
            Event::Call(ref known) => Ok(known.call.0),
            Event::Omitted(count) => Err(count),
            Event::Watts(_) | Event::Accounts(_) => panic!("nobody wants it"),
        })
    }

    #[tokio::test]
    async fn each_hears_of_what_it_wants() {
        let events = events(64, 8);
        call(&events, "add", 1);
        let (mut all, mut some) =
            (events.subscribe(calls(None)).unwrap(), events.subscribe(calls(Some("add"))).unwrap());
        let mut none = events.subscribe(Wants { watts: true, ..Wants::default() }).unwrap();
        call(&events, "echo", 2);
        call(&events, "add", 3);
        events.close();
        assert_eq!(
            [next(&mut all).await, next(&mut all).await, next(&mut all).await],
            [Some(Ok(2)), Some(Ok(3)), None]
        );
        assert_eq!([next(&mut some).await, next(&mut some).await], [Some(Ok(3)), None]);
        assert_eq!((next(&mut none).await, none.was_slow()), (None, false));
        assert_eq!(events.subscribe(calls(None)).err(), Some(NoRoom::Closed));
    }

    #[tokio::test]
    async fn one_that_does_not_keep_up_is_dropped_and_the_others_are_not() {
        let events = events(1, 8);
        let (mut slow, mut quick) = (events.subscribe(calls(None)).unwrap(), events.subscribe(calls(None)).unwrap());
        for number in 1..4 {
            // As if time had passed.
            events.clients.lock().iter_mut().for_each(|client| client.told = 0);
            call(&events, "add", number);
            assert_eq!(next(&mut quick).await, Some(Ok(number)));
        }
        assert_eq!((next(&mut slow).await, next(&mut slow).await, slow.was_slow()), (Some(Ok(1)), None, true));
        assert_eq!((events.metrics.dropped.get(), quick.was_slow()), (1, false));
    }

    #[tokio::test]
    async fn of_a_burst_a_part_is_told_and_how_much_was_left_out() {
        let events = events(16, 1);
        let mut listener = events.subscribe(calls(None)).unwrap();
        for number in 0..100 {
            call(&events, "add", number);
        }
        events.clients.lock().iter_mut().for_each(|client| client.burst -= BURST);
        call(&events, "add", 100);
        let mut told = Vec::new();
        for _ in 0..6 {
            told.push(next(&mut listener).await.unwrap());
        }
        assert_eq!(told, [Ok(0), Ok(1), Ok(2), Ok(3), Err(96), Ok(100)]);
    }

    #[test]
    fn only_so_many_listen_and_a_place_is_free_again_when_one_goes() {
        let events = events(4, 2);
        let (first, _second) = (events.subscribe(calls(None)).unwrap(), events.subscribe(calls(None)).unwrap());
        assert_eq!(events.subscribe(calls(None)).err(), Some(NoRoom::Full(2)));
        assert_eq!(events.metrics.clients.get(), 2);
        drop(first);
        assert!(events.subscribe(calls(None)).is_ok());
        // Those who have gone are noticed when there is something to tell.
        call(&events, "add", 1);
        assert_eq!((events.listening.load(Ordering::Relaxed), events.metrics.clients.get()), (1, 1));
        assert_eq!(events.metrics.dropped.get(), 0);
    }
}
