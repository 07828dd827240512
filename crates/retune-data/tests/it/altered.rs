//! Readers of rows on altered files: no panic, whatever stands there; deterministic, and short enough for every run.

use crate::any_bytes::{FORMS, open_and_copy};
use retune_tensor::{Key, Purpose};
use std::path::Path;
use tempfile::tempdir;

/// Files of each form.
fn seeds(form: &str) -> Vec<Vec<u8>> {
    let tables = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tables");
    let of = |names: &[&str]| names.iter().map(|name| std::fs::read(tables.join(name)).unwrap()).collect();
    let texts = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    match form {
        "csv" => texts(&[
            "text,label\n\"a, \"\"good\"\" film\",pos\r\n\"over\nlines\",neg\nplain one,pos\nmore,neg\n",
            "a;b;label\n1.5;2;0\n3;;1\n-4e3;5;0\n7;8;1\n",
        ]),
        "json" => texts(&[
            "[{\"text\": \"a good film\", \"label\": \"x\"},\n {\"text\": \"\\u6587 [}\", \"label\": \"y\"}]",
            "{\"version\": [1], \"data\": [{\"a\": 1, \"b\": -2, \"label\": 0}, {\"a\": 2.5e0, \"b\": 3, \"label\": 1}]}\n",
        ]),
        "jsonl" => texts(&[
            "{\"text\": \"one text\", \"label\": \"x\"}\n{\"label\": \"y\", \"text\": \"two\"}\n",
            "{\"tokens\": [\"New\", \"York\"], \"ner_tags\": [1, 2]}\n{\"tokens\": [\"a\"], \"ner_tags\": [0]}\n",
        ]),
        "parquet" => of(&["kinds.parquet", "reviews-snappy.parquet", "images.parquet"]),
        "arrow" => of(&["reviews-stream.arrow", "reviews-zstd.feather", "reviews-plain.feather"]),
        _ => texts(&["-DOCSTART- O\n\n# id = 1\nEU B-ORG\nrejects O\n\nPeter B-PER\n", "a\tO\nb\tB-X\n\nc\tI-X\n"]),
    }
}

/// Bytes with some of them changed, left out, put in or repeated.
fn altered(seed: &[u8], number: u64) -> Vec<u8> {
    let (key, mut drawn) = (Key::new(7).with(Purpose::Test(3)).at(0, number), 0);
    let mut draw = |below: usize| {
        drawn += 1;
        key.below(drawn, below.max(1) as u64) as usize
    };
    let mut bytes = seed.to_vec();
    for _ in 0..1 + draw(4) {
        let at = draw(bytes.len());
        let end = (at + 1 + draw(12)).min(bytes.len());
        match draw(5) {
            0 if at < bytes.len() => bytes[at] ^= 1 << draw(8),
            1 => drop(bytes.drain(at..end)),
            2 => drop(bytes.splice(at..at, b"\"\n,{[]}:\xff\0\xef\xbb\xbf\\"[draw(12)..].to_vec())),
            3 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            _ => bytes.truncate(at),
        }
    }
    bytes
}

#[test]
fn altered_files_of_every_form_are_read_or_refused() {
    let folder = tempdir().unwrap();
    for form in FORMS {
        let mut outcomes = [0, 0];
        for (index, seed) in seeds(form).iter().enumerate() {
            assert!(open_and_copy(folder.path(), form, seed), "{form} {index}");
            for number in 0..100 {
                let bytes = altered(seed, 1000 * index as u64 + number);
                outcomes[usize::from(open_and_copy(folder.path(), form, &bytes))] += 1;
            }
        }
        assert!(outcomes.iter().all(|&count| count > 5), "{form}: {outcomes:?}");
    }
}
