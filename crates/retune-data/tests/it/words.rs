//! Texts whose words have labels: files, tokens, batches.

use retune_data::loader::Targets;
use retune_data::text::TextEncoder;
use retune_data::{
    ClassWeights, DataError, Dataset, LabelKind, LabelType, Loader, LoaderOptions, Preprocessing, SourceOptions,
    TextSettings, open,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const CONLL: &str = "-DOCSTART-\tO\n\nthe\tO\nactor\tB-PER\nfilmed\tI-PER\n\ngood\tB-LOC\n";

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path
}

fn tagged() -> SourceOptions {
    SourceOptions { labels: Some(LabelType::WordClass), ..SourceOptions::default() }
}

fn classes(data: &Dataset) -> Vec<Vec<String>> {
    let names = |id: &u64| {
        data.labels().word_classes(*id as usize).unwrap().iter().map(|&c| data.class_name(c as usize)).collect()
    };
    data.ids().iter().map(names).collect()
}

#[test]
fn words_and_labels_are_read_from_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let json = "{\"tokens\": [\"the\", \"actor\", \"filmed\"], \"ner_tags\": [\"O\", \"B-PER\", \"I-PER\"]}\n{\"tokens\": [\"good\"], \"ner_tags\": [\"B-LOC\"]}\n";
    let other = json.replace("tokens", "words").replace("ner_tags", "tags");
    let array = format!("[{}]", json.trim().replace('\n', ","));
    let files = [
        ("a.conll", CONLL, SourceOptions::default()),
        ("a.txt", CONLL, SourceOptions::default()),
        ("b.txt", CONLL, tagged()),
        ("a.tsv", CONLL, tagged()),
        ("a.jsonl", json, SourceOptions::default()),
        ("b.jsonl", &other, SourceOptions::default()),
        ("a.json", &array, tagged()),
    ];
    for (name, text, options) in files {
        let data = open(&write(folder.path(), name, text), &options).unwrap_or_else(|e| panic!("{name}: {e}")).train;
        assert_eq!(data.label_kind(), LabelKind::WordClasses { classes: 4 }, "{name}");
        assert_eq!(data.class_names().unwrap(), ["B-LOC", "B-PER", "I-PER", "O"], "{name}");
        assert_eq!(data.words_of(0).unwrap(), ["the", "actor", "filmed"], "{name}");
        assert_eq!(classes(&data), [vec!["O", "B-PER", "I-PER"], vec!["B-LOC"]], "{name}");
        assert_eq!(data.class_counts(&data.ids()), Some(vec![1, 1, 1, 1]), "{name}");
        assert_eq!(data.texts().unwrap().first, vec!["the actor filmed", "good"].into(), "{name}");
    }
    let numbers = "{\"tokens\": [\"a\", \"b\"], \"ner_tags\": [0, 2]}\n";
    let path = write(folder.path(), "n.jsonl", numbers);
    let data = open(&path, &SourceOptions::default()).unwrap().train;
    assert_eq!((data.class_count(), data.class_names()), (Some(3), None));
    let names = ["O", "B-X", "I-X"].map(str::to_owned).to_vec();
    let data = open(&path, &SourceOptions { class_names: Some(names), ..SourceOptions::default() }).unwrap().train;
    assert_eq!(classes(&data), [["O", "I-X"]]);
}

#[test]
fn parts_share_the_labels_of_the_training_part() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "data/train.txt", CONLL);
    let test = write(folder.path(), "data/test.txt", "good B-LOC\n");
    let parts = open(&folder.path().join("data"), &tagged()).unwrap();
    assert_eq!(parts.test.unwrap().labels().word_classes(0), Some(&[0][..]));
    std::fs::write(test, "good B-ORG\n").unwrap();
    let error = open(&folder.path().join("data"), &tagged()).unwrap_err();
    assert!(matches!(&error, DataError::UnknownClass { class, .. } if class == "B-ORG"), "{error}");
}

#[test]
fn bad_texts_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = |name: &str, text: &str| open(&write(folder.path(), name, text), &tagged()).unwrap_err().to_string();
    let text = error("a.conll", "a O\nb\nc O\n\nd B-X\n");
    assert!(text.contains("a.conll, line 1`: line 2: expected a word and its label, found `b` alone"), "{text}");
    let text =
        error("a.jsonl", "{\"tokens\": [\"a\"], \"tags\": [\"O\"]}\n{\"tokens\": [\"a\", \"b\"], \"tags\": [\"O\"]}\n");
    assert!(text.contains("line 2`: expected a label for each of 2 words, found 1 labels"), "{text}");
    assert!(error("b.jsonl", "{\"tokens\": [], \"tags\": []}\n").contains("the text has no words"));
    assert!(error("c.jsonl", "{\"tokens\": [\"a\", \" \"], \"tags\": [0, 1]}\n").contains("word 1 is empty"));
    assert!(error("d.jsonl", "{\"tokens\": \"a\", \"tags\": [0]}\n").contains("expected a list, found a text"));
    assert!(error("e.jsonl", "{\"text\": \"a\"}\n").contains("no field `tokens`"));
    let tolerant = SourceOptions { tolerance: 1, ..tagged() };
    let data = open(&folder.path().join("a.conll"), &tolerant).unwrap().train;
    assert_eq!((data.ids(), data.words_of(1).unwrap()), (vec![1], vec!["d".to_owned()]));
}

