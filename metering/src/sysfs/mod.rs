//! The small text files that the kernel shows in sysfs: one value each, or a list of processors.

pub mod attribute;
pub mod cpu_list;
pub(crate) mod number_file;
