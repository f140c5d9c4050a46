//! The name of an entry: a digest of everything that decides what the compiler makes of a function.

use std::fmt;
use std::hash::{Hash, Hasher};

use wasmtime::Engine;

/// Part of every key. Increment the number when the format of entries changes.
const CONTEXT: &str = "nebula compiled code, format 1";

#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key([u8; 32]);

impl Key {
    /// The key of `wasm` for `engine`. Text is hashed as it is: two texts of one module have two keys.
    ///
    /// The engine's hash covers wasmtime's version to the patch, the target, the processor's features that the compiler uses,
    /// the WebAssembly features, and all settings that change the code.
    /// Source: `HashedEngineCompileEnv` of wasmtime 48.
    pub fn of(engine: &Engine, wasm: &[u8]) -> Self {
        let mut compiler = Digest(blake3::Hasher::new());
        engine.precompile_compatibility_hash().hash(&mut compiler);
        let mut key = blake3::Hasher::new_derive_key(CONTEXT);
        key.update(compiler.0.finalize().as_bytes()).update(wasm);
        Self(*key.finalize().as_bytes())
    }

    /// The artefact without the digest at its end, if that is the right one.
    pub fn verified(&self, mut content: Vec<u8>) -> Option<Vec<u8>> {
        let (artefact, digest) = content.split_last_chunk::<{ blake3::OUT_LEN }>()?;
        let length = (self.digest(artefact) == *digest).then_some(artefact.len())?;
        content.truncate(length);
        Some(content)
    }

    /// The digest at the end of the entry. It depends on the key, so it also exposes an entry under another's name.
    pub fn digest(&self, artefact: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(&self.0, artefact)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", blake3::Hash::from_bytes(self.0))
    }
}

/// A hasher that keeps all bits of its digest.
struct Digest(blake3::Hasher);

impl Hasher for Digest {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Required by the trait and not used.
    fn finish(&self) -> u64 {
        self.0.finalize().as_bytes().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}
