//! Temperature scaling (Guo et al., 2017): one number that makes a network's probabilities as sure as its answers are right, without
//! changing which class is the most likely.
//!
//! With logits z (of probabilities, their logarithms: softmax does not tell the two apart), the probabilities become
//! `softmax(z / T)`; of a single score or of labels, `sigmoid(z / T)` with `z = ln p / (1 − p)`. T is fitted on items that
//! training did not see, to the largest likelihood: `Σ w (z_y / T − ln Σ exp(z / T))` is concave in `1 / T`, so Newton's method
//! finds its only maximum.

use super::{Problem, Scored};

/// `1 / T` is sought in these bounds: T from 0.001 to 1000.
const BOUNDS: (f64, f64) = (1e-3, 1e3);

/// The temperature of the largest likelihood on these items; above 1 where the probabilities are too sure. `None` without
/// probabilities, without weight, or where no temperature within 0.001 and 1000 is best, such as when every answer is right and
/// surer is always better.
pub fn fit_temperature(scored: &Scored) -> Option<f64> {
    let rows = Rows::of(scored)?;
    let (mut low, mut high) = BOUNDS;
    // Not where the likelihood only grows towards a bound, or does not depend on the temperature.
    if !(rows.slope(low).0 > 0.0 && rows.slope(high).0 < 0.0) {
        return None;
    }
    let mut inverse = 1.0;
    for _ in 0..200 {
        let (slope, curvature) = rows.slope(inverse);
        *(if slope > 0.0 { &mut low } else { &mut high }) = inverse;
        let newton = inverse - slope / curvature;
        // A step out of the bracket is halved into it.
        let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
        if (next - inverse).abs() <= 1e-12 * inverse {
            break;
        }
        inverse = next;
    }
    Some(1.0 / inverse)
}

impl Scored {
    /// The predictions with probabilities at a temperature. Others are left as they are, and so are losses.
    pub fn at_temperature(self, temperature: f64) -> Scored {
        let problem = self.problem();
        self.with_scores_by_row(|row| match problem {
            Problem::MultiClass | Problem::Words | Problem::Entities => {
                let logits: Vec<f64> = row.iter().map(|&p| log(p) / temperature).collect();
                let total = log_sum_exp(&logits);
                row.iter_mut().zip(logits).for_each(|(score, z)| *score = (z - total).exp() as f32);
            }
            Problem::Binary | Problem::MultiLabel => {
                row.iter_mut().for_each(|p| *p = (1.0 / (1.0 + (-logit(*p) / temperature).exp())) as f32);
            }
            Problem::Regression | Problem::Unknown => (),
        })
    }
}

/// Logits of the choices among which one is true each time, with the weight of the item.
struct Rows {
    width: usize,
    logits: Vec<f64>,
    truth: Vec<usize>,
    weights: Vec<f64>,
}

impl Rows {
    fn of(scored: &Scored) -> Option<Rows> {
        let yes_or_no = |p: &f32| [0.0, logit(*p)];
        let classes = || scored.true_classes().iter().map(|&class| class as usize).collect();
        Some(match scored.problem() {
            Problem::MultiClass => Rows {
                width: scored.width(),
                logits: scored.scores().iter().map(|&p| log(p)).collect(),
                truth: classes(),
                weights: scored.weights().to_vec(),
            },
            Problem::Binary => Rows {
                width: 2,
                logits: scored.scores().iter().flat_map(yes_or_no).collect(),
                truth: classes(),
                weights: scored.weights().to_vec(),
            },
            Problem::MultiLabel => Rows {
                width: 2,
                logits: scored.scores().iter().flat_map(yes_or_no).collect(),
                truth: scored.true_values().iter().map(|&truth| usize::from(truth > 0.5)).collect(),
                weights: scored.weights().iter().flat_map(|&w| std::iter::repeat_n(w, scored.width())).collect(),
            },
            // A weight belongs to a text, not to each of its words.
            Problem::Regression | Problem::Words | Problem::Entities | Problem::Unknown => return None,
        })
    }

    /// First and second derivative of the log-likelihood by `1 / T`: `Σ w (z_y − E z)` and `−Σ w Var z`.
    fn slope(&self, inverse: f64) -> (f64, f64) {
        let (mut slope, mut curvature) = (0.0, 0.0);
        for ((row, &truth), &weight) in self.logits.chunks_exact(self.width).zip(&self.truth).zip(&self.weights) {
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let (mut total, mut sum, mut squares) = (0.0, 0.0, 0.0);
            for z in row.iter().map(|z| z - largest) {
                let e = (inverse * z).exp();
                total += e;
                sum += e * z;
                squares += e * z * z;
            }
            let mean = sum / total;
            slope += weight * (row[truth] - largest - mean);
            curvature -= weight * (squares / total - mean * mean);
        }
        (slope, curvature)
    }
}

