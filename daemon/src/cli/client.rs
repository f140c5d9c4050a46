//! Talks to a daemon.
