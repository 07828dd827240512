//! How many images of a folder one thread decodes and augments in a second: random-resized-crop, flip, RandAugment, normalization.
//!
//! `cargo run --release -p retune-data --example augment_speed -- FOLDER SIDE [PASSES]` reports one JSON object.

use retune_data::augment::Augmentation;
use retune_data::preprocess::{Color, Normalize, Preprocessing, Rescale, Resize};
use retune_data::{Loader, LoaderOptions, SourceOptions};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Images of a pass at most.
const IMAGES: usize = 2000;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, side, passes @ ..] = arguments.as_slice() else { return Err("give a folder and a side".into()) };
    let side: usize = side.parse()?;
    let passes: u64 = passes.first().map_or(Ok(3), |passes| passes.parse())?;
    let data = retune_data::open(Path::new(folder), &SourceOptions::default())?.train;
    let ids: Vec<u64> = data.ids().into_iter().take(IMAGES).collect();
    let augment: Vec<Augmentation> = serde_json::from_str(
        r#"[{"kind":"random-resized-crop"},{"kind":"horizontal-flip"},{"kind":"policy","policy":{"kind":"rand-augment"}}]"#,
    )?;
    let preprocessing = Preprocessing {
        color: Some(Color::Rgb),
        resize: Some(Resize::to(side, side)),
        rescale: Some(Rescale { scale: 1.0 / 255.0, offset: 0.0 }),
        normalize: Some(Normalize { mean: vec![0.485, 0.456, 0.406], std: vec![0.229, 0.224, 0.225] }),
        ..Preprocessing::default()
    };
    let options = LoaderOptions { workers: Some(0), augment, preprocessing, ..LoaderOptions::default() };
    let loader = Loader::new(Arc::new(data), ids, options)?;
    let pass = |epoch| -> Result<usize, Box<dyn Error>> {
        let mut images = 0;
        let mut batches = loader.epoch(epoch);
        while let Some(batch) = batches.next() {
            let batch = batch?;
            images += batch.len();
            batches.recycle(batch);
        }
        Ok(images)
    };
    // Files come into the memory of the system.
    pass(0)?;
    let mut rates = Vec::new();
    for epoch in 1..=passes {
        let start = Instant::now();
        let images = pass(epoch)?;
        rates.push(images as f64 / start.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    println!("{{\"images_per_s\": {:.1}}}", rates[rates.len() / 2]);
    Ok(())
}
