//! What a recipe's method trains, saves and leaves alone.

use crate::recipes;
use crate::texts::{build, model_folder, write_data};
use retune_cpu::Cpu;
use retune_data::SourceOptions;
use retune_models::Model;
use retune_train::metrics::Metric;
use retune_train::trainer::Silent;
use retune_train::{Predictor, fit};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

static NEVER: AtomicBool = AtomicBool::new(false);

/// Method, and how many weights beside the classifier's two it trains.
const METHODS: [(&str, usize); 7] = [
    ("kind = \"lora\"\nrank = 2\nup-rate-factor = 4.0", 8),
    ("kind = \"lora\"\nrank = 2\ninit = \"pissa\"", 8),
    ("kind = \"lora\"\nrank = 2\ndecomposed = true\ntargets = [\"all-linear\"]\ndropout = 0.1", 3 * 13),
    ("kind = \"ia3\"", 8),
    ("kind = \"biases\"", 18),
    ("kind = \"norms\"", 10),
    ("kind = \"head\"", 0),
];

#[test]
fn each_method_learns_and_leaves_the_rest_of_the_model_alone() {
    for (method, count) in METHODS {
        let root = tempfile::tempdir().unwrap();
        let base = model_folder(root.path());
        write_data(root.path(), 60);
        let more = format!("[method]\n{method}\n[train]\nepochs = 4\nrestore-best = false\n[output]\npath = \"run\"");
        let built = build(root.path(), &more).unwrap();
        let model = &built.job.model;
        let trainable: Vec<String> = model.weights.iter().filter(|w| w.trainable).map(|w| w.name.clone()).collect();
        assert_eq!(trainable.len(), count + 2, "{method}: {trainable:?}");
        let before = model.clone();
        let outcome = fit(built, &mut Silent, &NEVER).unwrap_or_else(|error| panic!("{method}: {error}"));
        // The saved model is whole: terms are in the weights that they stood beside.
        let (after, _) = Model::load(outcome.model.expect("the run is complete")).unwrap();
        assert!(after.adapters().is_empty());
        for after in &after.weights {
            let before_it = before.weights.iter().find(|before| before.name == after.name).unwrap();
            let is_target = before.adapters().iter().any(|adapter| adapter.target == after.name);
            // Factors of an output change its bias too.
            let is_scaled = method.contains("ia3") && after.name.ends_with(".bias");
            // A key's bias adds the same to all scores of a query, so its gradient is zero.
            let is_idle = after.name.ends_with(".key.bias");
            let changes = before_it.trainable || is_target;
            assert!(changes == (after.value != before_it.value) || is_scaled || is_idle, "{method}: {}", after.name);
        }
        // Adapters also stand alone, and on the base they are the same model.
        let adapter = root.path().join("run/adapter");
        assert_eq!(adapter.is_dir(), !before.adapters().is_empty(), "{method}");
        if adapter.is_dir() {
            let (plain, _) = Model::load(&base).unwrap();
            let mut again = plain.with_task(after.task().unwrap().clone(), 0).unwrap();
            again.load_adapter(&adapter).unwrap();
            for (again, after) in again.merged().unwrap().weights.iter().zip(&after.weights) {
                // PiSSA is saved as the difference from its beginning, which rounds otherwise.
                let tolerance = if method.contains("pissa") { 1e-6 } else { 0.0 };
                let pairs = again.value.to_f32_vec().into_iter().zip(after.value.to_f32_vec());
                let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(worst <= tolerance, "{method}: {} differs by {worst:e}", after.name);
            }
        }
    }
}

/// Methods whose weights nothing of the base can stand for, and how many values they train beside the classifier's 2 · 17.
const UNMERGED: [(&str, usize); 5] = [
    ("kind = \"bottleneck\"\nsize = 3\nactivation = \"silu\"", 4 * (2 * 16 * 3 + 3 + 16)),
    ("kind = \"bottleneck\"\nsize = 3\ntargets = [\"feed-forward-outputs\"]", 2 * (2 * 16 * 3 + 3 + 16)),
    ("kind = \"prompt\"\nvirtual-tokens = 3", 3 * 16),
    ("kind = \"prompt\"\nprompt-text = \"good or bad\"", 5 * 16),
    ("kind = \"prefix\"\nvirtual-tokens = 2", 2 * 2 * 2 * 16),
];

