//! Batches of texts: what an example gives does not depend on what stands around it, and any stream can be gone on with.

use crate::tokenizers::tokenizer;
use proptest::prelude::*;
use retune_data::augment::text::{Amount, CharacterNoise, SpanMasking, Typos, WordDeletion, WordList, WordSwap};
use retune_data::augment::{TextAugmentation, TextAugmenter};
use retune_data::dataset::Texts;
use retune_data::{
    Batch, BatchSize, Cursor, DataError, Dataset, Inputs, Labels, Loader, LoaderOptions, TextEncoder, TextSettings,
};
use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::{Arc, OnceLock};

fn encoder() -> Arc<TextEncoder> {
    static ENCODER: OnceLock<Arc<TextEncoder>> = OnceLock::new();
    let settings = TextSettings { max_tokens: Some(20), ..TextSettings::default() };
    ENCODER.get_or_init(|| Arc::new(TextEncoder::new(&tokenizer("wordpiece"), settings, None).unwrap())).clone()
}

/// `count` pairs of texts of different lengths in 3 classes.
fn pairs(count: usize) -> Arc<Dataset> {
    let texts = Texts {
        first: (0..count).map(|i| format!("the {}dog", "lazy ".repeat(i * 7 % 11))).collect(),
        second: Some((0..count).map(|i| format!("brown {}", "好吃 ".repeat(i % 5))).collect()),
    };
    let labels = Labels::classes("made", (0..count as i32).map(|i| i * i % 3).collect(), 3).unwrap();
    Arc::new(Dataset::new("made", Inputs::Texts(texts), labels).unwrap())
}

fn loader(data: &Arc<Dataset>, options: LoaderOptions) -> Loader {
    let options = LoaderOptions { encoder: Some(encoder()), seed: 5, ..options };
    Loader::new(data.clone(), data.ids(), options).unwrap()
}

/// Token ids, types, positions and class of each example of each epoch.
type Examples = BTreeMap<(u64, u64), (Vec<i32>, Vec<i32>, Vec<i32>, i32)>;

fn examples(batches: &[Batch]) -> Examples {
    let mut found = Examples::new();
    for batch in batches {
        let inputs = batch.inputs.tokens().unwrap();
        let ints = |name: &str| inputs.get(name).unwrap().as_i32().unwrap();
        let mut start = 0;
        for (index, &length) in ints("lengths").iter().enumerate() {
            let range = start..start + length as usize;
            start = range.end;
            let part = |name| ints(name)[range.clone()].to_vec();
            let example = (
                part("token_ids"),
                part("token_types"),
                part("positions"),
                batch.targets.class_indices().unwrap()[index],
            );
            assert!(found.insert((batch.cursor.epoch, batch.example_ids[index]), example).is_none(), "given once");
        }
        assert_eq!((start, inputs.sequences()), (inputs.tokens(), batch.len()));
    }
    found
}

fn all(loader: &Loader, from: Cursor, end: u64) -> Vec<Batch> {
    loader.batches(from, end).map(Result::unwrap).collect()
}