/// `filmed` has two tokens of its own in the tokenizer of the goldens, or one that is unknown; either way one begins the word.
fn encoder(most: Option<usize>) -> Arc<TextEncoder> {
    let json =
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tokenizers/words.json")).unwrap();
    let mut json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    json["model"]["vocab"]["##ed"] = 20.into();
    let settings = TextSettings { max_tokens: most, ..TextSettings::default() };
    Arc::new(TextEncoder::new(json.to_string().as_bytes(), settings, None).unwrap().of_words().unwrap())
}

#[test]
fn the_first_token_of_a_word_has_its_label() {
    let folder = tempfile::tempdir().unwrap();
    let data = Arc::new(open(&write(folder.path(), "a.conll", CONLL), &SourceOptions::default()).unwrap().train);
    let weights = ClassWeights::Balanced.resolve(&data, &data.ids()).unwrap();
    assert_eq!(weights, [1.0; 4]);
    let options = |most| LoaderOptions {
        encoder: Some(encoder(most)),
        class_weights: Some(vec![1.0, 2.0, 3.0, 4.0]),
        ..LoaderOptions::sequential(2, Preprocessing::default())
    };
    let loader = Loader::new(data.clone(), data.ids(), options(None)).unwrap();
    // [CLS] the actor film ##ed [SEP] [CLS] good [SEP]
    assert_eq!(loader.words_of_tokens(0), [-1, 0, 1, 2, -1, -1]);
    let batch = loader.epoch(0).next().unwrap().unwrap();
    assert_eq!(batch.targets, Targets::TokenClasses(vec![-1, 3, 1, 2, -1, -1, -1, 0, -1]));
    assert_eq!(batch.sample_weights, Some(vec![0.0, 4.0, 2.0, 3.0, 0.0, 0.0, 0.0, 1.0, 0.0]));
    assert_eq!(batch.inputs.tokens().unwrap().tokens(), 9);
    let cut = Loader::new(data.clone(), data.ids(), options(Some(4))).unwrap();
    let statistics = cut.token_statistics().unwrap();
    assert_eq!((statistics.truncated, statistics.words_cut), (1, 1), "the actor alone");
    assert_eq!(cut.words_of_tokens(0), [-1, 0, 1, -1]);
}

#[test]
fn tokens_with_a_space_in_them_have_it_in_every_word() {
    let json = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true },
        "post_processor": null, "decoder": null,
        "model": { "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": { "a": 0, "b": 1, "\u{120}": 2, "\u{120}a": 3 }, "merges": [["\u{120}", "a"]] },
    });
    let encoder = TextEncoder::new(json.to_string().as_bytes(), TextSettings::default(), None).unwrap();
    assert_eq!(encoder.encode("a a", None).unwrap().token_ids, [0, 3]);
    let encoder = encoder.of_words().unwrap();
    let encoded = encoder.encode_words(&["a", "ab"]).unwrap();
    assert_eq!((encoded.token_ids, encoded.words), (vec![3, 3, 1], vec![0, 1, -1]));
}

/// Each character a word.
#[test]
fn chinese_by_character_has_a_label_for_each_character() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "zh.conll", "我 O\n在 O\n北 B-LOC\n京 I-LOC\n");
    let data = open(&path, &SourceOptions::default()).unwrap().train;
    assert_eq!(data.words_of(0).unwrap(), ["我", "在", "北", "京"]);
    let json = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": { "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true },
        "pre_tokenizer": { "type": "BertPreTokenizer" }, "post_processor": null, "decoder": null,
        "model": { "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
            "vocab": { "[UNK]": 0, "我": 1, "在": 2, "北": 3, "京": 4 } },
    });
    let encoder =
        TextEncoder::new(json.to_string().as_bytes(), TextSettings::default(), None).unwrap().of_words().unwrap();
    let encoded = encoder.encode_words(&data.words_of(0).unwrap()).unwrap();
    assert_eq!((encoded.token_ids, encoded.words), (vec![1, 2, 3, 4], vec![0, 1, 2, 3]));
}

/// A word of control characters alone has no token, as in transformers: it is skipped, and the others keep their labels.
#[test]
fn words_without_tokens_are_skipped() {
    let encoded = encoder(None).encode_words(&["the", "\u{200b}\u{0}", "film"]).unwrap();
    let begun: Vec<i32> = encoded.words.iter().copied().filter(|&word| word >= 0).collect();
    assert!(begun == [0, 2] || begun == [0, 1, 2], "{begun:?}");
    assert_eq!(encoded.words_cut, 0);
    let data = Arc::new(Dataset::from_words("made", &[vec!["the".to_owned()]]).unwrap());
    let options =
        LoaderOptions { encoder: Some(encoder(None)), ..LoaderOptions::sequential(1, Preprocessing::default()) };
    let batch = Loader::new(data.clone(), data.ids(), options).unwrap().epoch(0).next().unwrap().unwrap();
    assert_eq!(batch.targets, Targets::None);
}
