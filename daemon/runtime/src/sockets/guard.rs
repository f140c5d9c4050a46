//! The functions of `wasi:sockets` that wasmtime asks nobody about, replaced by ones that ask the call's [`Gate`].

use std::net::IpAddr;
use std::sync::Arc;

use wasmtime::StoreContextMut;
use wasmtime::component::{Accessor, Linker, Resource};
use wasmtime_wasi::p2::bindings::sockets::{network, tcp, udp};
use wasmtime_wasi::p3::bindings::sockets::ip_name_lookup::ErrorCode as LookupError;
use wasmtime_wasi::p3::bindings::sockets::types::{
    ErrorCode, Host as _, HostTcpSocket, HostUdpSocket, HostUdpSocketWithStore, IpAddress, IpAddressFamily,
    IpSocketAddress, UdpSocket,
};
use wasmtime_wasi::p3::sockets::{SocketError, SocketResult};
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView};

use super::gate::{Gate, Unresolved};
use crate::outbound::HostName;
use crate::state::ComponentState;

type Store<'a> = StoreContextMut<'a, ComponentState>;
type Guest = Accessor<ComponentState>;
type Datagram = (Vec<u8>, IpSocketAddress);

/// Takes sockets away from WASI 0.2. Its streams are written by tasks of wasmtime's own, where nobody would measure them.
pub fn close_preview_2(linker: &mut Linker<ComponentState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    linker.instance("wasi:sockets/tcp-create-socket@0.2.12")?.func_wrap(
        "create-tcp-socket",
        |_: Store<'_>, _: (network::IpAddressFamily,)| {
            Ok((Err::<Resource<tcp::TcpSocket>, _>(network::ErrorCode::AccessDenied),))
        },
    )?;
    linker.instance("wasi:sockets/udp-create-socket@0.2.12")?.func_wrap(
        "create-udp-socket",
        |_: Store<'_>, _: (network::IpAddressFamily,)| {
            Ok((Err::<Resource<udp::UdpSocket>, _>(network::ErrorCode::AccessDenied),))
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Replaces the functions of WASI 0.3 that open sockets, hold datagrams and look up names.
pub fn guard_preview_3(linker: &mut Linker<ComponentState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance("wasi:sockets/types@0.3.0")?;
    types.func_wrap("[static]tcp-socket.create", |mut store: Store<'_>, (family,): (IpAddressFamily,)| {
        let state = store.data_mut();
        let created = check_room(state).and_then(|()| HostTcpSocket::create(&mut state.sockets(), family));
        Ok((result(state, created)?,))
    })?;
    types.func_wrap_async("[static]udp-socket.create", |mut store: Store<'_>, (family,): (IpAddressFamily,)| {
        Box::new(async move {
            let state = store.data_mut();
            let created = match check_room(state) {
                Ok(()) => HostUdpSocket::create(&mut state.sockets(), family).await,
                Err(error) => Err(error),
            };
            Ok((result(state, created)?,))
        })
    })?;
    types.func_wrap_concurrent(
        "[method]udp-socket.send",
        |guest: &Guest, (socket, data, to): (Resource<UdpSocket>, Vec<u8>, Option<IpSocketAddress>)| {
            Box::pin(async move {
                let sent = send(guest, socket, data, to).await;
                Ok((guest.with(|mut store| result(store.data_mut(), sent))?,))
            })
        },
    )?;
    types.func_wrap_concurrent("[method]udp-socket.receive", |guest: &Guest, (socket,): (Resource<UdpSocket>,)| {
        Box::pin(async move {
            let received = receive(guest, socket).await;
            Ok((guest.with(|mut store| result(store.data_mut(), received))?,))
        })
    })?;
    linker
        .instance("wasi:sockets/ip-name-lookup@0.3.0")?
        .func_wrap_concurrent("resolve-addresses", |guest: &Guest, (name,): (String,)| {
            Box::pin(async move { Ok((resolve(guest, &name).await,)) })
        })?;
    linker.allow_shadowing(false);
    Ok(())
}

/// wasmtime refuses a guest that may have no sockets at all.
fn check_room(state: &ComponentState) -> SocketResult<()> {
    if state.gate.as_ref().is_none_or(|gate| gate.one_more()) {
        return Ok(());
    }
    Err(ErrorCode::Other(Some("too many sockets".into())).into())
}

async fn send(
    guest: &Guest,
    socket: Resource<UdpSocket>,
    data: Vec<u8>,
    to: Option<IpSocketAddress>,
) -> SocketResult<()> {
    let gate = gate(guest);
    // The host holds the datagram already: waiting for a permit would bound nothing.
    let sending = gate.as_ref().map(|gate| gate.sending.try_acquire()).transpose();
    let _sending = sending.map_err(|_| ErrorCode::OutOfMemory)?;
    WasiSockets::send(&guest.with_getter::<WasiSockets>(ComponentState::sockets), socket, data, to).await
}

async fn receive(guest: &Guest, socket: Resource<UdpSocket>) -> SocketResult<Datagram> {
    let gate = gate(guest);
    let _receiving = match &gate {
        Some(gate) => gate.receiving.acquire().await.ok(),
        None => None,
    };
    WasiSockets::receive(&guest.with_getter::<WasiSockets>(ComponentState::sockets), socket).await
}

async fn resolve(guest: &Guest, name: &str) -> Result<Vec<IpAddress>, LookupError> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(vec![address.into()]);
    }
    let name = match HostName::parse(name).ok_or(LookupError::InvalidArgument)? {
        HostName::Address(address) => return Ok(vec![address.into()]),
        HostName::Name(name) => name,
    };
    let gate = gate(guest).ok_or(LookupError::AccessDenied)?;
    let resolved = gate.resolve(name).await.map_err(|why| match why {
        Unresolved::Refused => LookupError::AccessDenied,
        Unresolved::Unknown => LookupError::NameUnresolvable,
    })?;
    Ok(resolved.into_iter().map(IpAddress::from).collect())
}

fn gate(guest: &Guest) -> Option<Arc<Gate>> {
    guest.with(|mut store| store.data_mut().gate.clone())
}

fn result<T>(state: &mut ComponentState, result: Result<T, SocketError>) -> wasmtime::Result<Result<T, ErrorCode>> {
    match result {
        Ok(done) => Ok(Ok(done)),
        Err(error) => Ok(Err(state.sockets().convert_error_code(error)?)),
    }
}
