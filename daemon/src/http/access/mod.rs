//! Who may come in, and what they may do.
//!
//! Every request passes [`Access::admit`] before anything is done with it. Its route says what it [needs](Need), its token
//! says who sent it, and the [`Visitor`] is what is known of the sender from then on.

mod bearer;
mod cors;
mod csrf;
mod denied;
pub mod guest_pages;
mod listener;
mod page_proof;
mod refusal_log;
mod role;
pub mod secret;
mod settings;
#[cfg(test)]
mod tests;
mod tokens;
mod visitor;

use std::sync::Arc;

use arc_swap::ArcSwap;
use hyper::Request;
use hyper::header::AUTHORIZATION;

use bearer::Presented;
use csrf::Sender;
use page_proof::Proof;
use refusal_log::Refusals;

pub use cors::{Told, preflight};
pub use denied::Denied;
pub use listener::Gate;
pub use role::Role;
pub use settings::{AccessMode, AccessSettings, Origins, TlsFiles};
pub use tokens::{Token, Tokens, TokensError, check_name, read as read_tokens};
pub use visitor::Visitor;

use crate::causes::chain;
use crate::http::Door;
use crate::http::answer::problem::Problem;
use crate::http::call::function::Peers;
use crate::quota::Payers;
use crate::reload::{Stamps, Watched};
use crate::telemetry::escaped;

/// What a request needs to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need<'a> {
    /// `None` where everybody may come.
    pub role: Option<Role>,
    /// The name of the function that it is for. A function that the body names is checked by whoever reads the body.
    pub function: Option<&'a str>,
    /// Whether it changes what the daemon serves.
    pub changes: bool,
}

impl Need<'_> {
    /// Whether it is for those who manage the daemon.
    fn is_management(&self) -> bool {
        self.role > Some(Role::Invoke)
    }
}

/// Who may come in.
pub struct Access {
    mode: AccessMode,
    file: Option<TokensFile>,
    pub(super) origins: Origins,
    pub(super) proof: Proof,
    refusals: Refusals,
    payers: Payers,
}

/// Tokens, and where they are from.
struct TokensFile {
    path: std::path::PathBuf,
    tokens: ArcSwap<Tokens>,
    stamps: Stamps,
}

impl Access {
    ///
    /// # Errors
    /// When the tokens cannot be read.
    pub fn open(settings: &AccessSettings) -> Result<Self, TokensError> {
        let open = |path: &std::path::PathBuf| {
            // Before they are read: what changes meanwhile is read again.
            let stamps = Stamps::of(std::slice::from_ref(path));
            Ok(TokensFile { path: path.clone(), tokens: ArcSwap::from_pointee(Tokens::read(path)?), stamps })
        };
        let file = settings.tokens.as_ref().map(open).transpose()?;
        if let Some(file) = &file {
            tracing::info!(
                "{} tokens are known, of `{}`",
                file.tokens.load().len(),
                escaped(&file.path.display().to_string())
            );
        }
        Ok(Self {
            mode: settings.mode,
            file,
            origins: settings.origins.clone(),
            proof: Proof::make(),
            refusals: Refusals::default(),
            payers: Payers::default(),
        })
    }

    /// The file of tokens, to be read again when it changes.
    #[must_use]
    pub fn watched(self: &Arc<Self>) -> Option<Watched> {
        let file = self.file.as_ref()?;
        let access = self.clone();
        Some(Watched::new(vec![file.path.clone()], file.stamps.clone(), move || access.read_again()))
    }

    fn read_again(&self) {
        let Some(file) = &self.file else { return };
        let path = escaped(&file.path.display().to_string());
        match Tokens::read(&file.path) {
            Ok(tokens) => {
                tracing::info!("{} tokens are known from now on, of `{path}`", tokens.len());
                file.tokens.store(Arc::new(tokens));
            }
            Err(error) => tracing::error!("the tokens stay as they were: {}", escaped(&chain(&error))),
        }
    }

    /// Lets a request in at this gate, if it may come in.
    pub(super) fn admit<B>(
        &self,
        request: &mut Request<B>,
        gate: Gate,
        peers: Peers,
        need: Need<'_>,
    ) -> Result<Visitor, Problem> {
        let presented = Presented::of(request.headers());
        let is_ours = matches!(presented, Presented::Token(_));
        let token = match (presented, &self.file) {
            (Presented::Token(text), Some(file)) => file.tokens.load().find(text).cloned(),
            _ => None,
        };
        let asked = need.role.filter(|_| self.asks(gate, need));
        if let Some(role) = asked {
            let Some(token) = &token else {
                self.refusals.note(peers.remote);
                let nothing = presented == Presented::Nothing;
                return Err(if nothing { Denied::NoToken } else { Denied::BadToken }.into());
            };
            if token.role < role {
                return Err(Denied::NeedsRole(role).into());
            }
        }
        if need.is_management() && !gate.management {
            return Err(Problem::OperatorsOnly);
        }
        let door = match &token {
            Some(token) if token.role == Role::Operate => Door::OPERATORS,
            _ if asked.is_some() => gate.callers,
            _ => gate.door,
        };
        let payer = token.as_ref().and_then(|token| self.payers.of(&token.name, token.quota));
        let visitor = Visitor { door, https: peers.https, token, payer, asked: asked.is_some() };
        match need.function {
            Some(name) => visitor.to_function(name)?,
            // Which function would be changed is not known, and so not that the token is for it.
            None if need.changes && visitor.is_restricted() => {
                return Err(Denied::NotForFunction(request.uri().path().into()).into());
            }
            None => {}
        }
        if need.changes {
            let sender = match &visitor.token {
                Some(_) => Sender::Known,
                None if self.proof.is_in(request.headers()) => Sender::OurPage,
                None => Sender::Anybody,
            };
            csrf::check(request, &self.origins, self.is_local(gate), sender)?;
        }
        // A guest must not get hold of what its caller may do here. What is not ours may be meant for the guest.
        if is_ours {
            request.headers_mut().remove(AUTHORIZATION);
        }
        Ok(visitor)
    }

    /// Whether those who send such requests in at this gate are asked who they are.
    fn asks(&self, gate: Gate, need: Need<'_>) -> bool {
        match self.mode {
            AccessMode::Open => false,
            AccessMode::Tokens => true,
            AccessMode::Auto | AccessMode::Local => !self.is_local(gate) || (need.changes && self.file.is_some()),
        }
    }

    /// Whether those who come in at this gate count as being on this machine.
    fn is_local(&self, gate: Gate) -> bool {
        gate.loopback || self.mode == AccessMode::Local
    }
}
