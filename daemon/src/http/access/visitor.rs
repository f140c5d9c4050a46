//! Whoever sent a request, once they are in.

use std::sync::Arc;

use super::denied::Denied;
use super::tokens::Token;
use crate::http::Door;
use crate::http::answer::problem::Problem;
use crate::quota::Payer;

/// Whoever sent a request, once they are in.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// What they may know.
    pub door: Door,
    /// Whether their connection is encrypted.
    pub https: bool,
    /// Who they are, where they brought a token.
    pub token: Option<Arc<Token>>,
    /// Whose quota their calls count against, besides those of the functions.
    pub payer: Option<Arc<Payer>>,
    /// Whether they are in because of it. Nobody who could come in without one is worse off for having one.
    pub(super) asked: bool,
}

impl Visitor {
    /// The name of their token.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.token.as_ref().map(|token| &*token.name)
    }

    /// Whether their token is for this function.
    #[must_use]
    pub fn sees(&self, function: &str) -> bool {
        !self.asked || self.token.as_ref().is_some_and(|token| token.is_for(function))
    }

    /// Whether there are functions that their token is not for.
    #[must_use]
    pub fn is_restricted(&self) -> bool {
        self.asked && self.token.as_ref().is_none_or(|token| token.functions.is_some())
    }

    /// Lets them to this function. For handlers that read its name from elsewhere than the path: what the path names has
    /// been seen to.
    ///
    /// # Errors
    /// When their token is not for it.
    pub fn to_function(&self, function: &str) -> Result<(), Problem> {
        if self.sees(function) { Ok(()) } else { Err(Denied::NotForFunction(function.into()).into()) }
    }
}
