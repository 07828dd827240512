//! Sentences in another order.

use crate::augment::check_probability;
use crate::augment::draws::Draws;
use crate::error::DataError;
use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

/// The sentences of a text in random order. They end as Unicode has it (UAX #29): behind `.`, `?`, `!`, `。`, `？`, `！` and the like with
/// what closes them, and at line breaks. The spaces between them stay where they are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SentenceShuffling {
    /// Share of texts, 0 to 1.
    pub probability: f32,
}

impl SentenceShuffling {
    pub(crate) fn check(&self) -> Result<(), DataError> {
        check_probability("sentence-shuffling", self.probability)
    }

    pub(crate) fn apply(&self, draws: &mut Draws, text: &mut String) {
        if !draws.happens(self.probability) {
            return;
        }
        let parts: Vec<(&str, &str)> = sentences(text).map(|part| part.split_at(part.trim_end().len())).collect();
        let sentences: Vec<&str> = parts.iter().map(|(sentence, _)| *sentence).filter(|s| !s.is_empty()).collect();
        let order = draws.permutation(sentences.len());
        let mut next = order.into_iter().map(|i| sentences[i]);
        let mut shuffled = String::with_capacity(text.len());
        for (sentence, space) in parts {
            if !sentence.is_empty() {
                shuffled.push_str(next.next().unwrap_or(sentence));
            }
            shuffled.push_str(space);
        }
        *text = shuffled;
    }
}

/// Sentences with the spaces behind them. Unicode puts every quotation mark and bracket to the sentence before it; those that open
/// belong to the next one.
fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let opens = |c: char| matches!(c, '“' | '‘' | '「' | '『' | '《' | '（' | '【' | '(' | '[' | '«' | '„' | '¿' | '¡');
    let mut start = 0;
    let bounds = text.split_sentence_bound_indices().map(|(at, part)| at + part.len());
    bounds.map(move |end| {
        let kept = text[start..end].trim_end_matches(opens).len();
        // What only opens, or ends the text, stays.
        let end = if kept == 0 || end == text.len() { end } else { start + kept };
        let sentence = &text[start..end];
        start = end;
        sentence
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use retune_tensor::{Key, Purpose};

    #[test]
    fn sentences_move_as_wholes() {
        for (text, sentences) in [
            (
                "One came. Two went!  Was it \"three?\" Yes.",
                vec!["One came.", "Two went!", "Was it \"three?\"", "Yes."],
            ),
            ("房间很大。服务不好！“真的？”是的", vec!["房间很大。", "服务不好！", "“真的？”", "是的"]),
        ] {
            let mut seen = std::collections::BTreeSet::new();
            for example in 0..50 {
                let mut changed = text.to_owned();
                let key = Key::new(1).with(Purpose::Test(0)).at(0, example);
                SentenceShuffling { probability: 1.0 }.apply(&mut Draws::new(key), &mut changed);
                assert_eq!(changed.len(), text.len());
                assert!(sentences.iter().all(|sentence| changed.contains(sentence)), "{changed}");
                seen.insert(changed);
            }
            assert!(seen.len() > 8, "{seen:?}");
        }
    }
}
