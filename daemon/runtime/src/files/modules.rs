//! Files of core modules: preview 1, and preview 0 whose function is the same.

use wasmtime::{AsContextMut as _, Caller, Extern, Linker};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::types::{Errno, Fd, Filetype, Lookupflags};
use wasmtime_wasi::p1::wasi_snapshot_preview1::{WasiSnapshotPreview1, path_open};
use wiggle::{GuestMemory, GuestPtr};

use super::open;
use crate::state::ModuleState;

/// Directory, how to look up, path and its length, how to open, rights twice, flags, and where the file descriptor goes.
type Arguments = (i32, i32, i32, i32, i32, i64, i64, i32, i32);

/// Replaces the function that opens files.
pub fn guard_preview_1(linker: &mut Linker<ModuleState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    linker.func_wrap_async("wasi_snapshot_preview1", "path_open", |caller: Caller<'_, ModuleState>, given: Arguments| {
        Box::new(guarded(caller, given))
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

async fn guarded(mut caller: Caller<'_, ModuleState>, given: Arguments) -> wasmtime::Result<i32> {
    let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
        wasmtime::bail!("the module exports no memory");
    };
    let fuel = caller.as_context_mut().hostcall_fuel();
    let (bytes, state) = memory.data_and_store_mut(&mut caller);
    let (memory, wasi) = (&mut GuestMemory::Unshared(bytes), &mut state.wasi);
    let (directory, lookup, path, length, how, rights, inherited, flags, opened) = given;
    if let Some(files) = &mut state.files {
        if !files.note(open(wasi.ctx().table) + 1) {
            return Ok(Errno::Mfile as i32);
        }
        wasi.set_hostcall_fuel(fuel);
        let path = GuestPtr::new((path.cast_unsigned(), length.cast_unsigned()));
        if !files.special && is_special(wasi, memory, directory, lookup, path).await {
            return Ok(Errno::Acces as i32);
        }
    }
    wasi.set_hostcall_fuel(fuel);
    path_open(wasi, memory, directory, lookup, path, length, how, rights, inherited, flags, opened).await
}

/// Whether a file is neither regular nor a directory nor a link. What cannot be looked at cannot be opened either, unless it
/// is not there yet.
async fn is_special(
    wasi: &mut WasiP1Ctx,
    memory: &mut GuestMemory<'_>,
    directory: i32,
    lookup: i32,
    path: GuestPtr<str>,
) -> bool {
    let Ok(lookup) = Lookupflags::try_from(lookup) else { return false };
    let found = wasi.path_filestat_get(memory, Fd::from(directory.cast_unsigned()), lookup, path).await;
    found.is_ok_and(|found| {
        !matches!(found.filetype, Filetype::RegularFile | Filetype::Directory | Filetype::SymbolicLink)
    })
}
