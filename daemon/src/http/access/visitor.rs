//! The sender of a request that was let in.

use std::sync::Arc;

use super::tokens::Token;
use crate::http::Exposure;
use crate::http::answer::denied::Denied;
use crate::http::answer::problem::Problem;
use crate::quota::Payer;

#[derive(Clone, Debug)]
pub struct Visitor {
    /// What they may see.
    pub exposure: Exposure,
    pub https: bool,
    pub token: Option<Arc<Token>>,
    /// The token's quota, which their calls count against besides the function's.
    pub payer: Option<Arc<Payer>>,
    /// Whether they needed the token. Its restrictions apply only then, so that showing a token never takes rights away.
    pub(super) needed_token: bool,
}

impl Visitor {
    /// The name of their token.
    pub fn name(&self) -> Option<&str> {
        self.token.as_ref().map(|token| &*token.name)
    }

    pub fn may_use(&self, function: &str) -> bool {
        !self.needed_token || self.token.as_ref().is_some_and(|token| token.is_for(function))
    }

    /// Whether their token is for some functions only.
    pub fn is_restricted(&self) -> bool {
        self.needed_token && self.token.as_ref().is_none_or(|token| token.functions.is_some())
    }

    /// For handlers that read the function's name from elsewhere than the path; the path's has been checked.
    ///
    /// # Errors
    /// If their token is for other functions.
    pub fn check_function(&self, function: &str) -> Result<(), Problem> {
        if self.may_use(function) { Ok(()) } else { Err(Denied::NotForFunction(function.into()).into()) }
    }
}
