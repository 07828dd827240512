//! Labels that are likely wrong, by confident learning (Northcutt, Jiang, Chuang 2021).
//!
//! The threshold of a class is the mean probability that the probe gives it on the examples so labelled. An example counts for the
//! most probable of the classes whose threshold it reaches; where that is not its label, the label is suspect: the probe is as
//! sure of the other class as it usually is of examples that have it.

/// An example whose label is likely wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Suspect {
    /// The row among the examples given.
    pub row: usize,
    /// The class that the probe takes it for.
    pub suggested: usize,
    /// Probability of the label that it has.
    pub own: f32,
    /// Probability of the suggested class.
    pub other: f32,
}

/// All suspects among rows of `probabilities` `[rows, classes]`, by the difference of the two probabilities, the largest first.
pub fn suspects(probabilities: &[f32], labels: &[usize], classes: usize) -> Vec<Suspect> {
    let mut sums = vec![(0.0f64, 0usize); classes];
    for (row, &label) in probabilities.chunks_exact(classes).zip(labels) {
        sums[label].0 += f64::from(row[label]);
        sums[label].1 += 1;
    }
    // A class without examples has no threshold to reach.
    let thresholds: Vec<f32> =
        sums.iter().map(|&(sum, n)| if n == 0 { f32::INFINITY } else { (sum / n as f64) as f32 }).collect();
    let mut found: Vec<Suspect> = probabilities
        .chunks_exact(classes)
        .zip(labels)
        .enumerate()
        .filter_map(|(index, (row, &label))| {
            let reached = (0..classes).filter(|&class| row[class] >= thresholds[class]);
            let suggested = reached.max_by(|&a, &b| row[a].total_cmp(&row[b]).then(b.cmp(&a)))?;
            let suspect = Suspect { row: index, suggested, own: row[label], other: row[suggested] };
            (suggested != label && suspect.other > suspect.own).then_some(suspect)
        })
        .collect();
    found.sort_by(|a, b| (b.other - b.own).total_cmp(&(a.other - a.own)).then(a.row.cmp(&b.row)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_must_reach_the_usual_sureness_of_the_other_class() {
        #[rustfmt::skip]
        let probabilities = [
            0.9, 0.1,
            0.8, 0.2,
            0.1, 0.9, // labelled 0, as sure a 1 as any: suspect
            0.2, 0.8,
            0.3, 0.7,
            0.4, 0.6, // labelled 0, taken for 1, but less surely than usual
        ];
        let labels = [0, 0, 0, 1, 1, 0];
        // The threshold of 1 is 0.75.
        let found = suspects(&probabilities, &labels, 2);
        assert_eq!(found, [Suspect { row: 2, suggested: 1, own: 0.1, other: 0.9 }]);
    }

    #[test]
    fn a_class_without_examples_is_never_suggested() {
        assert!(suspects(&[0.2, 0.8, 0.3, 0.7], &[0, 0], 2).is_empty());
    }
}
