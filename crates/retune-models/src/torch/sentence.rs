//! Folders of sentence-transformers: `modules.json` lists the parts that make a vector of a text, the network first, then
//! `1_Pooling`, then perhaps `2_Normalize`. A classifier that stands on the pooling has `2_Dense` there instead: a product whose
//! outputs are the scores of the labels in the network's `config.json`.

use retune_formats::ModelDirectory;
use retune_formats::model_directory::{NewModelDirectory, SentenceModule};
use retune_graph::ops::sequence::Pooling;
use retune_tensor::Tensor;
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

/// The file of a normalization of vectors, which a classifier has none of.
pub(super) const NORMALIZE: &str = "2_Normalize/config.json";
/// The folder of a pooling, and its settings.
pub(crate) const POOLING: &str = "1_Pooling";
pub(crate) const POOLING_CONFIG: &str = "1_Pooling/config.json";
const DENSE: &str = "2_Dense";
/// The activation of a product without one, as PyTorch's module is called.
const IDENTITY: &str = "torch.nn.modules.linear.Identity";

/// The modules of a folder behind the network.
#[derive(Debug, Default)]
pub(crate) struct Modules {
    /// How the rows of tokens become one; `None` where no module says it.
    pub pooling: Option<Pooling>,
    /// Whether vectors are divided by their length.
    pub normalize: bool,
    /// A product right behind the pooling that ends the modules.
    pub head: Option<DenseHead>,
    /// Folders of the other modules with weights, which are not computed.
    pub left_out: Vec<String>,
}

/// A product without an activation.
#[derive(Debug)]
pub(crate) struct DenseHead {
    pub module: SentenceModule,
    pub outputs: usize,
}

impl Modules {
    /// The modules of a folder; none of a folder without `modules.json` and `1_Pooling`.
    pub fn read(folder: &ModelDirectory) -> Result<Modules> {
        let list = folder.sentence_modules()?.unwrap_or_default();
        let is = |module: &SentenceModule, class: &str| module.class.rsplit('.').next() == Some(class);
        let known = ["Transformer", "Pooling", "Normalize"];
        let other = list.iter().filter(|module| !known.iter().any(|class| is(module, class)));
        let mut modules = Modules {
            pooling: folder.sentence_pooling()?.map(|config| pooling(&config)).transpose()?,
            normalize: list.iter().any(|module| is(module, "Normalize")),
            head: None,
            left_out: other.map(|module| module.path.clone()).collect(),
        };
        if let [.., before, last] = list.as_slice()
            && is(before, "Pooling")
            && is(last, "Dense")
        {
            let config = folder.module_config(last)?;
            let outputs = config.get("out_features").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
            let is_linear = config.get("activation_function").and_then(Value::as_str) == Some(IDENTITY);
            let head = outputs.map(|outputs| DenseHead { module: last.clone(), outputs });
            modules.head = head.filter(|_| is_linear);
        }
        Ok(modules)
    }

    /// Whether the modules end in a head for a task.
    pub fn has_head(&self, task: &Task) -> bool {
        self.head.as_ref().is_some_and(|head| self.pooling.is_some() && task.outputs() == Some(head.outputs))
    }
}

