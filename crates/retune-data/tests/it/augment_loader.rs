//! Augmentation in the stream of batches: the same whatever the threads, on bytes, on normalized values, and mixed.

use crate::fixtures::*;
use retune_data::augment::{Augmentation, Mixing};
use retune_data::preprocess::{Color, Normalize, Preprocessing, Rescale, Resize, TargetEncoding};
use retune_data::{Batch, Dataset, Inputs, Labels, Loader, LoaderOptions, SourceOptions};
use retune_tensor::Tensor;
use std::num::NonZeroU64;
use std::sync::Arc;
use tempfile::tempdir;

/// Every augmentation of images, in the order of the stages.
fn everything() -> Vec<Augmentation> {
    serde_json::from_str(
        r#"[{"kind":"random-resized-crop","scale":[0.4,1.0]},{"kind":"horizontal-flip"},
            {"kind":"pad-crop","padding":2},{"kind":"affine","degrees":15.0,"interpolation":"bilinear"},
            {"kind":"perspective","probability":0.5},{"kind":"policy","policy":{"kind":"rand-augment"}},
            {"kind":"policy","policy":{"kind":"trivial-augment"}},
            {"kind":"policy","policy":{"kind":"auto-augment","searched-on":"cifar10"}},
            {"kind":"policy","policy":{"kind":"aug-mix"}},
            {"kind":"color-jitter","brightness":0.3,"contrast":0.3,"saturation":0.3,"hue":0.1},
            {"kind":"blur"},{"kind":"sometimes","probability":0.3,"change":{"change":"solarize","strength":100.0}},
            {"kind":"sometimes","probability":0.1,"change":{"change":"grey"}},
            {"kind":"rotation","max-degrees":5.0},{"kind":"brightness","max-delta":0.1},
            {"kind":"noise","deviation":0.1},{"kind":"erasing","probability":0.5}]"#,
    )
    .unwrap()
}

fn preprocessing(color: Color) -> Preprocessing {
    Preprocessing {
        color: Some(color),
        resize: Some(Resize::to(12, 10)),
        rescale: Some(Rescale { scale: 1.0 / 255.0, offset: 0.0 }),
        normalize: Some(Normalize { mean: vec![0.5], std: vec![0.25] }),
        ..Preprocessing::default()
    }
}

fn folder() -> (tempfile::TempDir, Arc<Dataset>) {
    let root = tempdir().unwrap();
    image_folder(root.path(), &["a", "b"], &[7, 6]);
    let parts = retune_data::open(root.path(), &SourceOptions::default()).unwrap();
    (root, Arc::new(parts.train))
}

/// Inputs by id, whatever the order.
fn inputs(data: &Arc<Dataset>, epoch: u64, options: LoaderOptions) -> Vec<(u64, Vec<f32>)> {
    let loader = Loader::new(data.clone(), data.ids(), options).unwrap();
    let mut rows: Vec<(u64, Vec<f32>)> = loader.epoch(epoch).flat_map(|batch| rows(&batch.unwrap())).collect();
    rows.sort_by_key(|row| row.0);
    rows
}

fn rows(batch: &Batch) -> Vec<(u64, Vec<f32>)> {
    let input = &batch.inputs.dense()[0];
    let size = input.len() / batch.len();
    batch.example_ids.iter().copied().zip(input.as_f32().unwrap().chunks(size).map(<[f32]>::to_vec)).collect()
}

#[test]
fn everything_depends_on_seed_epoch_and_example_alone() {
    let (_root, data) = folder();
    for color in [Color::Rgb, Color::Grey] {
        let options = |batch_size, workers, seed| LoaderOptions {
            batch_size,
            workers: Some(workers),
            seed,
            augment: everything(),
            preprocessing: preprocessing(color),
            ..LoaderOptions::default()
        };
        let first = inputs(&data, 3, options(4, 0, 1));
        assert_eq!(first.len(), 13);
        assert!(first.iter().all(|(_, x)| x.len() == 120 * color.channels() && x.iter().all(|x| x.is_finite())));
        assert_eq!(first, inputs(&data, 3, options(5, 3, 1)));
        for other in [inputs(&data, 4, options(4, 0, 1)), inputs(&data, 3, options(4, 0, 2))] {
            let same = first.iter().zip(&other).filter(|(a, b)| a.1 == b.1).count();
            assert_eq!(same, 0, "every example is another one");
        }
    }
}

/// Blue, green, red is the same image with its channels the other way round: colours are changed before.
#[test]
fn order_of_channels_changes_no_augmentation() {
    let (_root, data) = folder();
    let bytes: Vec<Augmentation> =
        everything().into_iter().filter(|a| !matches!(a, Augmentation::Noise(_) | Augmentation::Erasing(_))).collect();
    let run = |color| {
        let augment = bytes.clone();
        let options = LoaderOptions { augment, preprocessing: preprocessing(color), ..LoaderOptions::default() };
        inputs(&data, 0, options)
    };
    for ((id, rgb), (_, bgr)) in run(Color::Rgb).into_iter().zip(run(Color::Bgr)) {
        let turned: Vec<f32> = bgr.chunks(3).flat_map(|p| [p[2], p[1], p[0]]).collect();
        assert_eq!(rgb, turned, "{id}");
    }
}

