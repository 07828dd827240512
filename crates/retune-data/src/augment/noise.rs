//! Normal noise.

use crate::error::DataError;
use retune_tensor::Key;
use serde::{Deserialize, Serialize};

/// `x + deviation · n`, n standard normal for each value, after normalization: for tables of numbers, and images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Noise {
    /// Standard deviation of the noise, in units of the normalized values.
    pub deviation: f32,
}

impl Noise {
    pub(crate) fn check(&self) -> Result<(), DataError> {
        if self.deviation >= 0.0 && self.deviation.is_finite() {
            return Ok(());
        }
        Err(DataError::setting("noise", "a number from 0", self.deviation))
    }

    pub(crate) fn apply(&self, key: Key, values: &mut [f32]) {
        for (i, value) in values.iter_mut().enumerate() {
            *value += self.deviation * key.normal(i as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retune_tensor::Purpose;

    #[test]
    fn noise_has_the_deviation_asked_for() {
        let mut values = vec![3.0f32; 20_000];
        Noise { deviation: 0.5 }.apply(Key::new(1).with(Purpose::Augment(0)).at(0, 0), &mut values);
        let mean = values.iter().sum::<f32>() / 20_000.0;
        let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / 20_000.0;
        assert!((mean - 3.0).abs() < 0.02 && (variance - 0.25).abs() < 0.01, "{mean} {variance}");
        assert!(Noise { deviation: f32::NAN }.check().is_err());
    }
}
