//! What most tests use, for `use crate::prelude::*`.

pub use serde_json::{Value, json};

pub use crate::client::{
    Load, Response, answer, assert_detail, assert_has, block_on, http2_connection, read_answer, read_to_end, request,
    variables,
};
pub use crate::daemon::{Daemon, nebula, run, serve, start_error, stderr, stdout, temporary_folder};
pub use crate::exchange::{BrokenOff, Exchange};
pub use crate::exposition::{ACCOUNT_ENERGY, Exposition, FUNCTION_ENERGY, ZONE_ENERGY};
pub use crate::powercap_tree::Tree;
pub use crate::tokens::{TokensFile, make};
pub use crate::waiting::{LONGEST_WAIT, eventually, until};
pub(crate) use crate::{guests, skipped};