/// Evaluation has no random part at all: neither augmentation nor mixing is in the options for it.
#[test]
fn evaluation_is_never_augmented() {
    let options = LoaderOptions::sequential(4, preprocessing(Color::Rgb));
    assert!(options.augment.is_empty() && options.mixing.is_none() && !options.shuffle);
    let (_root, data) = folder();
    let loader = Loader::new(data.clone(), data.ids(), options.clone()).unwrap();
    assert_eq!(loader.augmentations(), Some(1));
    assert_eq!(inputs(&data, 0, options.clone()), inputs(&data, 5, options));
}

#[test]
fn what_is_mixed_is_never_kept() {
    let (_root, data) = folder();
    let mixing = Some(Mixing { mixup: Some(0.5), cutmix: Some(1.0), probability: 1.0 });
    let one_hot = Preprocessing { targets: TargetEncoding::OneHot, ..preprocessing(Color::Rgb) };
    let options = LoaderOptions {
        mixing,
        augmentations: NonZeroU64::new(2),
        batch_size: 5,
        preprocessing: one_hot,
        ..LoaderOptions::default()
    };
    let loader = Loader::new(data.clone(), data.ids(), options.clone()).unwrap();
    assert_eq!(loader.augmentations(), None);
    for batch in loader.epoch(0) {
        let batch = batch.unwrap();
        for row in batch.targets.dense().unwrap().as_f32().unwrap().chunks(2) {
            assert!((row[0] + row[1] - 1.0).abs() < 1e-6);
        }
    }
    let plain = LoaderOptions { mixing: None, ..options.clone() };
    let same = inputs(&data, 0, options.clone()).into_iter().zip(inputs(&data, 0, plain));
    assert!(same.filter(|(a, b)| a == b).count() <= 3, "most examples are mixed");
    let numbers = LoaderOptions { preprocessing: preprocessing(Color::Rgb), ..options };
    let error = Loader::new(data.clone(), data.ids(), numbers).unwrap_err().to_string();
    assert!(error.contains("one-hot"), "{error}");
}

#[test]
fn noise_and_mixup_act_on_tables() {
    let values: Vec<f32> = (0..60).map(|i| i as f32).collect();
    let inputs_of = Inputs::Features(Tensor::new([20, 3], values).unwrap());
    let labels = Labels::classes("made", (0..20).map(|i| i % 2).collect(), 2).unwrap();
    let data = Arc::new(Dataset::new("made", inputs_of, labels).unwrap());
    let noise: Vec<Augmentation> = serde_json::from_str(r#"[{"kind":"noise","deviation":0.01}]"#).unwrap();
    let options = LoaderOptions { augment: noise, batch_size: 6, ..LoaderOptions::default() };
    let noisy = inputs(&data, 0, options.clone());
    for (id, row) in &noisy {
        for (i, x) in row.iter().enumerate() {
            let off = (x - (id * 3 + i as u64) as f32).abs();
            assert!(off > 0.0 && off < 0.06, "{id} {off}");
        }
    }
    assert_ne!(noisy, inputs(&data, 1, options));
    let flips = LoaderOptions { augment: everything(), ..LoaderOptions::default() };
    assert!(Loader::new(data.clone(), data.ids(), flips).unwrap_err().to_string().contains("images"));
    let mixing = Some(Mixing { mixup: Some(1.0), cutmix: None, probability: 1.0 });
    let targets = Preprocessing { targets: TargetEncoding::OneHot, ..Preprocessing::default() };
    let options = LoaderOptions { mixing, preprocessing: targets, ..LoaderOptions::default() };
    assert!(inputs(&data, 0, options).iter().any(|(id, row)| row[0] != (id * 3) as f32));
}

#[test]
fn stages_follow_one_another_and_bytes_are_needed() {
    let pixels = vec![0.5f32; 2 * 4 * 4 * 3];
    let floats = Inputs::Images(Tensor::new([2, 4, 4, 3], pixels).unwrap());
    let labels = Labels::classes("made", vec![0, 1], 2).unwrap();
    let data = Arc::new(Dataset::new("made", floats, labels).unwrap());
    let refused = |list: &str| {
        let augment: Vec<Augmentation> = serde_json::from_str(list).unwrap();
        let options = LoaderOptions { augment, ..LoaderOptions::default() };
        Loader::new(data.clone(), data.ids(), options).unwrap_err().to_string()
    };
    assert!(refused(r#"[{"kind":"blur"}]"#).contains("8 bits"));
    for list in [
        r#"[{"kind":"horizontal-flip"},{"kind":"random-resized-crop"}]"#,
        r#"[{"kind":"rotation","max-degrees":3.0},{"kind":"blur"}]"#,
        r#"[{"kind":"erasing"},{"kind":"rotation","max-degrees":3.0}]"#,
    ] {
        assert!(refused(list).contains("another order"), "{list}");
    }
}
