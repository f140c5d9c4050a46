//! How many files, directories and connections guests may have open: one bound for each call, and one for all of them
//! together, so that the process always has descriptors left to accept connections with.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Resource, getrlimit};

/// The part of the process's descriptors that guests may use by default. Compiled code takes up to a half; the rest is for
/// connections of callers.
const PART: usize = 4;

/// What the guests of all calls have open.
#[derive(Debug)]
pub struct OpenFiles {
    open: AtomicUsize,
    max: usize,
}

impl OpenFiles {
    /// At most `max` at a time; by default a quarter of what the process may open.
    pub fn new(max: Option<usize>) -> Arc<Self> {
        let process = getrlimit(Resource::Nofile).current.map_or(usize::MAX, |limit| limit as usize);
        Arc::new(Self { open: AtomicUsize::new(0), max: max.unwrap_or(process / PART) })
    }

    /// Takes room for so many, if there is that much left.
    fn take(&self, count: usize) -> bool {
        let fits = |open: usize| open.checked_add(count).filter(|open| *open <= self.max);
        self.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
    }

    fn give_back(&self, count: usize) {
        self.open.fetch_sub(count, Ordering::Relaxed);
    }
}

/// What one call has open. Dropping it gives everything back.
#[derive(Debug)]
pub struct FilesOfCall {
    all: Arc<OpenFiles>,
    /// Directories that it is given, which are open as long as it runs.
    given: usize,
    open: usize,
    max: usize,
    /// Whether it may open more than regular files and directories.
    pub special: bool,
}

impl FilesOfCall {
    /// For a call that is given so many directories and may have `max` open; `None` if there is no room for them.
    pub fn new(all: &Arc<OpenFiles>, given: usize, max: usize, special: bool) -> Option<Self> {
        let mut files = Self { all: all.clone(), given, open: 0, max, special };
        files.note(0).then_some(files)
    }

    /// Notes that the call has so many open beside what it was given, and says whether that is allowed. Otherwise what was
    /// noted before stays.
    pub fn note(&mut self, open: usize) -> bool {
        let open = self.given + open;
        let allowed = open <= self.max && (open <= self.open || self.all.take(open - self.open));
        if allowed {
            self.all.give_back(self.open.saturating_sub(open));
            self.open = open;
        }
        allowed
    }

    /// Notes one more.
    pub fn one_more(&mut self) -> bool {
        self.note(self.open - self.given + 1)
    }
}

impl Drop for FilesOfCall {
    fn drop(&mut self) {
        self.all.give_back(self.open);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_opens_up_to_its_bound_and_all_calls_up_to_theirs() {
        let all = OpenFiles::new(Some(5));
        let call = |given| FilesOfCall::new(&all, given, 3, false);
        let (mut first, mut second) = (call(1).unwrap(), call(0).unwrap());
        assert!(first.note(2) && !first.note(3), "three by call");
        assert!(second.note(2) && !second.note(3), "five in all");
        assert!(call(1).is_none() && call(0).is_some());
        assert!(first.note(1) && second.note(3), "what one closes another may open");
        drop(first);
        assert!(call(2).is_some());
        drop(second);
        let mut third = call(0).unwrap();
        assert!((0..3).all(|_| third.one_more()) && !third.one_more());
        drop(third);
        assert_eq!(all.open.load(Ordering::Relaxed), 0);
    }
}
