//! Five steps of every optimizer against Keras, and against PyTorch's algorithms.

use crate::golden::{Golden, assert_close, text};
use retune_cpu::Cpu;
use retune_graph::{Role, Shape, WeightInfo};
use retune_tensor::Tensor;
use retune_train::optimizers::*;
use retune_train::schedules::{Decay, Exponential, Schedule};
use retune_train::steps::clip_scale;
use serde_json::Value;

const WEIGHTS: [&str; 2] = ["kernel", "bias"];
const STEPS: usize = 5;

fn number(config: &Value, key: &str) -> f64 {
    config[key].as_f64().unwrap_or(0.0)
}

/// The optimizer, its learning rates, weight decay and how it acts; `None` for what is not provided.
fn settings(case: &Value) -> Option<(Optimizer, Schedule, f64, DecayMode)> {
    let config = &case["config"];
    let keras = text(case, "framework") == "keras";
    let convention = if keras { Convention::Keras } else { Convention::PyTorch };
    let unsupported = ["clipnorm", "clipvalue", "gradient_accumulation_steps"];
    if unsupported.iter().any(|key| config.get(*key).is_some_and(|v| !v.is_null())) || number(config, "lr_decay") != 0.0
    {
        return None;
    }
    let flag = |key: &str| config[key].as_bool().unwrap_or(false);
    let (beta_1, beta_2, epsilon) = if keras {
        (number(config, "beta_1"), number(config, "beta_2"), number(config, "epsilon"))
    } else {
        (number(&config["betas"], "0"), 0.0, number(config, "eps"))
    };
    let betas = config["betas"].as_array().map(|b| (b[0].as_f64().unwrap(), b[1].as_f64().unwrap()));
    let (beta_1, beta_2) = betas.unwrap_or((beta_1, beta_2));
    let adam = Adam { beta_1, beta_2, epsilon, amsgrad: flag("amsgrad"), convention };
    let optimizer = match text(case, "optimizer").to_lowercase().as_str() {
        "sgd" => Optimizer::Sgd(Sgd { momentum: number(config, "momentum"), nesterov: flag("nesterov"), convention }),
        "adam" => Optimizer::Adam(adam),
        "adamw" => Optimizer::AdamW(AdamW(adam)),
        "rmsprop" => Optimizer::RmsProp(RmsProp {
            rho: number(config, if keras { "rho" } else { "alpha" }),
            momentum: number(config, "momentum"),
            epsilon,
            centered: flag("centered"),
            convention,
        }),
        "adagrad" => {
            let initial_accumulator = number(config, "initial_accumulator_value");
            Optimizer::Adagrad(Adagrad { initial_accumulator, epsilon, convention })
        }
        other => panic!("{other}"),
    };
    let schedule = match &config["learning_rate"] {
        Value::Object(rate) => {
            let rate = &rate["config"];
            let decay_steps = rate["decay_steps"].as_u64().unwrap();
            let decay = Exponential { rate: number(rate, "decay_rate"), decay_steps, staircase: false };
            let decay = Decay::Exponential(decay);
            Schedule { decay, ..Schedule::constant(number(rate, "initial_learning_rate")) }
        }
        rate => Schedule::constant(rate.as_f64().unwrap_or_else(|| number(config, "lr"))),
    };
    let decoupled = keras || matches!(optimizer, Optimizer::AdamW(_));
    let mode = if decoupled { DecayMode::Decoupled } else { DecayMode::L2 };
    Some((optimizer, schedule, number(config, "weight_decay"), mode))
}

#[test]
fn five_steps_are_keras_s_and_pytorch_s() {
    let golden = Golden::load("optimizers");
    let mut done = 0;
    for case in golden.cases() {
        let Some((optimizer, schedule, weight_decay, mode)) = settings(case) else { continue };
        let excluded = |name: &str| {
            case["excluded_from_decay"].as_array().is_some_and(|list| list.iter().any(|n| n.as_str() == Some(name)))
        };
        let infos = WEIGHTS.map(|name| WeightInfo {
            name: name.into(),
            shape: Shape::fixed(golden.tensor(&format!("initial/{name}")).shape()),
            role: Role::Trainable { group: 0 },
            decays: !excluded(name),
        });
        let mut weights: Vec<Tensor> =
            WEIGHTS.iter().map(|name| golden.tensor(&format!("initial/{name}")).clone()).collect();
        let mut state = OptimizerState::new(optimizer, weight_decay, mode, false, &[], &infos);
        let cpu = Cpu::new(2);
        let name = format!("{}/{}", text(case, "framework"), text(case, "case"));
        for step in 0..STEPS {
            let at = |tensor: &str| {
                let all = golden.f32(tensor);
                let size = all.len() / STEPS;
                &all[step * size..(step + 1) * size]
            };
            let gradients = WEIGHTS.map(|name| at(&format!("gradient/{name}")));
            let clip = case["config"]["global_clipnorm"].as_f64();
            let scale = clip.map_or(1.0, |most| clip_scale(&cpu, most, &gradients).1);
            state.apply(&cpu, schedule.at(step as u64), scale, |i| gradients[i], &mut weights);
            for (weight, value) in WEIGHTS.iter().zip(&weights) {
                let expected = at(&format!("{name}/{weight}"));
                let what = format!("{name} {weight} after step {step}");
                assert_close(&what, value.as_f32().unwrap(), expected, golden.tolerance());
            }
        }
        done += 1;
    }
    assert_eq!(done, 32, "optimizers compared");
}
