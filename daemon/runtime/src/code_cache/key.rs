//! The name of an entry: a digest of everything that decides what the compiler makes of a function.

use std::fmt;
use std::hash::{Hash, Hasher};

use wasmtime::Engine;

/// Goes into every key. The number changes with the form of an entry, so that entries of another form are not found.
const CONTEXT: &str = "nebula compiled code, format 1";

/// Names an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key([u8; 32]);

impl Key {
    /// The key of `wasm` as `engine` compiles it. Text is not parsed for it: two texts of one module have two keys.
    ///
    /// The engine's own hash covers wasmtime's version to the patch, the target, the processor's features that the
    /// compiler found and makes use of, the WebAssembly features and all settings that show in the code.
    /// Source: `HashedEngineCompileEnv` of wasmtime 48.
    pub fn of(engine: &Engine, wasm: &[u8]) -> Self {
        let mut compiler = Digest(blake3::Hasher::new());
        engine.precompile_compatibility_hash().hash(&mut compiler);
        let mut key = blake3::Hasher::new_derive_key(CONTEXT);
        key.update(compiler.0.finalize().as_bytes()).update(wasm);
        Self(*key.finalize().as_bytes())
    }

    /// The digest that an entry of this name ends with. Being keyed, it also tells an entry under another's name.
    pub fn digest(&self, artefact: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(&self.0, artefact)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", blake3::Hash::from_bytes(self.0))
    }
}

/// All that is hashed, and not only 64 bits of it.
struct Digest(blake3::Hasher);

impl Hasher for Digest {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The trait asks for it; nobody here does.
    fn finish(&self) -> u64 {
        self.0.finalize().as_bytes().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}
