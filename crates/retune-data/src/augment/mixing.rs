//! mixup and CutMix: an example mixed with the next one of its batch, inputs and targets alike.

use super::Drawn;
use super::draws::Draws;
use crate::error::DataError;
use retune_tensor::{Key, Purpose};
use serde::{Deserialize, Serialize};

/// Which examples are mixed, and how much.
///
/// With λ drawn from Beta(α, α) for each example:
///
/// - mixup (Zhang et al., *mixup: beyond empirical risk minimization*, 2018): `λ x + (1 − λ) x'`;
/// - CutMix (Yun et al., *CutMix: regularization strategy to train strong classifiers with localizable features*, 2019), for images: a box
///   of `1 − λ` of the area around a uniform centre is taken from `x'`, cut off at the image's edges; λ becomes the share that is left.
///
/// In both the target becomes `λ t + (1 − λ) t'`, and so does the weight in the loss. `x'` is the next example of the batch, of the last
/// one the first; batches are shuffled. So what is mixed depends on seed, epoch and batch size, λ on seed, epoch and example alone. Where
/// both are set, an example takes either alike.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Mixing {
    /// α of mixup. Default: no mixup.
    pub mixup: Option<f32>,
    /// α of CutMix. Default: no CutMix.
    pub cutmix: Option<f32>,
    /// Share of examples that are mixed, 0 to 1.
    pub probability: f32,
}

/// Examples of a batch as they are mixed.
pub(crate) struct Rows<'a> {
    /// Shape of one input.
    pub(crate) shape: &'a [usize],
    /// The inputs, one after the other.
    pub(crate) inputs: &'a mut [f32],
    /// The targets, as many values for each example.
    pub(crate) targets: &'a mut [f32],
    /// Weights in the loss.
    pub(crate) weights: Option<&'a mut [f32]>,
}

/// Number of the stream of mixing among those of augmentations, which are counted from 0.
const STREAM: u32 = u32::MAX;

impl Mixing {
    /// Checks the settings.
    ///
    /// # Errors
    /// A setting that is outside what it may be.
    pub fn check(&self) -> Result<(), DataError> {
        super::check_probability("mix-probability", self.probability)?;
        for (name, alpha) in [("mixup", self.mixup), ("cutmix", self.cutmix)] {
            if alpha.is_some_and(|alpha| !(alpha > 0.0 && alpha.is_finite())) {
                return Err(DataError::setting(name, "a number above 0", alpha.unwrap_or(0.0)));
            }
        }
        Ok(())
    }

    /// Checks that inputs of this shape (`None` for texts) can be mixed.
    pub(crate) fn check_shape(&self, shape: Option<&[usize]>) -> Result<(), DataError> {
        if self.cutmix.is_some() && shape.is_none_or(|shape| shape.len() != 3) {
            let found = shape.map_or("texts".to_owned(), |shape| format!("inputs of shape {shape:?}"));
            return Err(DataError::setting("cutmix", "images", found));
        }
        if shape.is_none() {
            return Err(DataError::setting("mixup", "images or numbers", "texts"));
        }
        Ok(())
    }

    /// Mixes the examples of a batch, whose numbers are drawn by `drawn`.
    pub(crate) fn apply(&self, drawn: impl Fn(usize) -> Drawn, rows: Rows<'_>, count: usize) {
        if count < 2 {
            return;
        }
        let Rows { shape, inputs, targets, mut weights } = rows;
        let (size, width) = (inputs.len() / count, targets.len() / count);
        // The last example is mixed with the first as it was.
        let first = (inputs[..size].to_vec(), targets[..width].to_vec(), weights.as_ref().map_or(1.0, |w| w[0]));
        for i in 0..count {
            let Drawn { seed, epoch, example } = drawn(i);
            let mut draws = Draws::new(Key::new(seed).with(Purpose::Augment(STREAM)).at(epoch, example));
            if !draws.happens(self.probability) {
                continue;
            }
            let (own, others) = inputs[i * size..].split_at_mut(size);
            let other = others.get(..size).unwrap_or(&first.0);
            let left = match (self.mixup, self.cutmix) {
                (Some(_), Some(alpha)) if draws.below(2) == 1 => cut(&mut draws, alpha, shape, own, other),
                (None, Some(alpha)) => cut(&mut draws, alpha, shape, own, other),
                (Some(alpha), _) => {
                    let left = draws.beta(f64::from(alpha)) as f32;
                    blend(own, other, left);
                    left
                }
                (None, None) => 1.0,
            };
            let (own, others) = targets[i * width..].split_at_mut(width);
            blend(own, others.get(..width).unwrap_or(&first.1), left);
            if let Some(weights) = &mut weights {
                let next = weights.get(i + 1).copied().unwrap_or(first.2);
                weights[i] = left * weights[i] + (1.0 - left) * next;
            }
        }
    }
}

