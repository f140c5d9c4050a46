//! Gives verified entries to wasmtime, which runs them as they are. The only place in the daemon that must be trusted
//! about memory.

#![allow(unsafe_code, reason = "wasmtime cannot tell compiled code from any other bytes")]

use std::os::fd::AsRawFd;

use wasmtime::component::Component;
use wasmtime::{Engine, Module, Precompiled};

use super::Code;
use super::entry::Entry;

/// The code of an entry. It is mapped, so that daemons share its pages and the kernel can drop them; where the file
/// system does not allow code (`noexec`) it is copied.
///
/// wasmtime keeps a mapped file open. Entries whose descriptor is numbered `descriptors_max` or higher are copied too,
/// so that descriptors are left for connections.
pub fn map(engine: &Engine, entry: Entry, descriptors_max: u64) -> Result<Code, wasmtime::Error> {
    let Entry { file, artefact } = entry;
    let descriptor = file.as_raw_fd();
    let mappable = u64::try_from(descriptor).is_ok_and(|number| number < descriptors_max);
    match Engine::detect_precompiled(&artefact) {
        Some(Precompiled::Module) => {
            // SAFETY: the digest has just been verified on this very file, under a key of this engine, so that it holds
            // what `Module::serialize` gave. It belongs to this user, nobody else may write to it, and this program never
            // writes to an entry: it is replaced by another file, or unlinked, which leaves a mapping whole.
            let mapped = mappable.then(|| unsafe { Module::deserialize_open_file(engine, file) });
            // SAFETY: as above, and the bytes are our own.
            let copied = |_| unsafe { Module::deserialize(engine, &artefact) };
            mapped.unwrap_or_else(unmapped).or_else(copied).map(Code::Module)
        }
        Some(Precompiled::Component) => {
            // wasmtime maps components by their path alone. This path leads to the open file, not to its name.
            let path = format!("/proc/self/fd/{descriptor}");
            // SAFETY: as above; the path cannot be turned to another file while the descriptor is open.
            let mapped = mappable.then(|| unsafe { Component::deserialize_file(engine, path) });
            // SAFETY: as above, and the bytes are our own.
            let copied = |_| unsafe { Component::deserialize(engine, &artefact) };
            mapped.unwrap_or_else(unmapped).or_else(copied).map(Code::Component)
        }
        None => Err(wasmtime::Error::msg("it is not compiled code")),
    }
}

fn unmapped<T>() -> Result<T, wasmtime::Error> {
    Err(wasmtime::Error::msg("too many files are open"))
}
