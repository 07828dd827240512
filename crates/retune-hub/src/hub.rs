//! From an address to a folder.

use std::path::PathBuf;

use crate::address::{HubAddress, is_plain_path};
use crate::cache::RepositoryCache;
use crate::client::Client;
use crate::download::{self, Progress};
use crate::error::HubError;
use crate::settings::Settings;

/// The Hub, or the cache alone when offline.
#[derive(Debug)]
pub struct Hub {
    settings: Settings,
}

impl Hub {
    /// The Hub by these settings; nothing is asked yet.
    pub fn new(settings: Settings) -> Hub {
        Hub { settings }
    }

    /// Makes the files of a model be in the cache and returns the folder that they are in (`…/snapshots/<commit>`), for
    /// `ModelDirectory` to open.
    ///
    /// Which files: those that `select` chooses of all names in the repository; [`model_files`] is the usual choice.
    /// What is in the cache is not fetched again; what broke off is continued. `progress` hears of every piece.
    ///
    /// Offline, the folder of the revision as it was last fetched is returned, if it has a `config.json`.
    ///
    /// # Errors
    /// If the Hub cannot be reached or refuses, a file does not have the announced length or SHA-256 (it is then not
    /// kept), offline if the cache lacks the model, or if the operating system refuses.
    pub fn fetch(
        &self,
        address: &HubAddress,
        select: impl FnOnce(&[String]) -> Vec<String>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<PathBuf, HubError> {
        let cache = RepositoryCache::new(&self.settings.cache, address);
        if self.settings.is_offline {
            let folder = cache.commit(address.revision()).map(|commit| cache.snapshot(&commit));
            let folder = folder.filter(|folder| folder.join("config.json").is_file());
            let (what, cache) = (address.to_string(), self.settings.cache.clone());
            return folder.ok_or(HubError::Offline { what, cache });
        }
        let client = Client::new(&self.settings)?;
        let (commit, mut names) = client.list(address)?;
        // Names that could lead out of the folder are not files of a model.
        names.retain(|name| is_plain_path(name));
        let chosen = select(&names);
        if chosen.is_empty() {
            return Err(HubError::NotFound { what: format!("files of a model at {address}") });
        }
        for name in chosen.iter().filter(|name| names.contains(name)) {
            download::fetch(&client, &cache, address, &commit, name, progress)?;
        }
        // Only now: offline, a revision that is known is complete.
        cache.set_commit(address.revision(), &commit)?;
        Ok(cache.snapshot(&commit))
    }
}

/// The files of `names` that a model needs: configuration, tokenizer and preprocessing (`.json`, `.txt`, `.model`,
/// `.jinja`), sentence-transformers' modules (`1_Pooling/…`), licence and card, and the weights in the best format that
/// is there: `.safetensors`, else PyTorch's `.bin`.
pub fn model_files(names: &[String]) -> Vec<String> {
    let is_weights = |name: &str, start: &str, end: &str| name.starts_with(start) && name.ends_with(end);
    let has_safetensors = names.iter().any(|name| is_weights(name, "model", ".safetensors"));
    let is_needed = |name: &&String| {
        let name = name.as_str();
        if let Some((folder, file)) = name.split_once('/') {
            let is_module = folder.starts_with(|c: char| c.is_ascii_digit());
            return is_module && matches!(file, "config.json" | "model.safetensors");
        }
        match name.rsplit_once('.') {
            _ if matches!(name, "README.md" | "LICENSE") => true,
            _ if name.ends_with(".bin.index.json") => !has_safetensors,
            Some((_, "json" | "txt" | "model" | "jinja")) => true,
            Some((_, "safetensors")) => is_weights(name, "model", "") || name == "adapter_model.safetensors",
            Some((_, "bin")) => !has_safetensors && is_weights(name, "pytorch_model", ""),
            _ => false,
        }
    };
    names.iter().filter(is_needed).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(names: &[&str]) -> Vec<String> {
        model_files(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn what_a_model_needs() {
        let all = [
            ".gitattributes",
            "1_Pooling/config.json",
            "README.md",
            "config.json",
            "model.safetensors",
            "onnx/model.onnx",
            "onnx/config.json",
            "pytorch_model.bin",
            "rust_model.ot",
            "tf_model.h5",
            "tokenizer.json",
            "training_args.bin",
            "vocab.txt",
        ];
        let expected =
            ["1_Pooling/config.json", "README.md", "config.json", "model.safetensors", "tokenizer.json", "vocab.txt"];
        assert_eq!(chosen(&all), expected);
        let old =
            ["config.json", "pytorch_model-00001-of-00002.bin", "pytorch_model.bin.index.json", "flax_model.msgpack"];
        assert_eq!(chosen(&old), old[..3]);
    }
}
