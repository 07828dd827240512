//! What `check` says about memory, against what the system says a run took.

use crate::support::Workplace;
use std::time::Duration;

/// Two convolutions over 128 images of 64×64 pixels: a run of some 160 MB, beside which the program itself is small.
const RECIPE: &str = r#"
[model]
input-shape = [64, 64, 3]
layers = [
    { class = "Conv2D", filters = 24, kernel-size = 3, padding = "same", activation = "relu" },
    { class = "Conv2D", filters = 24, kernel-size = 3, padding = "same", activation = "relu" },
    { class = "MaxPooling2D" },
    { class = "GlobalAveragePooling2D" },
    { class = "Dense", units = 4, activation = "softmax" },
]

[data]
path = "images.npz"

[split]
validation = 0.25

[preprocess]
scale = 0.004

[train]
epochs = 1
batch-size = 64
"#;

#[test]
fn a_run_takes_the_memory_that_was_planned() {
    let place = Workplace::new();
    let pixels: Vec<u8> = (0..128 * 64 * 64 * 3).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let images = retune::Tensor::new([128, 64, 64, 3], pixels).unwrap();
    let labels = retune::Tensor::new([128], (0..128).map(|i| (i % 4) as u8).collect::<Vec<_>>()).unwrap();
    retune::formats::npz::write(place.path("images.npz"), [("x", &images), ("y", &labels)]).unwrap();
    place.write("memory.toml", RECIPE);
    let checked = place.run(&["--json", "check", "memory.toml", "--no-timing"]).json();
    let planned = checked["run_bytes"].as_u64().unwrap() as f64;
    assert!(planned > 100e6, "{checked}");

    let mut child = place.start(&["--quiet", "fit", "memory.toml"]);
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0.0f64;
    let ended = loop {
        // The most memory that the process ever had resident, in kilobytes; gone once it has ended.
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
        peak = peak.max(1024.0 * kilobytes.unwrap_or(0.0));
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    assert!(ended.success());
    let ratio = peak / planned;
    assert!((0.85..=1.15).contains(&ratio), "planned {planned}, measured {peak}: {ratio:.3}");
}
