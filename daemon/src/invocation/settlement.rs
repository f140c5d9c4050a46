//! Waiting for the settled charge of a call that has ended.

use std::time::Duration;

use nebula_metering::Charge;
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::meter::NoCharge;

/// A call is settled within two windows of its end, or three where its last slice is collected late.
const WINDOWS_MAX: u32 = 5;

/// Besides, for a sampler that a busy machine keeps from its work.
const SLACK: Duration = Duration::from_secs(1);

/// A charge that is still to come. It comes along with the end of the call: nobody has to look for it.
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
    /// It never will.
    #[error(transparent)]
    Never(#[from] NoCharge),
    /// It takes longer than it should.
    #[error("the call was not settled within {0:?}; `/invocations` tells its charge later")]
    Late(Duration),
    /// Too many wait.
    #[error(
        "{0} callers wait for settled charges already, as many as may (`meter.waiters`); `/invocations` tells it later"
    )]
    NoRoom(usize),
}

impl Settlement {
    /// One that comes within a few windows.
    pub(super) fn later(
        charge: oneshot::Receiver<Result<Charge, NoCharge>>,
        place: OwnedSemaphorePermit,
        window: Duration,
    ) -> Self {
        Self(State::Later { charge, place, time_max: window * WINDOWS_MAX + SLACK })
    }

    /// None: `waiters_max` others wait.
    pub(super) fn no_room(waiters_max: usize) -> Self {
        Self(State::None(NotSettled::NoRoom(waiters_max)))
    }

    /// None, now or later.
    pub(super) fn never(why: NoCharge) -> Self {
        Self(State::None(why.into()))
    }

    /// Waits for it, but not for ever.
    ///
    /// # Errors
    /// When there is none, or none yet.
    pub async fn wait(self) -> Result<Charge, NotSettled> {
        let (charge, _place, time_max) = match self.0 {
            State::Later { charge, place, time_max } => (charge, place, time_max),
            State::None(why) => return Err(why),
        };
        match tokio::time::timeout(time_max, charge).await {
            Ok(Ok(charge)) => Ok(charge?),
            // It was dropped with the end of the call, for which there was no room.
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
    async fn waiting_ends_after_a_few_windows_and_gives_its_place_back() {
        let places = Arc::new(Semaphore::new(1));
        let (_waiter, settlement) = later(&places);
        assert_eq!(places.available_permits(), 0);
        assert_eq!(settlement.wait().await, Err(NotSettled::Late(Duration::from_millis(1500))));
        assert_eq!(places.available_permits(), 1);
    }

    #[tokio::test]
    async fn a_charge_that_never_comes_is_told_at_once() {
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
