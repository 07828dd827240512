//! Cards of trained models: what they say, and that nobody's card is lost.

use crate::texts::{build, model_folder, write_data};
use retune_models::{FrontMatter, Model};
use retune_train::fit;
use retune_train::trainer::Silent;
use std::path::Path;
use std::sync::atomic::AtomicBool;

static NEVER: AtomicBool = AtomicBool::new(false);

const THEIRS: &str = "---\nlicense: apache-2.0\nlanguage: en\nlibrary_name: other\n---\n\n# Theirs\n";

/// The cards of a run with these keys, on a base with or without a card: of the model, and of the adapters.
fn cards(root: &Path, base_card: Option<&str>, more: &str) -> [String; 2] {
    let base = model_folder(root);
    if let Some(card) = base_card {
        std::fs::write(base.join("README.md"), card).unwrap();
    }
    write_data(root, 60);
    let more = format!("{more}\n[train]\nepochs = 2\n[output]\npath = \"sentiments\"");
    fit(build(root, &more).unwrap(), &mut Silent, &NEVER).unwrap();
    ["model", "adapter"].map(|folder| read(&root.join("sentiments").join(folder).join("README.md")))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn a_card_says_what_the_run_knows() {
    let root = tempfile::tempdir().unwrap();
    let [model, adapter] = cards(root.path(), Some(THEIRS), "[method]\nkind = \"lora\"\nrank = 2");
    let matter = FrontMatter::of(&model);
    for (key, value) in [
        ("library_name", "transformers"),
        ("license", "apache-2.0"),
        ("language", "en"),
        ("pipeline_tag", "text-classification"),
    ] {
        assert_eq!(matter.get(key), Some(value), "{model}");
    }
    assert_eq!(FrontMatter::of(&adapter).get("library_name"), Some("peft"));
    // The Hub does not know this base.
    assert_eq!(matter.get("base_model"), None);
    let run: serde_json::Value = serde_json::from_str(&read(&root.path().join("sentiments/run.json"))).unwrap();
    let evaluation: serde_json::Value =
        serde_json::from_str(&read(&root.path().join("sentiments/evaluation.json"))).unwrap();
    let accuracy = evaluation["metrics"].as_array().unwrap().iter().find(|m| m["metric"] == "accuracy").unwrap();
    let measured =
        format!("    - type: accuracy\n      name: \"accuracy\"\n      value: {}\n", accuracy["after"]["value"]);
    for card in [&model, &adapter] {
        for part in [
            "tags:\n- \"retune\"\n- \"lora\"\n",
            "metrics:\n- \"accuracy\"\n",
            "model-index:\n- name: \"sentiments\"\n",
            "  - task:\n      type: text-classification\n",
            "    dataset:\n      name: \"train.tsv\"\n      type: \"train.tsv\"\n      split: test\n",
            "| test | `test.tsv` | 30 |",
            &measured,
            "Labels: `negative`, `positive`.",
            "On the 30 items of the test part, with 95 % intervals",
            "| accuracy |",
            "[method]\nkind = \"lora\"\nrank = 2\n",
            "weights were trained (",
            "Its card states the licence `apache-2.0`.",
            run["model"]["sha256"].as_str().unwrap(),
            run["data"][0]["sha256"].as_str().unwrap(),
            run["data"][1]["sha256"].as_str().unwrap(),
        ] {
            assert!(card.contains(part), "{part}\n{card}");
        }
        assert!(!card.contains(&root.path().display().to_string()), "paths of this machine stay here\n{card}");
    }
    assert!(adapter.contains("# sentiments\n\nAdapters (lora) of `base`"), "{adapter}");
    assert_eq!(read(&root.path().join("sentiments/model/README.base.md")), THEIRS);
    assert_eq!(read(&root.path().join("sentiments/adapter/README.base.md")), THEIRS);
}

#[test]
fn no_licence_is_made_up() {
    let root = tempfile::tempdir().unwrap();
    let [model, adapter] = cards(root.path(), None, "");
    assert_eq!(FrontMatter::of(&model).get("license"), None);
    assert!(model.contains("No licence is known"), "{model}");
    assert!(adapter.is_empty(), "there are no adapters");
    assert!(!root.path().join("sentiments/model/README.base.md").exists());
}

#[test]
fn adapters_that_stay_beside_the_weights_have_cards_too() {
    for (method, library, tag) in [
        ("prompt", Some("peft"), "prompt-tuning"),
        ("prefix", Some("peft"), "prefix-tuning"),
        ("bottleneck", None, "bottleneck-adapter"),
    ] {
        let root = tempfile::tempdir().unwrap();
        let more = if method == "bottleneck" { "size = 2" } else { "virtual-tokens = 2" };
        let [model, adapter] = cards(root.path(), None, &format!("[method]\nkind = \"{method}\"\n{more}"));
        assert!(model.is_empty(), "{method}");
        assert_eq!(FrontMatter::of(&adapter).get("library_name"), library, "{adapter}");
        assert!(adapter.contains(&format!("- \"{tag}\"")), "{adapter}");
    }
}

#[test]
fn nobodys_card_is_lost() {
    let root = tempfile::tempdir().unwrap();
    let base = model_folder(root.path());
    std::fs::write(base.join("README.md"), THEIRS).unwrap();
    let copy = root.path().join("copy");
    let mut model = Model::load(&base).unwrap().0;
    model.save(&copy).unwrap();
    assert_eq!(read(&copy.join("README.md")), THEIRS, "what is only copied keeps its card");
    std::fs::write(copy.join("README.md"), "# Written by hand\n").unwrap();
    model.set_card("# New\n".to_owned());
    model.save(&copy).unwrap();
    assert_eq!(read(&copy.join("README.md")), "# New\n");
    assert_eq!(read(&copy.join("README.base.md")), THEIRS);
    assert_eq!(read(&copy.join("README.previous.md")), "# Written by hand\n");
}

#[test]
fn vectors_of_texts_are_a_model_of_sentence_transformers() {
    let root = tempfile::tempdir().unwrap();
    let base = model_folder(root.path());
    let model = Model::load(&base).unwrap().0;
    assert_eq!(model.library(), Some("transformers"));
    let model = model.with_task(model.task().unwrap().similarity(), 0).unwrap();
    assert_eq!(model.library(), Some("sentence-transformers"));
}