fn options() -> impl Strategy<Value = LoaderOptions> {
    let tokens = prop_oneof![Just(None), (1usize..90).prop_map(Some)];
    (1usize..9, tokens, any::<bool>(), any::<bool>(), 0usize..4, 1usize..4).prop_map(
        |(batch_size, batch_tokens, bucket, shuffle, workers, prefetch)| LoaderOptions {
            batch_size: if batch_tokens.is_some() && batch_size > 4 { usize::MAX } else { batch_size },
            batch_tokens,
            bucket,
            shuffle,
            workers: Some(workers),
            prefetch,
            ..LoaderOptions::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_example_is_the_same_in_every_batch(count in 1usize..60, options in options()) {
        let data = pairs(count);
        let alone = loader(&data, LoaderOptions { workers: Some(0), ..LoaderOptions::sequential(1, Default::default()) });
        let expected = examples(&all(&alone, Cursor::default(), 2));
        prop_assert_eq!(expected.len(), 2 * count);
        let loader = loader(&data, options);
        prop_assert_eq!(examples(&all(&loader, Cursor::default(), 2)), expected);
    }

    #[test]
    fn neither_threads_nor_resuming_change_a_batch(count in 1usize..60, options in options(), stop in 0usize..40) {
        let data = pairs(count);
        let one = loader(&data, LoaderOptions { workers: Some(0), prefetch: 1, ..options.clone() });
        let whole = all(&one, Cursor::default(), 3);
        prop_assert_eq!(&all(&loader(&data, options.clone()), Cursor::default(), 3), &whole);
        let largest = one.largest_batch();
        for batch in &whole {
            let tokens = batch.inputs.tokens().unwrap().tokens();
            prop_assert!(batch.len() <= largest.examples && tokens <= largest.tokens, "{largest:?}");
            prop_assert!(options.batch_tokens.is_none_or(|most| tokens <= most || batch.len() == 1));
        }
        if options.batch_tokens.is_none() {
            prop_assert_eq!(whole.len(), 3 * one.batches_per_epoch());
        }
        let stop = stop % whole.len();
        prop_assert_eq!(&all(&one, whole[stop].next, 3), &whole[stop + 1..]);
        prop_assert_eq!(&all(&one, whole[stop].cursor, 3), &whole[stop..]);
    }
}

#[test]
fn lengths_are_known_before_the_first_batch() {
    let data = pairs(40);
    let loader = loader(&data, LoaderOptions { batch_size: 8, ..LoaderOptions::default() });
    let statistics = loader.token_statistics().unwrap();
    assert_eq!((statistics.examples, statistics.most), (40, 20));
    assert!(statistics.truncated > 0 && statistics.mean < 20.0);
    assert_eq!(loader.mean_batch(), BatchSize { examples: 8, tokens: statistics.tokens.div_ceil(5) });
    assert!(loader.largest_batch().tokens <= 8 * 20 && loader.largest_batch().tokens > loader.mean_batch().tokens);
    assert_eq!(loader.input_shape(), None);
    assert!(loader.token_bytes() > 4 * statistics.tokens);
}

#[test]
fn texts_without_tokens_count_as_unreadable() {
    // This tokenizer puts no marks around a text.
    let encoder = TextEncoder::new(&tokenizer("regex_bpe"), TextSettings::default(), None).unwrap();
    let first = ["a b", "", "c"].map(str::to_owned).to_vec();
    let data = Arc::new(Dataset::from_texts("made", Texts::single(first)).unwrap());
    let options =
        LoaderOptions { encoder: Some(Arc::new(encoder)), ..LoaderOptions::sequential(2, Default::default()) };
    let error = Loader::new(data.clone(), data.ids(), options.clone()).unwrap_err();
    assert!(matches!(&error, DataError::BadExamples { bad, .. } if bad[0].id == 1), "{error}");
    let loader = Loader::new(data.clone(), data.ids(), LoaderOptions { tolerance: 1, ..options }).unwrap();
    assert_eq!((loader.len(), loader.skipped()[0].id, loader.order(0)), (2, 1, vec![0, 2]));
}

#[test]
fn settings_that_do_not_belong_together_are_refused() {
    let data = pairs(4);
    let new = |options: LoaderOptions| Loader::new(data.clone(), data.ids(), options);
    assert!(matches!(new(LoaderOptions::default()), Err(DataError::NoTokenizer { .. })));
    let with = |options| LoaderOptions { encoder: Some(encoder()), ..options };
    let both = LoaderOptions { batch_tokens: Some(8), drop_last: true, ..LoaderOptions::default() };
    assert!(matches!(new(with(both)), Err(DataError::Setting { .. })));
    assert!(new(with(LoaderOptions { batch_tokens: Some(0), ..LoaderOptions::default() })).is_err());
    let numbers = Inputs::Features(retune_tensor::Tensor::zeros([3, 2]));
    let numbers = Arc::new(Dataset::new("numbers", numbers, Labels::None).unwrap());
    for options in [
        LoaderOptions { batch_tokens: Some(8), ..LoaderOptions::default() },
        LoaderOptions { bucket: true, ..LoaderOptions::default() },
    ] {
        assert!(matches!(Loader::new(numbers.clone(), vec![0], options), Err(DataError::Setting { .. })));
    }
}

/// Changes of words and characters, so strong that hardly a text stays as it is.
fn augmenter() -> Option<Arc<TextAugmenter>> {
    let amount = Amount { share: 0.3, probability: 1.0 };
    let list = vec![
        TextAugmentation::WordDeletion(WordDeletion { amount }),
        TextAugmentation::WordSwap(WordSwap { amount }),
        TextAugmentation::CharacterNoise(CharacterNoise { amount, ..CharacterNoise::default() }),
    ];
    Some(Arc::new(TextAugmenter::new(list, WordList::default(), None).unwrap()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_changed_text_is_the_same_in_every_batch_and_after_resuming(count in 1usize..60, options in options(), stop in 0usize..40) {
        let data = pairs(count);
        let options = LoaderOptions { text_augment: augmenter(), ..options };
        let sequential = LoaderOptions::sequential(1, Default::default());
        let alone = LoaderOptions { workers: Some(0), text_augment: augmenter(), ..sequential };
        let expected = examples(&all(&loader(&data, alone), Cursor::default(), 3));
        let one = loader(&data, LoaderOptions { workers: Some(0), prefetch: 1, ..options.clone() });
        let whole = all(&one, Cursor::default(), 3);
        prop_assert_eq!(&examples(&whole), &expected);
        prop_assert_eq!(&all(&loader(&data, options), Cursor::default(), 3), &whole);
        let stop = stop % whole.len();
        prop_assert_eq!(&all(&one, whole[stop].next, 3), &whole[stop + 1..]);
        // Another epoch has other texts; lengths are told of the unchanged ones.
        if count > 20 {
            let of_epoch = |epoch| expected.range((epoch, 0)..(epoch + 1, 0)).map(|(_, example)| example.clone()).collect::<Vec<_>>();
            prop_assert!(of_epoch(0) != of_epoch(1));
        }
        let unchanged = loader(&data, LoaderOptions { workers: Some(0), ..LoaderOptions::default() });
        prop_assert_eq!(one.token_statistics(), unchanged.token_statistics());
        prop_assert!(one.changes_texts() && !unchanged.changes_texts());
    }
}

#[test]
fn few_augmentations_come_again_with_the_same_keys() {
    let data = pairs(30);
    let options =
        LoaderOptions { text_augment: augmenter(), augmentations: NonZeroU64::new(2), ..LoaderOptions::default() };
    let few = loader(&data, options.clone());
    assert_eq!(
        (few.augmentations(), loader(&data, LoaderOptions { augmentations: None, ..options }).augmentations()),
        (Some(2), None)
    );
    let key = |loader: &Loader, id, epoch| loader.keys(&[id], epoch).unwrap();
    assert!((0..30).all(|id| key(&few, id, 0) == key(&few, id, 2) && few.text_of(id, 1) == few.text_of(id, 3)));
    let differ = (0..30).filter(|&id| key(&few, id, 0) != key(&few, id, 1)).count();
    assert!(differ > 20, "{differ} of 30 texts differ from epoch to epoch");
    let plain = loader(&data, LoaderOptions::default());
    let changed = (0..30).filter(|&id| key(&few, id, 0) != key(&plain, id, 0)).count();
    assert!(changed > 20, "what is kept of unchanged texts is not taken for changed ones: {changed}");
}

#[test]
fn labels_of_words_stay_with_their_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("words.conll");
    let word = |i: usize| format!("{} {}", ["the", "lazy", "dog", "好吃"][i % 4], ["O", "B-X", "B-Y"][i % 3]);
    let sentence = |i: usize| (0..=i % 7).map(|j| word(i + j) + "\n").collect::<String>();
    std::fs::write(&path, (0..20).map(|i| sentence(i) + "\n").collect::<String>()).unwrap();
    let data = Arc::new(retune_data::open(&path, &Default::default()).unwrap().train);
    let encoder = TextEncoder::new(&tokenizer("wordpiece"), TextSettings::default(), None).unwrap().of_words().unwrap();
    let encoder = Arc::new(encoder);
    let new = |list: Vec<TextAugmentation>| {
        let augmenter = TextAugmenter::new(list, WordList::default(), None).unwrap();
        let (encoder, text_augment) = (Some(encoder.clone()), Some(Arc::new(augmenter)));
        Loader::new(data.clone(), data.ids(), LoaderOptions { encoder, text_augment, ..LoaderOptions::default() })
    };
    let amount = Amount { share: 0.5, probability: 1.0 };
    let error = new(vec![TextAugmentation::WordDeletion(WordDeletion { amount })]).unwrap_err().to_string();
    assert!(error.contains("word-deletion") && error.contains("labels of words"), "{error}");
    let changed = new(vec![
        TextAugmentation::Typos(Typos { amount }),
        TextAugmentation::SpanMasking(SpanMasking { amount, mean_length: 2.0 }),
    ])
    .unwrap();
    let plain = new(vec![]).unwrap();
    let mut differ = 0;
    for id in data.ids() {
        let classes = |loader: &Loader| match loader.batch_of(&[id], 0).unwrap().targets {
            retune_data::Targets::TokenClasses(classes) => classes.into_iter().filter(|&c| c >= 0).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(classes(&changed), classes(&plain), "one label for each word, in their order");
        differ += usize::from(changed.text_of(id, 0) != plain.text_of(id, 0));
    }
    assert!(differ > 15, "{differ} of 20 are changed");
}

#[test]
fn masking_needs_a_mask_token() {
    let data = pairs(10);
    let masking = TextAugmentation::SpanMasking(SpanMasking::default());
    let augmenter = Arc::new(TextAugmenter::new(vec![masking], WordList::default(), None).unwrap());
    for (name, mask) in [("wordpiece", Some("[MASK]")), ("bytes_bpe", Some("<mask>")), ("regex_bpe", None)] {
        let encoder = TextEncoder::new(&tokenizer(name), TextSettings::default(), None).unwrap();
        assert_eq!(encoder.mask_token().as_deref(), mask);
        let (encoder, text_augment) = (Some(Arc::new(encoder)), Some(augmenter.clone()));
        let made =
            Loader::new(data.clone(), data.ids(), LoaderOptions { encoder, text_augment, ..LoaderOptions::default() });
        match mask {
            Some(_) => assert!(made.is_ok()),
            None => assert!(made.unwrap_err().to_string().contains("mask token")),
        }
    }
}
