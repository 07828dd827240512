//! Texts: from a model folder and a table to labels of new texts.

use crate::support::{Workplace, golden};

/// A place with a tiny encoder in `base`, and `reviews.tsv` whose label is told by a word.
pub fn place() -> Workplace {
    let place = Workplace::new();
    prepare(&place);
    place
}

/// Puts them into a place.
pub fn prepare(place: &Workplace) {
    std::fs::create_dir(place.path("base")).unwrap();
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(golden(&format!("transformers/bert_classification/{name}")), place.path("base").join(name))
            .unwrap();
    }
    std::fs::copy(golden("tokenizers/words.json"), place.path("base/tokenizer.json")).unwrap();
    let words = ["a", "the", "film", "is", "was", "and", "very", "quite", "story", "plot", "actor", "scene"];
    let mut text = "text\tlabel\n".to_owned();
    for i in 0..120usize {
        let (word, label) = if i.is_multiple_of(2) { ("bad", "negative") } else { ("good", "positive") };
        text += &format!("{} {} {word} {}\t{label}\n", words[i % 12], words[i * 5 % 11], words[i * 7 % 12]);
    }
    place.write("reviews.tsv", text);
}

const OPTIONS: [&str; 10] = [
    "--model",
    "base",
    "--data",
    "reviews.tsv",
    "--learning-rate",
    "0.003",
    "--set",
    "optimizer.kind=adam",
    "--set",
    "train.batch-tokens=60",
];

#[test]
fn a_model_folder_learns_to_label_texts() {
    let place = place();
    let described = place.run(&["inspect", "base"]).ok();
    assert!(described.contains("texts of at most 12 tokens") && described.contains("LABEL_2"), "{described}");
    let data = place.run(&["inspect", "reviews.tsv"]).ok();
    assert!(data.contains("text: column `text`, label: column `label`") && data.contains("positive"), "{data}");

    let check = place.run(&[&["check"], &OPTIONS[..]].concat()).ok();
    for part in ["tokens of a text", "texts cut off", "largest batch", "no problems found"] {
        assert!(check.contains(part), "{part}: {check}");
    }
    let plan = place.run(&[&["--json", "check", "--no-timing"], &OPTIONS[..]].concat()).json();
    assert_eq!(plan["tokens"]["statistics"]["most"], 6, "{plan}");

    let fit = place.run(&[&["--json", "--quiet", "fit", "--epochs", "20"], &OPTIONS[..]].concat()).json();
    let model = fit["model"].as_str().unwrap();
    let new = ["--text", "the film good plot", "--text", "very quite bad a"];
    let text = place.run(&[&["predict", "--model", model], &new[..]].concat()).ok();
    let labels: Vec<&str> = text.lines().map(|line| line.rsplit("  ").nth(1).unwrap()).collect();
    assert!(labels[0].starts_with("positive") && labels[1].starts_with("negative"), "{text}");

    place.write("new.txt", "quite plot good actor\n\nwas story bad scene\n");
    place.write(
        "new.jsonl",
        "{\"id\": 1, \"body\": \"quite plot good actor\"}\n{\"id\": 2, \"body\": \"was story bad scene\"}\n",
    );
    for input in [&["--input", "new.txt"][..], &["--input", "new.jsonl", "--column", "body"]] {
        let answers = place.run(&[&["--json", "predict", "--model", model], input].concat()).json();
        let answers = answers["predictions"].as_array().unwrap();
        let found: Vec<_> = answers.iter().map(|answer| (&answer["text"], &answer["label"])).collect();
        assert_eq!(
            found,
            [
                (&"quite plot good actor".into(), &"positive".into()),
                (&"was story bad scene".into(), &"negative".into())
            ]
        );
    }
    place.run(&["predict", "--model", model, "--input", "new.txt", "--output", "out.csv"]).ok();
    let written = String::from_utf8(place.read("out.csv")).unwrap();
    assert!(written.starts_with("text,label,probability\nquite plot good actor,positive,0."), "{written}");
    assert!(written.contains("was story bad scene,negative,"), "{written}");

    let scores = place.run(&["--json", "eval", "--model", model, "--data", "reviews.tsv"]).json();
    assert!(scores["metrics"]["accuracy"]["value"].as_f64().unwrap() > 0.9, "{scores}");
}

#[test]
fn slips_with_texts_are_explained() {
    let place = place();
    let error =
        place.run(&["predict", "--model", "base", "--text", "a", "--text-pair", "b", "--text-pair", "c"]).fails(2);
    assert!(error.contains("each `--text` needs a `--text-pair`"), "{error}");
    place.write("rows.tsv", "text\tlabel\nvery good\tgood\nvery bad\n");
    let error = place.run(&["fit", "--model", "base", "--data", "rows.tsv"]).fails(1);
    assert!(error.contains("line 3") && error.contains("expected 2 columns, found 1"), "{error}");
    place.write("new.jsonl", "{\"body\": \"quite good\"}\n");
    let error = place.run(&["predict", "--model", "base", "--input", "new.jsonl", "--column", "text"]).fails(1);
    assert!(error.contains("no field `text`") && error.contains("it has body"), "{error}");
    let keras = golden("keras_legacy/keras2_sequential_convolutional/model.h5");
    let error = place.run(&["predict", "--model", &keras, "--text", "good"]).fails(1);
    assert!(error.contains("the model takes no texts"), "{error}");
}

#[test]
fn a_model_folder_is_written_and_compared() {
    let place = place();
    let result = place.run(&["--json", "convert", "base", "copy"]).json();
    assert_eq!(result["max_difference"], 0.0, "{result}");
    place.run(&["inspect", "copy"]).ok();
}

#[test]
fn a_download_cut_short_is_called_one() {
    let place = place();
    let whole = place.read("base/model.safetensors");
    for length in [4, 100, whole.len() - 1] {
        place.write("base/model.safetensors", &whole[..length]);
        let error = place.run(&["inspect", "base"]).fails(1);
        assert!(error.contains("hint: the copy or download was probably cut short"), "{length} bytes: {error}");
    }
}
