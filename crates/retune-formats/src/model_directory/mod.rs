//! Folders as the Hugging Face Hub has them: `config.json`, weights, tokenizer, preprocessing.
//!
//! - [`ModelDirectory`]: what is in a folder; nothing of it is interpreted.
//! - [`write`](mod@write): a folder written as a whole or not at all.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{FormatError, Problem};
use crate::limits::{Limits, check};
use crate::weights::{FILE_NAMES, Weights};

pub mod write;

pub use write::{Existing, NewModelDirectory};

const CONFIG: &str = "config.json";

/// The files beside configuration and weights that belong to a model: tokenizers, preprocessing, generation,
/// sentence-transformers' modules. They are carried over byte for byte when a model is saved again.
pub const COMPANIONS: [&str; 21] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "sentencepiece.bpe.model",
    "spiece.model",
    "spm.model",
    "chat_template.jinja",
    "preprocessor_config.json",
    "processor_config.json",
    "generation_config.json",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "1_Pooling/config.json",
    "2_Normalize/config.json",
    "label_map.json",
];

/// A folder with a model of the Hugging Face Hub's layout.
#[derive(Debug)]
pub struct ModelDirectory {
    path: PathBuf,
    config: Value,
    companions: Vec<&'static str>,
    limits: Limits,
}

/// An entry of sentence-transformers' `modules.json`: the parts of which a sentence embedding is computed, in order.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct SentenceModule {
    /// The module's number.
    pub idx: usize,
    /// The module's name, mostly its number.
    pub name: String,
    /// The module's folder; empty for the model's own.
    pub path: String,
    /// The Python class, for example `sentence_transformers.models.Pooling`.
    #[serde(rename = "type")]
    pub class: String,
}

impl ModelDirectory {
    /// Looks at the folder at `path` within the default [`Limits`]; the weights are opened by
    /// [`ModelDirectory::weights`].
    ///
    /// # Errors
    /// If it is no folder, or has no `config.json` with a JSON object.
    pub fn open(path: impl AsRef<Path>) -> Result<ModelDirectory, FormatError> {
        let path = path.as_ref();
        let limits = Limits::default();
        let config = read_json(&path.join(CONFIG), &limits)?;
        if !config.is_object() {
            let problem = Problem::mismatch("a JSON object", "another JSON value");
            return Err(problem.at("").in_file(&path.join(CONFIG)));
        }
        let companions = COMPANIONS.into_iter().filter(|name| path.join(name).is_file()).collect();
        Ok(ModelDirectory { path: path.to_path_buf(), config, companions, limits })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `config.json` as a whole, its keys in their order, so that it can be written back complete.
    pub fn config(&self) -> &Value {
        &self.config
    }

    /// Whether the folder has weights in a file of a usual name.
    pub fn has_weights(&self) -> bool {
        FILE_NAMES.iter().any(|name| self.path.join(name).is_file())
    }

    /// Opens the weights.
    ///
    /// # Errors
    /// As for [`Weights::open`].
    pub fn weights(&self) -> Result<Weights, FormatError> {
        Weights::open_within(&self.path, &self.limits)
    }

    /// The names of those of [`COMPANIONS`] that are there.
    pub fn companions(&self) -> &[&'static str] {
        &self.companions
    }

    /// Whether the file `name`, one of [`COMPANIONS`], is there.
    pub fn has(&self, name: &str) -> bool {
        self.companions.contains(&name)
    }

    /// The bytes of the companion `name`; `None` if it is not there.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, FormatError> {
        self.has(name).then(|| self.limits.read_file(&self.path.join(name))).transpose()
    }

    /// The JSON of the companion `name`; `None` if it is not there.
    ///
    /// # Errors
    /// If it cannot be read or is not JSON.
    pub fn json(&self, name: &str) -> Result<Option<Value>, FormatError> {
        self.has(name).then(|| read_json(&self.path.join(name), &self.limits)).transpose()
    }

    /// The modules of a sentence-transformers model; `None` if it is none.
    ///
    /// # Errors
    /// If `modules.json` cannot be read or is no list of modules.
    pub fn sentence_modules(&self) -> Result<Option<Vec<SentenceModule>>, FormatError> {
        let Some(modules) = self.json("modules.json")? else { return Ok(None) };
        let modules: Result<Vec<SentenceModule>, _> = serde_json::from_value(modules);
        modules.map(Some).map_err(|error| Problem::from(error).at("").in_file(&self.path.join("modules.json")))
    }

    /// The pooling of a sentence-transformers model (`1_Pooling/config.json`, or that of the folder which
    /// `modules.json` names); `None` if there is none.
    ///
    /// # Errors
    /// If `modules.json` or the pooling's configuration cannot be read, or a module's folder lies outside this one.
    pub fn sentence_pooling(&self) -> Result<Option<Value>, FormatError> {
        let modules = self.sentence_modules()?.unwrap_or_default();
        let Some(module) = modules.iter().find(|module| module.class.ends_with(".Pooling")) else {
            return self.json("1_Pooling/config.json");
        };
        self.module_config(module).map(Some)
    }

    /// The configuration of a module of sentence-transformers: `config.json` in the module's folder.
    ///
    /// # Errors
    /// If it cannot be read or is not JSON, or the folder lies outside this one.
    pub fn module_config(&self, module: &SentenceModule) -> Result<Value, FormatError> {
        read_json(&self.module_folder(module)?.join(CONFIG), &self.limits)
    }

    /// Opens the weights of a module of sentence-transformers.
    ///
    /// # Errors
    /// As for [`Weights::open`], and if the module's folder lies outside this one.
    pub fn module_weights(&self, module: &SentenceModule) -> Result<Weights, FormatError> {
        Weights::open_within(self.module_folder(module)?, &self.limits)
    }

    fn module_folder(&self, module: &SentenceModule) -> Result<PathBuf, FormatError> {
        if is_below(&module.path) {
            return Ok(self.path.join(&module.path));
        }
        let problem = Problem::UnsafeName { name: module.path.clone() };
        Err(problem.at("path").in_file(&self.path.join("modules.json")))
    }
}

fn read_json(path: &Path, limits: &Limits) -> Result<Value, FormatError> {
    let text = limits.read_file(path)?;
    let parse = || -> Result<Value, Problem> {
        check("the size of a JSON text in bytes", text.len() as u64, limits.max_json_bytes)?;
        Ok(serde_json::from_slice(&text)?)
    };
    parse().map_err(|problem| problem.at("").in_file(path))
}

/// Whether the name, with `/` between folders, stays within the folder that it is relative to.
fn is_below(name: &str) -> bool {
    !name.contains(['\\', '\0', ':']) && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}
