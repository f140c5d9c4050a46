//! What guests are told of errors of the host: what happened, and not the host's stack, which wasmtime would show them where
//! `RUST_BACKTRACE` is set.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::WasiView;

use super::state::ComponentState;

/// Replaces the function that describes an error.
pub fn describe_without_stacks(linker: &mut Linker<ComponentState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    linker.instance("wasi:io/error@0.2.12")?.func_wrap(
        "[method]error.to-debug-string",
        |mut store: StoreContextMut<'_, ComponentState>, (error,): (Resource<wasmtime::Error>,)| {
            Ok((format!("{:#}", store.data_mut().ctx().table.get(&error)?),))
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}