#[test]
fn what_cannot_be_merged_is_saved_alone_and_used_from_there() {
    for (method, count) in UNMERGED {
        let root = tempfile::tempdir().unwrap();
        let base = model_folder(root.path());
        write_data(root.path(), 60);
        let more = format!(
            "[preprocess]\nmax-tokens = 7\n[method]\n{method}\n[train]\nepochs = 3\nrestore-best = false\n[output]\npath = \"run\""
        );
        let built = build(root.path(), &more).unwrap();
        assert_eq!(built.job.model.trainable_parameters(), count + 2 * 17, "{method}");
        let before = built.job.model.clone();
        let outcome = fit(built, &mut Silent, &NEVER).unwrap_or_else(|error| panic!("{method}: {error}"));
        let folder = outcome.model.unwrap();
        assert!(folder.ends_with("run/adapter") && !root.path().join("run/model").exists(), "{method}");
        let after = Model::load(&folder).unwrap().0;
        for after in &after.weights {
            let before = before.weights.iter().find(|before| before.name == after.name).unwrap();
            assert_eq!(before.value != after.value, before.trainable, "{method}: {}", after.name);
        }
        let plain = Model::load(&base).unwrap().0;
        let frozen = after.weights.iter().filter(|weight| !weight.trainable);
        for weight in frozen {
            let own = plain.weights.iter().find(|own| own.name == weight.name).unwrap();
            assert_eq!(own.value, weight.value, "{method}: {}", weight.name);
        }
        // The folder alone measures what the run measured.
        let predictor = Predictor::load(&Cpu::new(1), &folder).unwrap();
        let path = root.path().join("data/test.tsv");
        let names = predictor.preprocessing().class_names.clone();
        let options = SourceOptions { class_names: names, ..SourceOptions::default() };
        let data = retune_data::open(&path, &options).unwrap().train;
        let scored = predictor.evaluate(Arc::new(data), None, None, &mut Silent).unwrap();
        let comparison = outcome.comparison.unwrap();
        let loss = comparison.metrics.iter().find(|measured| measured.metric == Metric::Loss).unwrap();
        let (found, expected) = (Metric::Loss.value(&scored).unwrap(), loss.after.unwrap().value);
        assert!((found - expected).abs() < 1e-6, "{method}: {found} and {expected}");
    }
}

#[test]
fn keys_of_another_method_are_refused() {
    let root = tempfile::tempdir().unwrap();
    model_folder(root.path());
    write_data(root.path(), 20);
    for (method, expected) in [
        ("kind = \"head\"\nrank = 4", "does not belong to this method"),
        ("kind = \"ia3\"\nup-rate-factor = 16.0", "does not belong to this method"),
        ("kind = \"prompt\"\ntargets = [\"query\"]", "does not belong to this method"),
        ("kind = \"bottleneck\"\nvirtual-tokens = 4", "does not belong to this method"),
        ("kind = \"prefix\"\nprompt-text = \"good\"", "does not belong to this method"),
        ("kind = \"prefix\"\nvirtual-tokens = 0", "expected at least 1, found 0"),
        ("kind = \"prefix\"\nvirtual-tokens = 10", "leave no room for a text"),
        ("kind = \"prompt\"\nvirtual-tokens = 4\n[preprocess]\nmax-tokens = 9", "at most 8, as the network takes"),
        ("kind = \"lora\"\nrank = 0", "expected at least 1, found 0"),
        ("kind = \"lora\"\ntargets = [\"qeury\"]", "no layer is called `qeury`"),
        ("kind = \"lore\"", "unknown variant `lore`"),
    ] {
        let message = build(root.path(), &format!("[method]\n{method}")).unwrap_err().to_string();
        assert!(message.contains(expected), "{method}: {message}");
    }
}

/// The factor of the learning rate of every trained weight of the tiny network of Keras.
fn rates(more: &str) -> Vec<(String, f64)> {
    let folder = recipes::folder();
    let job = recipes::build(folder.path(), more).unwrap().job;
    let rate = |weight: &retune_models::Weight| job.optimizer.groups[weight.group].learning_rate;
    job.model.weights.iter().filter(|w| w.trainable).map(|w| (w.name.clone(), rate(w))).collect()
}

#[test]
fn rates_fall_from_group_to_group_and_rise_for_second_factors() {
    let named = |pairs: &[(&str, f64)]| -> Vec<(String, f64)> {
        pairs.iter().map(|(name, rate)| ((*name).to_owned(), *rate)).collect()
    };
    // A normalization belongs to the layer before it.
    let expected = named(&[
        ("conv/kernel", 0.5),
        ("conv/bias", 0.5),
        ("norm/gamma", 0.5),
        ("norm/beta", 0.5),
        ("head/kernel", 1.0),
        ("head/bias", 1.0),
    ]);
    assert_eq!(rates("[optimizer]\nlayer-decay = 0.5"), expected);
    let lora = "[method]\nkind = \"lora\"\nup-rate-factor = 16.0\n[optimizer]\nlayer-decay = 0.5";
    let expected =
        named(&[("head/kernel", 1.0), ("head/bias", 1.0), ("conv/lora_A.weight", 0.5), ("conv/lora_B.weight", 8.0)]);
    assert_eq!(rates(lora), expected);
}

#[test]
fn networks_of_keras_learn_by_terms_beside_their_convolutions() {
    let folder = recipes::folder();
    let more = "[method]\nkind = \"lora\"\n[train]\nepochs = 2\nrestore-best = false\n[output]\npath = \"run\"";
    let built = recipes::build(folder.path(), more).unwrap();
    let before = built.job.model.clone();
    let outcome = fit(built, &mut Silent, &NEVER).unwrap();
    let after = Model::load(outcome.model.unwrap()).unwrap().0;
    for after in &after.weights {
        let before = before.weights.iter().find(|before| before.name == after.name).unwrap();
        let changes = ["conv/kernel", "head/kernel", "head/bias"].contains(&after.name.as_str());
        assert_eq!(after.value != before.value, changes, "{}", after.name);
    }
}
