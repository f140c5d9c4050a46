//! Listens until a signal comes, then drains.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::config::Config;
use crate::http::{AccessMode, App, Backlog, Exposure, Listener, Server, Tls};
use crate::reload::reload_on_change;
use crate::telemetry::{AccessLog, Observers};

use super::signals::watch_signals;
use super::start_error::StartError;

/// Where a daemon listens, as URLs.
pub struct Addresses {
    pub callers: String,
    /// The operators' own address, if they have one.
    pub admin: Option<String>,
}

/// Serves until a signal comes, then drains.
pub(super) async fn listen(
    config: &Config,
    app: Arc<App>,
    backlog: Arc<Backlog>,
    tls: Option<Arc<Tls>>,
    announce: impl FnOnce(&Addresses) -> std::io::Result<()>,
) -> Result<(), StartError> {
    let callers = Server::bind(config.http.listen, config.http.connections, tls.clone(), backlog.clone()).await?;
    let admin = match config.http.admin {
        Some(address) => Some(Server::bind(address, config.http.connections, tls.clone(), backlog.clone()).await?),
        None => None,
    };
    let exposure = Exposure::of_callers(config.http.energy.resolution, config.http.energy.expose, admin.is_some());
    warn_of_exposure(config, exposure);
    tokio::spawn(backlog.watch());
    let (stop, stopped) = watch::channel(false);
    // A signal may come before anybody waits for it.
    watch_signals(move || {
        stop.send_replace(true);
    })?;
    tokio::spawn(reload_on_change(app.access.watched().into_iter().chain(tls.map(|tls| tls.watched())).collect()));
    announce(&Addresses { callers: callers.url(), admin: admin.as_ref().map(Server::url) })?;
    tracing::info!("ready: open {} in a browser, or press Ctrl-C to stop", callers.url());
    let stopped = || {
        let mut stopped = stopped.clone();
        async move { drop(stopped.wait_for(|stopped| *stopped).await) }
    };
    let observers = app.observers.clone();
    let listener = Listener::for_callers(callers.address(), exposure, admin.is_some());
    let callers = callers.serve(app.clone(), listener, stopped());
    let admin = admin.map(|admin| {
        let listener = Listener::for_operators(admin.address(), exposure);
        admin.serve(app, listener, stopped())
    });
    let admin = async {
        match admin {
            Some(serve) => serve.await,
            None => true,
        }
    };
    reopen_at_hangup(observers)?;
    let (drained, admin_drained) = tokio::join!(callers, admin);
    if drained && admin_drained {
        tracing::info!("drained");
    } else {
        tracing::warn!(
            "calls were cut off: they did not finish within {:?} (`http.grace`)",
            config.http.connections.grace
        );
    }
    Ok(())
}

/// Warns of what strangers can see, do or overhear.
fn warn_of_exposure(config: &Config, callers: Exposure) {
    let (settings, access) = (&config.http, &config.http.access);
    for address in [Some(settings.listen), settings.admin].into_iter().flatten().filter(|at| !at.ip().is_loopback()) {
        if access.mode == AccessMode::Local {
            tracing::warn!(
                "every client of {address} counts as local (`access = \"local\"`): make sure that only this machine can reach it"
            );
        } else if access.is_open_at(address) {
            let is_operator = settings.admin.is_none_or(|admin| admin == address);
            let may = if is_operator { "call, deploy and see every figure" } else { "call functions" };
            tracing::warn!("anybody who can reach {address} may {may} without a token (`access = \"open\"`)");
        } else if settings.tls.files().is_none() {
            tracing::warn!(
                "tokens pass in the clear at {address}: set `tls.cert` and `tls.key`, or put a proxy with TLS in front"
            );
        }
    }
    if !access.is_local(settings.listen) && access.is_open_at(settings.listen) && callers.is_undone_by_totals() {
        tracing::warn!(
            "the joules of a call are rounded, but anybody who can reach {} sees exact totals at /metrics and /energy; set \
             `admin.listen` to serve totals only there",
            settings.listen
        );
    }
}

/// Reopens the access log at SIGHUP, as logrotate asks for. Without an access log SIGHUP ends the daemon, as by default.
fn reopen_at_hangup(observers: Arc<Observers>) -> std::io::Result<()> {
    if observers.access_log.is_none() {
        return Ok(());
    }
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            let observers = observers.clone();
            let reopen = move || observers.access_log.as_ref().map(AccessLog::reopen);
            let _ = tokio::task::spawn_blocking(reopen).await;
        }
    });
    Ok(())
}
