//! Runs cells on all processors.

use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Applies `run` to all items, and tells the progress on standard error.
pub fn map<T: Sync, R: Send>(title: &str, items: &[T], run: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let started = Instant::now();
    let done: Mutex<Vec<(usize, R)>> = Mutex::default();
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((index, item)) = items.iter().enumerate().nth(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = run(item);
                    if let Ok(mut done) = done.lock() {
                        done.push((index, result));
                        eprint!("\r{title}: {} of {} cells, {:.0?}", done.len(), items.len(), started.elapsed());
                    }
                }
            });
        }
    });
    eprintln!();
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}
