//! What crates say that know English alone is known in Chinese: their sources are read, so that no text is forgotten.

use retune_audit::language::phrases::chinese;
use std::path::{Path, PathBuf};

/// Files and folders whose texts are no messages, or are said by the command line from their fields: `cli/sentences`.
const OTHER_FILES: [&str; 5] = ["error.rs", "card.rs", "print.rs", "curves.rs", "report"];

/// Calls and macros whose texts are for developers, or names of settings.
const OTHER_CALLS: [&str; 6] = ["expect(", "unreachable!(", "assert!(", "assert_eq!(", "debug_struct(", "setting("];

/// Texts that are no messages: names of settings and networks, ends of texts that are put together, and marks in files.
const OTHER_TEXTS: [&str; 32] = [
    "affine probability",
    "blur probability",
    "posterize bits",
    "solarize threshold",
    "color-jitter probability",
    "erasing probability",
    "erasing scale",
    "erasing ratio",
    "flip probability",
    "perspective probability",
    "random-resized-crop scale",
    "random-resized-crop ratio",
    ", second text: X",
    "X (X images in X class folders",
    ", X other files left out",
    "pairs of texts",
    "second text",
    "version https://git-lfs",
    " (the file has `X`)",
    "ResNet (torchvision, timm; CIFAR variants with `linear`)",
    "Swin (timm, the authors' files)",
    "Values of type `",
    "X, … (X in all)",
    "nothing happens before `train`",
    "there is no metric `X`",
    "there are no views `X`, only X",
    "X problemX X",
    "retune clean … --drop X",
    "Instruction set",
    "model name",
    "penalty weight",
    "retune features0",
];

#[test]
fn every_message_of_the_crates_below_is_known() {
    let mut count = 0;
    let mut unknown = Vec::new();
    for crate_name in ["data", "formats", "models", "graph", "tensor", "train"] {
        for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../retune-{crate_name}/src"))) {
            if OTHER_FILES.iter().any(|name| path.components().any(|part| part.as_os_str() == *name)) {
                continue;
            }
            for text in literals(&std::fs::read_to_string(&path).unwrap()) {
                count += 1;
                if !text.lines().all(|line| is_chinese(&chinese(line)) || OTHER_TEXTS.contains(&line)) {
                    unknown.push(format!("{}: {text}", path.display()));
                }
            }
        }
    }
    assert!(count > 800, "{count}");
    assert!(unknown.is_empty(), "add these to `language/phrases`, with their Chinese text: {unknown:#?}");
}

#[test]
fn every_hint_of_training_and_of_the_command_line_is_known() {
    let mut count = 0;
    let mut unknown = Vec::new();
    for crate_name in ["retune", "retune-train", "retune-audit", "retune-hub", "retune-data", "retune-models"] {
        for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../{crate_name}/src"))) {
            for hint in hints(&std::fs::read_to_string(&path).unwrap()) {
                count += 1;
                let is_known = chinese(&hint) != hint && is_chinese(&chinese(&hint));
                if !is_known && !hint.starts_with("retune") {
                    unknown.push(format!("{}: {hint}", path.display()));
                }
            }
        }
    }
    assert!(count > 60, "{count}");
    assert!(unknown.is_empty(), "add these to `language/phrases/hints.rs`, with their Chinese text: {unknown:#?}");
}

/// The Rust files of a folder and those below it.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Whether no two English words stand side by side, but in backticks, where names stand.
fn is_chinese(text: &str) -> bool {
    let outside: String = text.split('`').step_by(2).collect::<Vec<_>>().join("`");
    let is_word = |word: &str| word.len() > 1 && word.chars().all(|c| c.is_ascii_lowercase());
    let words: Vec<&str> = outside.split(' ').collect();
    !words.windows(2).any(|pair| pair.iter().all(|word| is_word(word)))
}

