//! Several models on the same items: each metric with its interval, every pair tested, and the items on which their answers part.
//!
//! Every pair of models is compared in every metric: right and wrong answers by McNemar's exact test, all else by the paired
//! permutation test; see [`metrics::compare`](mod@crate::metrics::compare). The p values of all these tests together are corrected by
//! Holm's method, so that with probability 0.95 none of the differences that are called real is due to chance.

use crate::error::TrainError;
use crate::language::{Language, Said};
use crate::metrics::{
    Compared, Estimate, McNemar, Metric, PairedDifference, Problem, Resampling, Scored, bootstrap_all, compare,
    compare_accuracy, holm,
};
use crate::said;
use serde::Serialize;

/// Below this corrected p a difference is called real.
pub const LEVEL: f64 = 0.05;

/// Models on the same items.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Contest {
    /// Number of items.
    pub items: usize,
    /// The metrics, in the order of [`Contestant::values`].
    pub metrics: Vec<Metric>,
    /// The models, in the order given.
    pub models: Vec<Contestant>,
    /// Every pair of models.
    pub pairs: Vec<Pair>,
}

/// A model's figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Contestant {
    /// Its name.
    pub name: String,
    /// Each metric with its 95 % interval; none where it is not defined.
    pub values: Vec<Option<Estimate>>,
}

/// Two models, by their places.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pair {
    /// The one.
    pub first: usize,
    /// The other.
    pub second: usize,
    /// The test of right and wrong answers, for classes.
    pub mcnemar: Option<McNemar>,
    /// Each metric's difference.
    pub differences: Vec<Difference>,
}

/// The second model less the first in a metric.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Difference {
    /// The metric.
    pub metric: Metric,
    /// The difference with its interval; none where the metric is not defined for both.
    pub difference: Option<PairedDifference>,
    /// p of the test that decides: McNemar's for accuracy, else the permutation test.
    pub p_value: Option<f64>,
    /// The same corrected for the number of all tests of the contest.
    pub corrected_p_value: Option<f64>,
}

impl Difference {
    /// Whether it is more than chance, by the corrected p.
    pub fn is_real(&self) -> bool {
        self.corrected_p_value.is_some_and(|p| p < LEVEL)
    }
}

/// An item that some models get right and others wrong.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Parting {
    /// Its place among the items.
    pub item: usize,
    /// The answer of each model, by number of class.
    pub answers: Vec<u32>,
    /// The probability that each gives to its answer.
    pub probabilities: Vec<f32>,
    /// The true class.
    pub truth: u32,
}

impl Contest {
    /// Compares predictions of models on the same items.
    ///
    /// # Errors
    /// Fewer than two models, or predictions of different kinds or items.
    pub fn new(
        models: &[(String, Scored)],
        metrics: &[Metric],
        resampling: &Resampling,
    ) -> Result<Contest, TrainError> {
        let [(_, first), _, ..] = models else {
            let problem = ("one model has nothing to be compared with", "只有一个模型，没有可比较的");
            return Err(TrainError::unfit(problem, "name two models or more"));
        };
        for (name, scored) in models {
            if (scored.problem(), scored.width()) != (first.problem(), first.width()) {
                let [one, other] = [first, scored].map(described);
                let problem = Said::new(
                    format!("`{}` gives {one}, `{name}` {other}: they answer different questions", models[0].0),
                    format!(
                        "`{}` 给出{}，`{name}` 给出{}：它们回答的是不同的问题",
                        models[0].0,
                        one.of(Language::Chinese),
                        other.of(Language::Chinese)
                    ),
                );
                return Err(TrainError::unfit(problem, "compare models that were trained for the same labels"));
            }
        }
        let contestant = |(name, scored): &(String, Scored)| Contestant {
            name: name.clone(),
            values: bootstrap_all(metrics, scored, resampling),
        };
        let mut pairs = Vec::new();
        for second in 1..models.len() {
            for first in 0..second {
                pairs.push(pair(models, [first, second], metrics, resampling)?);
            }
        }
        let mut contest = Contest {
            items: first.len(),
            metrics: metrics.to_vec(),
            models: models.iter().map(contestant).collect(),
            pairs,
        };
        contest.correct();
        Ok(contest)
    }

    /// Corrects the p values of all pairs and metrics together.
    fn correct(&mut self) {
        let tested = || self.pairs.iter().flat_map(|pair| &pair.differences).filter_map(|tested| tested.p_value);
        let mut corrected = holm(&tested().collect::<Vec<_>>()).into_iter();
        for tested in self.pairs.iter_mut().flat_map(|pair| &mut pair.differences) {
            tested.corrected_p_value = tested.p_value.and_then(|_| corrected.next());
        }
    }
}

fn pair(
    models: &[(String, Scored)],
    [first, second]: [usize; 2],
    metrics: &[Metric],
    resampling: &Resampling,
) -> Result<Pair, TrainError> {
    let [a, b] = [&models[first].1, &models[second].1];
    let has_answers = Metric::Accuracy.applies_to(a.problem()) && a.words().is_none();
    let mcnemar = has_answers.then(|| compare_accuracy(a, b)).transpose()?;
    let difference = |Compared { metric, difference, .. }| {
        let exact = mcnemar.filter(|_| metric == Metric::Accuracy && a.problem() != Problem::MultiLabel);
        let p_value = exact.map(|test| test.p_value).or(difference.and_then(|d: PairedDifference| d.p_value));
        Difference { metric, difference, p_value, corrected_p_value: None }
    };
    let differences = compare(metrics, a, b, resampling)?.into_iter().map(difference).collect();
    Ok(Pair { first, second, mcnemar, differences })
}

