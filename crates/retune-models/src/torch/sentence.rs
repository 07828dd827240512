//! Folders of sentence-transformers: `modules.json` lists the parts that make a vector of a text, the network first, then
//! `1_Pooling`, then perhaps `2_Normalize`.

use retune_formats::ModelDirectory;
use retune_formats::model_directory::NewModelDirectory;
use retune_graph::ops::sequence::Pooling;
use serde_json::{Value, json};

use super::TorchModel;
use super::task::Task;
use crate::error::{ModelError, Result};

/// The keys of `1_Pooling/config.json`, of which one is true.
const MEAN: &str = "pooling_mode_mean_tokens";
const FIRST: &str = "pooling_mode_cls_token";
const LAST: &str = "pooling_mode_lasttoken";
const OTHERS: [&str; 3] =
    ["pooling_mode_max_tokens", "pooling_mode_mean_sqrt_len_tokens", "pooling_mode_weightedmean_tokens"];

/// The pooling of a sentence-transformers model, and whether it makes vectors of length 1; else the mean and no.
pub(super) fn modules(folder: &ModelDirectory) -> Result<(Pooling, bool)> {
    let modules = folder.sentence_modules()?.unwrap_or_default();
    let normalize = modules.iter().any(|module| module.class.ends_with(".Normalize"));
    let Some(pooling) = folder.sentence_pooling()? else { return Ok((Pooling::Mean, normalize)) };
    let is_on = |key: &str| pooling.get(key).and_then(Value::as_bool).unwrap_or(false);
    let on: Vec<&String> = pooling
        .as_object()
        .map(|keys| keys.keys().filter(|key| key.starts_with("pooling_mode_") && is_on(key)).collect())
        .unwrap_or_default();
    match on.as_slice() {
        [] => Ok((Pooling::Mean, normalize)),
        [key] => match key.as_str() {
            MEAN => Ok((Pooling::Mean, normalize)),
            FIRST => Ok((Pooling::First, normalize)),
            LAST => Ok((Pooling::Last, normalize)),
            _ => Err(unsupported_pooling(key)),
        },
        [key, ..] => Err(unsupported_pooling(key)),
    }
}

fn unsupported_pooling(key: &str) -> ModelError {
    ModelError::Unsupported {
        layer: "1_Pooling".to_owned(),
        class: "Pooling".to_owned(),
        what: format!("`{key}`"),
        hint: "use a model that pools by the mean, the first or the last token alone".to_owned(),
    }
}

/// Adds the files that make a folder of sentence-transformers of a model's, unless it was one already: those were carried over.
pub(super) fn describe(torch: &TorchModel, folder: &mut NewModelDirectory) -> Result<()> {
    let (Task::Embedding { pooling, normalize } | Task::Similarity { pooling, normalize }) = torch.task else {
        return Ok(());
    };
    if torch.companions.iter().any(|(name, _)| name == "modules.json") {
        return Ok(());
    }
    let module = |idx: usize, path: &str, class: &str| json!({ "idx": idx, "name": idx.to_string(), "path": path, "type": format!("sentence_transformers.models.{class}") });
    let mut modules = vec![module(0, "", "Transformer"), module(1, "1_Pooling", "Pooling")];
    if normalize {
        modules.push(module(2, "2_Normalize", "Normalize"));
    }
    let width = ["hidden_size", "dim"].iter().find_map(|key| torch.config.get(key)).cloned().unwrap_or(Value::Null);
    let mut config = serde_json::Map::from_iter([("word_embedding_dimension".to_owned(), width)]);
    let on = match pooling {
        Pooling::Mean => MEAN,
        Pooling::First => FIRST,
        Pooling::Last => LAST,
    };
    config.extend([FIRST, MEAN, LAST].into_iter().chain(OTHERS).map(|key| (key.to_owned(), json!(key == on))));
    config.insert("include_prompt".to_owned(), json!(true));
    folder.json("modules.json", &Value::Array(modules))?;
    folder.json("1_Pooling/config.json", &Value::Object(config))?;
    let limits = json!({ "max_seq_length": torch.family.max_tokens(), "do_lower_case": false });
    folder.json("sentence_bert_config.json", &limits)?;
    Ok(())
}
