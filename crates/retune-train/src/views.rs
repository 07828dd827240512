//! [`Views`]: images seen several times when a model is used, and the mean of what it says of them (test-time augmentation).

use crate::error::TrainError;
use crate::metrics::Scored;
use crate::metrics::scored::Problem;
use retune_data::Augmentation;
use retune_data::augment::{HorizontalFlip, VerticalFlip};
use std::str::FromStr;

/// How an image is seen when its class is predicted; the probabilities are the mean of those of all views. No chance is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Views {
    /// As it is.
    #[default]
    One,
    /// As it is, and mirrored left to right: where a mirrored image is of the same class.
    Mirrored,
    /// As it is, mirrored left to right, top to bottom, and both: where there is no up and down, as from above or in a microscope.
    Flipped,
}

impl Views {
    /// The names of all views but the one that changes nothing.
    pub const NAMES: [&str; 2] = ["mirrored", "flipped"];

    /// What is done to the images of each view, the first of which is always the image as it is.
    pub(crate) fn changes(self) -> Vec<Vec<Augmentation>> {
        let left_right = Augmentation::HorizontalFlip(HorizontalFlip { probability: 1.0 });
        let top_bottom = Augmentation::VerticalFlip(VerticalFlip { probability: 1.0 });
        match self {
            Views::One => vec![vec![]],
            Views::Mirrored => vec![vec![], vec![left_right]],
            Views::Flipped => vec![vec![], vec![left_right], vec![top_bottom], vec![left_right, top_bottom]],
        }
    }
}

impl FromStr for Views {
    type Err = String;

    fn from_str(name: &str) -> Result<Views, String> {
        match name {
            "mirrored" => Ok(Views::Mirrored),
            "flipped" => Ok(Views::Flipped),
            _ => Err(format!("there are no views `{name}`, only {}", Views::NAMES.join(", "))),
        }
    }
}

/// The mean of several rows of probabilities.
pub(crate) fn mean(rows: &[&[f32]]) -> Vec<f32> {
    let width = rows.first().map_or(0, |row| row.len());
    (0..width).map(|i| rows.iter().map(|row| row[i]).sum::<f32>() / rows.len() as f32).collect()
}

/// One prediction of each item of those of several views: the mean of the probabilities, and the cross-entropy of it.
///
/// # Errors
/// Predictions that are no classes of whole items.
pub(crate) fn mean_of_views(views: Vec<Scored>) -> Result<Scored, TrainError> {
    let [first, ..] = views.as_slice() else {
        return Err(TrainError::unfit(("there are no views", "没有视图"), "give at least one"));
    };
    if views.len() == 1 {
        return Ok(views.into_iter().next().expect("there is one"));
    }
    let (width, classes, ids) = (first.width(), first.true_classes().to_vec(), first.ids().to_vec());
    if !matches!(first.problem(), Problem::MultiClass | Problem::Binary) {
        let hint = "leave out test-time augmentation";
        let problem = (
            "several views of an image are for models that give one class",
            "一幅图像的多个视图适用于给出单个类别的模型",
        );
        return Err(TrainError::unfit(problem, hint));
    }
    let scores = mean(&views.iter().map(Scored::scores).collect::<Vec<_>>());
    let losses = scores.chunks(width.max(1)).zip(&classes).map(|(row, &class)| {
        let probability = match row {
            [yes] if class == 1 => *yes,
            [yes] => 1.0 - yes,
            row => row.get(class as usize).copied().unwrap_or(0.0),
        };
        // As the losses on probabilities cut them off.
        -probability.clamp(1e-7, 1.0 - 1e-7).ln()
    });
    let losses = losses.collect();
    let weights = first.weights().to_vec();
    let mean = Scored::classes(scores, width, classes)?.with_losses(losses).with_ids(ids);
    Ok(if weights.is_empty() { mean } else { mean.with_weights(weights) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_means_and_losses_those_of_the_mean() {
        let view = |scores: &[f32]| Scored::classes(scores.to_vec(), 2, vec![0, 1]).unwrap().with_losses(vec![9.0; 2]);
        let found = mean_of_views(vec![view(&[0.9, 0.1, 0.6, 0.4]), view(&[0.5, 0.5, 0.2, 0.8])]).unwrap();
        let expected = [0.7, 0.3, 0.4, 0.6];
        assert!(found.scores().iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{:?}", found.scores());
        let losses = [-(0.7f32.ln()), -(0.6f32.ln())];
        assert!(found.losses().iter().zip(losses).all(|(a, b)| (a - b).abs() < 1e-6), "{:?}", found.losses());
        let values = || Scored::values(vec![1.0, 2.0], 1, vec![1.0, 2.0]).unwrap();
        assert!(mean_of_views(vec![values(), values()]).is_err());
        assert_eq!(mean_of_views(vec![values()]).unwrap(), values());
        assert!("rotated".parse::<Views>().unwrap_err().contains("mirrored, flipped"));
    }
}