/// English texts of several words in a source, up to its tests, with `X` for values; but those that have their Chinese text beside them.
fn literals(source: &str) -> Vec<String> {
    let all = every_literal(source);
    let has_chinese = |text: &str| text.contains(|c| matches!(c, '\u{3400}'..='\u{9fff}'));
    let is_said = |at: usize| all.get(at + 1).is_some_and(|(_, next)| has_chinese(next));
    let alone = all.iter().enumerate().filter(|(at, (is_message, text))| {
        *is_message
            && text.contains(' ')
            && text.contains(|c: char| c.is_ascii_lowercase())
            && !has_chinese(text)
            && !is_said(*at)
    });
    alone.map(|(_, (_, text))| text.clone()).collect()
}

/// Every text of a source, and whether it may be a message by where it stands.
fn every_literal(source: &str) -> Vec<(bool, String)> {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(at) = rest.find(['"', '\'', '/']) {
        let before = &source[..source.len() - rest.len() + at];
        rest = match rest.as_bytes()[at] {
            b'/' if rest[at..].starts_with("//") => rest[at..].split_once('\n').map_or("", |(_, after)| after),
            b'\'' => &rest[at + character_len(&rest[at..])..],
            b'"' if before.ends_with('r') || before.ends_with('#') => {
                let end = if before.ends_with('#') { "\"#" } else { "\"" };
                rest[at + 1..].split_once(end).map_or("", |(_, after)| after)
            }
            b'"' => {
                let (text, len) = literal(&rest[at + 1..]);
                let statement = before.rsplit([';', '{', '}']).next().unwrap_or_default();
                let is_other = OTHER_CALLS.iter().any(|call| match call.contains('!') {
                    true => statement.contains(call),
                    false => before.trim_end().ends_with(call),
                });
                found.push((!is_other, text));
                &rest[at + 1 + len..]
            }
            _ => &rest[at + 1..],
        };
    }
    found
}

/// Length of a character in quotes; of a lifetime, that of its quote.
fn character_len(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match (characters.next(), characters.next()) {
        (Some((_, '\\')), _) => text[3..].find('\'').map_or(1, |end| end + 4),
        (Some(_), Some((end, '\''))) => end + 1,
        _ => 1,
    }
}

/// Texts behind `.hint(` and `\nhint: ` of a source, up to its tests.
fn hints(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let mut found = Vec::new();
    for (mark, ends_literal) in [(".hint(", false), ("\\nhint: ", true)] {
        for (at, _) in source.match_indices(mark) {
            let rest = source[at + mark.len()..].trim_start().trim_start_matches("format!(").trim_start();
            let text = match (ends_literal, rest.strip_prefix('"')) {
                (true, _) => rest,
                (false, Some(literal)) => literal,
                (false, None) => continue,
            };
            // What is a value alone is made elsewhere.
            found.extend(Some(literal(text).0).filter(|text| text.len() > 1));
        }
    }
    found
}

/// A text up to its closing quote, as it is when the program runs, with `X` for values, and its length in the source.
fn literal(source: &str) -> (String, usize) {
    let (mut text, mut characters) = (String::new(), source.char_indices().peekable());
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (text, at + 1),
            '\\' => match characters.next() {
                Some((_, '\n')) => while characters.next_if(|(_, c)| c.is_whitespace()).is_some() {},
                Some((_, 'n')) => text.push('\n'),
                Some((_, other)) => text.push(other),
                None => break,
            },
            '{' if characters.next_if(|(_, c)| *c == '{').is_some() => text.push('{'),
            '}' if characters.next_if(|(_, c)| *c == '}').is_some() => text.push('}'),
            '{' => match value_len(&source[at + 1..]) {
                Some(len) => {
                    text.push('X');
                    while characters.next_if(|(inside, _)| *inside < at + 1 + len).is_some() {}
                }
                None => text.push('{'),
            },
            other => text.push(other),
        }
    }
    (text, source.len())
}

/// Length of a value's name behind its brace, the closing one included; `None` where the brace stands for itself.
fn value_len(source: &str) -> Option<usize> {
    let end = source.find('}')?;
    let name = source[..end].split(':').next().unwrap_or_default();
    name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.')).then_some(end + 1)
}
