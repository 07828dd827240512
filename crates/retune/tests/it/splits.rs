//! How data are divided: groups, time, folds, draws, and the file that keeps a division.

use crate::support::{Workplace, bitmap};
use serde_json::Value;
use std::collections::BTreeSet;

/// A numeric table with groups of four rows, and days.
fn place() -> Workplace {
    let place = Workplace::new();
    let row = |i: usize| {
        let label = ["no", "yes"][usize::from(i % 5 < 2)];
        format!("{},{},p{},2024-{:02}-{:02},{},{label}\n", i % 5, i * 3 % 7, i / 4, 1 + i / 28, 1 + i % 28, 1 + i % 3)
    };
    place.write("d.csv", format!("a,b,patient,day,w,label\n{}", (0..120).map(row).collect::<String>()));
    place.write(
        "d.toml",
        "[model]\ninput-shape = [2]\nlayers = [{ class = \"Dense\", units = 2, activation = \"softmax\" }]\n\
         [data]\npath = \"d.csv\"\ndrop-columns = [\"patient\", \"day\", \"w\"]\n[train]\nepochs = 1\n",
    );
    place
}

fn split(place: &Workplace, run: &str) -> Value {
    serde_json::from_slice(&place.read(&format!("{run}/split.json"))).unwrap()
}

fn ids(split: &Value, part: &str) -> BTreeSet<u64> {
    split[part].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect()
}

#[test]
fn every_example_is_tested_in_one_fold() {
    let place = place();
    let ran = place.run(&["fit", "d.toml", "--folds", "4", "--set", "split.group=\"patient\"", "--output", "runs/k"]);
    assert!(ran.stdout.contains("4 of 4 folds gave a result, on test items"), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("fold 1 (1 of 4), in `runs/k/fold-1`"), "{}", ran.stderr);
    let mut tested = Vec::new();
    for fold in 1..=4 {
        let split = split(&place, &format!("runs/k/fold-{fold}"));
        let groups = |part| ids(&split, part).into_iter().map(|id| id / 4).collect::<BTreeSet<_>>();
        assert!(groups("train").is_disjoint(&groups("test")) && groups("train").is_disjoint(&groups("validation")));
        tested.extend(ids(&split, "test"));
    }
    tested.sort_unstable();
    assert_eq!(tested, (0..120).collect::<Vec<u64>>());
    let object: Value = serde_json::from_slice(&place.read("runs/k/folds.json")).unwrap();
    assert_eq!((object["runs"][3]["fold"].as_u64(), object["part"].as_str()), (Some(4), Some("test")));
    let again = place.run(&["fit", "d.toml", "--folds", "4", "--set", "split.group=\"patient\"", "--output", "runs/k"]);
    assert!(again.stderr.contains("fold 4 (4 of 4) is finished already"), "{}", again.stderr);
}

#[test]
fn the_latest_are_tested() {
    let place = place();
    let set = ["--set", "split.time=\"day\"", "--set", "split.test=0.2", "--output", "runs/t"];
    place.run(&[&["-q", "fit", "d.toml"], &set[..]].concat()).ok();
    let split = split(&place, "runs/t");
    let (train, test) = (ids(&split, "train"), ids(&split, "test"));
    assert_eq!((test.len(), train.last() < test.first()), (24, true), "rows stand in the order of their days");
}

#[test]
fn few_examples_are_drawn_several_times() {
    let place = place();
    let ran = place.run(&["fit", "d.toml", "--draws", "3", "--set", "data.per-class=5", "--output", "runs/d"]);
    assert!(ran.stdout.contains("3 of 3 draws gave a result"), "{}{}", ran.stdout, ran.stderr);
    let splits: Vec<Value> = (1..=3).map(|draw| split(&place, &format!("runs/d/draw-{draw}"))).collect();
    assert!(splits.iter().all(|split| ids(split, "train").len() == 10));
    assert!(ids(&splits[0], "train") != ids(&splits[1], "train"));
    assert!(ids(&splits[0], "validation") == ids(&splits[1], "validation"), "what is judged stays");
    let error = place.run(&["fit", "d.toml", "--draws", "3"]).fails(2);
    assert!(error.contains("per-class"), "{error}");
}

