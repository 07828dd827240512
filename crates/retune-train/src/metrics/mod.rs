//! Metrics: how good predictions are, with the uncertainty that comes from the number of items.
//!
//! There is one way to compute any of them: a [`Metric`], by its name or variant, of [`Scored`] predictions, which hold scores,
//! targets and weights: [`Metric::value`], or [`bootstrap`] for the value with its interval.
//!
//! | file | what it computes |
//! | --- | --- |
//! | [`scored`] | [`Scored`]: the predictions on a set of items with their targets and weights |
//! | [`metric`] | [`Metric`]: the names, what each applies to, which values are better |
//! | [`prepared`] | [`Prepared`]: a metric on certain predictions, as a function of the items' weights |
//! | [`accuracy`] | share of right answers, of answers among the k most likely, of right labels |
//! | [`class_scores`] | precision, recall, F1, Jaccard and their averages; balanced accuracy, Matthews' correlation, Cohen's kappa; the confusion matrix |
//! | [`entities`] | precision, recall and F1 of entities in labelled words |
//! | [`ranking`] | areas under the receiver operating characteristic and under precision over recall |
//! | [`probabilities`] | log loss, Brier score |
//! | [`calibration`] | expected calibration error, the reliability diagram |
//! | [`regression`] | mean squared and absolute error, R² |
//! | [`correlation`] | Pearson's and Spearman's correlation |
//! | [`resampling`] | [`Resampling`]: items drawn again, and items left out |
//! | [`interval`] | 95 % intervals by the bootstrap |
//! | [`mod@compare`] | two models on the same items: McNemar's test, differences with intervals and permutation tests |
//! | [`multiple`] | p values of several comparisons at once |
//! | [`repeated`] | the same training with several seeds |
//! | [`temperature`] | probabilities made as sure as they are right |
//! | [`threshold`] | the probability above which the answer is yes |
//!
//! Every metric takes a weight per item: an item of weight 2 counts as two. That is also how the bootstrap resamples, so every
//! metric has an interval. Definitions are scikit-learn's or scipy's unless a file says otherwise; a division by zero gives 0
//! where a score of a class is 0 / 0, and else the metric is not defined (`None`).

pub mod accuracy;
pub mod calibration;
pub mod class_scores;
pub mod compare;
pub mod correlation;
pub mod entities;
pub mod interval;
pub mod metric;
pub mod multiple;
mod normal;
pub mod prepared;
pub mod probabilities;
pub mod ranking;
pub mod regression;
pub mod repeated;
pub mod resampling;
pub mod scored;
pub mod temperature;
pub mod threshold;

pub use calibration::{ReliabilityBin, reliability};
pub use class_scores::{Average, ClassCounts, ClassScore, ConfusionMatrix};
pub use compare::{Compared, McNemar, PairedDifference, compare, compare_accuracy, paired_difference};
pub use entities::{Entity, EntityScore, TagSet, TypeScores};
pub use interval::{Estimate, bootstrap, bootstrap_all};
pub use metric::{Direction, Metric, UnknownMetric};
pub use multiple::holm;
pub use prepared::Prepared;
pub use ranking::Ranking;
pub use repeated::Repeated;
pub use resampling::Resampling;
pub use scored::{LabelledWords, Problem, Scored};
pub use temperature::fit_temperature;
pub use threshold::{ThresholdGoal, choose_thresholds};
