//! WASI preview 1 commands.

use wasmtime::{InstancePre, Store};

use crate::call::Call;
use crate::capture::Recorder;
use crate::ending::Ending;
use crate::sandbox::{Sandbox, ending_of};
use crate::state::ModuleState;

/// A core module that starts at an export, as a rule `_start`.
pub struct Command {
    pub module: InstancePre<ModuleState>,
    pub start: Box<str>,
}

impl Command {
    pub async fn call(&self, sandbox: &Sandbox, call: Call<'_>) -> Ending {
        let recorder = call.recorder;
        let mut store = match sandbox.module_store(call) {
            Ok(store) => store,
            Err(ending) => return ending,
        };
        let entered = self.enter(&mut store, recorder).await;
        entered.map_or_else(|error| ending_of(&error, &store.data().limiter), |()| Ending::Returned)
    }

    async fn enter(&self, store: &mut Store<ModuleState>, recorder: &Recorder) -> wasmtime::Result<()> {
        let instance = self.module.instantiate_async(&mut *store).await?;
        recorder.begin();
        let start = instance.get_typed_func::<(), ()>(&mut *store, &self.start)?;
        start.call_async(&mut *store, ()).await
    }
}