/// `ln p`, of 0 that of the smallest number.
fn log(p: f32) -> f64 {
    f64::from(p.max(f32::MIN_POSITIVE)).ln()
}

/// `ln p / (1 − p)`, at most that of the number next to 1.
fn logit(p: f32) -> f64 {
    let p = f64::from(p.clamp(f32::MIN_POSITIVE, 1.0 - 0.5 * f32::EPSILON));
    (p / (1.0 - p)).ln()
}

fn log_sum_exp(values: &[f64]) -> f64 {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest + values.iter().map(|value| (value - largest).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metric;
    use retune_tensor::{Key, Purpose};

    /// Targets drawn from these probabilities, which are therefore calibrated.
    fn calibrated(items: usize, width: usize) -> Scored {
        let key = Key::new(3).with(Purpose::Test(1));
        let (mut scores, mut classes) = (Vec::new(), Vec::new());
        for item in 0..items {
            let key = key.at(0, item as u64);
            let logits: Vec<f64> = (0..width as u64).map(|class| 1.5 * f64::from(key.normal(class))).collect();
            let row: Vec<f64> = logits.iter().map(|z| (z - log_sum_exp(&logits)).exp()).collect();
            let mut left = f64::from(key.uniform(1000));
            let class = row
                .iter()
                .position(|p| {
                    (left < *p) || {
                        left -= p;
                        false
                    }
                })
                .unwrap_or(width - 1);
            classes.push(class as u32);
            scores.extend(row.iter().map(|&p| p as f32));
        }
        Scored::classes(scores, width, classes).unwrap()
    }

    #[test]
    fn a_temperature_put_on_is_found_and_taken_off() {
        let scored = calibrated(20_000, 4);
        let own = fit_temperature(&scored).unwrap();
        assert!((own - 1.0).abs() < 0.03, "{own}");
        let too_sure = scored.clone().at_temperature(0.4);
        let found = fit_temperature(&too_sure).unwrap();
        assert!((found - own / 0.4).abs() < 1e-4 * found, "{found} {own}");
        let calibration = |scored: &Scored| Metric::ExpectedCalibrationError.value(scored).unwrap();
        let back = too_sure.clone().at_temperature(found);
        assert!(calibration(&too_sure) > 0.1 && calibration(&back) < 0.015);
        assert_eq!(Metric::Accuracy.value(&back), Metric::Accuracy.value(&scored));
        // The largest likelihood: any other temperature has a larger log loss.
        let loss = |scored: &Scored| Metric::LogLoss.value(scored).unwrap();
        for other in [0.98, 1.02] {
            assert!(loss(&back.clone().at_temperature(other)) > loss(&back));
        }
    }

    #[test]
    fn yes_and_no_and_labels_are_fitted_alike() {
        let two = calibrated(5000, 2);
        let yes: Vec<f32> = two.scores().chunks_exact(2).map(|row| row[1]).collect();
        let binary = Scored::classes(yes.clone(), 1, two.true_classes().to_vec()).unwrap();
        let labels = two.true_classes().iter().map(|&class| class as f32).collect();
        let labels = Scored::labels(yes, 1, labels).unwrap();
        let expected = fit_temperature(&two.at_temperature(2.0)).unwrap();
        for scored in [binary, labels] {
            let found = fit_temperature(&scored.at_temperature(2.0)).unwrap();
            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        }
    }

    #[test]
    fn weights_count_items() {
        let scored = calibrated(40, 3);
        let weights: Vec<f64> = (0..40).map(|item| f64::from(item % 3)).collect();
        let repeat = |item: usize| std::iter::repeat_n(item, item % 3);
        let items: Vec<usize> = (0..40).flat_map(repeat).collect();
        let scores = items.iter().flat_map(|&item| scored.row(item).to_vec()).collect();
        let classes = items.iter().map(|&item| scored.true_classes()[item]).collect();
        let repeated = fit_temperature(&Scored::classes(scores, 3, classes).unwrap()).unwrap();
        let weighted = fit_temperature(&scored.with_weights(weights)).unwrap();
        assert!((repeated - weighted).abs() < 1e-9, "{repeated} {weighted}");
    }

    #[test]
    fn nothing_is_fitted_where_surer_is_always_better() {
        let right = Scored::classes([0.4, 0.6].repeat(5), 2, vec![1; 5]).unwrap();
        assert_eq!(fit_temperature(&right), None);
        let undecided = Scored::classes([0.5, 0.5].repeat(5), 2, vec![1; 5]).unwrap();
        assert_eq!(fit_temperature(&undecided), None);
        assert_eq!(fit_temperature(&Scored::values(vec![1.0], 1, vec![1.0]).unwrap()), None);
    }
}
