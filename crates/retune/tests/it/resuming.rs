//! Runs that are killed or interrupted, and resumed, end with the same bits as one that was left alone.

use crate::support::Workplace;
use std::time::{Duration, Instant};

const LONG: &[&str] = &["fit", "tiny.toml", "--set", "train.epochs=12", "--set", "output.save-every-steps=5"];

/// The weights and the last checkpoint (weights and what the optimizer remembers) of a run.
fn result(place: &Workplace) -> (Vec<Vec<u32>>, Vec<u8>) {
    let (model, _) = retune::Model::load(place.path("runs/tiny/model.keras")).unwrap();
    let bits = |weight: &retune::models::Weight| weight.value.to_f32_vec().into_iter().map(f32::to_bits).collect();
    (model.weights.iter().map(bits).collect(), place.read("runs/tiny/checkpoints/step-00000168.safetensors"))
}

/// The same of a run that nobody disturbed.
fn undisturbed() -> (Vec<Vec<u32>>, Vec<u8>) {
    let place = Workplace::new();
    place.run(LONG).ok();
    result(&place)
}

#[test]
fn killed_at_any_moment_and_resumed_it_is_bit_identical() {
    let expected = undisturbed();
    let mut moment = 7u64;
    for _ in 0..3 {
        let place = Workplace::new();
        let (mut kills, mut finished) = (0, false);
        for _ in 0..60 {
            let arguments = if place.path("runs/tiny/run.json").exists() { &["resume", "runs/tiny"][..] } else { LONG };
            let mut child = place.start(arguments);
            moment = moment.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            std::thread::sleep(Duration::from_millis(10 + 15 * kills + (moment >> 33) % 60));
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success(), "{:?}", child.wait_with_output());
                finished = true;
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
        }
        assert!(finished && kills > 0, "killed {kills} times");
        assert!(result(&place) == expected, "after {kills} kills");
    }
}

#[cfg(unix)]
#[test]
fn interrupted_it_saves_and_says_how_to_resume() {
    let expected = undisturbed();
    // Ctrl-C, and what batch systems send before they kill.
    for signal in ["-INT", "-TERM"] {
        let place = Workplace::new();
        let endless = ["fit", "tiny.toml", "--set", "train.epochs=12", "--set", "output.save-every-steps=1"];
        let child = place.start(&endless);
        let start = Instant::now();
        while !place.path("runs/tiny/checkpoints/step-00000003.json").exists() {
            assert!(start.elapsed() < Duration::from_secs(60), "no checkpoint was saved");
            std::thread::sleep(Duration::from_millis(1));
        }
        let interrupt = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(interrupt.success());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(130), "{stderr}");
        assert!(stderr.contains("stopping: the step at hand is finished and saved"), "{stderr}");
        assert!(stderr.contains("hint: go on with `retune resume runs/tiny`"), "{stderr}");
        assert!(!place.path("runs/tiny/model.keras").exists());
        place.run(&["resume", "runs/tiny"]).ok();
        assert!(result(&place) == expected, "resumed, it ends like one that was left alone");
    }
}

/// Training of a trained network's head alone, for which what its frozen layers give is kept in the folder `kept`, or not.
fn head<'a>(output: &'a str, cache: &'a str) -> Vec<&'a str> {
    let fit = ["--json", "-q", "fit", "--model", "runs/tiny/model.keras", "--data", "digits.npz", "--method", "head"];
    let rest =
        ["--epochs", "12", "--cache-dir", "kept", "--set", cache, "--set", "output.save-every-steps=1", "-o", output];
    [fit.as_slice(), &rest].concat()
}

#[cfg(unix)]
#[test]
fn what_frozen_layers_gave_is_read_by_later_processes() {
    let place = Workplace::new();
    place.run(&["-q", "fit", "tiny.toml"]).ok();
    let features = |arguments: &[&str]| place.run(arguments).json()["features"].clone();
    assert!(features(&head("without", "train.cache=false")).is_null());
    // Interrupted early, it goes on in another process; a third one finds everything there.
    let child = place.start(&head("stopped", "train.cache=true"));
    let start = Instant::now();
    while !place.path("stopped/checkpoints/step-00000003.json").exists() {
        assert!(start.elapsed() < Duration::from_secs(60), "no checkpoint was saved");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    assert!(features(&["--json", "-q", "resume", "stopped"])["read"].as_u64() > Some(0));
    assert_eq!(features(&head("later", "train.cache=true"))["computed"], 0);
    let bits = |run: &str| {
        let (model, _) = retune::Model::load(place.path(run).join("model.keras")).unwrap();
        model.weights.iter().flat_map(|weight| weight.value.to_f32_vec()).map(f32::to_bits).collect::<Vec<_>>()
    };
    assert!(bits("stopped") == bits("without") && bits("later") == bits("without"));
}

#[test]
fn what_cannot_be_resumed_is_said() {
    let place = Workplace::new();
    assert!(place.run(&["resume", "runs/tiny"]).fails(1).contains("`runs/tiny` does not exist"));
    std::fs::create_dir(place.path("empty")).unwrap();
    assert!(place.run(&["resume", "empty"]).fails(1).contains("`empty` holds no run that can be resumed"));
    place.run(&["-q", "fit", "tiny.toml"]).ok();
    let mut csv = place.read("digits.npz");
    let last = csv.len() / 2;
    csv[last] ^= 1;
    place.write("digits.npz", csv);
    let error = place.run(&["resume", "runs/tiny"]).fails(1);
    assert!(error.contains("changed since the run began") || error.contains("digits.npz"), "{error}");
}
