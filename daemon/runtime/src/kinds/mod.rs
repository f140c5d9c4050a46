//! The kinds of guest. Each is a type whose method `call` instantiates its function and enters it. If that fails, the ending is
//! an error.

mod command;
mod component;
mod numeric;
mod proxy;
mod service;
mod signature;
mod task;

pub use command::Command;
pub use component::CommandComponent;
pub use numeric::Numeric;
pub use proxy::Proxy;
pub use service::Service;
pub use signature::signature;
pub use task::Task;

/// What a function is. Its binary alone decides that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A WASI preview 1 command: input on stdin, output on stdout.
    Command,
    /// A core module that exports a function of numbers: parameters from the input, result as text.
    Numeric,
    /// A WASI 0.2 or 0.3 command component: input on stdin, output on stdout.
    Component,
    /// A WASI 0.2 component that answers HTTP requests (`wasi:http/incoming-handler`).
    Proxy,
    /// A WASI 0.3 component that answers HTTP requests (`wasi:http/handler`).
    Service,
}

impl Kind {
    /// The name shown to people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Numeric => "numeric",
            Self::Component => "component",
            Self::Proxy => "proxy",
            Self::Service => "service",
        }
    }

    /// Whether an instance can serve more than one call.
    pub fn can_be_reused(self) -> bool {
        matches!(self, Self::Numeric | Self::Proxy)
    }

    /// Whether the function answers HTTP requests. Otherwise it reads stdin and writes stdout.
    pub fn speaks_http(self) -> bool {
        matches!(self, Self::Proxy | Self::Service)
    }
}
