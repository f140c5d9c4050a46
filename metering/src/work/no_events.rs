//! Why hardware events are not counted, as one word.

use std::fmt;
use std::io;

use rustix::io::Errno;

/// Why there are no hardware events beside CPU time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoEvents {
    /// The processor, the hypervisor or the container shows no performance monitoring unit.
    NoPmu,
    /// The kernel has one and does not let this process use it: `perf_event_paranoid` or a system call filter.
    NotPermitted,
    /// Opening or reading the counters failed for another reason.
    Failed,
}

impl NoEvents {
    /// What an error of `perf_event_open(2)` or of reading its counters means.
    #[must_use]
    pub fn from_error(error: &io::Error) -> Self {
        match Errno::from_io_error(error) {
            Some(Errno::ACCESS | Errno::PERM) => Self::NotPermitted,
            Some(Errno::NOENT | Errno::NODEV | Errno::NOSYS | Errno::OPNOTSUPP) => Self::NoPmu,
            _ => Self::Failed,
        }
    }

    /// The reason as one word: `no_pmu`, `not_permitted` or `failed`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoPmu => "no_pmu",
            Self::NotPermitted => "not_permitted",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for NoEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_pmu_is_told_from_a_forbidden_one() {
        let cases = [
            (Errno::NOENT, "no_pmu"),
            (Errno::NODEV, "no_pmu"),
            (Errno::NOSYS, "no_pmu"),
            (Errno::OPNOTSUPP, "no_pmu"),
            (Errno::ACCESS, "not_permitted"),
            (Errno::PERM, "not_permitted"),
            (Errno::MFILE, "failed"),
        ];
        for (errno, word) in cases {
            assert_eq!(NoEvents::from_error(&errno.into()).to_string(), word, "{errno}");
        }
        assert_eq!(NoEvents::from_error(&io::ErrorKind::InvalidData.into()), NoEvents::Failed);
    }
}
