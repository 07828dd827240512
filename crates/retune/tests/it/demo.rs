//! The demo, with everything built in.

use crate::support::Workplace;

#[test]
fn the_demo_compares_three_ways_and_what_it_says_to_type_next_works() {
    let place = Workplace::new();
    let result = place.run(&["--json", "--quiet", "demo"]).json();
    assert_eq!((result["items"].as_u64(), result["labels"].as_u64()), (Some(1617), Some(100)));
    let value = |row: usize, key: &str| result["rows"][row]["accuracy"][key].as_f64().unwrap();
    for row in 0..3 {
        assert!(value(row, "low") < value(row, "value") && value(row, "value") < value(row, "high"));
    }
    assert!(value(0, "value") < 0.3, "an untrained head guesses: {result}");
    assert!(value(1, "value") > 0.8 && value(2, "value") > value(1, "value"), "{result}");
    for file in ["model", "report", "recipe"] {
        assert!(place.path(result[file].as_str().unwrap()).is_file(), "{file}: {result}");
    }
    let report = String::from_utf8(place.read(result["report"].as_str().unwrap())).unwrap();
    for part in ["Most confident mistakes", "<img src=\"data:image/png;base64,", "Instruction set"] {
        assert!(report.contains(part), "{part}");
    }
    let model = result["model"].as_str().unwrap();
    let layers = place.run(&["inspect", model]).ok();
    assert!(layers.contains("conv2d (Conv2D)") && layers.contains("resize to 28×28"), "{layers}");
    let data = "runs/demo/digits.csv.gz";
    let eval = place.run(&["--json", "eval", "--model", model, "--data", data, "--input-shape", "8,8,1"]).json();
    assert_eq!(eval["items"], 1797);
    assert!(eval["metrics"]["accuracy"]["value"].as_f64().unwrap() > 0.85, "{eval}");

    // A mirrored digit is another one, which no metric hides.
    let view = ["--test-time-augmentation", "mirrored"];
    let eval = ["--json", "eval", "--model", model, "--data", data, "--input-shape", "8,8,1"];
    let mirrored = place.run(&[&eval[..], &view].concat()).json();
    let plain = place.run(&eval).json();
    assert_eq!(mirrored["items"], 1797);
    assert!(mirrored["metrics"]["accuracy"]["value"].as_f64() < plain["metrics"]["accuracy"]["value"].as_f64());

    place.run(&["convert", model, "runs/demo/digits.h5"]).ok();
    let (recipe, more) = (result["recipe"].as_str().unwrap(), "data.per-class=15");
    let fit = place.run(&["--json", "-q", "fit", recipe, "--set", more, "--output", "runs/demo/fifteen"]).json();
    assert_eq!(fit["model"], "runs/demo/fifteen/model.keras", "{fit}");

    // A second demo does not touch the first.
    let again = place.run(&["--json", "--quiet", "demo"]).json();
    assert_eq!(again["rows"], result["rows"], "the same numbers every time");
    assert!(again["model"].as_str().unwrap().starts_with("runs/demo-2"), "{again}");
}
