//! Several comparisons at once: among twenty of equal models, one has p < 0.05 in the mean.

/// The p values corrected by Holm's method (1979): the probability of any wrong finding among all stays below the level that they
/// are held against. The k-th smallest of m becomes `max over j ≤ k of min(1, (m − j + 1) · pⱼ)`. In the order given.
///
/// ```
/// let corrected = retune_train::metrics::holm(&[0.01, 0.04, 0.03]);
/// assert_eq!(corrected, [0.03, 0.06, 0.06]);
/// ```
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let (mut corrected, mut largest) = (vec![0.0; p_values.len()], 0.0f64);
    for (place, &index) in order.iter().enumerate() {
        largest = largest.max((p_values[index] * (p_values.len() - place) as f64).min(1.0));
        corrected[index] = largest;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_is_multiplied_most_and_the_order_stays() {
        assert_eq!(holm(&[]), [0.0; 0]);
        assert_eq!(holm(&[0.2]), [0.2]);
        assert_eq!(holm(&[0.5, 0.125, 0.125, 0.9]), [1.0, 0.5, 0.5, 1.0]);
    }
}
