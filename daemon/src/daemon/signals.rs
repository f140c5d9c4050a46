//! The signals that end the daemon. A thread of its own waits for them, so that they are heard whatever else is stuck.

use std::thread;

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a shell adds to the number of the signal that ended a process.
const EXIT_SIGNAL: i32 = 128;

/// Calls `drain` at the first SIGTERM or SIGINT. The second ends the process at once.
pub(super) fn watch_signals(drain: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let entered = runtime.enter();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    drop(entered);
    let watch = async move {
        next_signal(&mut terminate, &mut interrupt).await;
        tracing::info!("draining; a second signal stops at once");
        drain();
        let number = next_signal(&mut terminate, &mut interrupt).await;
        std::process::exit(EXIT_SIGNAL + number);
    };
    thread::Builder::new().name("signals".into()).spawn(move || runtime.block_on(watch))?;
    Ok(())
}

async fn next_signal(terminate: &mut Signal, interrupt: &mut Signal) -> i32 {
    tokio::select! {
        _ = terminate.recv() => SignalKind::terminate().as_raw_value(),
        _ = interrupt.recv() => SignalKind::interrupt().as_raw_value(),
    }
}
