//! Weights that are cut into several files, with an index: `model.safetensors.index.json` and
//! `pytorch_model.bin.index.json`.
//!
//! Layout: a JSON object whose `weight_map` gives for each tensor's name the name of a file beside the index.

use std::path::Path;

use indexmap::{IndexMap, IndexSet};
use serde_json::Value;

use super::{Entry, Weights, WeightsFile};
use crate::error::{FormatError, Problem};
use crate::limits::{Limits, check};

const WEIGHT_MAP: &str = "weight_map";

/// Opens the shards of the index at `path` and checks that they hold what it says.
pub(super) fn open(path: &Path, limits: &Limits) -> Result<Weights, FormatError> {
    let weight_map = read(path, limits)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut files = Vec::new();
    let mut seen = IndexSet::new();
    let mut entries: IndexMap<String, Entry> = IndexMap::with_capacity(weight_map.len());
    let locate = |problem: Problem, name: &str| problem.at(name).in_file(path);
    for shard in weight_map.values() {
        if !seen.insert(shard) {
            continue;
        }
        let file_path = folder.join(shard);
        if !file_path.is_file() {
            return Err(locate(Problem::missing(format_args!("the shard `{shard}`")), WEIGHT_MAP));
        }
        let file = WeightsFile::open(&file_path, limits)?;
        for (name, _) in file.infos() {
            match weight_map.get(name) {
                Some(listed) if listed == shard => {}
                Some(listed) => {
                    let expected = format!("the tensor in the shard `{listed}` alone");
                    return Err(locate(Problem::mismatch(expected, format_args!("it in `{shard}`")), name));
                }
                None => {
                    let problem = Problem::mismatch("only tensors that the index lists", format_args!("`{name}`"));
                    return Err(locate(problem, shard));
                }
            }
            let entry = Entry { file: files.len(), name: name.to_owned() };
            entries.insert(name.to_owned(), entry);
        }
        files.push((file_path, file));
    }
    for (name, shard) in &weight_map {
        if !entries.contains_key(name) {
            return Err(locate(Problem::missing(format_args!("the tensor in the shard `{shard}`")), name));
        }
    }
    Ok(Weights { files, entries })
}

/// Per tensor the name of its shard.
fn read(path: &Path, limits: &Limits) -> Result<IndexMap<String, String>, FormatError> {
    let read = || -> Result<IndexMap<String, String>, FormatError> {
        let text = limits.read_file(path)?;
        check("the size of a JSON text in bytes", text.len() as u64, limits.max_json_bytes)?;
        let index: Value = serde_json::from_slice(&text).map_err(Problem::from)?;
        let not_a_map = || Problem::missing("an object of shards by tensors").at(WEIGHT_MAP);
        let weight_map = index.get(WEIGHT_MAP).and_then(Value::as_object).ok_or_else(not_a_map)?;
        check("the number of tensors", weight_map.len() as u64, limits.max_objects)?;
        let mut shards = IndexMap::with_capacity(weight_map.len());
        for (name, shard) in weight_map {
            let shard = shard.as_str().ok_or_else(not_a_map)?;
            if shard.is_empty() || shard == "." || shard == ".." || shard.contains(['/', '\\', ':', '\0']) {
                return Err(Problem::UnsafeName { name: shard.to_owned() }.at(WEIGHT_MAP));
            }
            if shard.ends_with(".json") {
                return Err(Problem::mismatch("weights as a shard", format_args!("`{shard}`")).at(WEIGHT_MAP));
            }
            shards.insert(name.clone(), shard.to_owned());
        }
        Ok(shards)
    };
    read().map_err(|error| error.in_file(path))
}
