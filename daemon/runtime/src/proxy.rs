//! Calls of WASI 0.2 components that answer HTTP requests.

use std::sync::Arc;

use wasmtime::Store;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::p2::bindings::{Proxy, ProxyPre};

use super::call::{Invocation, ending};
use super::capture::Recorder;
use super::completion::Ending;
use super::exchange::{self, Exchange, hand_on};
use super::host::Host;
use super::outbound::Background;
use super::program::Program;
use super::warm::{Waiting, Warm};

/// An instance of a proxy.
pub(super) struct Instance {
    store: Store<Host>,
    proxy: Proxy,
}

impl Program {
    pub(super) async fn answer(
        &self,
        proxy: &ProxyPre<Host>,
        waiting: Option<&Waiting<Instance>>,
        invocation: Invocation,
        exchange: Exchange,
        recorder: &Arc<Recorder>,
        background: Background,
    ) -> Ending {
        let Some(waiting) = waiting else {
            return match self.instantiate(proxy, invocation, recorder, background).await {
                Ok(mut instance) => {
                    recorder.begin();
                    self.enter(&mut instance, exchange, recorder).await
                }
                Err(ending) => ending,
            };
        };
        let mut warm = match waiting.take() {
            Some(mut warm) => {
                let outbound = self.outbound(&invocation, background);
                warm.instance.store.data_mut().renew(outbound);
                self.prepare(&mut warm.instance.store);
                warm
            }
            None => {
                let recorder = Recorder::new(&self.grants.limits);
                match self.instantiate(proxy, invocation, &recorder, background).await {
                    Ok(instance) => Warm::new(instance, recorder),
                    Err(ending) => return ending,
                }
            }
        };
        recorder.begin();
        let ending = self.enter(&mut warm.instance, exchange, recorder).await;
        recorder.take_log_of(&warm.recorder);
        if matches!(ending, Ending::Answered(_)) {
            waiting.give_back(warm);
        }
        ending
    }

    async fn instantiate(
        &self,
        proxy: &ProxyPre<Host>,
        invocation: Invocation,
        recorder: &Arc<Recorder>,
        background: Background,
    ) -> Result<Instance, Ending> {
        let store = self.host(&self.runtime.plain().engine, invocation, recorder, background);
        let mut store = store.map_err(|error| Ending::Trapped(format!("{error:#}")))?;
        match proxy.instantiate_async(&mut store).await {
            Ok(proxy) => Ok(Instance { store, proxy }),
            Err(error) => Err(ending(&error, &store.data().limiter)),
        }
    }

    async fn enter(
        &self,
        Instance { store, proxy }: &mut Instance,
        exchange: Exchange,
        recorder: &Arc<Recorder>,
    ) -> Ending {
        match enter(store, proxy, exchange, recorder, self.grants.limits.stdout).await {
            Ok(()) => exchange::ending(recorder),
            Err(error) => ending(&error, &store.data().limiter),
        }
    }
}

async fn enter(
    store: &mut Store<Host>,
    proxy: &Proxy,
    Exchange { request, answer }: Exchange,
    recorder: &Arc<Recorder>,
    body_max: usize,
) -> wasmtime::Result<()> {
    let scheme = if request.uri().scheme_str() == Some("https") { Scheme::Https } else { Scheme::Http };
    let request = store.data_mut().http().new_incoming_request(scheme, request)?;
    let teller = recorder.clone();
    let tell = move |given: Result<_, _>| hand_on(answer, &teller, body_max, given.map_err(|code| format!("{code:?}")));
    let answer = store.data_mut().http().new_response_outparam_from_callback(tell)?;
    proxy.wasi_http_incoming_handler().call_handle(&mut *store, request, answer).await
}