/// Items of one class each that at least one model gets right and one wrong: those first on which the answers are given with the most
/// certainty on both sides. Empty for other items.
pub fn partings(models: &[(String, Scored)], most: usize) -> Vec<Parting> {
    let Some((_, first)) = models.first() else { return Vec::new() };
    if !matches!(first.problem(), Problem::MultiClass | Problem::Binary) {
        return Vec::new();
    }
    let mut found: Vec<(f32, Parting)> = Vec::new();
    for item in 0..first.len() {
        let truth = first.true_classes()[item];
        let answers: Vec<u32> = models.iter().map(|(_, scored)| scored.predicted_class(item)).collect();
        let probabilities: Vec<f32> =
            models.iter().zip(&answers).map(|((_, scored), &class)| probability(scored.row(item), class)).collect();
        let surest = |is_right: bool| {
            let of = answers.iter().zip(&probabilities).filter(|(answer, _)| (**answer == truth) == is_right);
            of.map(|(_, &p)| p).max_by(f32::total_cmp)
        };
        if let (Some(right), Some(wrong)) = (surest(true), surest(false)) {
            found.push((right.min(wrong), Parting { item, answers, probabilities, truth }));
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.item.cmp(&b.1.item)));
    found.into_iter().take(most).map(|(_, parting)| parting).collect()
}

fn probability(row: &[f32], class: u32) -> f32 {
    match (row, class) {
        (&[yes], 0) => 1.0 - yes,
        (&[yes], _) => yes,
        (row, class) => row.get(class as usize).copied().unwrap_or(0.0),
    }
}

fn described(scored: &Scored) -> Said {
    let width = scored.width();
    match scored.problem() {
        Problem::MultiClass => said!("one of {width} classes", " {width} 个类别之一"),
        Problem::Binary => Said::new("yes or no", "“是”或“否”"),
        Problem::MultiLabel => said!("any of {width} labels", " {width} 个标签中的任意几个"),
        Problem::Regression => said!("{width} values", " {width} 个值"),
        Problem::Words | Problem::Entities => {
            said!("one of {width} classes for each word", "每个词 {width} 个类别之一")
        }
        Problem::Unknown => Said::new("outputs without metrics", "没有指标的输出"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Items of three classes, of which a model gets those right that `is_right` says, with certainty 0.8.
    fn model(name: &str, items: usize, is_right: impl Fn(usize) -> bool) -> (String, Scored) {
        let classes: Vec<u32> = (0..items as u32).map(|item| item % 3).collect();
        let row = |item: usize| {
            let answer = (classes[item] as usize + usize::from(!is_right(item))) % 3;
            (0..3).map(move |class| if class == answer { 0.8 } else { 0.1 })
        };
        (name.to_owned(), Scored::classes((0..items).flat_map(row).collect(), 3, classes.clone()).unwrap())
    }

    #[test]
    fn differences_are_real_only_after_correction() {
        // 9 items of difference: exact p of 0.0039; three times that, and three times the metrics, is still below the level.
        let models = [
            model("good", 60, |_| true),
            model("as good", 60, |item| item != 7),
            model("worse", 60, |item| item % 7 != 0),
        ];
        let contest = Contest::new(&models, &[Metric::Accuracy], &Resampling::new(1)).unwrap();
        assert_eq!(contest.pairs.len(), 3);
        let tested = |first: usize, second: usize| {
            let pair = contest.pairs.iter().find(|pair| (pair.first, pair.second) == (first, second)).unwrap();
            pair.differences[0]
        };
        let exact = contest.pairs[1].mcnemar.unwrap();
        assert_eq!((exact.only_first, exact.only_second), (9, 0));
        assert_eq!(tested(0, 2).p_value, Some(exact.p_value));
        assert_eq!(tested(0, 2).corrected_p_value, Some(3.0 * exact.p_value));
        assert!(tested(0, 2).is_real() && !tested(0, 1).is_real());
        assert_eq!(contest.models[2].values[0].unwrap().value, 51.0 / 60.0);
    }

    #[test]
    fn items_on_which_answers_part_are_found() {
        let models = [model("a", 6, |item| item != 2), model("b", 6, |item| item != 2 && item != 4)];
        let found = partings(&models, 10);
        assert_eq!(found.len(), 1, "on item 2 both are wrong");
        assert_eq!((found[0].item, found[0].truth, &found[0].answers), (4, 1, &vec![1, 2]));
    }

    #[test]
    fn models_for_other_labels_are_refused_in_words() {
        let two = Scored::classes(vec![0.5, 0.5], 2, vec![0]).unwrap();
        let one = model("three", 1, |_| true);
        let error = Contest::new(&[one.clone(), ("two".into(), two)], &[], &Resampling::new(0)).unwrap_err();
        assert!(error.to_string().contains("`three` gives one of 3 classes, `two` one of 2 classes"), "{error}");
        assert!(Contest::new(&[one], &[], &Resampling::new(0)).is_err());
    }
}
