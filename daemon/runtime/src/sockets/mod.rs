//! Sockets of WASI 0.3 components, for functions whose manifest lists whom they may talk to or where they may listen.
//!
//! wasmtime opens the sockets and asks the call's [`Gate`] about every address before it uses one. It asks nobody how many sockets
//! there may be, which names may be looked up and how many datagrams may wait: the functions that do this are replaced.

mod gate;
mod guard;
mod policy;

pub use gate::Gate;
pub use guard::{close_preview_2, guard_preview_3};
pub use policy::{SocketPolicy, SocketPolicyError};
