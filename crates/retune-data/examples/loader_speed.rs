//! Times the loader on 50,000 made-up 32×32 colour images in memory, batch 32, per batch on the calling thread.
//!
//! `cargo run --release -p retune-data --example loader_speed`

use retune_data::augment::{Augmentation, Fill, HorizontalFlip, PadCrop};
use retune_data::preprocess::{Normalize, Preprocessing, Rescale};
use retune_data::{Dataset, Inputs, Labels, Loader, LoaderOptions};
use retune_tensor::Tensor;
use std::sync::Arc;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const COUNT: usize = 50_000;
    let pixels: Vec<u8> = (0..COUNT * 3072).map(|i| (i * 31 % 251) as u8).collect();
    let images = Inputs::Images(Tensor::new([COUNT, 32, 32, 3], pixels)?);
    let labels = Labels::classes("made up", (0..COUNT as i32).map(|i| i % 10).collect(), 10)?;
    let data = Arc::new(Dataset::new("made up", images, labels)?);

    let rescale =
        Preprocessing { rescale: Some(Rescale { scale: 1.0 / 255.0, offset: 0.0 }), ..Preprocessing::default() };
    let normalize = Preprocessing {
        normalize: Some(Normalize { mean: vec![0.49, 0.48, 0.45], std: vec![0.25, 0.24, 0.26] }),
        ..rescale.clone()
    };
    let usual = vec![
        Augmentation::HorizontalFlip(HorizontalFlip { probability: 0.5 }),
        Augmentation::PadCrop(PadCrop { padding: 4, fill: Fill::Reflect }),
    ];
    let cases = [
        ("rescale", rescale, vec![]),
        ("normalize per channel", normalize.clone(), vec![]),
        ("normalize, flip, pad and crop", normalize, usual),
    ];
    for (name, preprocessing, augment) in cases {
        for workers in [0, 1] {
            let options = LoaderOptions {
                preprocessing: preprocessing.clone(),
                augment: augment.clone(),
                workers: Some(workers),
                ..LoaderOptions::default()
            };
            let loader = Loader::new(data.clone(), data.ids(), options)?;
            let start = Instant::now();
            let mut batches = loader.epoch(0);
            let mut count = 0u32;
            while let Some(batch) = batches.next() {
                count += 1;
                batches.recycle(batch?);
            }
            let micros = start.elapsed().as_secs_f64() * 1e6 / f64::from(count);
            println!("{name}, {workers} workers: {micros:.0} µs per batch");
        }
    }
    Ok(())
}
