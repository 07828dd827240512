//! What stands in the way of a run: a full disk, an impatient user, images that cannot be read. Each time the last checkpoint
//! stays whole, and the run goes on from it.

use crate::support::{RECIPE, Workplace, bitmap};
use std::io::{BufRead, BufReader};
use std::process::Command;
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_retune");

/// A line for every step, so that the log grows, and a checkpoint every 5 steps.
const FIT: &str = "fit tiny.toml --set train.epochs=12 --set output.log-every-steps=1 --set output.save-every-steps=5";

fn weights(place: &Workplace) -> Vec<Vec<u32>> {
    let (model, _) = retune::Model::load(place.path("runs/tiny/model.keras")).unwrap();
    model.weights.iter().map(|w| w.value.to_f32_vec().into_iter().map(f32::to_bits).collect()).collect()
}

fn undisturbed() -> Vec<Vec<u32>> {
    let place = Workplace::new();
    place.run(&FIT.split(' ').collect::<Vec<_>>()).ok();
    weights(&place)
}

/// Runs a script of `sh` in the folder and gives what it wrote to both outputs.
fn script(place: &Workplace, program: &[&str], script: &str) -> String {
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).args(["-c", script]).current_dir(place.path("."));
    let output = command.env("RETUNE", BINARY).output().unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

fn checkpoints(place: &Workplace) -> Vec<String> {
    let entries = std::fs::read_dir(place.path("runs/tiny/checkpoints")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Files that may not grow any further: a quota, as every system can set one for a process.
#[test]
fn a_quota_that_is_used_up_stops_the_run_and_it_goes_on_with_room() {
    let expected = undisturbed();
    let place = Workplace::new();
    // 48 blocks of 512 bytes; without the trap the system would end the process before it can say why.
    let said = script(&place, &["sh"], &format!("trap '' XFSZ; ulimit -f 48; \"$RETUNE\" -q {FIT}; echo code $?"));
    assert!(said.contains("code 1") && said.contains("error: cannot write `runs/tiny/"), "{said}");
    assert!(said.contains("File too large") && said.contains("hint: what was saved before is unharmed"), "{said}");
    assert!(!place.path("runs/tiny/model.keras").exists());
    assert!(
        checkpoints(&place).iter().filter(|name| name.ends_with(".json")).count() >= 2,
        "{:?}",
        checkpoints(&place)
    );
    place.run(&["resume", "runs/tiny"]).ok();
    assert!(weights(&place) == expected, "resumed, it ends like one that was left alone");
}

/// A file system of 112 KiB that is really full. Where the system lets no ordinary user mount one, the test before this one
/// stands alone.
#[test]
fn a_full_disk_stops_the_run_and_it_goes_on_with_room() {
    let unshare = ["unshare", "--user", "--map-root-user", "--mount", "sh"];
    let mount = "mount -t tmpfs -o size=112k tmpfs runs";
    let place = Workplace::new();
    std::fs::create_dir(place.path("runs")).unwrap();
    let possible = Command::new("unshare").arg("--version").output().is_ok_and(|output| output.status.success())
        && script(&place, &unshare, &format!("{mount} && echo mounted")).contains("mounted");
    if !possible {
        eprintln!("this system lets no ordinary user mount a file system; the quota's test stands alone");
        return;
    }
    let expected = undisturbed();
    let said = script(
        &place,
        &unshare,
        &format!(
            "{mount} && \"$RETUNE\" -q {FIT}; echo code $?; ls runs/tiny/checkpoints
             mount -o remount,size=8m runs && \"$RETUNE\" -q resume runs/tiny && echo resumed && cp -r runs/tiny kept"
        ),
    );
    assert!(said.contains("No space left on device") && said.contains("code 1"), "{said}");
    assert!(said.contains("hint: what was saved before is unharmed"), "{said}");
    assert!(said.contains("step-") && said.contains("resumed"), "{said}");
    std::fs::rename(place.path("kept"), place.path("runs/tiny")).unwrap();
    assert!(weights(&place) == expected, "resumed, it ends like one that was left alone");
}

/// Steps of about half a second, so that the second Ctrl-C comes while the first one's step is at work.
#[test]
fn a_second_interrupt_stops_at_once_and_the_checkpoint_is_whole() {
    let place = Workplace::new();
    let images = retune::Tensor::new([192, 64, 64, 3], vec![9u8; 192 * 64 * 64 * 3]).unwrap();
    let labels = retune::Tensor::new([192], (0..192).map(|i| (i % 4) as u8).collect::<Vec<_>>()).unwrap();
    retune::formats::npz::write(place.path("images.npz"), [("x", &images), ("y", &labels)]).unwrap();
    let slow = r#"
[model]
input-shape = [64, 64, 3]
layers = [
    { class = "Conv2D", filters = 32, kernel-size = 3, padding = "same", activation = "relu" },
    { class = "Conv2D", filters = 32, kernel-size = 3, padding = "same", activation = "relu" },
    { class = "GlobalAveragePooling2D" },
    { class = "Dense", units = 4, activation = "softmax" },
]
[data]
path = "images.npz"
[split]
validation = 0.0
[train]
max-steps = 3
batch-size = 32
accumulate = 6
[output]
save-every-steps = 1
"#;
    place.write("slow.toml", slow);
    let mut child = place.start(&["fit", "slow.toml"]);
    let signal = |id: u32| assert!(Command::new("kill").args(["-INT", &id.to_string()]).status().unwrap().success());
    let first = place.path("runs/slow/checkpoints/step-00000001.json");
    let start = Instant::now();
    while !first.exists() {
        assert!(start.elapsed() < Duration::from_secs(60), "no checkpoint was saved");
        std::thread::sleep(Duration::from_millis(1));
    }
    signal(child.id());
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("stopping: the step at hand")));
    signal(child.id());
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!rest.iter().any(|line| line.contains("go on with")), "the step was not finished: {rest:?}");
    let names: Vec<_> = std::fs::read_dir(first.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(names.iter().any(|name| name == "step-00000001.json"), "{names:?}");
    let resumed = place.run(&["--json", "-q", "resume", "runs/slow", "--threads", "1"]).json();
    assert_eq!(resumed["steps"], 2, "{resumed}");
}

