//! Likely wrong labels.

use crate::support::{Folder, check};
use retune_audit::collection::Item;
use retune_audit::findings::label_errors::{ModelFeatures, judge};
use retune_audit::probe::Features;
use retune_audit::{Kind, Said, Severity};
use std::collections::BTreeSet;

/// Reviews whose words tell their label, of which those given are labelled wrongly.
fn reviews(n: usize, wrong: &[usize]) -> String {
    let good = ["lovely", "great", "fine", "superb", "charming"];
    let bad = ["awful", "poor", "dull", "weak", "terrible"];
    let things = ["story", "film", "acting", "music", "ending", "camera", "dialogue"];
    let text = |i: usize| {
        let words = if i.is_multiple_of(2) { good } else { bad };
        format!(
            "the {} was {} and the {} {} number {i}",
            things[i % 7],
            words[i % 5],
            things[i * 3 % 7],
            words[i / 2 % 5]
        )
    };
    let label = |i: usize| ["positive", "negative"][(i + usize::from(wrong.contains(&i))) % 2];
    (0..n).map(|i| format!("{}\t{}\n", text(i), label(i))).collect()
}

#[test]
fn planted_mistakes_come_first() {
    let folder = Folder::new();
    let wrong = [13, 58, 101, 170, 222, 280];
    let checked = check(&folder.write("a.tsv", format!("text\tlabel\n{}", reviews(300, &wrong))));
    let finding = checked.finding(Kind::LabelErrors);
    assert_eq!(finding.severity, Severity::Warning);
    let judged = judge(&checked.collection, &checked.facts, None).unwrap();
    let first: BTreeSet<usize> = judged.suspects.iter().take(6).map(|(item, _)| *item as usize).collect();
    assert_eq!(first, BTreeSet::from(wrong));
    assert!(judged.accuracy > 0.9 && judged.majority < 0.55, "{judged:?}");
    assert!(finding.examples[0].note.english().starts_with("looks like `"), "{:?}", finding.examples[0].note);
}

#[test]
fn a_probe_that_knows_nothing_accuses_nobody() {
    let folder = Folder::new();
    let rows: String = (0..300usize)
        .map(|i| format!("text {} about {}\t{}\n", i * 7919 % 1009, i * 104_729 % 997, i * 31 / 7 % 2))
        .collect();
    let checked = check(&folder.write("a.tsv", format!("text\tlabel\n{rows}")));
    assert_eq!(checked.find(Kind::LabelErrors), None);
}

#[test]
fn features_of_a_model_take_the_place_of_words() {
    let folder = Folder::new();
    let rows: String = (0..200usize)
        .map(|i| format!("text {} about {}\t{}\n", i * 7919 % 1009, i * 104_729 % 997, (i + usize::from(i == 77)) % 2))
        .collect();
    let checked = check(&folder.write("a.tsv", format!("text\tlabel\n{rows}")));
    let values = (0..200).flat_map(|i| [if i % 2 == 0 { 1.0 } else { -1.0 }, (i * 37 % 11) as f32]);
    let features = ModelFeatures {
        items: (0..200 as Item).collect(),
        features: Features::dense(2, values.collect()),
        source: Said::as_it_is("a model"),
    };
    let judged = judge(&checked.collection, &checked.facts, Some(&features)).unwrap();
    assert_eq!(judged.suspects.iter().map(|s| s.0).collect::<Vec<_>>(), [77]);
}

#[test]
fn rows_of_a_table_are_judged_by_their_columns() {
    let folder = Folder::new();
    let wrong = [21, 84, 143];
    let row = |i: usize| {
        let is_large = i.is_multiple_of(2);
        let size = if is_large { 8.0 } else { 2.0 } + (i * 37 % 101) as f32 / 50.0;
        let colour = ["red", "blue", "green"][i * 7 % 3];
        let label = ["large", "small"][usize::from(is_large == wrong.contains(&i))];
        format!(
            "{size},{colour},{},{label}\n",
            if i.is_multiple_of(5) { String::new() } else { (i * 13 % 29).to_string() }
        )
    };
    let rows: String = (0..200).map(row).collect();
    let checked = check(&folder.write("a.csv", format!("size,colour,age,label\n{rows}")));
    let judged = judge(&checked.collection, &checked.facts, None).unwrap();
    assert_eq!(judged.suspects.iter().map(|s| s.0 as usize).collect::<BTreeSet<_>>(), BTreeSet::from(wrong));
    assert_eq!(judged.source.english(), "the columns");
}
