//! WASI 0.3 components that answer HTTP requests.

use std::future::poll_fn;
use std::sync::Arc;

use wasmtime::Store;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p3::Request;
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::call::Call;
use crate::capture::Recorder;
use crate::ending::Ending;
use crate::exchange::{Exchange, Unfinished, send_answer};
use crate::sandbox::{Sandbox, ending_of};
use crate::state::ComponentState;

/// A component that exports `wasi:http/handler`.
pub struct Service(pub ServicePre<ComponentState>);

impl Service {
    pub async fn call(&self, sandbox: &Sandbox, mut call: Call<'_>) -> Result<Ending, Ending> {
        let exchange = call.take_exchange()?;
        let recorder = call.recorder;
        let mut store = sandbox.component_store(self.0.engine(), call)?;
        let unfinished = Unfinished::new(recorder);
        match self.enter(&mut store, exchange, recorder, sandbox.grants.limits.stdout).await {
            Ok(()) => {
                unfinished.finished();
                Ok(recorder.answered())
            }
            Err(error) => Err(ending_of(&error, &store.data().limiter)),
        }
    }

    async fn enter(
        &self,
        store: &mut Store<ComponentState>,
        Exchange { request, answer }: Exchange,
        recorder: &Arc<Recorder>,
        body_max: usize,
    ) -> wasmtime::Result<()> {
        let service = self.0.instantiate_async(&mut *store).await?;
        recorder.begin();
        let (request, read) = Request::from_http(store.data_mut().http().hooks, request);
        store
            .run_concurrent(async |accessor| {
                let given = match service.handle(accessor, request).await? {
                    Ok(response) => Ok(accessor.with(|mut store| response.into_http(&mut store, async { Ok(()) }))?),
                    Err(code) => Err(format!("{code:?}")),
                };
                send_answer(answer, recorder, body_max, given);
                // Tasks of the guest write the body after the head is out.
                poll_fn(|context| accessor.poll_no_interesting_tasks(context)).await;
                drop(read);
                Ok(())
            })
            .await?
    }
}
