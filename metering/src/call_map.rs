//! Maps by call with a very cheap hash: a call is looked up several times in its life.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::post::CallId;

/// A map by call.
pub type CallMap<V> = HashMap<CallId, V, BuildHasherDefault<CallHasher>>;

/// The golden ratio in 64 bits, which spreads neighbours far apart.
///
/// Source: Knuth, "The Art of Computer Programming" vol. 3, section 6.4, on multiplicative hashing.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// Hashes identities that the program chooses itself, so nobody can make them collide on purpose.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallHasher(u64);

impl Hasher for CallHasher {
    fn finish(&self) -> u64 {
        // Maps use the low bits for the place and the high bits to compare.
        let product = self.0.wrapping_mul(SPREAD);
        product ^ (product >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(byte.into());
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = self.0.rotate_left(8) ^ number;
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_u128(&mut self, number: u128) {
        self.write_u64(number as u64 ^ (number >> 64) as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::hash::{BuildHasher, Hash};

    fn hash(key: impl Hash) -> u64 {
        BuildHasherDefault::<CallHasher>::default().hash_one(key)
    }

    /// The parts of a hash that a map of a thousand calls goes by.
    fn places(hashes: impl Iterator<Item = u64>) -> [usize; 2] {
        let hashes: Vec<u64> = hashes.collect();
        let low: HashSet<u64> = hashes.iter().map(|hash| hash & 0x3FF).collect();
        let high: HashSet<u64> = hashes.iter().map(|hash| hash >> 57).collect();
        [low.len(), high.len()]
    }

    #[test]
    fn identities_are_spread_whichever_bits_tell_them_apart() {
        for shift in [0, 12, 32, 64, 80] {
            let [low, high] = places((0..1000_u128).map(|call| hash(CallId(call << shift))));
            assert!(low > 500 && high > 100, "{shift}: {low} {high}");
        }
        assert_ne!(hash((CallId(1), 0_usize)), hash((CallId(1), 1_usize)));
    }
}
