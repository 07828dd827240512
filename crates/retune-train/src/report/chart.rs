//! The data of a line chart, and what is left of it after thinning.

use super::content::Unit;
use serde::Serialize;

/// A line chart.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Chart {
    /// Its heading.
    pub title: String,
    /// What runs to the right: "epoch", "step".
    pub x_label: String,
    /// How values are written.
    pub unit: Unit,
    /// The lines, at most four for them to be told apart.
    pub series: Vec<Series>,
}

/// A line of a chart.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Places and values, places ascending. A value that is not finite leaves a gap.
    pub points: Vec<(f64, f64)>,
}

impl Series {
    /// At most about `most` points that look the same: of every stretch the lowest and the highest in their order, and a gap
    /// where the stretch has one.
    pub(super) fn thinned(&self, most: usize) -> Vec<(f64, f64)> {
        if self.points.len() <= most {
            return self.points.clone();
        }
        let stretch = self.points.len().div_ceil((most / 2).max(1));
        let mut out = Vec::with_capacity(most + 2);
        for points in self.points.chunks(stretch) {
            let finite = || points.iter().enumerate().filter(|(_, (_, y))| y.is_finite());
            let by_value = |a: &(usize, &(f64, f64)), b: &(usize, &(f64, f64))| a.1.1.total_cmp(&b.1.1);
            let gap = points.iter().position(|(_, y)| !y.is_finite());
            let mut kept: Vec<usize> =
                [finite().min_by(by_value).map(|(i, _)| i), finite().max_by(by_value).map(|(i, _)| i), gap]
                    .into_iter()
                    .flatten()
                    .collect();
            kept.sort_unstable();
            kept.dedup();
            out.extend(kept.into_iter().map(|i| points[i]));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_peaks_and_gaps() {
        let mut points: Vec<(f64, f64)> = (0..100_000).map(|i| (i as f64, (i as f64 / 5000.0).sin())).collect();
        points[31_234].1 = 50.0;
        points[71_234].1 = f64::NAN;
        let series = Series { name: "loss".into(), points };
        let thinned = series.thinned(400);
        assert!((300..=405).contains(&thinned.len()), "{}", thinned.len());
        assert!(thinned.contains(&(31_234.0, 50.0)));
        assert!(thinned.iter().any(|(_, y)| y.is_nan()));
        assert!(thinned.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn short_series_stay_as_they_are() {
        let series = Series { name: String::new(), points: vec![(1.0, 2.0), (2.0, f64::INFINITY)] };
        assert_eq!(series.thinned(2).len(), 2);
    }
}
