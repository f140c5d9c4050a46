//! The real daemon on a made-up machine whose power follows real CPU time.

pub mod load;
pub mod machine;
pub mod picture;
mod process;
pub mod report;
pub mod run;
pub mod truth;
