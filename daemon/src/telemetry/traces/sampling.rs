//! Which of the traces that begin here are recorded.

/// A share of all traces. The trace id decides, so that everyone who samples at the same ratio picks the same traces.
///
/// Source: OpenTelemetry specification, "Trace SDK", `TraceIdRatioBased`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio(f64);

impl Ratio {
    /// From 0 (none) to 1 (all).
    pub fn new(ratio: f64) -> Option<Self> {
        (0.0..=1.0).contains(&ratio).then_some(Self(ratio))
    }

    pub(super) fn takes(self, trace: u128) -> bool {
        // The lower 63 bits, as in the SDKs: some systems have no others.
        (trace as u64 >> 1) < (self.0 * (1_u64 << 63) as f64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_takes_its_share_of_traces() {
        let ids: Vec<u128> =
            (0..10_000_u128).map(|id| id.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)).collect();
        let taken = |ratio| {
            let ratio = Ratio::new(ratio).unwrap();
            ids.iter().filter(|&&id| ratio.takes(id)).count()
        };
        assert_eq!((taken(0.0), taken(1.0)), (0, ids.len()));
        assert!((2_300..2_700).contains(&taken(0.25)), "{}", taken(0.25));
        assert!(Ratio::new(1.0).unwrap().takes(u128::MAX));
    }
}
