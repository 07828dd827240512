//! `[augment]`: tables of its keys, and its checks.

use super::document::{Located, Place};
use super::keys::Recipe;
use super::sections::value;
use super::settings::{Check, goes_with};
use super::values::FillKind;
use crate::language::Said;
use retune_data::Augmentation;
use retune_data::augment::TextAugmentation;
use retune_data::augment::text::{
    Amount, CaseChange, CharacterNoise, CharacterOperation, SentenceShuffling, SpanMasking, SynonymReplacement, Typos,
    WordDeletion, WordSwap,
};
use retune_data::augment::{
    Brightness, Change, Contrast, Fill, HorizontalFlip, Mixing, Noise, PadCrop, Rotation, Sometimes, VerticalFlip,
};
use serde::{Deserialize, Serialize};

/// A share of images whose values are inverted from a threshold on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Solarize {
    /// Share of images.
    pub probability: f32,
    /// Values from here on are inverted. Default 128.
    #[serde(default = "middle")]
    pub threshold: f64,
}

/// A share of images that are left with some bits of each value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Posterize {
    /// Share of images.
    pub probability: f32,
    /// Bits that are left, 0 to 8. Default 4.
    #[serde(default = "four")]
    pub bits: u32,
}

/// A share of images that are made sharper, or less sharp.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Sharpness {
    /// Share of images.
    pub probability: f32,
    /// Factor: 0 smooths, 1 changes nothing, 2 sharpens. Default 2.
    #[serde(default = "two")]
    pub factor: f64,
}

fn middle() -> f64 {
    128.0
}

fn four() -> u32 {
    4
}

fn two() -> f64 {
    2.0
}

impl From<Solarize> for Sometimes {
    fn from(keys: Solarize) -> Sometimes {
        Sometimes { probability: keys.probability, change: Change::Solarize(keys.threshold) }
    }
}

impl From<Posterize> for Sometimes {
    fn from(keys: Posterize) -> Sometimes {
        Sometimes { probability: keys.probability, change: Change::Posterize(keys.bits) }
    }
}

impl From<Sharpness> for Sometimes {
    fn from(keys: Sharpness) -> Sometimes {
        Sometimes { probability: keys.probability, change: Change::Sharpness(keys.factor) }
    }
}

