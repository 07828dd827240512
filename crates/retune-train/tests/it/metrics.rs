//! Metrics against scikit-learn and Keras.

use crate::golden::{Golden, text};
use retune_train::metrics::*;
use serde_json::Value;

fn close(what: &str, found: Option<f64>, expected: &Value, rtol: f64) {
    match (found, expected.as_f64()) {
        (None, None) => (),
        (Some(found), Some(expected)) => {
            assert!(
                (found - expected).abs() <= 1e-12 + rtol * expected.abs(),
                "{what}: found {found}, expected {expected}"
            );
        }
        (found, expected) => panic!("{what}: found {found:?}, expected {expected:?}"),
    }
}

#[test]
fn values_are_scikit_learn_s() {
    let golden = Golden::load("metrics");
    let mut done = 0;
    for case in golden.cases() {
        let name = text(case, "case");
        let f32s = |input: &str| golden.f32(&format!("{name}/{input}")).to_vec();
        let classes = || -> Vec<u32> {
            golden.tensor(&format!("{name}/target")).as_i32().unwrap().iter().map(|&c| c as u32).collect()
        };
        let scored = match text(case, "problem") {
            "multiclass" => Scored::classes(f32s("scores"), 5, classes()),
            // The golden answers yes at exactly one half, Keras and retune above it.
            "binary" => {
                let scores = f32s("scores").into_iter().map(|s| if s == 0.5 { 0.5 + f32::EPSILON } else { s });
                Scored::classes(scores.collect(), 1, classes())
            }
            _ => {
                let width = golden.tensor(&format!("{name}/target")).shape()[1];
                Scored::values(f32s("predicted"), width, f32s("target"))
            }
        }
        .unwrap();
        for (weighting, values) in case["values"].as_object().unwrap() {
            let scored = match weighting.as_str() {
                "weighted" => {
                    let weights = f32s("sample_weight").iter().map(|&w| f64::from(w)).collect();
                    scored.clone().with_weights(weights)
                }
                _ => scored.clone(),
            };
            for (key, expected) in values.as_object().unwrap() {
                let what = format!("{name} {weighting} {key}");
                let of = |metric: &str| metric.parse::<Metric>().unwrap().value(&scored);
                let metric = match key.as_str() {
                    "accuracy" | "precision" | "recall" | "f1" | "r2" => key.clone(),
                    "mean_squared_error" | "mean_absolute_error" | "roc_auc" => key.replace('_', "-"),
                    "roc_auc_one_vs_rest_macro" => "roc-auc".into(),
                    "confusion_matrix" => {
                        let expected: Vec<Vec<f64>> = serde_json::from_value(expected.clone()).unwrap();
                        assert_eq!(ConfusionMatrix::new(&scored).unwrap().counts, expected, "{what}");
                        done += 1;
                        continue;
                    }
                    key if key.ends_with("_per_class") && !key.starts_with("roc_auc") => {
                        let score = key.trim_end_matches("_per_class");
                        for (class, expected) in expected.as_array().unwrap().iter().enumerate() {
                            close(&what, of(&format!("{score}-class-{class}")), expected, 1e-9);
                        }
                        done += 1;
                        continue;
                    }
                    key if key.starts_with("keras_top_") => {
                        let k = key.trim_start_matches("keras_top_").split('_').next().unwrap();
                        close(&what, of(&format!("top-{k}-accuracy")), expected, 1e-6);
                        done += 1;
                        continue;
                    }
                    key if !key.contains("seen")
                        && !key.contains("roc")
                        && ["_micro", "_macro", "_weighted"].iter().any(|end| key.ends_with(end)) =>
                    {
                        key.replace('_', "-")
                    }
                    _ => continue,
                };
                close(&what, of(&metric), expected, 1e-9);
                done += 1;
            }
        }
    }
    assert!(done >= 120, "metrics compared: {done}");
}

#[test]
fn correlations_and_errors_are_scipy_s_and_scikit_learn_s() {
    let golden = Golden::load("correlations");
    let mut done = 0;
    for case in golden.cases() {
        let name = text(case, "case");
        let tensor = |input: &str| golden.f32(&format!("{name}/{input}")).to_vec();
        let width = golden.tensor(&format!("{name}/target")).shape()[1];
        let plain = Scored::values(tensor("predicted"), width, tensor("target")).unwrap();
        let weights = tensor("sample_weight").iter().map(|&weight| f64::from(weight)).collect();
        let weighted = plain.clone().with_weights(weights);
        for (weighting, scored) in [("unweighted", plain), ("weighted", weighted)] {
            for (metric, expected) in case["values"][weighting].as_object().unwrap() {
                let found = metric.parse::<Metric>().unwrap().value(&scored);
                close(&format!("{name} {weighting} {metric}"), found, expected, 1e-9);
                done += 1;
            }
        }
    }
    assert_eq!(done, 7 * 2 * 6);
}

