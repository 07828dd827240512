//! Batches of texts: what an example gives does not depend on what stands around it, and any stream can be gone on with.

use crate::tokenizers::tokenizer;
use proptest::prelude::*;
use retune_data::dataset::Texts;
use retune_data::{
    Batch, BatchSize, Cursor, DataError, Dataset, Inputs, Labels, Loader, LoaderOptions, TextEncoder, TextSettings,
};
use std::collections::BTreeMap;
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
