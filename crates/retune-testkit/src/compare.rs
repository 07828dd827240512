//! Comparison of arrays, with a report that says where they differ most.

use crate::array::Array;

/// Requires `|actual − expected| ≤ atol + rtol · |expected|` for each value, and equal shapes (numpy's `allclose`). Two
/// NaNs are equal, and so are equal infinities.
///
/// # Panics
/// If they are not close; the message names the worst value, its index, and how many are outside the tolerance.
#[track_caller]
pub fn assert_close(actual: &Array, expected: &Array, rtol: f64, atol: f64) {
    if let Err(report) = close(actual, expected, rtol, atol) {
        panic!("{report}");
    }
}

/// As [`assert_close`], with the report as an error.
pub fn close(actual: &Array, expected: &Array, rtol: f64, atol: f64) -> Result<(), String> {
    if actual.shape != expected.shape {
        return Err(format!("shapes differ: found {:?}, expected {:?}", actual.shape, expected.shape));
    }
    // How many times its tolerance each difference is.
    let excess = |(&a, &e): (&f64, &f64)| {
        if a == e || (a.is_nan() && e.is_nan()) {
            0.0
        } else if a.is_finite() && e.is_finite() {
            (a - e).abs() / (atol + rtol * e.abs())
        } else {
            f64::INFINITY
        }
    };
    let excesses: Vec<f64> = actual.values.iter().zip(&expected.values).map(excess).collect();
    let outside = excesses.iter().filter(|&&x| x > 1.0).count();
    if outside == 0 {
        return Ok(());
    }
    let worst = (0..excesses.len()).max_by(|&a, &b| excesses[a].total_cmp(&excesses[b])).unwrap_or(0);
    let (a, e) = (actual.values[worst], expected.values[worst]);
    Err(format!(
        "{outside} of {} values of shape {:?} are outside rtol {rtol:e}, atol {atol:e}\n\
         worst at {:?}: found {a:e}, expected {e:e}, difference {:e}, {:.3} times the tolerance",
        excesses.len(),
        actual.shape,
        index_at(&actual.shape, worst),
        (a - e).abs(),
        excesses[worst],
    ))
}

fn index_at(shape: &[usize], mut position: usize) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for axis in (0..shape.len()).rev() {
        index[axis] = position % shape[axis];
        position /= shape[axis];
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_value_is_reported() {
        let expected = Array::new(&[2, 2], vec![1.0, 2.0, 3.0, f64::NAN]);
        let mut actual = expected.clone();
        assert_eq!(close(&actual, &expected, 0.0, 0.0), Ok(()));
        actual.values[1] = 2.1;
        actual.values[2] = 3.5;
        let report = close(&actual, &expected, 1e-3, 0.0).unwrap_err();
        assert!(report.starts_with("2 of 4 values"), "{report}");
        assert!(report.contains("worst at [1, 0]: found 3.5e0, expected 3e0"), "{report}");
        assert_eq!(close(&actual, &expected, 0.2, 0.0), Ok(()));
    }

    #[test]
    fn infinities_and_shapes_count() {
        let (finite, infinite) = (Array::full(&[1], 1.0), Array::full(&[1], f64::INFINITY));
        assert!(close(&finite, &infinite, 1.0, 1.0).is_err());
        assert!(close(&infinite, &finite, 1.0, 1.0).is_err());
        assert!(close(&finite, &Array::full(&[1, 1], 1.0), 1.0, 1.0).is_err());
    }
}
