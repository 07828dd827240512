//! Kept values as 32 or 16 bits.

use half::f16;
use serde::{Deserialize, Serialize};

/// How kept values are stored. The rest of the network is given the stored ones also when they were computed a moment ago, so that a
/// run does not depend on what was kept before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeaturePrecision {
    /// As computed: the result is the same bits as without keeping anything.
    #[default]
    F32,
    /// IEEE half precision, rounded to nearest even: half the space, 11 significant bits, at most 65,504. The result differs.
    F16,
}

impl FeaturePrecision {
    /// Bytes of a value.
    pub fn value_bytes(self) -> usize {
        match self {
            FeaturePrecision::F32 => 4,
            FeaturePrecision::F16 => 2,
        }
    }

    /// Values as stored, little-endian.
    pub fn encode(self, values: &[f32]) -> Vec<u8> {
        match self {
            FeaturePrecision::F32 => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            FeaturePrecision::F16 => values.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect(),
        }
    }

    /// Values from their stored bytes; a rest that is no whole value is left out.
    pub fn decode(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            FeaturePrecision::F32 => {
                bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
            }
            FeaturePrecision::F16 => bytes.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32()).collect(),
        }
    }

    /// Makes of computed values what storing and reading them would give; `false` if one that is finite would not stay so.
    pub fn round(self, values: &mut [f32]) -> bool {
        if self == FeaturePrecision::F32 {
            return true;
        }
        let mut stays_finite = true;
        for value in values {
            let rounded = f16::from_f32(*value).to_f32();
            stays_finite &= rounded.is_finite() || !value.is_finite();
            *value = rounded;
        }
        stays_finite
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_what_storing_gives() {
        let values = [0.0, -1.5, 1.0 / 3.0, 65504.0, 1e-7, f32::NEG_INFINITY];
        for precision in [FeaturePrecision::F32, FeaturePrecision::F16] {
            let stored = precision.encode(&values);
            assert_eq!(stored.len(), values.len() * precision.value_bytes());
            let mut rounded = values;
            assert!(precision.round(&mut rounded));
            assert_eq!(precision.decode(&stored), rounded);
        }
        assert_eq!(FeaturePrecision::F32.decode(&FeaturePrecision::F32.encode(&values)), values);
        assert!(!FeaturePrecision::F16.round(&mut [1.0, 70000.0]));
    }
}
