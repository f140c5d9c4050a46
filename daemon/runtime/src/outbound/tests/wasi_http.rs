//! Requests as wasmtime sends them for components: those of `wasi:http` 0.2 from a task of its own, those of 0.3 in the
//! store's loop.

use std::mem;

use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use wasmtime::component::ResourceTable;
use wasmtime::{Config, Engine, Store};
use wasmtime_wasi::p2::Pollable;
use wasmtime_wasi_http::p2::bindings::http::outgoing_handler::Host as _;
use wasmtime_wasi_http::p2::bindings::http::types as p2;
use wasmtime_wasi_http::p2::bindings::http::types::HostFutureIncomingResponse as _;
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, HostOutgoingRequest};
use wasmtime_wasi_http::p3::bindings::http::client::HostWithStore;
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p3::{self, Request as P3Request};
use wasmtime_wasi_http::{FieldMap, WasiHttp, WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::server::answers;
use super::*;

struct Guest {
    outbound: Outbound,
    table: ResourceTable,
    context: WasiHttpCtx,
}

impl Guest {
    fn new(outbound: Outbound) -> Self {
        Self { outbound, table: ResourceTable::new(), context: WasiHttpCtx::new() }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outbound, table: &mut self.table, ctx: &mut self.context }
    }
}

/// The body as a component of 0.2 gets it.
async fn in_p2(entry: &str, authority: &str) -> Result<Bytes, p2::ErrorCode> {
    let background = Background::new();
    let mut guest = Guest::new(outbound(&[entry], &background));
    let request = HostOutgoingRequest {
        method: p2::Method::Get,
        scheme: Some(p2::Scheme::Http),
        authority: Some(authority.to_owned()),
        path_with_query: Some("/".to_owned()),
        headers: FieldMap::default(),
        body: None,
    };
    let request = guest.table.push(request).expect("a place");
    let call = async {
        let answer = guest.http().handle(request, None).map_err(|error| error.downcast().expect("a code"))?;
        guest.table.get_mut(&answer).expect("an answer").ready().await;
        let place = guest.table.get_mut(&answer).expect("an answer");
        let ready = mem::replace(place, HostFutureIncomingResponse::Consumed);
        if let HostFutureIncomingResponse::Ready(Ok((response, _worker))) = ready {
            return Ok(response.into_body().collect().await.expect("a body").to_bytes());
        }
        *place = ready;
        let code = guest.http().get(answer).expect("no trap").expect("ready").expect("the first time");
        Err(code.expect_err("a failure"))
    };
    background.beside(call).await
}

/// The body as a component of 0.3 gets it, once it also knows that its request was transmitted.
async fn in_p3(entry: &str, authority: &str) -> Result<Bytes, ErrorCode> {
    let background = Background::new();
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    let engine = Engine::new(&config).expect("an engine");
    let mut store = Store::new(&engine, Guest::new(outbound(&[entry], &background)));
    let (request, transmitted) = P3Request::new(
        Method::GET,
        Some(Scheme::HTTP),
        Some(authority.parse::<Authority>().expect("an authority")),
        Some(PathAndQuery::from_static("/")),
        FieldMap::default(),
        None,
        Full::new(Bytes::new()),
    );
    let request = store.data_mut().table.push(request).expect("a place");
    let call = store.run_concurrent(async |accessor| {
        let sent = WasiHttp::send(&accessor.with_getter::<WasiHttp>(Guest::http), request).await;
        let response = sent.map_err(|error| error.downcast().expect("a code"))?;
        let response = accessor.with(|mut access| {
            let response: p3::Response = access.data_mut().table.delete(response).expect("a response");
            response.into_http(access, async { Ok(()) }).expect("a response")
        });
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        assert!(transmitted.await.is_ok());
        Ok(body)
    });
    background.beside(call).await.expect("no trap")
}

#[tokio::test]
async fn components_of_both_versions_get_answers_and_refusals() {
    let origin = answers(OK).await;
    let authority = origin.trim_start_matches("http://");
    assert_eq!(in_p2(&origin, authority).await.expect("an answer"), "ok");
    assert_eq!(in_p3(&origin, authority).await.expect("an answer"), "ok");
    let code = in_p2("http://127.0.0.2", authority).await;
    assert!(matches!(code, Err(p2::ErrorCode::HttpRequestDenied)), "{code:?}");
    let code = in_p3("http://127.0.0.2", authority).await;
    assert!(matches!(code, Err(ErrorCode::HttpRequestDenied)), "{code:?}");
}
