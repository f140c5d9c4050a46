//! Threads that leave the processor to those who are in a hurry.

use rustix::process::setpriority_process;

/// About a tenth of the processor's time while threads of normal priority want it too.
///
/// Source: Linux `kernel/sched/core.c`, `sched_prio_to_weight`: 1024 at nice 0, 110 at nice 10.
const NICE: i32 = 10;

/// Lowers the priority of this thread. Linux lets every user do that, for a single thread too.
pub fn lower_priority() {
    if let Err(error) = setpriority_process(None, NICE) {
        tracing::warn!("cannot lower the priority of a thread, it competes with short calls: {error}");
    }
}
