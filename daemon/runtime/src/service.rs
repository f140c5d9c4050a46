//! Calls of WASI 0.3 components that answer HTTP requests.

use std::future::poll_fn;
use std::sync::Arc;

use wasmtime::Store;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p3::Request;
use wasmtime_wasi_http::p3::bindings::ServicePre;

use super::call::{Invocation, ending};
use super::capture::Recorder;
use super::completion::Ending;
use super::exchange::{self, Exchange, hand_on};
use super::host::Host;
use super::outbound::Background;
use super::program::Program;

impl Program {
    pub(super) async fn serve(
        &self,
        service: &ServicePre<Host>,
        invocation: Invocation,
        exchange: Exchange,
        recorder: &Arc<Recorder>,
        background: Background,
    ) -> Ending {
        // It was compiled for this engine.
        let Some(concurrent) = self.runtime.concurrent() else { return Ending::Trapped("no engine".into()) };
        let mut store = match self.host(&concurrent.engine, invocation, recorder, background) {
            Ok(store) => store,
            Err(error) => return Ending::Trapped(format!("{error:#}")),
        };
        match enter(&mut store, service, exchange, recorder, self.grants.limits.stdout).await {
            Ok(()) => exchange::ending(recorder),
            Err(error) => ending(&error, &store.data().limiter),
        }
    }
}

async fn enter(
    store: &mut Store<Host>,
    service: &ServicePre<Host>,
    Exchange { request, answer }: Exchange,
    recorder: &Arc<Recorder>,
    body_max: usize,
) -> wasmtime::Result<()> {
    let service = service.instantiate_async(&mut *store).await?;
    recorder.begin();
    let (request, read) = Request::from_http(store.data_mut().http().hooks, request);
    store
        .run_concurrent(async |accessor| {
            let given = service.handle(accessor, request).await?;
            let given = match given {
                Ok(response) => Ok(accessor.with(|mut store| response.into_http(&mut store, async { Ok(()) }))?),
                Err(code) => Err(format!("{code:?}")),
            };
            hand_on(answer, recorder, body_max, given);
            // The body is written by tasks that go on after the head is out.
            poll_fn(|context| accessor.poll_no_interesting_tasks(context)).await;
            drop(read);
            Ok(())
        })
        .await?
}
