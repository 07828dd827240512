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
