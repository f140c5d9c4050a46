//! Gives verified entries to wasmtime, which runs them unchecked: the only unsafe code of this crate.

#![allow(unsafe_code, reason = "wasmtime cannot tell compiled code from any other bytes")]

use std::os::fd::AsRawFd;

use wasmtime::component::Component;
use wasmtime::{Engine, Module, Precompiled};

use super::code::Code;
use super::entry::Entry;

/// The code of an entry. It is mapped, so that processes share its pages and the kernel can drop them. If the file system
/// forbids that (`noexec`), it is copied.
///
/// wasmtime keeps a mapped file open. An entry whose descriptor is `descriptors_max` or higher is copied too, so that
/// connections find descriptors.
pub fn map(engine: &Engine, entry: Entry, descriptors_max: u64) -> Result<Code, wasmtime::Error> {
    let Entry { file, artefact } = entry;
    let descriptor = file.as_raw_fd();
    let mappable = u64::try_from(descriptor).is_ok_and(|number| number < descriptors_max);
    match Engine::detect_precompiled(&artefact) {
        Some(Precompiled::Module) => {
            // SAFETY: the digest of this very file has just been verified under a key of this engine, so it holds what
            // `Module::serialize` returned. The file belongs to this user and nobody else may write to it. This program
            // never writes to an entry: it replaces or unlinks it, which leaves a mapping whole.
            let mapped = mappable.then(|| unsafe { Module::deserialize_open_file(engine, file) });
            // SAFETY: as above, and the bytes are our own.
            let copied = |_| unsafe { Module::deserialize(engine, &artefact) };
            mapped.unwrap_or_else(unmapped).or_else(copied).map(Code::Module)
        }
        Some(Precompiled::Component) => {
            // wasmtime maps components by path only. This path leads to the open file, whatever its name means by now.
            let path = format!("/proc/self/fd/{descriptor}");
            // SAFETY: as above; the path refers to the same file as long as the descriptor is open.
            let mapped = mappable.then(|| unsafe { Component::deserialize_file(engine, path) });
            // SAFETY: as above, and the bytes are our own.
            let copied = |_| unsafe { Component::deserialize(engine, &artefact) };
            mapped.unwrap_or_else(unmapped).or_else(copied).map(Code::Component)
        }
        None => Err(wasmtime::Error::msg("not compiled code")),
    }
}

/// The code of an artefact that [`Key::verified`](super::Key::verified) returned.
pub fn load(engine: &Engine, artefact: &[u8]) -> Result<Code, wasmtime::Error> {
    match Engine::detect_precompiled(artefact) {
        // SAFETY: the digest of these very bytes has just been verified under a key of this engine. They were written by a
        // process of this program that ended before they were read, so they hold what `compile_module_serialized` returned.
        Some(Precompiled::Module) => unsafe { Module::deserialize(engine, artefact) }.map(Code::Module),
        // SAFETY: as above, with `compile_component_serialized`.
        Some(Precompiled::Component) => unsafe { Component::deserialize(engine, artefact) }.map(Code::Component),
        None => Err(wasmtime::Error::msg("not compiled code")),
    }
}

fn unmapped<T>() -> Result<T, wasmtime::Error> {
    Err(wasmtime::Error::msg("too many files are open"))
}
