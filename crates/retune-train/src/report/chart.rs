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
    /// A place to mark: that of the weights that were kept.
    pub marker: Option<f64>,
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
            let lower = |a: usize, b: usize| points[a].1.total_cmp(&points[b].1);
            let finite = || (0..points.len()).filter(|&i| points[i].1.is_finite());
            let gap = (0..points.len()).find(|&i| !points[i].1.is_finite());
            let lowest = finite().min_by(|&a, &b| lower(a, b));
            let highest = finite().max_by(|&a, &b| lower(a, b));
            let mut kept: Vec<usize> = [lowest, highest, gap].into_iter().flatten().collect();
            kept.sort_unstable();
            kept.dedup();
            out.extend(kept.into_iter().map(|i| points[i]));
        }
        out
    }

    /// The means of about so many stretches, for a long series that goes up and down so much that its course is hard to see;
    /// nothing for others. Values that are not finite are passed over.
    pub(super) fn averaged(&self, stretches: usize) -> Option<Vec<(f64, f64)>> {
        let values: Vec<f64> = self.points.iter().map(|point| point.1).filter(|y| y.is_finite()).collect();
        let turns = values.windows(3).filter(|y| (y[1] > y[0]) == (y[1] > y[2]) && y[1] != y[2]).count();
        if self.points.len() < 4 * stretches || turns * 3 < values.len() {
            return None;
        }
        let mean = |points: &[(f64, f64)]| {
            let finite = || points.iter().filter(|point| point.1.is_finite());
            let count = finite().count() as f64;
            let sum = finite().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
            (count > 0.0).then(|| (sum.0 / count, sum.1 / count))
        };
        Some(self.points.chunks(self.points.len().div_ceil(stretches)).filter_map(mean).collect())
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
    fn only_restless_series_are_averaged() {
        let series = |f: &dyn Fn(usize) -> f64| Series {
            name: String::new(),
            points: (0..4000).map(|i| (i as f64, f(i))).collect(),
        };
        assert_eq!(series(&|i| 1.0 / (i + 1) as f64).averaged(80), None);
        assert_eq!(series(&|_| 0.001).averaged(80), None);
        let means = series(&|i| if i == 7 { f64::NAN } else { 2.0 + (i % 2) as f64 }).averaged(80).unwrap();
        assert_eq!(means.len(), 80);
        assert!(means.iter().all(|(_, y)| (y - 2.5).abs() < 0.02));
    }

    #[test]
    fn short_series_stay_as_they_are() {
        let series = Series { name: String::new(), points: vec![(1.0, 2.0), (2.0, f64::INFINITY)] };
        assert_eq!(series.thinned(2).len(), 2);
    }
}