/// What `1_Pooling/config.json` says.
pub(crate) fn pooling(config: &Value) -> Result<Pooling> {
    let is_on = |key: &str| config.get(key).and_then(Value::as_bool).unwrap_or(false);
    let on: Vec<&String> = config
        .as_object()
        .map(|keys| keys.keys().filter(|key| key.starts_with("pooling_mode_") && is_on(key)).collect())
        .unwrap_or_default();
    match on.as_slice() {
        [] => Ok(Pooling::Mean),
        [key] => match key.as_str() {
            MEAN => Ok(Pooling::Mean),
            FIRST => Ok(Pooling::First),
            LAST => Ok(Pooling::Last),
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

/// What a weight of the head is called in the file of a dense module: `linear.weight` for `classifier.weight`.
pub(super) fn name_in_dense(name: &str) -> String {
    format!("linear.{}", name.rsplit('.').next().unwrap_or(name))
}

/// Adds the files that make a folder of sentence-transformers of a model's, unless it was one already: those were carried over.
pub(super) fn describe(
    torch: &TorchModel,
    folder: &mut NewModelDirectory,
    pooling: Pooling,
    normalize: bool,
) -> Result<()> {
    if is_described(torch, pooling) {
        return Ok(());
    }
    let last = normalize.then_some(("2_Normalize", "Normalize"));
    write_modules(torch, folder, pooling, last)
}

/// Whether the files that were carried over say that vectors are pooled so.
fn is_described(torch: &TorchModel, wanted: Pooling) -> bool {
    let json = |wanted: &str| -> Option<Value> {
        let (_, bytes) = torch.companions.iter().find(|(name, _)| name == wanted)?;
        serde_json::from_slice(bytes).ok()
    };
    let is_dense = |module: &Value| module.get("type").and_then(Value::as_str).is_some_and(|t| t.ends_with(".Dense"));
    let has_dense = json("modules.json").and_then(|list| Some(list.as_array()?.iter().any(is_dense)));
    let own = json("1_Pooling/config.json").and_then(|config| pooling(&config).ok());
    has_dense == Some(false) && own == Some(wanted)
}

/// Adds the files that make a classifier of sentence-transformers: pooling, then a product with the weights of the head.
pub(super) fn describe_classifier(
    torch: &TorchModel,
    folder: &mut NewModelDirectory,
    pooling: Pooling,
    head: &[(String, Tensor)],
) -> Result<()> {
    write_modules(torch, folder, pooling, Some((DENSE, "Dense")))?;
    let config = json!({
        "in_features": width(torch),
        "out_features": torch.task.outputs(),
        "bias": true,
        "activation_function": IDENTITY,
    });
    folder.json(&format!("{DENSE}/config.json"), &config)?;
    let named: Vec<(String, &Tensor)> = head.iter().map(|(name, tensor)| (name_in_dense(name), tensor)).collect();
    let tensors = named.iter().map(|(name, tensor)| (name.as_str(), *tensor));
    folder.tensors(&format!("{DENSE}/model.safetensors"), tensors)?;
    Ok(())
}

/// The list of modules, the pooling's settings, and the most tokens of a text where the folder does not say it already.
fn write_modules(
    torch: &TorchModel,
    folder: &mut NewModelDirectory,
    pooling: Pooling,
    last: Option<(&str, &str)>,
) -> Result<()> {
    let module = |idx: usize, path: &str, class: &str| json!({ "idx": idx, "name": idx.to_string(), "path": path, "type": format!("sentence_transformers.models.{class}") });
    let mut modules = vec![module(0, "", "Transformer"), module(1, "1_Pooling", "Pooling")];
    modules.extend(last.map(|(path, class)| module(2, path, class)));
    folder.json("modules.json", &Value::Array(modules))?;
    folder.json(POOLING_CONFIG, &pooling_config(torch, pooling))?;
    if !torch.companions.iter().any(|(name, _)| name == LENGTH) {
        folder.json(LENGTH, &json!({ "max_seq_length": torch.family.max_tokens(), "do_lower_case": false }))?;
    }
    Ok(())
}

/// The settings of a pooling, as `1_Pooling/config.json` holds them.
pub(crate) fn pooling_config(torch: &TorchModel, pooling: Pooling) -> Value {
    let mut config = serde_json::Map::from_iter([("word_embedding_dimension".to_owned(), width(torch))]);
    let on = match pooling {
        Pooling::Mean => MEAN,
        Pooling::First => FIRST,
        Pooling::Last => LAST,
    };
    config.extend([FIRST, MEAN, LAST].into_iter().chain(OTHERS).map(|key| (key.to_owned(), json!(key == on))));
    config.insert("include_prompt".to_owned(), json!(true));
    Value::Object(config)
}

/// The file with the most tokens of a text.
const LENGTH: &str = "sentence_bert_config.json";

/// The width of the network's rows, as `config.json` has it.
fn width(torch: &TorchModel) -> Value {
    ["hidden_size", "dim"].iter().find_map(|key| torch.config.get(key)).cloned().unwrap_or(Value::Null)
}
