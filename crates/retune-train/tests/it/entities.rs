//! Entities against seqeval.

use crate::golden::{Golden, text};
use retune_train::metrics::entities::by_type;
use retune_train::metrics::{LabelledWords, Metric, Problem, Scored, TagSet, bootstrap};
use std::sync::Arc;

/// Texts by where their words end, with sure answers.
fn scored(labels: &[String], truth: &[i32], answer: &[i32], ends: &[usize]) -> Scored {
    let scores =
        answer.iter().flat_map(|&label| (0..labels.len()).map(move |l| f32::from(u8::from(l as i32 == label))));
    let words = LabelledWords {
        ends: ends.to_vec(),
        places: (0..truth.len() as u32).collect(),
        tags: TagSet::new(labels).map(Arc::new),
    };
    let classes = truth.iter().map(|&label| label as u32).collect();
    Scored::of_words(scores.collect(), labels.len(), classes, words).unwrap()
}

fn case(golden: &Golden, case: &serde_json::Value) -> Scored {
    let name = text(case, "case");
    let labels: Vec<String> = serde_json::from_value(case["labels"].clone()).unwrap();
    let tensor = |what: &str| golden.tensor(&format!("{name}/{what}")).as_i32().unwrap().to_vec();
    let ends: Vec<usize> = tensor("ends").iter().map(|&end| end as usize).collect();
    scored(&labels, &tensor("truth"), &tensor("answer"), &ends)
}

#[test]
fn scores_are_seqeval_s() {
    let golden = Golden::load("entities");
    let (mut done, mut types) = (0, 0);
    for about in golden.cases() {
        let scored = case(&golden, about);
        assert_eq!(scored.problem(), Problem::Entities);
        for (metric, expected) in about["values"].as_object().unwrap() {
            let what = format!("{} {metric}", text(about, "case"));
            if let Some(expected) = expected.as_object() {
                for row in by_type(&scored).unwrap() {
                    let Some(expected) = expected.get(&row.name) else {
                        assert_eq!((row.f1, row.entities), (0.0, 0), "{what} {}", row.name);
                        continue;
                    };
                    let of = |key: &str| expected[key].as_f64().unwrap();
                    for (key, found) in [("precision", row.precision), ("recall", row.recall), ("f1", row.f1)] {
                        assert!((found - of(key)).abs() < 1e-12, "{what} {} {key}: {found}", row.name);
                    }
                    assert_eq!(Some(row.entities), expected["entities"].as_u64(), "{what}");
                    types += 1;
                }
                continue;
            }
            let found = metric.parse::<Metric>().unwrap().value(&scored).unwrap();
            let expected = expected.as_f64().unwrap();
            assert!((found - expected).abs() < 1e-12, "{what}: {found}, expected {expected}");
            done += 1;
        }
    }
    assert!(done == 6 + 5 * 9 + 5 * 9 && types > 12, "{done} {types}");
}

/// A text of weight 2 counts as two, and one of weight 0 as none: the rule that the bootstrap stands on.
#[test]
fn weights_are_repetitions_of_whole_texts() {
    let golden = Golden::load("entities");
    for about in golden.cases() {
        let once = case(&golden, about);
        let name = text(about, "case");
        let weights: Vec<f64> = (0..once.len()).map(|item| (item % 3) as f64).collect();
        let labels: Vec<String> = serde_json::from_value(about["labels"].clone()).unwrap();
        let (mut truth, mut answer, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for item in 0..once.len() {
            let (t, a) = once.labels_of_words(item);
            for _ in 0..item % 3 {
                truth.extend(t.iter().map(|label| label.unwrap() as i32));
                answer.extend(a.iter().map(|label| label.unwrap() as i32));
                ends.push(truth.len());
            }
        }
        let repeated = scored(&labels, &truth, &answer, &ends);
        let weighted = once.with_weights(weights);
        for metric in ["accuracy", "entity-f1", "entity-precision-macro", "entity-recall-weighted", "strict-entity-f1"]
        {
            let metric: Metric = metric.parse().unwrap();
            let [a, b] = [&weighted, &repeated].map(|scored| metric.value(scored).unwrap());
            assert!((a - b).abs() < 1e-12, "{name} {metric}: {a} and {b}");
        }
    }
}

#[test]
fn intervals_are_by_text() {
    // 20 texts, all right or all wrong: the interval is that of 20 things, not of 200 words.
    let labels = ["B-X", "O"].map(str::to_owned);
    let truth = vec![0; 200];
    let answer: Vec<i32> = (0..200).map(|word| i32::from(word / 10 % 4 == 0)).collect();
    let ends: Vec<usize> = (1..=20).map(|text| 10 * text).collect();
    let scored = scored(&labels, &truth, &answer, &ends);
    let estimate = bootstrap(Metric::Accuracy, &scored, 1).unwrap();
    assert_eq!(estimate.value, 0.75);
    assert!(estimate.high - estimate.low > 0.25, "{estimate:?}");
    assert!(bootstrap("entity-f1".parse().unwrap(), &scored, 1).unwrap().low < 0.8);
}

#[test]
fn words_without_entities_have_accuracy_alone() {
    let labels = ["NN", "VB"].map(str::to_owned);
    let scored = scored(&labels, &[0, 1, 1], &[0, 1, 0], &[2, 3]).with_losses(vec![0.5, 2.0]);
    assert_eq!(scored.problem(), Problem::Words);
    assert_eq!(Metric::defaults(scored.problem()), [Metric::Loss, Metric::Accuracy]);
    assert_eq!(Metric::Accuracy.value(&scored), Some(2.0 / 3.0));
    assert_eq!(Metric::Loss.value(&scored), Some((0.5 * 2.0 + 2.0) / 3.0), "the mean over words");
    assert_eq!("entity-f1".parse::<Metric>().unwrap().value(&scored), None);
    assert_eq!(by_type(&scored), None);
    let words = LabelledWords { ends: vec![2], places: vec![0, 1], tags: None };
    assert!(Scored::of_words(vec![0.0; 4], 2, vec![0, 2], words).is_err());
}
