//! Who may use the daemon, and for what.
//!
//! Every request passes [`Access::admit`] first. Its route says what it [needs](Need) and its token who sent it; from then on
//! a [`Visitor`] stands for the sender.

mod bearer;
mod cors;
mod csrf;
pub mod guest_pages;
mod listener;
mod page_key;
mod rebinding;
mod refusal_log;
pub mod secret;
#[cfg(test)]
mod tests;
mod tokens;
mod visitor;

use std::sync::Arc;

use arc_swap::ArcSwap;
use hyper::Request;
use hyper::header::AUTHORIZATION;

use bearer::Bearer;
use csrf::Sender;
use page_key::PageKey;
use refusal_log::RefusalLog;

pub use cors::CorsPolicy;
pub use listener::Listener;
pub use tokens::{Token, Tokens, TokensError, check_name, read as read_tokens};
pub use visitor::Visitor;

use crate::causes::chain;
use crate::http::Exposure;
use crate::http::answer::denied::Denied;
use crate::http::answer::problem::Problem;
use crate::http::host::Host;
use crate::http::request::Peers;
use crate::http::role::Role;
use crate::http::settings::{AccessMode, AccessSettings, Names, Origins};
use crate::quota::Payers;
use crate::reload::{Stamps, Watched};
use crate::telemetry::escaped;

/// What a request needs to be admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need<'a> {
    /// `None` if anybody may send it.
    pub role: Option<Role>,
    /// The function in its path. Whoever reads the body checks a function that is named there.
    pub function: Option<&'a str>,
    /// Whether it changes what the daemon serves.
    pub changes: bool,
}

impl Need<'_> {
    fn is_management(&self) -> bool {
        self.role > Some(Role::Invoke)
    }
}

pub struct Access {
    mode: AccessMode,
    file: Option<TokensFile>,
    pub(super) origins: Origins,
    names: Names,
    pub(super) page_key: PageKey,
    refusals: RefusalLog,
    payers: Payers,
}

struct TokensFile {
    path: std::path::PathBuf,
    tokens: ArcSwap<Tokens>,
    stamps: Stamps,
}

impl Access {
    pub fn open(settings: &AccessSettings) -> Result<Self, TokensError> {
        let open = |path: &std::path::PathBuf| {
            // Taken before the file is read, so that a change in between is noticed.
            let stamps = Stamps::of(std::slice::from_ref(path));
            Ok(TokensFile { path: path.clone(), tokens: ArcSwap::from_pointee(Tokens::read(path)?), stamps })
        };
        let file = settings.tokens.as_ref().map(open).transpose()?;
        if let Some(file) = &file {
            tracing::info!(
                "{} tokens loaded from `{}`",
                file.tokens.load().len(),
                escaped(&file.path.display().to_string())
            );
        }
        Ok(Self {
            mode: settings.mode,
            file,
            origins: settings.origins.clone(),
            names: settings.names.clone(),
            page_key: PageKey::generate(),
            refusals: RefusalLog::default(),
            payers: Payers::default(),
        })
    }

    pub fn watched(self: &Arc<Self>) -> Option<Watched> {
        let file = self.file.as_ref()?;
        let access = self.clone();
        Some(Watched::new(vec![file.path.clone()], file.stamps.clone(), move || access.reload()))
    }

    fn reload(&self) {
        let Some(file) = &self.file else { return };
        let path = escaped(&file.path.display().to_string());
        match Tokens::read(&file.path) {
            Ok(tokens) => {
                tracing::info!("{} tokens reloaded from `{path}`", tokens.len());
                file.tokens.store(Arc::new(tokens));
            }
            Err(error) => tracing::error!("tokens not reloaded, the old ones stay valid: {}", escaped(&chain(&error))),
        }
    }

    /// Admits a request that came through `listener`, or says why not.
    pub(super) fn admit<B>(
        &self,
        request: &mut Request<B>,
        listener: Listener,
        peers: Peers,
        need: Need<'_>,
    ) -> Result<Visitor, Problem> {
        let bearer = Bearer::of(request.headers());
        let is_ours = matches!(bearer, Bearer::Ours(_));
        let token = match (bearer, &self.file) {
            (Bearer::Ours(text), Some(file)) => file.tokens.load().find(text).cloned(),
            _ => None,
        };
        let role = need.role.filter(|_| self.needs_token(listener, need));
        if let Some(role) = role {
            let Some(token) = &token else {
                self.refusals.note(peers.remote);
                return Err(if bearer == Bearer::None { Denied::NoToken } else { Denied::BadToken }.into());
            };
            if token.role < role {
                return Err(Denied::NeedsRole(role).into());
            }
        }
        if token.is_none() && need.role.is_some() && self.is_local(listener) {
            rebinding::check(Host::of(request.uri(), request.headers()), &self.names, peers.local.ip())?;
        }
        if need.is_management() && !listener.management {
            return Err(Problem::OperatorsOnly);
        }
        let exposure = match &token {
            Some(token) if token.role == Role::Operate => Exposure::OPERATORS,
            _ if role.is_some() => listener.callers,
            _ => listener.exposure,
        };
        let payer = token.as_ref().and_then(|token| self.payers.of(&token.name, token.quota));
        let visitor = Visitor { exposure, https: peers.https, token, payer, needed_token: role.is_some() };
        match need.function {
            Some(name) => visitor.check_function(name)?,
            // The function is unknown, so the token may be for another.
            None if need.changes && visitor.is_restricted() => {
                return Err(Denied::NotForFunction(request.uri().path().into()).into());
            }
            None => {}
        }
        if need.changes {
            let sender = match &visitor.token {
                Some(_) => Sender::WithToken,
                None if self.page_key.is_in(request.headers()) => Sender::OurPage,
                None => Sender::Anybody,
            };
            csrf::check(request, &self.origins, sender)?;
        }
        // A function must not act in the name of its caller. Other credentials may be meant for the function.
        if is_ours {
            request.headers_mut().remove(AUTHORIZATION);
        }
        Ok(visitor)
    }

    fn needs_token(&self, listener: Listener, need: Need<'_>) -> bool {
        match self.mode {
            AccessMode::Open => false,
            AccessMode::Tokens => true,
            AccessMode::Auto | AccessMode::Local => !self.is_local(listener) || (need.changes && self.file.is_some()),
        }
    }

    /// Whether the listener's clients count as being on this machine.
    fn is_local(&self, listener: Listener) -> bool {
        listener.loopback || self.mode == AccessMode::Local
    }
}
