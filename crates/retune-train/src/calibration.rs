//! What is fitted on the validation part after training: the temperature of the probabilities, and the thresholds above which the
//! answer is yes.
//!
//! The weights stay as they are; both numbers travel with the saved model, in the entry of [`Stored`](crate::stored::Stored), and
//! [`Predictor`](crate::Predictor) applies them. Other programs that read the file see the network as it was trained.

use crate::error::TrainError;
use crate::metrics::{Problem, Scored, ThresholdGoal, choose_thresholds, fit_temperature};
use serde::{Deserialize, Serialize};

/// How a threshold is come by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ThresholdChoice {
    /// This one, for every label.
    Given(f32),
    /// What is best on the validation part, for each label by itself.
    Chosen(ThresholdGoal),
}

/// What is to be fitted. Default nothing.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CalibrationSettings {
    /// Whether a temperature is fitted.
    pub temperature: bool,
    /// Where the threshold comes from; none stands for one half, or the largest score.
    pub threshold: Option<ThresholdChoice>,
}

/// What was fitted.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Calibration {
    /// The temperature that logits are divided by; above 1 where the network was too sure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Above which probability the answer is yes: of the second of two classes, or of each label. Empty where none was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<f32>,
}

impl CalibrationSettings {
    /// Whether there is anything to do.
    pub fn is_empty(&self) -> bool {
        *self == CalibrationSettings::default()
    }

    /// Whether it needs items that training did not see.
    pub fn needs_validation(&self) -> bool {
        self.temperature || matches!(self.threshold, Some(ThresholdChoice::Chosen(_)))
    }

    /// Fits temperature and thresholds to predictions on the validation part; thresholds to those at the temperature.
    ///
    /// # Errors
    /// A threshold for predictions that are not answers of yes and no; a temperature for predictions without probabilities.
    pub fn fit(&self, scored: &Scored) -> Result<Calibration, TrainError> {
        let problem = scored.problem();
        if self.temperature && !matches!(problem, Problem::MultiClass | Problem::Binary | Problem::MultiLabel) {
            return Err(TrainError::unfit(
                (
                    "`eval.temperature` makes probabilities of classes as sure as they are right, but there are none",
                    "`eval.temperature` 校准类别的概率，而这里没有类别的概率",
                ),
                "leave it out",
            ));
        }
        let temperature = if self.temperature { fit_temperature(scored) } else { None };
        let count = answers(scored);
        if self.threshold.is_some() && count == 0 {
            return Err(TrainError::unfit(
                (
                    "`eval.threshold` is the probability above which the answer is yes, but the answers are not yes or no",
                    "`eval.threshold` 是回答“是”的概率阈值，而这里的回答不是“是”或“否”",
                ),
                "leave it out, or use data of two classes or of labels that do not exclude one another",
            ));
        }
        let thresholds = match self.threshold {
            None => Vec::new(),
            Some(ThresholdChoice::Given(threshold)) => vec![threshold; count],
            Some(ThresholdChoice::Chosen(goal)) => {
                let scaled = match temperature {
                    Some(temperature) => scored.clone().at_temperature(temperature),
                    None => scored.clone(),
                };
                choose_thresholds(&scaled, goal).unwrap_or_default()
            }
        };
        Ok(Calibration { temperature, thresholds })
    }
}

impl Calibration {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.temperature.is_none() && self.thresholds.is_empty()
    }

    /// The predictions at the temperature, with answers by the thresholds. Thresholds for another number of answers change nothing.
    pub fn apply(&self, scored: Scored) -> Scored {
        let scored = match self.temperature {
            Some(temperature) => scored.at_temperature(temperature),
            None => scored,
        };
        if self.thresholds.is_empty() || self.thresholds.len() != answers(&scored) {
            return scored;
        }
        scored.with_thresholds(self.thresholds.clone())
    }
}

/// Answers of yes or no for each item; 0 where there are none.
fn answers(scored: &Scored) -> usize {
    match (scored.problem(), scored.width()) {
        (Problem::Binary, _) | (Problem::MultiClass, 2) => 1,
        (Problem::MultiLabel, width) => width,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metric;

    /// Two classes, the second rare and never above one half.
    fn scored() -> Scored {
        let yes = [0.05, 0.1, 0.1, 0.2, 0.15, 0.3, 0.4, 0.35];
        let scores = yes.iter().flat_map(|&p| [1.0 - p, p]).collect();
        Scored::classes(scores, 2, vec![0, 0, 0, 0, 0, 1, 1, 0]).unwrap()
    }

    #[test]
    fn the_chosen_threshold_finds_the_rare_class() {
        let f1: Metric = "f1-class-1".parse().unwrap();
        let settings = CalibrationSettings {
            threshold: Some(ThresholdChoice::Chosen(ThresholdGoal::F1)),
            ..CalibrationSettings::default()
        };
        let fitted = settings.fit(&scored()).unwrap();
        assert_eq!(f1.value(&scored()), Some(0.0));
        assert_eq!(f1.value(&fitted.apply(scored())), Some(0.8), "{fitted:?}");
        let given = CalibrationSettings { threshold: Some(ThresholdChoice::Given(0.25)), ..settings };
        assert_eq!(given.fit(&scored()).unwrap().thresholds, [0.25]);
        assert!(!given.needs_validation() && settings.needs_validation());
    }

    #[test]
    fn what_does_not_apply_is_an_error_that_says_so() {
        let three = Scored::classes(vec![0.2, 0.3, 0.5], 3, vec![2]).unwrap();
        let threshold = CalibrationSettings { threshold: Some(ThresholdChoice::Given(0.5)), temperature: false };
        assert!(threshold.fit(&three).unwrap_err().to_string().contains("answers are not yes or no"));
        let values = Scored::values(vec![0.2], 1, vec![0.1]).unwrap();
        let temperature = CalibrationSettings { temperature: true, threshold: None };
        assert!(temperature.fit(&values).unwrap_err().to_string().contains("probabilities of classes"));
        assert_eq!(Calibration::default().apply(three.clone()), three);
        let of_two = Calibration { thresholds: vec![0.3], temperature: None };
        assert_eq!(of_two.apply(three.clone()), three, "thresholds of another model change nothing");
    }
}