#[test]
fn a_division_is_used_again_on_the_same_data_alone() {
    let place = place();
    place.run(&["-q", "fit", "d.toml", "--set", "split.test=0.25", "--seed", "7", "--output", "runs/first"]).ok();
    let path = "split.path=\"runs/first/split.json\"";
    place.run(&["-q", "fit", "d.toml", "--set", path, "--output", "runs/second"]).ok();
    assert_eq!(split(&place, "runs/first"), split(&place, "runs/second"));
    let text = String::from_utf8(place.read("d.csv")).unwrap();
    place.write("d.csv", text.replacen("0,0,", "1,0,", 1));
    let error = place.run(&["fit", "d.toml", "--set", path, "--output", "runs/third"]).fails(1);
    assert!(error.contains("divides other data") && error.contains("hint:"), "{error}");
    let error = place.run(&["check", "--no-timing", "d.toml", "--set", path, "--set", "split.test=0.1"]).fails(1);
    assert!(error.contains("does not go with `path`"), "{error}");
}

#[test]
fn what_does_not_go_together_is_reported_at_once() {
    let place = place();
    let set = [
        "split.folds=1",
        "split.fold=3",
        "split.time=\"day\"",
        "split.group=\"patient\"",
        "data.draw=2",
        "data.sampling-size=9",
    ];
    let set: Vec<&str> = set.iter().flat_map(|text| ["--set", text]).collect();
    let error = place.run(&[&["check", "--no-timing", "d.toml"], &set[..]].concat()).fails(1);
    for part in ["split.folds", "split.fold", "split.time", "data.draw", "data.sampling-size"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    let error = place.run(&["check", "--no-timing", "d.toml", "--set", "split.group=\"doctor\""]).fails(1);
    assert!(error.contains("doctor") && error.contains("patient"), "{error}");
    let error = place.run(&["check", "--no-timing", "tiny.toml", "--set", "split.group=\"x\""]).fails(1);
    assert!(error.contains("which have columns"), "{error}");
}

#[test]
fn weights_of_a_column_say_how_often() {
    let place = place();
    let set = ["--set", "data.sampling={ column = \"w\" }", "--set", "data.sampling-size=50"];
    let plan = place.run(&[&["--json", "check", "--no-timing", "d.toml"], &set[..]].concat()).json();
    assert_eq!(plan["steps"], 2, "{plan}");
    place.run(&[&["-q", "fit", "d.toml", "--output", "runs/w"], &set[..]].concat()).ok();
    let error = place.run(&["check", "--no-timing", "d.toml", "--set", "data.sampling=\"balance\""]).fails(1);
    assert!(error.contains("balanced"), "{error}");
}

#[test]
fn weights_are_asked_of_training_data_alone() {
    let place = Workplace::new();
    let mut table = "file_name,label,w\n".to_owned();
    for class in 0..2 {
        std::fs::create_dir_all(place.path(&format!("held/{class}"))).unwrap();
        std::fs::create_dir_all(place.path("train")).unwrap();
        for image in 0..4 {
            let picture = bitmap(8, 8, [class * 90, image * 20, 7]);
            place.write(&format!("train/{class}{image}.bmp"), &picture);
            place.write(&format!("held/{class}/{image}.bmp"), &picture);
            table += &format!("{class}{image}.bmp,{class},{}\n", 1 + 3 * class);
        }
    }
    place.write("train/metadata.csv", table);
    let recipe = "[model]\nlayers = [{ class = \"Flatten\" }, { class = \"Dense\", units = 2, activation = \"softmax\" }]\n\
                  input-shape = [8, 8, 3]\n[data]\npath = \"train/metadata.csv\"\ntest = \"held\"\n\
                  sampling = { column = \"w\" }\n[split]\nvalidation = 0\n[train]\nepochs = 1\n";
    place.write("w.toml", recipe);
    let plan = place.run(&["--json", "check", "--no-timing", "w.toml"]).json();
    assert_eq!((&plan["examples"]["train"], &plan["examples"]["test"]), (&8.into(), &8.into()), "{plan}");
}
