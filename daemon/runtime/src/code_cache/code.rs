//! Code as the compiler makes it.

use wasmtime::component::Component;
use wasmtime::{CodeBuilder, CodeHint, Engine, Module};

/// Compiled code.
pub enum Code {
    /// A core module.
    Module(Module),
    /// A component.
    Component(Component),
}

impl Code {
    /// Compiles `wasm`: binary or text, a module or a component.
    ///
    /// # Errors
    /// If it is neither, or not valid.
    pub fn compile(engine: &Engine, wasm: &[u8]) -> Result<Self, wasmtime::Error> {
        let mut code = CodeBuilder::new(engine);
        code.wasm_binary_or_text(wasm, None)?;
        match code.hint() {
            Some(CodeHint::Component) => code.compile_component().map(Self::Component),
            // If it is neither, the error is the one for modules.
            _ => code.compile_module().map(Self::Module),
        }
    }

    pub(super) fn serialize(&self) -> Result<Vec<u8>, wasmtime::Error> {
        match self {
            Self::Module(module) => module.serialize(),
            Self::Component(component) => component.serialize(),
        }
    }
}

/// Where the code of a function came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It was compiled now.
    Compiled,
    /// It was in the cache.
    Cached,
}
