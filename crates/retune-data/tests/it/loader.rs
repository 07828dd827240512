//! The stream of batches: the same whatever the number of threads, and resumable anywhere.

use crate::fixtures::*;
use proptest::prelude::*;
use retune_data::augment::{Augmentation, Drawn, augment_floats};
use retune_data::preprocess::{Color, FeatureType, Preprocessing, Rescale, Resize, Scratch, TargetEncoding};
use retune_data::{
    Batch, ClassWeights, Cursor, DataError, Dataset, Inputs, Labels, Loader, LoaderOptions, SourceOptions, Targets,
};
use retune_tensor::Tensor;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tempfile::tempdir;

const SIDE: usize = 6;
const SIZE: usize = SIDE * SIDE * 3;

/// `count` images of 6×6×3 bytes in 3 classes.
fn images(count: usize) -> Arc<Dataset> {
    let pixels: Vec<u8> = (0..count).flat_map(|example| (0..SIZE).map(move |at| pixel(example, at))).collect();
    let inputs = Inputs::Images(Tensor::new([count, SIDE, SIDE, 3], pixels).unwrap());
    let labels = Labels::classes("made", (0..count as i32).map(|i| i * i % 3).collect(), 3).unwrap();
    Arc::new(Dataset::new("made", inputs, labels).unwrap())
}

fn augmentations() -> Vec<Augmentation> {
    serde_json::from_str(
        r#"[{"kind":"horizontal-flip"},{"kind":"pad-crop","padding":2},{"kind":"rotation","max-degrees":20.0},
            {"kind":"contrast","max-change":0.3},{"kind":"brightness","max-delta":0.1}]"#,
    )
    .unwrap()
}

fn options(batch_size: usize, workers: usize) -> LoaderOptions {
    let preprocessing =
        Preprocessing { rescale: Some(Rescale { scale: 1.0 / 255.0, offset: 0.0 }), ..Preprocessing::default() };
    LoaderOptions {
        batch_size,
        workers: Some(workers),
        seed: 11,
        augment: augmentations(),
        preprocessing,
        ..LoaderOptions::default()
    }
}

fn loader(data: &Arc<Dataset>, options: LoaderOptions) -> Loader {
    Loader::new(data.clone(), data.ids(), options).unwrap()
}

