//! WASI preview 1 commands.

use wasmtime::{InstancePre, Store};

use crate::call::Call;
use crate::capture::Recorder;
use crate::ending::Ending;
use crate::sandbox::{Sandbox, ending_of};
use crate::state::ModuleState;

/// A core module that starts at an export, usually `_start`.
pub struct Command {
    pub module: InstancePre<ModuleState>,
    pub start: Box<str>,
}

impl Command {
    pub async fn call(&self, sandbox: &Sandbox, call: Call<'_>) -> Result<Ending, Ending> {
        let recorder = call.recorder;
        let mut store = sandbox.module_store(call)?;
        match self.enter(&mut store, recorder).await {
            Ok(()) => Ok(Ending::Returned),
            Err(error) => Err(ending_of(&error, &store.data().limiter)),
        }
    }

    async fn enter(&self, store: &mut Store<ModuleState>, recorder: &Recorder) -> wasmtime::Result<()> {
        let instance = self.module.instantiate_async(&mut *store).await?;
        recorder.begin();
        let start = instance.get_typed_func::<(), ()>(&mut *store, &self.start)?;
        start.call_async(&mut *store, ()).await
    }
}
