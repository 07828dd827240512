//! A tiny network with everything that could make a run depend on more than its seed: convolution, batch normalization,
//! dropout; and a tiny data set of images with augmentation.

use retune_cpu::Cpu;
use retune_data::augment::{HorizontalFlip, PadCrop};
use retune_data::{Augmentation, Dataset, Inputs, Labels, Loader, LoaderOptions};
use retune_models::Model;
use retune_tensor::{Key, Purpose, Tensor};
use retune_train::losses::Loss;
use retune_train::optimizers::{Adam, Optimizer};
use retune_train::schedules::{Cosine, Decay, Schedule, Warmup};
use retune_train::trainer::{Job, Stage, TrainSettings};
use serde_json::json;
use std::sync::Arc;

pub const CLASSES: usize = 3;

/// A layer with its configuration.
fn layer(class: &str, mut config: serde_json::Value, name: &str) -> serde_json::Value {
    config["name"] = name.into();
    json!({ "module": "keras.layers", "class_name": class, "config": config, "registered_name": null })
}

/// A fresh network for images `[8, 8, 1]`, with softmax.
pub fn model(batch_norm: bool, seed: u64) -> Model {
    let mut layers = vec![
        layer("InputLayer", json!({ "batch_shape": [null, 8, 8, 1], "dtype": "float32" }), "input"),
        layer(
            "Conv2D",
            json!({ "filters": 4, "kernel_size": [3, 3], "padding": "same", "activation": "relu" }),
            "conv",
        ),
    ];
    if batch_norm {
        layers.push(layer("BatchNormalization", json!({ "axis": [-1] }), "norm"));
    }
    layers.extend([
        layer("MaxPooling2D", json!({ "pool_size": [2, 2] }), "pool"),
        layer("Flatten", json!({}), "flatten"),
        layer("Dropout", json!({ "rate": 0.25 }), "dropout"),
        layer("Dense", json!({ "units": CLASSES, "activation": "softmax" }), "head"),
    ]);
    let config = json!({ "name": "tiny", "layers": layers });
    let description =
        json!({ "module": "keras", "class_name": "Sequential", "config": config, "registered_name": "Sequential" });
    Model::from_description(&description, Some("3.15.1"), seed).unwrap().0
}

/// Images whose class is the place of a bright stripe.
pub fn data(examples: usize) -> Arc<Dataset> {
    let key = Key::new(5).with(Purpose::Test(0));
    let labels: Vec<i32> = (0..examples).map(|i| (i * 7 % CLASSES) as i32).collect();
    let pixels: Vec<f32> = (0..examples * 64)
        .map(|i| {
            let (class, row) = (labels[i / 64] as usize, i % 64 / 8);
            let stripe = if row / 3 == class { 1.0 } else { 0.0 };
            stripe + key.uniform(i as u64)
        })
        .collect();
    let inputs = Inputs::Images(Tensor::new([examples, 8, 8, 1], pixels).unwrap());
    Arc::new(Dataset::new("stripes", inputs, Labels::classes("stripes", labels, CLASSES).unwrap()).unwrap())
}

pub fn loader(ids: Vec<u64>, batch_size: usize, train: bool) -> Loader {
    let augment = vec![
        Augmentation::HorizontalFlip(HorizontalFlip { probability: 0.5 }),
        Augmentation::PadCrop(PadCrop { padding: 1, fill: Default::default() }),
    ];
    let options = LoaderOptions { batch_size, shuffle: train, seed: 11, ..LoaderOptions::default() };
    let options = if train { LoaderOptions { augment, ..options } } else { options };
    Loader::new(data(60), ids, options).unwrap()
}

/// 44 examples to train on and 16 to validate; Adam, warmup and cosine.
pub fn job(threads: usize) -> Job {
    let decay = Decay::Cosine(Cosine { decay_steps: 20, end: 0.1 });
    Job {
        cpu: Cpu::new(threads),
        model: model(true, 3),
        input_shapes: None,
        loss: Loss::SparseCategoricalCrossEntropy { from_logits: false, label_smoothing: 0.05 },
        optimizer: Optimizer::Adam(Adam::default()).into(),
        stages: vec![Stage::whole(Schedule { learning_rate: 0.01, warmup: Warmup { steps: 3, start: 0.1 }, decay })],
        train: loader((0..44).collect(), 8, true),
        validation: Some(loader((44..60).collect(), 8, false)),
        test: None,
        also: None,
        probe: None,
        settings: TrainSettings { epochs: 4, seed: 11, log_every: 2, ..TrainSettings::default() },
    }
}