#[test]
fn metrics_of_classes_and_labels_are_scikit_learn_s() {
    let golden = Golden::load("classification");
    let mut done = 0;
    for case in golden.cases() {
        let name = text(case, "case");
        let f32s = |input: &str| golden.f32(&format!("{name}/{input}")).to_vec();
        let classes = || -> Vec<u32> {
            golden.tensor(&format!("{name}/target")).as_i32().unwrap().iter().map(|&c| c as u32).collect()
        };
        let scores = golden.tensor(&format!("{name}/scores"));
        let width = scores.shape().get(1).copied().unwrap_or(1);
        let plain = match text(case, "problem") {
            "multilabel" => Scored::labels(f32s("scores"), width, f32s("target")),
            _ => Scored::classes(f32s("scores"), width, classes()),
        }
        .unwrap();
        let weights = f32s("sample_weight").iter().map(|&weight| f64::from(weight)).collect();
        let weighted = plain.clone().with_weights(weights);
        for (weighting, scored) in [("unweighted", plain), ("weighted", weighted)] {
            for (metric, expected) in case["values"][weighting].as_object().unwrap() {
                let found = metric.parse::<Metric>().unwrap().value(&scored);
                close(&format!("{name} {weighting} {metric}"), found, expected, 1e-9);
                done += 1;
            }
        }
    }
    assert_eq!(done, 1618);
}

/// scipy's and retune's ends come from other random numbers, so they agree within the error of 20,000 draws. That the percentile
/// interval would not shows that bias and acceleration matter here.
#[test]
fn intervals_and_permutation_tests_are_scipy_s() {
    let golden = Golden::load("intervals");
    let number = |key: &str| golden.about[key].as_f64().unwrap();
    let resampling = Resampling { resamples: number("resamples") as usize, ..Resampling::new(7) };
    let ends = |values: &Value| -> [f64; 2] { serde_json::from_value(values.clone()).unwrap() };
    let (mut done, mut tests, mut unlike_percentiles) = (0, 0, 0);
    for case in golden.cases() {
        let name = text(case, "case");
        let scored = |scores: &str| {
            let scores = golden.tensor(&format!("{name}/{scores}"));
            let (shape, scores) = (scores.shape(), scores.as_f32().unwrap().to_vec());
            let target = golden.tensor(&format!("{name}/target"));
            match text(case, "problem") {
                "multiclass" => {
                    let classes = target.as_i32().unwrap().iter().map(|&class| class as u32).collect();
                    Scored::classes(scores, shape[1], classes)
                }
                _ => Scored::values(scores, 1, target.as_f32().unwrap().to_vec()),
            }
            .unwrap()
        };
        let (first, second) = (scored("scores"), scored("other_scores"));
        let values = case["values"].as_object().unwrap();
        let metrics: Vec<Metric> = values.keys().map(|name| name.parse().unwrap()).collect();
        let compared = compare(&metrics, &first, &second, &resampling).unwrap();
        for (compared, expected) in compared.iter().zip(values.values()) {
            let difference = compared.difference.unwrap();
            let pairs = [(compared.first.unwrap(), &expected["bca"]), (difference.difference, &expected["difference"])];
            for (found, expected) in pairs {
                let [low, high] = ends(expected);
                let off = (found.low - low).abs().max((found.high - high).abs()) / (high - low);
                let what = format!("{name} {}", compared.metric);
                assert!(off < number("tolerance_in_widths"), "{what}: {found:?}, expected {low} to {high}");
                done += 1;
            }
            let ([low, high], [percentile_low, percentile_high]) =
                (ends(&expected["bca"]), ends(&expected["percentile"]));
            let off = (low - percentile_low).abs().max((high - percentile_high).abs()) / (high - low);
            unlike_percentiles += usize::from(off > number("tolerance_in_widths"));
            if let Some(expected) = expected["p_value"].as_f64() {
                let found = difference.p_value.unwrap();
                let tolerance = number("tolerance_of_p_value");
                assert!(
                    (found - expected).abs() < tolerance,
                    "{name} {}: {found}, expected {expected}",
                    compared.metric
                );
                tests += 1;
            }
        }
    }
    assert_eq!((done, tests), (32, 8));
    assert!(unlike_percentiles >= 6, "{unlike_percentiles}");
}

#[test]
fn a_model_compared_with_itself_is_no_better() {
    let scores = (0..50).flat_map(|item| if item % 3 == 0 { [0.9, 0.1] } else { [0.2, 0.8] }).collect();
    let scored = Scored::classes(scores, 2, (0..50).map(|item| u32::from(item % 4 > 0)).collect()).unwrap();
    let metrics = Metric::defaults(scored.problem());
    for compared in compare(&metrics, &scored, &scored, &Resampling::new(1)).unwrap() {
        let PairedDifference { difference, p_value, .. } = compared.difference.unwrap();
        assert_eq!((difference.low, difference.value, difference.high, p_value), (0.0, 0.0, 0.0, Some(1.0)));
        assert_eq!(compared.first, compared.second);
        assert_eq!(compared.first, bootstrap(compared.metric, &scored, 1));
    }
}

#[test]
fn outputs_of_another_kind_have_no_permutation_test() {
    let classes = vec![0, 1, 1, 0, 1];
    let one = Scored::classes(vec![0.1, 0.7, 0.6, 0.6, 0.3], 1, classes.clone()).unwrap();
    let two = Scored::classes([0.8, 0.2].repeat(5), 2, classes).unwrap();
    let compared = compare(&[Metric::Accuracy], &one, &two, &Resampling::new(1)).unwrap()[0].difference.unwrap();
    assert_eq!((compared.first, compared.p_value), (0.6, None));
    let heavier = one.clone().with_weights(vec![1.0, 2.0, 1.0, 1.0, 1.0]);
    assert!(compare(&[Metric::Accuracy], &one, &heavier, &Resampling::new(1)).is_err());
}
