//! Words hidden behind the mask token.

use super::pieces::{Amount, Piece};
use crate::augment::draws::Draws;
use crate::error::DataError;
use serde::{Deserialize, Serialize};

/// Spans of words are replaced by the tokenizer's mask token, one for each word. The length of a span is geometric with a given mean, cut
/// off at 10 (Joshi et al., *SpanBERT: improving pre-training by representing and predicting spans*, 2020); spans begin so often that in
/// the mean the share of words is hidden.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct SpanMasking {
    /// How many words; below 1.
    pub amount: Amount,
    /// Words of a span in the mean, before the cut. Default 3.
    pub mean_length: f32,
}

const LONGEST: usize = 10;

impl Default for SpanMasking {
    fn default() -> SpanMasking {
        SpanMasking { amount: Amount::default(), mean_length: 3.0 }
    }
}

impl SpanMasking {
    pub(crate) fn check(&self) -> Result<(), DataError> {
        self.amount.check("span-masking")?;
        if self.amount.share >= 1.0 {
            return Err(DataError::setting("span-masking, share", "a number from 0 to below 1", self.amount.share));
        }
        if !(self.mean_length >= 1.0 && self.mean_length.is_finite()) {
            return Err(DataError::setting("span-masking, mean-length", "a number from 1", self.mean_length));
        }
        Ok(())
    }

    pub(crate) fn apply(&self, draws: &mut Draws, pieces: &mut [Piece], mask: &str) {
        if !self.amount.acts(draws) {
            return;
        }
        let goes_on = 1.0 - 1.0 / f64::from(self.mean_length);
        // Of a geometric length that is cut off.
        let mean: f64 = (0..LONGEST as i32).map(|longer| goes_on.powi(longer)).sum();
        let share = f64::from(self.amount.share);
        let begins = share / (share + mean * (1.0 - share));
        let mut left = 0;
        for piece in pieces.iter_mut().filter(|piece| piece.is_word) {
            if left == 0 && draws.uniform() < begins {
                left = 1;
                while left < LONGEST && draws.uniform() < goes_on {
                    left += 1;
                }
            }
            if left > 0 {
                piece.text = mask.to_owned();
                left -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retune_tensor::{Key, Purpose};

    #[test]
    fn the_share_is_hidden_in_spans() {
        for (share, mean_length) in [(0.15, 3.0), (0.5, 1.0), (0.3, 5.0)] {
            let mut pieces = vec![Piece { text: "w".into(), is_word: true }; 40_000];
            let masking = SpanMasking { amount: Amount { share, probability: 1.0 }, mean_length };
            masking.check().unwrap();
            masking.apply(&mut Draws::new(Key::new(1).with(Purpose::Test(0))), &mut pieces, "[MASK]");
            let hidden = pieces.iter().filter(|piece| piece.text == "[MASK]").count() as f32 / 40_000.0;
            assert!((hidden - share).abs() < 0.02, "{hidden} of {share}");
        }
        let whole = SpanMasking { amount: Amount { share: 1.0, probability: 1.0 }, mean_length: 3.0 };
        assert!(whole.check().is_err());
    }
}
