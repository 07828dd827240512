//! Similarity of texts: from a model folder and scored pairs to similarities of new pairs, and vectors of texts.

use crate::support::{Workplace, golden};
use std::fmt::Write;

/// A place with a tiny encoder in `base`, and `pairs.csv` of two texts and a score of 0 to 5: alike where both say `good` or
/// both say `bad`.
fn place() -> Workplace {
    let place = Workplace::new();
    std::fs::create_dir(place.path("base")).unwrap();
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(golden(&format!("transformers/bert_classification/{name}")), place.path("base").join(name))
            .unwrap();
    }
    std::fs::copy(golden("tokenizers/words.json"), place.path("base/tokenizer.json")).unwrap();
    let words = ["a", "the", "film", "is", "was", "and", "very", "quite", "story", "plot", "actor", "scene"];
    let mood = |is_good: bool| if is_good { "good" } else { "bad" };
    // Eleven words, so that none of them tells the moods.
    let mut text = String::new();
    for i in 0..120usize {
        let (first, second) = (i.is_multiple_of(2), i.is_multiple_of(3));
        let score = if first == second { "5.0" } else { "0.0" };
        writeln!(
            text,
            "the {} {},quite {} {},{score}",
            mood(first),
            words[i * 5 % 11],
            mood(second),
            words[i * 3 % 11]
        )
        .unwrap();
    }
    place.write("pairs.csv", text);
    place
}

const OPTIONS: [&str; 8] =
    ["--model", "base", "--data", "pairs.csv", "--set", "model.task=similarity", "--learning-rate", "0.003"];

#[test]
fn pairs_are_learned_and_texts_become_vectors() {
    let place = place();
    let check = place.run(&[&["--json", "check", "--no-timing"], &OPTIONS[..]].concat()).json();
    assert_eq!(check["facts"]["output-shape"], serde_json::json!([1]), "{check}");
    let fit = place.run(&[&["--json", "--quiet", "fit", "--epochs", "30"], &OPTIONS[..]].concat()).json();
    let model = fit["model"].as_str().unwrap();

    let pairs = [
        "--text",
        "the good plot",
        "--text-pair",
        "quite good film",
        "--text",
        "the good plot",
        "--text-pair",
        "quite bad film",
    ];
    let answers = place.run(&[&["--json", "predict", "--model", model], &pairs[..]].concat()).json();
    let similarity =
        |index: usize| -> f64 { answers["predictions"][index]["similarity"].as_str().unwrap().parse().unwrap() };
    assert!(similarity(0) > 0.7 && similarity(1) < 0.3, "{answers}");
    place.run(&[&["predict", "--model", model, "--output", "pairs.out.csv"], &pairs[..]].concat()).ok();
    let written = String::from_utf8(place.read("pairs.out.csv")).unwrap();
    assert!(written.starts_with("text,similarity\n"), "{written}");

    let single = ["predict", "--model", model, "--text", "the good plot", "--text", "quite bad film"];
    let lines = place.run(&single).ok();
    let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), lines[1]["text"].as_str()), (2, Some("quite bad film")));
    assert_eq!(lines[0]["embedding"].as_array().unwrap().len(), 16);
    let described = place.run(&[&single[..], &["--output", "vectors.npy"]].concat()).ok();
    assert!(described.contains("[2, 16]"), "{described}");
    let array = place.read("vectors.npy");
    let first = f32::from_le_bytes(array[array.len() - 4 * 32..][..4].try_into().unwrap());
    assert!((f64::from(first) - lines[0]["embedding"][0].as_f64().unwrap()).abs() < 1e-6);
    place.run(&[&single[..], &["--output", "vectors.jsonl"]].concat()).ok();
    assert_eq!(String::from_utf8(place.read("vectors.jsonl")).unwrap().lines().count(), 2);
    let error = place.run(&[&single[..], &["--output", "vectors.csv"]].concat()).fails(2);
    assert!(error.contains("a vector for each text") && error.contains(".jsonl"), "{error}");

    let scores = place.run(&["--json", "eval", "--model", model, "--data", "pairs.csv"]).json();
    assert!(scores["metrics"]["spearman"]["value"].as_f64().unwrap() > 0.8, "{scores}");
}

#[test]
fn mistakes_with_pairs_are_explained() {
    let place = place();
    let fit = |more: &[&str]| place.run(&[&["fit"], &OPTIONS[..], more].concat()).fails(1);
    let error = fit(&["--set", "preprocess.score-range=[0, 4]"]);
    assert!(error.contains("expected a score from 0 to 4, found 5") && error.contains("`score-range`"), "{error}");
    let error = fit(&["--method", "head"]);
    assert!(error.contains("a model for `similarity` has none") && error.contains("`lora`"), "{error}");
    place.write("single.csv", "text,score\nthe film is good,4.5\nthe plot was bad,1.5\n");
    let error = fit(&["--set", "data.path=single.csv"]);
    assert!(error.contains("similarity is that of two texts"), "{error}");
    place.write("gap.csv", "sentence1,sentence2,score\na film,the plot,1.5\na story,,2.5\n");
    let error = fit(&["--set", "data.path=gap.csv"]);
    assert!(error.contains("line 3") && error.contains("the second text is missing"), "{error}");
}
