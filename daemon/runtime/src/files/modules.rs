//! Files of core modules (preview 0 and 1), and what else would block the thread once files may.

use wasmtime::{AsContextMut as _, Caller, Extern, Linker};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::types::{Errno, Fd, Filetype, Lookupflags};
use wasmtime_wasi::p1::wasi_snapshot_preview1::{WasiSnapshotPreview1, path_open, poll_oneoff};
use wiggle::{GuestMemory, GuestPtr};

use super::open;
use crate::state::ModuleState;

/// Bytes of a subscription and of an event. Source: `wasi_snapshot_preview1.witx`.
const SUBSCRIPTION: usize = 48;
const EVENT: usize = 32;

/// What a clock of preview 0 has in addition, and how to tell a clock. Source: `wasi_unstable.witx`.
const IDENTIFIER: usize = 8;
const KIND: usize = 8;
const CLOCK: u8 = 0;

/// What lies behind two subscriptions.
const TWO_EVENTS: i32 = 2 * 48;
const THEIR_NUMBER: i32 = 2 * (48 + 32);

/// Directory, how to look up, path and its length, how to open, rights twice, flags, and where the file descriptor goes.
type Arguments = (i32, i32, i32, i32, i32, i64, i64, i32, i32);

/// Subscriptions, where events go, how many subscriptions there are, and where the number of events goes.
type Waiting = (i32, i32, i32, i32);

/// Replaces the functions of preview 1 that open files and wait.
pub fn guard_preview_1(linker: &mut Linker<ModuleState>) -> wasmtime::Result<()> {
    guard(linker, "wasi_snapshot_preview1", |caller, given| Box::new(guarded_poll::<false>(caller, given)))
}

/// Replaces the functions of preview 0 that open files and wait. Both have the same errors and open files in the same way.
pub fn guard_preview_0(linker: &mut Linker<ModuleState>) -> wasmtime::Result<()> {
    guard(linker, "wasi_unstable", |caller, given| Box::new(guarded_poll::<true>(caller, given)))
}

type Returned<'a> = Box<dyn Future<Output = wasmtime::Result<i32>> + Send + 'a>;

fn guard(
    linker: &mut Linker<ModuleState>,
    module: &'static str,
    poll: for<'a> fn(Caller<'a, ModuleState>, Waiting) -> Returned<'a>,
) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    linker.func_wrap_async(module, "path_open", |caller: Caller<'_, ModuleState>, given: Arguments| {
        Box::new(guarded_open(caller, given))
    })?;
    linker.func_wrap_async(module, "poll_oneoff", move |caller: Caller<'_, ModuleState>, given: Waiting| {
        poll(caller, given)
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

/// The memory and the state of the guest that calls.
fn of<'a>(caller: &'a mut Caller<'_, ModuleState>) -> wasmtime::Result<(&'a mut [u8], &'a mut ModuleState, usize)> {
    let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
        wasmtime::bail!("missing required memory export");
    };
    let fuel = caller.as_context_mut().hostcall_fuel();
    let (bytes, state) = memory.data_and_store_mut(caller);
    Ok((bytes, state, fuel))
}

async fn guarded_open(mut caller: Caller<'_, ModuleState>, given: Arguments) -> wasmtime::Result<i32> {
    let (bytes, state, fuel) = of(&mut caller)?;
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

/// Waits for events. Where files may block the thread, wasmtime lets a guest that waits for nothing but time do so too: it
/// would sleep through its deadline, and everybody else of this thread with it. Nobody waits for the same thing twice, so that
/// is what it is asked for.
async fn guarded_poll<const PREVIEW_0: bool>(
    mut caller: Caller<'_, ModuleState>,
    (subscriptions, events, count, stored): Waiting,
) -> wasmtime::Result<i32> {
    let (bytes, ModuleState { wasi, files, .. }, fuel) = of(&mut caller)?;
    wasi.set_hostcall_fuel(fuel);
    let asked = subscriptions.cast_unsigned() as usize;
    let asked = bytes.get(asked..asked + if PREVIEW_0 { SUBSCRIPTION + IDENTIFIER } else { SUBSCRIPTION });
    let (Some(_), 1, Some(asked)) = (files, count, asked) else {
        let memory = &mut GuestMemory::Unshared(bytes);
        return if PREVIEW_0 {
            wasmtime_wasi::p0::wasi_unstable::poll_oneoff(wasi, memory, subscriptions, events, count, stored).await
        } else {
            poll_oneoff(wasi, memory, subscriptions, events, count, stored).await
        };
    };
    // User data and the kind come first. In preview 0 a clock's own identifier follows, which nobody reads.
    let rest = if PREVIEW_0 && asked[KIND] == CLOCK { &asked[16 + IDENTIFIER..] } else { &asked[16..SUBSCRIPTION] };
    let one = [&asked[..16], rest].concat();
    let mut twice = [&one[..], &one, &[0; 2 * EVENT + 4]].concat();
    let memory = &mut GuestMemory::Unshared(&mut twice);
    let error = poll_oneoff(wasi, memory, 0, TWO_EVENTS, 2, THEIR_NUMBER).await?;
    if error == 0 {
        let event = &twice[2 * SUBSCRIPTION..][..EVENT];
        let memory = &mut GuestMemory::Unshared(bytes);
        memory.copy_from_slice(event, GuestPtr::new((events.cast_unsigned(), EVENT as u32)))?;
        memory.write(GuestPtr::new(stored.cast_unsigned()), 1_u32)?;
    }
    Ok(error)
}
