//! Waiting for the settled charge of a call that has ended.

use std::time::Duration;

use nebula_metering::Charge;
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::meter::NoCharge;

/// A call is settled within two windows of its end, or three if its last slice is collected late.
const WINDOWS_MAX: u32 = 5;

/// Extra time for a sampler on a busy machine.
const SLACK: Duration = Duration::from_secs(1);

/// A charge that will arrive when the call is settled.
#[derive(Debug)]
pub struct Settlement(State);

#[derive(Debug)]
enum State {
    Later { charge: oneshot::Receiver<Result<Charge, NoCharge>>, place: OwnedSemaphorePermit, time_max: Duration },
    None(NotSettled),
}

/// Why the caller gets no settled charge now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotSettled {
    #[error(transparent)]
    Never(#[from] NoCharge),
    #[error("the call was not settled within {0:?}; `/invocations` will show its charge")]
    Late(Duration),
    #[error(
        "{0} callers are waiting for settled charges, which is the limit (`meter.waiters`); `/invocations` will show this one"
    )]
    NoRoom(usize),
}

impl Settlement {
    pub(super) fn later(
        charge: oneshot::Receiver<Result<Charge, NoCharge>>,
        place: OwnedSemaphorePermit,
        window: Duration,
    ) -> Self {
        Self(State::Later { charge, place, time_max: window * WINDOWS_MAX + SLACK })
    }

    pub(super) fn no_room(waiters_max: usize) -> Self {
        Self(State::None(NotSettled::NoRoom(waiters_max)))
    }

    pub(super) fn never(why: NoCharge) -> Self {
        Self(State::None(why.into()))
    }

    /// Waits a few windows for the charge.
    pub async fn wait(self) -> Result<Charge, NotSettled> {
        let (charge, _place, time_max) = match self.0 {
            State::Later { charge, place, time_max } => (charge, place, time_max),
            State::None(why) => return Err(why),
        };
        match tokio::time::timeout(time_max, charge).await {
            Ok(Ok(charge)) => Ok(charge?),
            // The queue to the meter was full, and the end of the call was dropped.
            Ok(Err(_)) => Err(NoCharge::Dropped.into()),
            Err(_) => Err(NotSettled::Late(time_max)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tokio::sync::Semaphore;

    const WINDOW: Duration = Duration::from_millis(100);

    fn later(places: &Arc<Semaphore>) -> (oneshot::Sender<Result<Charge, NoCharge>>, Settlement) {
        let (waiter, charge) = oneshot::channel();
        (waiter, Settlement::later(charge, places.clone().try_acquire_owned().unwrap(), WINDOW))
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_after_a_few_windows_and_releases_its_permit() {
        let places = Arc::new(Semaphore::new(1));
        let (_waiter, settlement) = later(&places);
        assert_eq!(places.available_permits(), 0);
        assert_eq!(settlement.wait().await, Err(NotSettled::Late(Duration::from_millis(1500))));
        assert_eq!(places.available_permits(), 1);
    }

    #[tokio::test]
    async fn a_charge_that_never_comes_ends_the_wait_at_once() {
        let places = Arc::new(Semaphore::new(2));
        let (waiter, settlement) = later(&places);
        drop(waiter);
        assert_eq!(settlement.wait().await, Err(NotSettled::Never(NoCharge::Dropped)));
        let (waiter, settlement) = later(&places);
        waiter.send(Err(NoCharge::Incomplete)).unwrap();
        assert_eq!(settlement.wait().await, Err(NotSettled::Never(NoCharge::Incomplete)));
        assert_eq!(Settlement::no_room(7).wait().await, Err(NotSettled::NoRoom(7)));
    }
}