/// (epoch, id, pixels, class) of every example, in order.
fn stream(batches: impl Iterator<Item = Result<Batch, DataError>>) -> Vec<(u64, u64, Vec<f32>, i32)> {
    batches
        .flat_map(|batch| {
            let batch = batch.unwrap();
            let classes = batch.targets.class_indices().unwrap().to_vec();
            let size = batch.inputs.dense()[0].len() / batch.len();
            let pixels: Vec<Vec<f32>> =
                batch.inputs.dense()[0].as_f32().unwrap().chunks(size).map(<[f32]>::to_vec).collect();
            let rows = batch.example_ids.iter().zip(pixels).zip(classes);
            rows.map(|((&id, pixels), class)| (batch.cursor.epoch, id, pixels, class)).collect::<Vec<_>>()
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn threads_and_batch_size_change_nothing(count in 1usize..40, batch in 1usize..12, workers in 0usize..5, prefetch in 1usize..4) {
        let data = images(count);
        let expected = stream(loader(&data, options(7, 0)).batches(Cursor::default(), 3));
        prop_assert_eq!(expected.len(), 3 * count);
        let other = loader(&data, LoaderOptions { prefetch, ..options(batch, workers) });
        prop_assert_eq!(&stream(other.batches(Cursor::default(), 3)), &expected);
    }

    #[test]
    fn resuming_goes_on_where_it_stopped(count in 1usize..40, batch in 1usize..12, stop in 1usize..20, drop_last: bool) {
        let data = images(count);
        let loader = loader(&data, LoaderOptions { drop_last, ..options(batch, 1) });
        let whole: Vec<Batch> = loader.batches(Cursor::default(), 3).map(Result::unwrap).collect();
        prop_assert_eq!(whole.len(), 3 * loader.batches_per_epoch());
        if let Some(last) = whole.get(stop) {
            let resumed: Vec<Batch> = loader.batches(last.next, 3).map(Result::unwrap).collect();
            prop_assert_eq!(&resumed[..], &whole[stop + 1..]);
        }
    }
}

#[test]
fn pixels_are_those_of_the_steps_one_by_one() {
    let data = images(20);
    let rows = stream(loader(&data, options(6, 2)).batches(Cursor { epoch: 4, position: 0 }, 6));
    assert_eq!(rows.len(), 40);
    for (epoch, id, found, class) in rows {
        let mut expected: Vec<f32> = (0..SIZE).map(|at| f32::from(pixel(id as usize, at))).collect();
        let drawn = Drawn { seed: 11, epoch, example: id };
        augment_floats(&augmentations(), 0, drawn, &mut expected, [SIDE, SIDE, 3], &mut Vec::new());
        expected.iter_mut().for_each(|x| *x *= 1.0 / 255.0);
        assert_eq!(found, expected);
        assert_eq!(class, (id * id % 3) as i32);
    }
}

#[test]
fn epochs_differ_and_hold_every_example() {
    let data = images(30);
    let loader = loader(&data, options(8, 1));
    assert_eq!((loader.len(), loader.batches_per_epoch(), loader.input_shape()), (30, 4, Some(&[SIDE, SIDE, 3][..])));
    let mut orders = BTreeMap::new();
    for epoch in 0..3 {
        let ids: Vec<u64> = loader.epoch(epoch).flat_map(|b| b.unwrap().example_ids).collect();
        assert_eq!(ids, *loader.order(epoch));
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, data.ids());
        orders.insert(ids, epoch);
    }
    assert_eq!(orders.len(), 3);
}

#[test]
fn image_files_are_resized_and_recolored() {
    let dir = tempdir().unwrap();
    image_folder(dir.path(), &["a", "b"], &[3, 2]);
    save(picture(5, 11, 7), &dir.path().join("b/large.png"));
    let data = Arc::new(retune_data::open(dir.path(), &SourceOptions::default()).unwrap().train);
    let preprocessing = Preprocessing {
        color: Some(Color::Grey),
        resize: Some(Resize::to(4, 4)),
        rescale: Some(Rescale { scale: 2.0, offset: 1.0 }),
        ..Preprocessing::default()
    };
    let options = LoaderOptions { workers: Some(3), ..LoaderOptions::sequential(4, preprocessing.clone()) };
    let rows = stream(loader(&data, options).epoch(0));
    assert_eq!(rows.iter().map(|r| (r.1, r.3)).collect::<Vec<_>>(), [(0, 0), (1, 0), (2, 0), (3, 1), (4, 1), (5, 1)]);
    for (_, id, found, _) in &rows {
        let (height, width) = if *id == 5 { (11, 7) } else { (6, 5) };
        let image = picture(*id as usize, height, width);
        let decoded = retune_data::decode::DecodedImage {
            height: height as usize,
            width: width as usize,
            channels: 3,
            pixels: image.into_raw(),
        };
        let mut expected = vec![0.0; 16];
        preprocessing.apply_image((&decoded).into(), &mut Scratch::default(), &mut expected).unwrap();
        assert_eq!(found, &expected);
    }

    let files = (0..3).map(|i| dir.path().join(format!("a/{i:03}.png"))).collect();
    let unlabelled = Arc::new(Dataset::from_image_files(files).unwrap());
    let options =
        LoaderOptions::sequential(2, Preprocessing { resize: Some(Resize::to(4, 4)), ..Preprocessing::default() });
    let batches: Vec<Batch> = loader(&unlabelled, options).epoch(0).map(Result::unwrap).collect();
    assert_eq!(
        batches.iter().map(|b| (b.inputs.dense()[0].shape()[0], &b.targets)).collect::<Vec<_>>(),
        [(2, &Targets::None), (1, &Targets::None)]
    );
}

#[test]
fn targets_are_encoded_as_asked_for() {
    let data = images(4);
    let first = |targets| {
        let preprocessing = Preprocessing { targets, ..Preprocessing::default() };
        let batch = loader(&data, LoaderOptions::sequential(4, preprocessing)).epoch(0).next().unwrap().unwrap();
        batch.targets
    };
    assert_eq!(first(TargetEncoding::AsStored), Targets::ClassIndex(vec![0, 1, 1, 0]));
    assert_eq!(first(TargetEncoding::Integer), Targets::ClassIndex(vec![0, 1, 1, 0]));
    let one_hot = Tensor::new([4, 3], vec![1f32, 0., 0., 0., 1., 0., 0., 1., 0., 1., 0., 0.]).unwrap();
    assert_eq!(first(TargetEncoding::OneHot), Targets::Dense(one_hot.clone()));
    assert_eq!(first(TargetEncoding::Value), Targets::Dense(Tensor::new([4, 1], vec![0f32, 1., 1., 0.]).unwrap()));

    let with = |labels, targets| {
        let data = Arc::new(Dataset::new("t", Inputs::Features(Tensor::zeros([4, 2])), labels).unwrap());
        let preprocessing = Preprocessing { targets, ..Preprocessing::default() };
        Loader::new(data.clone(), data.ids(), LoaderOptions::sequential(4, preprocessing))
            .map(|loader| loader.epoch(0).next().unwrap().unwrap().targets)
    };
    let vectors = || Labels::OneHot(one_hot.clone());
    assert_eq!(with(vectors(), TargetEncoding::Integer).unwrap(), Targets::ClassIndex(vec![0, 1, 1, 0]));
    assert_eq!(with(vectors(), TargetEncoding::AsStored).unwrap(), Targets::Dense(one_hot.clone()));
    let real = Labels::Real(one_hot.clone());
    assert!(matches!(with(real, TargetEncoding::Integer), Err(DataError::Setting { .. })));
}

#[test]
fn features_of_every_type() {
    let labels = || Labels::classes("t", vec![0, 1], 2).unwrap();
    let batch = |x: Tensor, preprocessing: Preprocessing| {
        let data = Arc::new(Dataset::new("t", Inputs::Features(x), labels()).unwrap());
        Loader::new(data.clone(), data.ids(), LoaderOptions::sequential(2, preprocessing))
            .and_then(|loader| loader.epoch(0).next().unwrap())
    };
    let scaled = Preprocessing { rescale: Some(Rescale { scale: 0.5, offset: 1.0 }), ..Preprocessing::default() };
    let x = Tensor::new([2, 2], vec![0i64, 2, 4, -6]).unwrap();
    assert_eq!(
        batch(x.clone(), scaled).unwrap().inputs.dense(),
        [Tensor::new([2, 2], vec![1f32, 2., 3., -2.]).unwrap()]
    );
    let integers = Preprocessing { features: FeatureType::Integer, ..Preprocessing::default() };
    assert_eq!(
        batch(x, integers.clone()).unwrap().inputs.dense(),
        [Tensor::new([2, 2], vec![0i32, 2, 4, -6]).unwrap()]
    );
    let large = Tensor::new([2, 1], vec![1i64 << 40, 0]).unwrap();
    assert!(matches!(batch(large, integers.clone()), Err(DataError::Setting { .. })));
    let halves = Tensor::new([2, 1], vec![0.5f32, 0.0]).unwrap();
    assert!(matches!(batch(halves, integers), Err(DataError::Setting { .. })));
    let resized = Preprocessing { resize: Some(Resize::to(2, 2)), ..Preprocessing::default() };
    assert!(matches!(batch(Tensor::zeros([2, 4]), resized), Err(DataError::Setting { name, .. }) if name == "resize"));
}

#[test]
fn weights_of_classes_and_examples_multiply() {
    let data = images(4);
    let class_weights = ClassWeights::Given(vec![1.0, 3.0, 5.0]).resolve(&data, &data.ids()).unwrap();
    let weighted = LoaderOptions {
        class_weights: Some(class_weights),
        example_weights: Some(vec![1.0, 2.0, 0.5, 4.0]),
        ..LoaderOptions::sequential(4, Preprocessing::default())
    };
    let batch = loader(&data, weighted.clone()).epoch(0).next().unwrap().unwrap();
    assert_eq!(batch.sample_weights, Some(vec![1.0, 6.0, 1.5, 4.0]));
    for bad in [
        LoaderOptions { class_weights: Some(vec![1.0]), ..weighted.clone() },
        LoaderOptions { example_weights: Some(vec![1.0]), ..weighted.clone() },
        LoaderOptions { batch_size: 0, ..weighted.clone() },
    ] {
        assert!(matches!(Loader::new(data.clone(), data.ids(), bad), Err(DataError::Setting { .. })));
    }
    assert!(matches!(Loader::new(data.clone(), vec![], weighted.clone()), Err(DataError::NoExamples { .. })));
    assert!(matches!(Loader::new(data.clone(), vec![4], weighted), Err(DataError::BadId { id: 4, .. })));
}

#[test]
fn recycled_memory_holds_no_old_values() {
    let data = images(23);
    let loader = loader(&data, options(5, 2));
    let expected = stream(loader.batches(Cursor::default(), 2));
    let mut batches = loader.batches(Cursor::default(), 2);
    let mut found = Vec::new();
    while let Some(batch) = batches.next() {
        let batch = batch.unwrap();
        found.extend(stream(std::iter::once(Ok(batch.clone()))));
        batches.recycle(batch);
    }
    assert_eq!(found, expected);
}

#[test]
fn dropping_a_stream_ends_its_threads() {
    let data = images(1000);
    let loader = loader(&data, options(1, 4));
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for taken in [0, 1, 5] {
            let mut batches = loader.batches(Cursor::default(), 1000);
            assert_eq!(batches.by_ref().take(taken).count(), taken);
        }
        sender.send(()).unwrap();
    });
    receiver.recv_timeout(Duration::from_secs(30)).expect("dropping waits for the batches in hand only");
}
