//! What a recipe's method trains, saves and leaves alone.

use crate::texts::{build, model_folder, write_data};
use retune_models::Model;
use retune_train::fit;
use retune_train::trainer::Silent;
use std::sync::atomic::AtomicBool;

static NEVER: AtomicBool = AtomicBool::new(false);

/// Method, and how many weights beside the classifier's two it trains.
const METHODS: [(&str, usize); 6] = [
    ("kind = \"lora\"\nrank = 2", 8),
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
                assert_eq!(again.value, after.value, "{method}: {}", after.name);
            }
        }
    }
}

#[test]
fn keys_of_another_method_are_refused() {
    let root = tempfile::tempdir().unwrap();
    model_folder(root.path());
    write_data(root.path(), 20);
    for (method, expected) in [
        ("kind = \"head\"\nrank = 4", "does not belong to this method"),
        ("kind = \"lora\"\nrank = 0", "expected at least 1, found 0"),
        ("kind = \"lora\"\ntargets = [\"qeury\"]", "no layer is called `qeury`"),
        ("kind = \"lore\"", "unknown variant `lore`"),
    ] {
        let message = build(root.path(), &format!("[method]\n{method}")).unwrap_err().to_string();
        assert!(message.contains(expected), "{method}: {message}");
    }
}