/// What was skipped before a run stopped counts against the tolerance when it goes on.
#[test]
fn unreadable_images_are_counted_across_resumption() {
    let place = Workplace::new();
    let sized = RECIPE.replace("[preprocess]", "[preprocess]\nresize = [8, 8]\ncolor = \"grey\"");
    place.write("tiny.toml", sized.replace("digits.npz", "photos"));
    for (class, image) in (0..2u8).flat_map(|class| (0..40u8).map(move |image| (class, image))) {
        std::fs::create_dir_all(place.path(&format!("photos/kind{class}"))).unwrap();
        place.write(&format!("photos/kind{class}/{image}.bmp"), bitmap(9, 7, [class * 90, image * 3, 20]));
    }
    // Cut behind their headers, so that only reading their pixels fails.
    for name in ["kind0/3", "kind0/17", "kind1/5"] {
        place.write(&format!("photos/{name}.bmp"), &bitmap(9, 7, [0, 0, 0])[..70]);
    }
    let more = ["split.validation=0.0", "train.batch-size=4", "output.save-every-steps=1", "data.tolerance=2"];
    let mut fit = vec!["-q", "fit", "tiny.toml"];
    more.iter().for_each(|more| fit.extend(["--set", *more]));
    let error = place.run(&fit).fails(1);
    assert!(error.contains("3 of 80 examples") && error.contains("(2 tolerated)"), "{error}");
    assert!(error.contains("kind0/17.bmp") && error.contains("set the tolerance to at least 3"), "{error}");
    let before = checkpoints(&place);
    assert!(before.len() >= 2, "what was saved before stays: {before:?}");
    let again = place.run(&["-q", "resume", "runs/tiny"]).fails(1);
    assert!(again.contains("3 of 80 examples") && again.contains("kind1/5.bmp"), "{again}");
    assert_eq!(checkpoints(&place), before, "it stops at the same example again");

    let recipe = String::from_utf8(place.read("runs/tiny/recipe.toml")).unwrap();
    place.write("runs/tiny/recipe.toml", recipe.replace("tolerance = 2", "tolerance = 3"));
    place.run(&["-q", "resume", "runs/tiny"]).ok();
    let report = String::from_utf8(place.read("runs/tiny/report.html")).unwrap();
    assert!(report.contains("3 left out") && report.contains("kind1/5.bmp"));
}
