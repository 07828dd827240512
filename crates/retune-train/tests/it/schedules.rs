//! Schedules against Keras.

use crate::golden::{Golden, assert_close, text};
use retune_train::schedules::*;

#[test]
fn rates_are_keras_s() {
    let golden = Golden::load("schedules");
    let mut done = 0;
    for case in golden.cases() {
        let config = &case["config"];
        let number = |key: &str| config[key].as_f64().unwrap_or(0.0);
        let steps = |key: &str| config[key].as_u64().unwrap_or(0);
        let (mut rate, mut warmup) = (number("initial_learning_rate"), Warmup::default());
        let decay_steps = steps("decay_steps");
        let decay = match text(case, "schedule") {
            "ExponentialDecay" => Decay::Exponential(Exponential {
                rate: number("decay_rate"),
                decay_steps,
                staircase: config["staircase"].as_bool().unwrap_or(false),
            }),
            "CosineDecay" => {
                if let Some(target) = config["warmup_target"].as_f64() {
                    warmup = Warmup { steps: steps("warmup_steps"), start: rate / target };
                    rate = target;
                }
                Decay::Cosine(Cosine { decay_steps, end: number("alpha") })
            }
            "PolynomialDecay" if config.get("cycle").is_none() => {
                let power = config["power"].as_f64().unwrap_or(1.0);
                Decay::Polynomial(Polynomial { decay_steps, end: number("end_learning_rate") / rate, power })
            }
            "PiecewiseConstantDecay" => {
                let values: Vec<f64> =
                    config["values"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
                rate = values[0];
                // Keras changes the rate after a boundary, this schedule at it.
                let at_steps =
                    config["boundaries"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() + 1).collect();
                Decay::Step(Step { factor: values[1] / values[0], every_steps: 0, at_steps })
            }
            "InverseTimeDecay" | "CosineDecayRestarts" | "PolynomialDecay" => continue,
            other => panic!("{other}"),
        };
        let schedule = Schedule { learning_rate: rate, warmup, decay };
        let expected = golden.f32(text(case, "case"));
        let found: Vec<f32> = (0..expected.len() as u64).map(|step| schedule.at(step) as f32).collect();
        assert_close(text(case, "case"), &found, expected, golden.tolerance());
        done += 1;
    }
    assert_eq!(done, 9, "schedules compared");
}
