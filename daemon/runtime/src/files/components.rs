//! Files of components: WASI 0.2 and 0.3.

use wasmtime::component::{Accessor, Linker, Resource};
use wasmtime::{AsContextMut as _, StoreContextMut};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::filesystem::types as p2;
use wasmtime_wasi::p3::bindings::filesystem::types as p3;

use super::open;
use crate::state::ComponentState;

/// Entries that a stream and the future of its end have in the table of WASI 0.3.
const ENTRIES_OF_STREAM: usize = 6;

/// Replaces the function of WASI 0.2 that opens files.
pub fn guard_preview_2(linker: &mut Linker<ComponentState>) -> wasmtime::Result<()> {
    type Arguments = (Resource<Descriptor>, p2::PathFlags, String, p2::OpenFlags, p2::DescriptorFlags);
    linker.allow_shadowing(true);
    linker.instance("wasi:filesystem/types@0.2.12")?.func_wrap_async(
        "[method]descriptor.open-at",
        |mut store: StoreContextMut<'_, ComponentState>, given: Arguments| {
            Box::new(async move { Ok((open_preview_2(store.data_mut(), given).await?,)) })
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

async fn open_preview_2(
    state: &mut ComponentState,
    (directory, lookup, path, how, flags): (
        Resource<Descriptor>,
        p2::PathFlags,
        String,
        p2::OpenFlags,
        p2::DescriptorFlags,
    ),
) -> wasmtime::Result<Result<Resource<Descriptor>, p2::ErrorCode>> {
    use p2::{DescriptorType, Host as _, HostDescriptor as _};
    if !state.may_open_another(0) {
        return Ok(Err(p2::ErrorCode::Quota));
    }
    let again = Resource::new_borrow(directory.rep());
    if !state.may_open_special()
        && let Ok(found) = state.filesystem().stat_at(again, lookup, path.clone()).await
        && !matches!(
            found.type_,
            DescriptorType::RegularFile | DescriptorType::Directory | DescriptorType::SymbolicLink
        )
    {
        return Ok(Err(p2::ErrorCode::Access));
    }
    match state.filesystem().open_at(directory, lookup, path, how, flags).await {
        Ok(opened) => Ok(Ok(opened)),
        Err(error) => Ok(Err(state.filesystem().convert_error_code(error)?)),
    }
}

/// Replaces the function of WASI 0.3 that opens files.
pub fn guard_preview_3(linker: &mut Linker<ComponentState>) -> wasmtime::Result<()> {
    type Arguments = (Resource<Descriptor>, p3::PathFlags, String, p3::OpenFlags, p3::DescriptorFlags);
    linker.allow_shadowing(true);
    linker.instance("wasi:filesystem/types@0.3.0")?.func_wrap_concurrent(
        "[method]descriptor.open-at",
        |accessor: &Accessor<ComponentState>, given: Arguments| {
            Box::pin(async move { Ok((open_preview_3(accessor, given).await?,)) })
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

async fn open_preview_3(
    accessor: &Accessor<ComponentState>,
    (directory, lookup, path, how, flags): (
        Resource<Descriptor>,
        p3::PathFlags,
        String,
        p3::OpenFlags,
        p3::DescriptorFlags,
    ),
) -> wasmtime::Result<Result<Resource<Descriptor>, p3::ErrorCode>> {
    use p3::{DescriptorType, Host as _, HostDescriptorWithStore as _};
    let (fits, special) = accessor.with(|mut store| {
        let concurrently =
            store.as_context_mut().concurrent_resource_table().map_or(0, |table| table.iter_mut().count());
        let state = store.data_mut();
        (state.may_open_another(concurrently / ENTRIES_OF_STREAM), state.may_open_special())
    });
    if !fits {
        return Ok(Err(p3::ErrorCode::Quota));
    }
    let files = &accessor.with_getter::<WasiFilesystem>(ComponentState::filesystem);
    let again = Resource::new_borrow(directory.rep());
    if !special
        && let Ok(found) = WasiFilesystem::stat_at(files, again, lookup, path.clone()).await
        && !matches!(
            found.type_,
            DescriptorType::RegularFile | DescriptorType::Directory | DescriptorType::SymbolicLink
        )
    {
        return Ok(Err(p3::ErrorCode::Access));
    }
    match WasiFilesystem::open_at(files, directory, lookup, path, how, flags).await {
        Ok(opened) => Ok(Ok(opened)),
        Err(error) => Ok(Err(accessor.with(|mut store| store.data_mut().filesystem().convert_error_code(error))?)),
    }
}

impl ComponentState {
    /// Whether it may open one file more, beside the streams of WASI 0.3 that it has.
    fn may_open_another(&mut self, streams: usize) -> bool {
        let open = open(self.filesystem().table) + streams;
        self.files.as_mut().is_none_or(|files| files.note(open + 1))
    }

    fn may_open_special(&self) -> bool {
        self.files.as_ref().is_none_or(|files| files.special)
    }
}
