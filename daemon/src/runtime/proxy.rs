//! Calls of WASI 0.2 components that answer HTTP requests.

use std::sync::Arc;

use wasmtime::Store;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;

use super::call::{Invocation, ending};
use super::capture::Recorder;
use super::completion::Ending;
use super::exchange::{self, Exchange, hand_on};
use super::host::Host;
use super::outbound::Background;
use super::program::Program;

impl Program {
    pub(super) async fn answer(
        &self,
        proxy: &ProxyPre<Host>,
        invocation: Invocation,
        exchange: Exchange,
        recorder: &Arc<Recorder>,
        background: Background,
    ) -> Ending {
        let mut store = match self.host(&self.runtime.plain().engine, invocation, recorder, background) {
            Ok(store) => store,
            Err(error) => return Ending::Trapped(format!("{error:#}")),
        };
        match enter(&mut store, proxy, exchange, recorder, self.grants.limits.stdout).await {
            Ok(()) => exchange::ending(recorder),
            Err(error) => ending(&error, &store.data().limiter),
        }
    }
}

async fn enter(
    store: &mut Store<Host>,
    proxy: &ProxyPre<Host>,
    Exchange { request, answer }: Exchange,
    recorder: &Arc<Recorder>,
    body_max: usize,
) -> wasmtime::Result<()> {
    let proxy = proxy.instantiate_async(&mut *store).await?;
    recorder.begin();
    let scheme = if request.uri().scheme_str() == Some("https") { Scheme::Https } else { Scheme::Http };
    let request = store.data_mut().http().new_incoming_request(scheme, request)?;
    let teller = recorder.clone();
    let tell = move |given: Result<_, _>| hand_on(answer, &teller, body_max, given.map_err(|code| format!("{code:?}")));
    let answer = store.data_mut().http().new_response_outparam_from_callback(tell)?;
    proxy.wasi_http_incoming_handler().call_handle(&mut *store, request, answer).await
}