fn blend(own: &mut [f32], other: &[f32], left: f32) {
    own.iter_mut().zip(other).for_each(|(x, y)| *x = left * *x + (1.0 - left) * y);
}

/// Takes a box from another image; gives the share that is left of the own one.
fn cut(draws: &mut Draws, alpha: f32, shape: &[usize], own: &mut [f32], other: &[f32]) -> f32 {
    let &[height, width, channels] = shape else { return 1.0 };
    let side_share = (1.0 - draws.beta(f64::from(alpha))).sqrt();
    let mut range = |side: usize| {
        let length = (side as f64 * side_share) as usize;
        let center = draws.below(side);
        center.saturating_sub(length / 2)..(center + length / 2).min(side)
    };
    let (rows, columns) = (range(height), range(width));
    for y in rows.clone() {
        let line = (y * width + columns.start) * channels..(y * width + columns.end) * channels;
        own[line.clone()].copy_from_slice(&other[line]);
    }
    1.0 - (rows.len() * columns.len()) as f32 / (height * width) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: usize = 40;
    const SHAPE: [usize; 3] = [12, 10, 2];

    /// Example i is made of the value i, and its target is the i-th unit vector.
    fn mixed(mixing: Mixing, epoch: u64) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
        let size: usize = SHAPE.iter().product();
        let mut inputs: Vec<f32> = (0..COUNT * size).map(|at| (at / size) as f32).collect();
        let mut targets: Vec<f32> =
            (0..COUNT * COUNT).map(|at| if at / COUNT == at % COUNT { 1.0 } else { 0.0 }).collect();
        let mut weights: Vec<f32> = (0..COUNT).map(|i| i as f32).collect();
        let rows = Rows { shape: &SHAPE, inputs: &mut inputs, targets: &mut targets, weights: Some(&mut weights) };
        mixing.apply(|i| Drawn { seed: 3, epoch, example: i as u64 }, rows, COUNT);
        (inputs, targets, weights)
    }

    #[test]
    fn targets_follow_the_share_of_the_inputs() {
        let size: usize = SHAPE.iter().product();
        for (mixup, cutmix) in [(Some(0.4), None), (None, Some(1.0)), (Some(0.4), Some(1.0))] {
            let (inputs, targets, weights) = mixed(Mixing { mixup, cutmix, probability: 0.75 }, 0);
            let (mut changed, mut boxes) = (0, 0);
            for i in 0..COUNT {
                let next = (i + 1) % COUNT;
                let row = &targets[i * COUNT..(i + 1) * COUNT];
                assert!((row[i] + row[next] - 1.0).abs() < 1e-6, "{i} {row:?}");
                let mean = inputs[i * size..(i + 1) * size].iter().sum::<f32>() / size as f32;
                let expected = row[i] * i as f32 + row[next] * next as f32;
                assert!(
                    (mean - expected).abs() < 1e-3 && (weights[i] - expected).abs() < 1e-3,
                    "{i} {mean} {expected}"
                );
                changed += usize::from(row[next] > 0.0);
                let values = &inputs[i * size..(i + 1) * size];
                let whole = values.iter().all(|&x| x == i as f32 || x == next as f32);
                boxes += usize::from(whole && row[next] > 0.0);
            }
            assert!((18..40).contains(&changed), "{changed} of {COUNT} are mixed");
            match (mixup, cutmix) {
                (Some(_), None) => assert!(boxes <= 2, "{boxes}"),
                (None, _) => assert_eq!(boxes, changed),
                _ => assert!((5..changed - 3).contains(&boxes), "{boxes} of {changed}"),
            }
        }
    }

    #[test]
    fn another_epoch_mixes_in_another_way_and_probability_0_not_at_all() {
        let mixing = Mixing { mixup: Some(1.0), cutmix: None, probability: 1.0 };
        assert_eq!(mixed(mixing, 1), mixed(mixing, 1));
        assert_ne!(mixed(mixing, 1).0, mixed(mixing, 2).0);
        let never = Mixing { probability: 0.0, ..mixing };
        assert_eq!(mixed(never, 1), mixed(never, 2));
        assert!(Mixing { mixup: Some(0.0), ..mixing }.check().is_err() && mixing.check().is_ok());
        assert!(Mixing { cutmix: Some(1.0), ..mixing }.check_shape(Some(&[12])).is_err());
        assert!(mixing.check_shape(None).is_err() && mixing.check_shape(Some(&[12])).is_ok());
    }
}