impl Check<'_> {
    pub(super) fn mixing(&mut self, recipe: &Recipe) -> Option<Mixing> {
        let keys = &recipe.augment;
        let (mixup, cutmix) = (value(&keys.mixup), value(&keys.cutmix));
        let mixes = mixup.is_some() || cutmix.is_some();
        let either = ("goes with `mixup` or `cutmix`", "要与 `mixup` 或 `cutmix` 一起使用");
        self.belongs("augment.mix-probability", &keys.mix_probability, mixes, either);
        let probability = value(&keys.mix_probability).unwrap_or(1.0);
        let mixing = Mixing { mixup, cutmix, probability };
        if let Err(error) = mixing.check() {
            self.document.problem(Place::Absent, "augment", Said::looked_up(error.to_string()), None);
        }
        mixes.then_some(mixing)
    }

    /// Changes of texts, in the order in which they act: sentences, words, characters; words are hidden last.
    pub(super) fn augment_texts(&mut self, recipe: &Recipe) -> Vec<TextAugmentation> {
        let keys = &recipe.augment;
        let set = |key: &Option<Located<Amount>>| value(key).filter(|amount| amount.share != 0.0);
        let mut list = Vec::new();
        if let Some(probability) = value(&keys.sentence_shuffling).filter(|&probability| probability != 0.0) {
            list.push(TextAugmentation::SentenceShuffling(SentenceShuffling { probability }));
        }
        list.extend(set(&keys.synonyms).map(|amount| TextAugmentation::Synonyms(SynonymReplacement { amount })));
        list.extend(set(&keys.word_deletion).map(|amount| TextAugmentation::WordDeletion(WordDeletion { amount })));
        list.extend(set(&keys.word_swap).map(|amount| TextAugmentation::WordSwap(WordSwap { amount })));
        let operations = value(&keys.character_operations).unwrap_or_else(|| CharacterOperation::ALL.to_vec());
        let noise = set(&keys.character_noise).map(|amount| CharacterNoise { amount, operations });
        let deletion = set(&keys.character_deletion)
            .map(|amount| CharacterNoise { amount, operations: vec![CharacterOperation::Delete] });
        list.extend(noise.into_iter().chain(deletion).map(TextAugmentation::CharacterNoise));
        list.extend(set(&keys.typos).map(|amount| TextAugmentation::Typos(Typos { amount })));
        list.extend(set(&keys.case).map(|amount| TextAugmentation::Case(CaseChange { amount })));
        let mean_length = value(&keys.span_length).unwrap_or(SpanMasking::default().mean_length);
        list.extend(
            set(&keys.span_masking).map(|amount| TextAugmentation::SpanMasking(SpanMasking { amount, mean_length })),
        );
        let noisy = keys.character_noise.is_some();
        self.belongs("augment.character-operations", &keys.character_operations, noisy, goes_with("character-noise"));
        let masked = keys.span_masking.is_some();
        self.belongs("augment.span-length", &keys.span_length, masked, goes_with("span-masking"));
        let replaced = keys.synonyms.is_some();
        self.belongs("augment.synonyms-file", &keys.synonyms_file, replaced, goes_with("synonyms"));
        let by_word = [&keys.synonyms, &keys.word_deletion, &keys.word_swap, &keys.span_masking];
        let acts = by_word.iter().any(|key| key.is_some());
        let owners = (
            "goes with `synonyms`, `word-deletion`, `word-swap` or `span-masking`",
            "要与 `synonyms`、`word-deletion`、`word-swap` 或 `span-masking` 一起使用",
        );
        self.belongs("augment.words-file", &keys.words_file, acts, owners);
        if let (Some(synonyms), None) = (&keys.synonyms, &keys.synonyms_file) {
            let hint = Some("name a file of groups of words, such as `synonyms-file = \"synonyms.txt\"`".to_owned());
            let message = ("needs `synonyms-file`", "需要 `synonyms-file`");
            self.document.problem(synonyms.place.clone(), "augment.synonyms", message, hint);
        }
        for augmentation in &list {
            if let Err(error) = augmentation.check() {
                self.document.problem(Place::Absent, "augment", Said::looked_up(error.to_string()), None);
            }
        }
        list
    }

    pub(super) fn augment(&mut self, recipe: &Recipe) -> Vec<Augmentation> {
        let keys = &recipe.augment;
        let set = |key: &Option<Located<f32>>| value(key).filter(|&amount| amount != 0.0);
        let kind = value(&keys.fill).unwrap_or(FillKind::Reflect);
        let is_constant = kind == FillKind::Constant;
        let owner = ("belongs to `fill = \"constant\"`", "属于 `fill = \"constant\"`");
        self.belongs("augment.fill-value", &keys.fill_value, is_constant, owner);
        let fill = match kind {
            FillKind::Reflect => Fill::Reflect,
            FillKind::Nearest => Fill::Nearest,
            FillKind::Constant => Fill::Constant { value: value(&keys.fill_value).unwrap_or(0.0) },
        };
        let value_range = value(&keys.value_range).unwrap_or([0.0, 255.0]);
        let mut list = Vec::new();
        list.extend(value(&keys.random_resized_crop).map(Augmentation::RandomResizedCrop));
        if let Some(probability) = set(&keys.horizontal_flip) {
            list.push(Augmentation::HorizontalFlip(HorizontalFlip { probability }));
        }
        if let Some(probability) = set(&keys.vertical_flip) {
            list.push(Augmentation::VerticalFlip(VerticalFlip { probability }));
        }
        if let Some(padding) = value(&keys.pad_crop).filter(|&padding| padding != 0) {
            list.push(Augmentation::PadCrop(PadCrop { padding, fill }));
        }
        list.extend(value(&keys.affine).map(Augmentation::Affine));
        list.extend(value(&keys.perspective).map(Augmentation::Perspective));
        list.extend(value(&keys.policy).map(|policy| Augmentation::Policy { policy }));
        list.extend(value(&keys.color_jitter).map(Augmentation::ColorJitter));
        list.extend(value(&keys.blur).map(Augmentation::Blur));
        let alone = [
            (set(&keys.grey), Change::Grey),
            (set(&keys.auto_contrast), Change::AutoContrast),
            (set(&keys.equalize), Change::Equalize),
            (set(&keys.invert), Change::Invert),
        ];
        let strong = [
            value(&keys.solarize).map(Sometimes::from),
            value(&keys.posterize).map(Sometimes::from),
            value(&keys.sharpness).map(Sometimes::from),
        ];
        let alone = alone.into_iter().filter_map(|(share, change)| Some(Sometimes { probability: share?, change }));
        list.extend(strong.into_iter().flatten().chain(alone).map(Augmentation::Sometimes));
        if let Some(max_degrees) = set(&keys.rotation) {
            list.push(Augmentation::Rotation(Rotation { max_degrees, fill }));
        }
        if let Some(max_delta) = set(&keys.brightness) {
            list.push(Augmentation::Brightness(Brightness { max_delta, value_range }));
        }
        if let Some(max_change) = set(&keys.contrast) {
            list.push(Augmentation::Contrast(Contrast { max_change, value_range }));
        }
        list.extend(set(&keys.noise).map(|deviation| Augmentation::Noise(Noise { deviation })));
        list.extend(value(&keys.erasing).map(Augmentation::Erasing));
        for augmentation in &list {
            if let Err(error) = augmentation.check() {
                self.document.problem(Place::Absent, "augment", Said::looked_up(error.to_string()), None);
            }
        }
        list
    }
}
