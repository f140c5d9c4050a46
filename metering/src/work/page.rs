//! Detects switches by the page that the kernel shares with the owner of a perf event.
//!
//! The page shows how long the event had been enabled when it was last scheduled, and an event of one thread is
//! scheduled whenever its thread continues after a switch. An event that counts nothing is enough. Its time advances
//! with the thread, so two switches never show the same figure.
//!
//! Source: `perf_event_update_userpage` and `perf_swevent_add` in Linux `kernel/events/core.c`; `perf_event_open(2)`.

use std::cell::{Cell, OnceCell};
use std::io;
use std::time::Duration;

use perf_event::events::Software;
use perf_event::{Builder, Sampler};

thread_local! {
    /// Opened when the thread first arms it, closed with the thread. `None` if perf events are not allowed.
    static PAGE: OnceCell<Option<Page>> = const { OnceCell::new() };
}

struct Page {
    event: Sampler,
    armed_at: Cell<Duration>,
}

impl Page {
    fn open() -> io::Result<Self> {
        let mut event = Builder::new(Software::DUMMY).build()?;
        event.enable()?;
        // It comes with a page for samples, which stays empty.
        Ok(Self { event: event.sampled(1)?, armed_at: Cell::default() })
    }

    fn enabled(&self) -> Duration {
        self.event.read_user().time_enabled()
    }
}

/// Starts watching the calling thread. False if that is impossible.
pub(super) fn arm() -> bool {
    let arm = |page: &Page| page.armed_at.set(page.enabled());
    PAGE.try_with(|page| page.get_or_init(|| Page::open().ok()).as_ref().map(arm)).is_ok_and(|armed| armed.is_some())
}

/// Whether the thread has not been switched out since it was armed.
#[inline]
pub(super) fn is_armed() -> bool {
    let is_armed = |page: &Page| page.armed_at.get() == page.enabled();
    PAGE.try_with(|page| page.get().and_then(Option::as_ref).is_some_and(is_armed)).unwrap_or(false)
}
