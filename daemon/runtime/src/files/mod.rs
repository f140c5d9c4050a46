//! The files that guests open: a bounded number of them, and none that could keep the host waiting.
//!
//! Opening a FIFO waits until somebody opens its other end, and devices may deliver without end, so a guest gets neither unless
//! its grant says [`special`](crate::Directory::special). wasmtime opens what it is asked for; the functions that open are
//! replaced here by ones that look first.

mod components;
mod modules;
mod open_files;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream};

pub use components::{guard_preview_2, guard_preview_3};
pub use modules::{guard_preview_0, guard_preview_1};
pub use open_files::{FilesOfCall, OpenFiles};

/// Streams that are no file's: stdin, stdout, stderr, and the body of a message.
const OTHER_STREAMS: usize = 4;

/// Files that are open for the resources in `table`, beside the directories that every call is given.
///
/// A stream keeps its file open, also after the guest has closed the file itself.
fn open(table: &mut ResourceTable) -> usize {
    let (mut files, mut streams) = (0, 0_usize);
    for entry in table.iter_mut() {
        match entry.downcast_ref() {
            Some(Descriptor::File(_)) => files += 1,
            // The directories that were given share their handles.
            Some(Descriptor::Dir(directory)) => files += usize::from(std::sync::Arc::strong_count(&directory.dir) == 1),
            None => streams += usize::from(entry.is::<DynInputStream>() || entry.is::<DynOutputStream>()),
        }
    }
    files + streams.saturating_sub(OTHER_STREAMS)
}
