//! Labels of words: from a model folder and a file of a word a line to entities in new texts.

use crate::support::{Workplace, golden};
use serde_json::{Value, json};

/// A place with a tiny encoder in `base`, and `words.conll` with persons of two words and works of one.
fn place() -> Workplace {
    let place = Workplace::new();
    std::fs::create_dir(place.path("base")).unwrap();
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(golden(&format!("transformers/bert_classification/{name}")), place.path("base").join(name))
            .unwrap();
    }
    std::fs::copy(golden("tokenizers/words.json"), place.path("base/tokenizer.json")).unwrap();
    let fillers = ["a", "the", "film", "is", "was", "and", "very", "quite"];
    let mut text = "-DOCSTART-\tO\n\n".to_owned();
    for i in 0..120usize {
        text += &format!("{}\tO\n", fillers[i * 5 % 8]);
        if i % 3 > 0 {
            text += &format!("actor\tB-PER\n{}\tI-PER\n", ["good", "bad"][i % 2]);
        }
        text += &format!("{}\tO\n", fillers[i * 7 % 8]);
        if i % 4 > 0 {
            text += "story\tB-WORK\n";
        }
        text.push('\n');
    }
    place.write("words.conll", text);
    place
}

const OPTIONS: [&str; 10] = [
    "--model",
    "base",
    "--data",
    "words.conll",
    "--set",
    "model.task=token-classification",
    "--learning-rate",
    "0.005",
    "--set",
    "optimizer.kind=adam",
];

#[test]
fn entities_are_learned_and_found() {
    let place = place();
    let described = place.run(&["inspect", "words.conll"]).ok();
    assert!(described.contains("one of 4 classes for each word") && described.contains("B-WORK"), "{described}");
    let repeated = place.run(&["check", "words.conll"]);
    assert!(repeated.stdout.contains("texts repeat an earlier one") && repeated.code == Some(1), "{}", repeated.stderr);
    let check = place.run(&[&["check", "--no-timing", "--set", "preprocess.max-tokens=5"], &OPTIONS[..]].concat()).ok();
    assert!(check.contains("words cut off"), "{check}");
    let fit = place
        .run(&[&["--json", "--quiet", "fit", "--epochs", "30", "--set", "model.weights=none"], &OPTIONS[..]].concat())
        .json();
    let types = fit["comparison"]["entities"].as_array().unwrap();
    assert_eq!((types.len(), &types[1]["name"]), (2, &json!("WORK")));
    let model = fit["model"].as_str().unwrap();

    let lines = place.run(&["predict", "--model", model, "--text", "And actor bad quite story"]).ok();
    let found: Value = serde_json::from_str(&lines).unwrap();
    assert_eq!(found["tokens"], json!(["And", "actor", "bad", "quite", "story"]));
    assert_eq!(
        (&found["tags"][1], &found["tags"][2], &found["tags"][4]),
        (&json!("B-PER"), &json!("I-PER"), &json!("B-WORK"))
    );
    let entity = &found["entities"][0];
    assert_eq!(
        (&entity["type"], &entity["text"], &entity["start"], &entity["end"]),
        (&json!("PER"), &json!("actor bad"), &json!(1), &json!(3))
    );
    assert!(entity["score"].as_f64().unwrap() > 0.5);

    place.write("new.jsonl", "{\"tokens\": [\"and\", \"actor\", \"bad\", \"quite\", \"story\"]}\n");
    place.write("new.conll", "and\nactor\nbad\nquite\nstory\n\n");
    place.write("new.txt", "and actor bad quite story\n");
    place.write("texts.jsonl", "{\"text\": \"and actor bad quite story\"}\n");
    for name in ["new.jsonl", "new.conll", "new.txt", "texts.jsonl"] {
        let answers = place.run(&["--json", "predict", "--model", model, "--input", name]).json();
        let answer = &answers["predictions"][0];
        assert_eq!(
            (&answer["tokens"], &answer["tags"]),
            (&json!(["and", "actor", "bad", "quite", "story"]), &json!(["O", "B-PER", "I-PER", "O", "B-WORK"])),
            "{name}"
        );
    }
    place.run(&["predict", "--model", model, "--input", "new.jsonl", "--output", "out.jsonl"]).ok();
    assert_eq!(String::from_utf8(place.read("out.jsonl")).unwrap().lines().count(), 1);

    let scores = place.run(&["--json", "eval", "--model", model, "--data", "words.conll"]).json();
    assert!(scores["metrics"]["entity-f1"]["value"].as_f64().unwrap() > 0.9, "{scores}");
    assert_eq!(scores["entities"][0]["name"], "PER");
    let text = place.run(&["eval", "--model", model, "--data", "words.conll", "--metrics", "strict-entity-f1"]).ok();
    assert!(text.contains("strict-entity-f1") && text.contains("WORK"), "{text}");
}

#[test]
fn mistakes_with_words_are_explained() {
    let place = place();
    place.write("gap.conll", "the\tO\nactor\n\nstory\tB-WORK\n");
    let error = place.run(&[&["fit"], &OPTIONS[..], &["--set", "data.path=gap.conll"]].concat()).fails(1);
    assert!(error.contains("line 2: expected a word and its label, found `actor` alone"), "{error}");
    place.write("texts.csv", "text,label\nvery good,good\nquite bad,bad\n");
    let error =
        place.run(&["fit", "--model", "base", "--data", "texts.csv", "--set", "model.task=token-classification"]);
    assert!(error.fails(1).contains("expected a word and its label"));
}
