//! Examples of which values are kept are neither read nor decoded, and every change to them is another key.

use crate::fixtures::*;
use retune_data::augment::Augmentation;
use retune_data::preprocess::{Color, Rescale, Resize};
use retune_data::{Batch, BatchInputs, ContentHash, Keeper, Loader, LoaderOptions, Preprocessing, SourceOptions, open};
use std::collections::HashMap;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Keeps one value of some examples.
#[derive(Debug)]
struct Kept {
    values: Mutex<HashMap<[u8; 32], f32>>,
    replaces_inputs: bool,
}

impl Kept {
    fn new(replaces_inputs: bool) -> Arc<Kept> {
        Arc::new(Kept { values: Mutex::default(), replaces_inputs })
    }

    /// Keeps the id of each example for which `wanted` is true.
    fn learn(&self, loader: &Loader, wanted: impl Fn(u64) -> bool) {
        for id in loader.order(0).into_iter().filter(|&id| wanted(id)) {
            self.values.lock().unwrap().insert(loader.keys(&[id], 0).unwrap()[0].0, id as f32);
        }
    }
}

impl Keeper for Kept {
    fn kept(&self, key: &ContentHash) -> Option<Vec<f32>> {
        Some(vec![*self.values.lock().unwrap().get(&key.0)?])
    }

    fn replaces_inputs(&self) -> bool {
        self.replaces_inputs
    }
}

fn loader(root: &Path, options: LoaderOptions) -> Loader {
    let data = Arc::new(open(root, &SourceOptions::default()).unwrap().train);
    let ids = data.ids();
    Loader::new(data, ids, LoaderOptions { batch_size: 4, ..options }).unwrap()
}

fn rows(inputs: &BatchInputs) -> Vec<Vec<f32>> {
    let tensor = &inputs.dense()[0];
    let width: usize = tensor.shape()[1..].iter().product();
    tensor.as_f32().unwrap().chunks(width.max(1)).map(<[f32]>::to_vec).collect()
}

fn batches(loader: &Loader, epoch: u64, keeper: Option<Arc<dyn Keeper>>) -> Vec<Batch> {
    loader.epoch_with(epoch, keeper).map(Result::unwrap).collect()
}

#[test]
fn kept_examples_need_no_file() {
    let folder = tempfile::tempdir().unwrap();
    image_folder(folder.path(), &["a", "b"], &[5, 6]);
    let loader = loader(folder.path(), LoaderOptions { workers: Some(2), ..LoaderOptions::default() });
    let plain = batches(&loader, 1, None);
    assert!(plain.iter().all(|batch| batch.kept.is_none()));

    // Every third is kept: the inputs are those of the others.
    let some = Kept::new(true);
    some.learn(&loader, |id| id % 3 == 0);
    for (plain, batch) in plain.iter().zip(batches(&loader, 1, Some(some))) {
        assert_eq!((&batch.example_ids, &batch.targets, batch.next), (&plain.example_ids, &plain.targets, plain.next));
        let kept = batch.kept.as_ref().unwrap();
        assert!(kept.partial);
        let missing = kept.missing();
        let expected: Vec<Vec<f32>> = missing.iter().map(|&place| rows(&plain.inputs)[place].clone()).collect();
        assert_eq!(rows(&batch.inputs), expected);
        assert_eq!(batch.inputs, plain.inputs.select(&missing));
        for ((&id, key), values) in batch.example_ids.iter().zip(&kept.keys).zip(&kept.values) {
            assert_eq!(*key, loader.keys(&[id], 1).unwrap()[0]);
            assert_eq!(*values, (id % 3 == 0).then(|| vec![id as f32]));
        }
    }
    // A network that reads its inputs beside what is kept is given all of them.
    let beside = Kept::new(false);
    beside.learn(&loader, |id| id % 3 == 0);
    for (plain, batch) in plain.iter().zip(batches(&loader, 1, Some(beside))) {
        assert_eq!(batch.inputs, plain.inputs);
        assert!(!batch.kept.unwrap().partial);
    }
    // All are kept: the files may as well be gone.
    let all = Kept::new(true);
    all.learn(&loader, |_| true);
    std::fs::remove_dir_all(folder.path().join("a")).unwrap();
    let found = batches(&loader, 1, Some(all));
    assert!(found.iter().all(|batch| batch.kept.as_ref().unwrap().missing().is_empty()));
    assert_eq!(found.iter().map(Batch::len).sum::<usize>(), 11);
    assert!(loader.skipped().is_empty());
}

