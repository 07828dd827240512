//! Tokenizers of every kind against what Hugging Face's `tokenizers` gives, see `tests/golden/tokenizers`.

use retune_data::{DataError, TextEncoder, TextSettings, Truncation};
use serde::Deserialize;
use std::path::{Path, PathBuf};

pub fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tokenizers").join(name)
}

pub fn tokenizer(kind: &str) -> Vec<u8> {
    std::fs::read(golden(&format!("{kind}.json"))).unwrap()
}

pub const KINDS: [&str; 4] = ["wordpiece", "unigram", "bytes_bpe", "regex_bpe"];

#[derive(Deserialize)]
struct Golden {
    vocabulary_size: usize,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    first: String,
    second: Option<String>,
    #[serde(flatten)]
    settings: TextSettings,
    token_ids: Vec<i32>,
    token_types: Vec<u8>,
    is_truncated: bool,
}

/// The settings of the golden files, whose names are those of Rust.
fn cases(kind: &str) -> (usize, Vec<Case>) {
    let text = std::fs::read_to_string(golden(&format!("{kind}.cases.json"))).unwrap();
    let golden: Golden = serde_json::from_str(&text.replace("\"max_tokens\"", "\"max-tokens\"")).unwrap();
    (golden.vocabulary_size, golden.cases)
}

#[test]
fn tokens_are_those_of_the_peer() {
    for kind in KINDS {
        let (vocabulary_size, cases) = cases(kind);
        assert_eq!(cases.len(), 73, "{kind}");
        for case in cases {
            let encoder = TextEncoder::new(&tokenizer(kind), case.settings.clone(), None).unwrap();
            assert_eq!(encoder.vocabulary_size(), vocabulary_size, "{kind}");
            let found = encoder.encode(&case.first, case.second.as_deref()).unwrap();
            let place = format!("{kind}: {:?}, {:?}, {:?}", case.first, case.second, case.settings);
            assert_eq!((&found.token_ids, &found.token_types), (&case.token_ids, &case.token_types), "{place}");
            assert_eq!(found.is_truncated, case.is_truncated, "{place}");
        }
    }
}

#[test]
fn neither_threads_nor_neighbours_change_tokens() {
    let texts: Vec<String> = (0..1000).map(|i| format!("the dog {} 很快", "fox ".repeat(i % 13))).collect();
    let settings = TextSettings { max_tokens: Some(16), ..TextSettings::default() };
    for kind in KINDS {
        let encoder = TextEncoder::new(&tokenizer(kind), settings.clone(), Some(64)).unwrap();
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| encoder.encode_all(texts.len(), |index| (texts[index].as_str().into(), None))).unwrap()
        };
        let all = on(1);
        assert_eq!(all, on(4));
        for index in [0, 255, 256, 999] {
            assert_eq!(all.token_ids(index), encoder.encode(&texts[index], None).unwrap().token_ids);
        }
        let statistics = all.statistics().unwrap();
        assert_eq!((statistics.examples, statistics.most), (1000, 16));
        assert!(statistics.truncated > 100 && statistics.truncated < 900, "{statistics:?}");
    }
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let settings = |max_tokens| TextSettings { max_tokens: Some(max_tokens), ..TextSettings::default() };
    let new = |max_tokens, limit| TextEncoder::new(&tokenizer("wordpiece"), settings(max_tokens), limit);
    assert!(new(2, None).unwrap_err().to_string().contains("more than the 2 tokens"));
    assert!(matches!(new(0, None), Err(DataError::Setting { .. })));
    assert!(new(65, Some(64)).unwrap_err().to_string().contains("at most 64"));
    assert_eq!(new(64, Some(64)).unwrap().max_tokens(), Some(64));
    let default = TextEncoder::new(&tokenizer("wordpiece"), TextSettings::default(), Some(64)).unwrap();
    assert_eq!(default.max_tokens(), Some(64));
    // No room for either text of a pair, but for the marks.
    let tight = new(3, None).unwrap();
    assert_eq!(tight.encode("dog", Some("fox")).unwrap().token_ids.len(), 3);
    for bytes in [&b""[..], b"{}", b"not json", b"{\"version\":\"1.0\",\"model\":{\"type\":\"None\"}}"] {
        assert!(matches!(TextEncoder::new(bytes, settings(8), None), Err(DataError::Tokenizer { .. })));
    }
}

#[test]
fn the_longer_text_gives_first_and_a_named_one_alone() {
    let lengths = |truncation, first: &str, second: &str| {
        let settings = TextSettings { max_tokens: Some(13), truncation, ..TextSettings::default() };
        let encoder = TextEncoder::new(&tokenizer("wordpiece"), settings, None).unwrap();
        let types = encoder.encode(first, Some(second)).unwrap().token_types;
        // One mark more than tokens of the text in each part, two in the first.
        let second = types.iter().filter(|&&kind| kind == 1).count();
        (types.len() - second - 2, second - 1)
    };
    let (long, short) = ("the lazy dog ".repeat(6), "brown fox");
    assert_eq!(lengths(Truncation::LongestFirst, &long, &long), (5, 5));
    let brown_fox = lengths(Truncation::OnlyFirst, &long, short).1;
    assert_eq!(lengths(Truncation::LongestFirst, &long, short), (10 - brown_fox, brown_fox));
    assert_eq!(lengths(Truncation::OnlySecond, short, &long), (brown_fox, 10 - brown_fox));
    // Too little to take from: the other one is cut too, never beyond the maximum.
    assert_eq!(lengths(Truncation::OnlyFirst, short, &long), (0, 10));
    assert_eq!(lengths(Truncation::OnlySecond, &long, short), (10, 0));
}

#[test]
fn texts_of_any_length_stay_within_the_maximum() {
    let long = "好吃 dog ".repeat(40_000);
    for kind in KINDS {
        let settings = TextSettings { max_tokens: Some(128), ..TextSettings::default() };
        let encoder = TextEncoder::new(&tokenizer(kind), settings, None).unwrap();
        assert_eq!(encoder.encode(&long, None).unwrap().token_ids.len(), 128, "{kind}");
        assert_eq!(encoder.encode(&long, Some(&long)).unwrap().token_ids.len(), 128, "{kind}");
    }
}