/// What is decoded has the key of the bytes that were decoded, and what cannot be decoded is skipped as ever.
#[test]
fn files_that_change_meanwhile_are_other_examples() {
    let folder = tempfile::tempdir().unwrap();
    image_folder(folder.path(), &["a"], &[3]);
    let options = LoaderOptions { shuffle: false, tolerance: 1, ..LoaderOptions::default() };
    let loader = loader(folder.path(), options);
    let before: Vec<ContentHash> = loader.keys(&[0, 1, 2], 0).unwrap();
    save(picture(77, 6, 5), &folder.path().join("a/001.png"));
    std::fs::write(folder.path().join("a/002.png"), b"no image").unwrap();
    let batch = batches(&loader, 0, Some(Kept::new(true))).remove(0);
    assert_eq!(batch.example_ids, [0, 1]);
    let kept = batch.kept.unwrap();
    assert_eq!((kept.keys[0], kept.values.len()), (before[0], 2));
    assert!(!before.contains(&kept.keys[1]));
    assert_eq!(loader.skipped().len(), 1);
}

#[test]
fn each_setting_gives_other_keys() {
    let folder = tempfile::tempdir().unwrap();
    image_folder(folder.path(), &["a"], &[4]);
    let with = |preprocessing: Preprocessing, augment: &[Augmentation], augmentations: Option<u64>, seed| {
        let options = LoaderOptions {
            preprocessing,
            augment: augment.to_vec(),
            augmentations: augmentations.and_then(NonZeroU64::new),
            seed,
            ..LoaderOptions::default()
        };
        loader(folder.path(), options)
    };
    let plain = Preprocessing::default;
    let drawn: [Augmentation; 2] =
        serde_json::from_str(r#"[{"kind":"horizontal-flip"},{"kind":"pad-crop","padding":2}]"#).unwrap();
    let rescale = Some(Rescale { scale: 0.5, offset: 0.0 });
    let resize: Resize = serde_json::from_str(r#"{"height":4,"width":4}"#).unwrap();
    let loaders = [
        with(plain(), &[], None, 0),
        with(Preprocessing { rescale, ..plain() }, &[], None, 0),
        with(Preprocessing { resize: Some(resize), ..plain() }, &[], None, 0),
        with(Preprocessing { color: Some(Color::Grey), ..plain() }, &[], None, 0),
        with(plain(), &drawn, Some(2), 0),
        with(plain(), &drawn, Some(2), 1),
    ];
    let mut keys: Vec<[u8; 32]> =
        loaders.iter().flat_map(|loader| (0..4).map(|id| loader.keys(&[id], 0).unwrap()[0].0)).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 6 * 4);
    // Without augmentation neither seed nor epoch matter; with two of them every second epoch is the same.
    assert_eq!(loaders[0].keys(&[1], 0).unwrap(), with(plain(), &[], None, 9).keys(&[1], 5).unwrap());
    assert_eq!(loaders[4].augmentations(), Some(2));
    assert_eq!(loaders[4].keys(&[1], 0).unwrap(), loaders[4].keys(&[1], 2).unwrap());
    assert_ne!(loaders[4].keys(&[1], 0).unwrap(), loaders[4].keys(&[1], 1).unwrap());
    assert_eq!(with(plain(), &drawn, None, 0).augmentations(), None);
    // And the images of epoch 3 are those of epoch 1 where they are augmented in two ways.
    let of = |epoch| {
        let batches = batches(&loaders[4], epoch, None);
        let mut images: Vec<(u64, Vec<f32>)> =
            batches.iter().flat_map(|batch| batch.example_ids.iter().copied().zip(rows(&batch.inputs))).collect();
        images.sort_by_key(|image| image.0);
        images
    };
    assert_eq!(of(1), of(3));
    assert_ne!(of(0), of(1));
}
