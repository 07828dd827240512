//! `.h5`/`.hdf5` files of Keras 1 and 2, and of Keras 3 where it writes that format.
//!
//! A whole model has the root attributes `model_config`, `training_config`, `keras_version` and `backend`, the weights
//! in the group `model_weights`, and perhaps the optimizer's variables in `optimizer_weights`. A file of weights only
//! has in its root what `model_weights` has. That group's attribute `layer_names` lists its groups, one per layer;
//! each of these has an attribute `weight_names` that lists the data sets in it, by paths relative to it.
//!
//! An attribute must fit into 64 KiB, so long lists are cut into attributes `layer_names0`, `layer_names1`, ….

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;
use indexmap::map::Entry;
use retune_tensor::Tensor;
use serde_json::Value;

use super::file::{KerasFile, Layout, RETUNE, parse_json, set_retune};
use super::weights::{KerasWeights, LegacyLayer, LegacyWeights};
use crate::error::{FormatError, Problem};
use crate::hdf5::{Attribute, GroupToWrite, Hdf5Group};
use crate::limits::Limits;

const MODEL_WEIGHTS: &str = "model_weights";
const OPTIMIZER_WEIGHTS: &str = "optimizer_weights";
const TOP_LEVEL: &str = "top_level_model_weights";
const LAYER_NAMES: &str = "layer_names";
const WEIGHT_NAMES: &str = "weight_names";

/// The most bytes that Keras puts into one attribute.
const ATTRIBUTE_LIMIT_BYTES: usize = 64_512;

/// The attributes of a group.
struct Attributes(HashMap<String, Attribute>);

impl Attributes {
    fn of(group: &Hdf5Group<'_>) -> Result<Attributes, FormatError> {
        Ok(Attributes(group.attributes()?))
    }

    fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name) {
            Some(Attribute::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn json(&self, name: &str, limits: &Limits) -> Result<Option<Value>, FormatError> {
        self.text(name).map(|text| parse_json(text.as_bytes(), name, limits)).transpose()
    }

    /// The list `name`, joined again if it is cut into `name0`, `name1`, …; `None` if there is no such list.
    fn list(&mut self, name: &str) -> Option<Vec<String>> {
        if let Some(whole) = self.take_list(name) {
            return Some(whole);
        }
        let mut joined = self.take_list(&format!("{name}0"))?;
        for part in 1.. {
            match self.take_list(&format!("{name}{part}")) {
                Some(names) => joined.extend(names),
                None => break,
            }
        }
        Some(joined)
    }

    fn take_list(&mut self, name: &str) -> Option<Vec<String>> {
        match self.0.remove(name)? {
            Attribute::Texts(names) => Some(names),
            // The HDF5 reader does not tell a list of one text from a text.
            Attribute::Text(name) => Some(vec![name]),
        }
    }

    fn has_list(&self, name: &str) -> bool {
        self.0.contains_key(name) || self.0.contains_key(&format!("{name}0"))
    }
}

/// Whether an HDF5 file's root looks like a legacy file's (and not like a `.weights.h5` of Keras 3).
pub(super) fn is_legacy(root: &Hdf5Group<'_>) -> Result<bool, FormatError> {
    let attributes = Attributes::of(root)?;
    Ok(attributes.text("model_config").is_some()
        || attributes.has_list(LAYER_NAMES)
        || root.group(MODEL_WEIGHTS).is_ok())
}

/// Reads a legacy file from its root group.
pub(super) fn read(root: &Hdf5Group<'_>, limits: &Limits) -> Result<KerasFile, FormatError> {
    let attributes = Attributes::of(root)?;
    let config = attributes.json("model_config", limits)?;
    let (layout, weights_group) = if attributes.has_list(LAYER_NAMES) {
        (Layout::LegacyWeights, None)
    } else {
        (Layout::LegacyModel, Some(root.group(MODEL_WEIGHTS)?))
    };
    let optimizer_weights = match root.group(OPTIMIZER_WEIGHTS) {
        Ok(group) => read_weights(&group)?,
        Err(FormatError { problem: Problem::Missing { .. }, .. }) => IndexMap::new(),
        Err(error) => return Err(error),
    };
    Ok(KerasFile {
        layout,
        keras_version: attributes.text("keras_version").map(str::to_owned),
        backend: attributes.text("backend").map(str::to_owned),
        config,
        training_config: attributes.json("training_config", limits)?,
        weights: KerasWeights::Legacy(read_layers(weights_group.as_ref().unwrap_or(root))?),
        optimizer_weights,
        retune: attributes.json(RETUNE, limits)?,
        extra: IndexMap::new(),
    })
}

fn read_layers(group: &Hdf5Group<'_>) -> Result<LegacyWeights, FormatError> {
    let names = Attributes::of(group)?.list(LAYER_NAMES);
    let names = names.ok_or_else(|| Problem::missing("the attribute `layer_names`").at(group.path()))?;
    let mut groups: HashMap<String, Hdf5Group<'_>> = group.groups()?.into_iter().collect();
    let mut seen = HashSet::new();
    let mut layers = Vec::with_capacity(names.len());
    for name in names {
        if !seen.insert(name.clone()) {
            return Err(Problem::Duplicate { name }.at(group.path()));
        }
        // A name with a `/` in it belongs to a group within a group.
        let layer = groups.remove(&name).map_or_else(|| group.group(&name), Ok)?;
        layers.push(LegacyLayer { name, weights: read_weights(&layer)?.into_iter().collect() });
    }
    let top_level = match groups.remove(TOP_LEVEL) {
        Some(group) => {
            Some(LegacyLayer { name: TOP_LEVEL.to_owned(), weights: read_weights(&group)?.into_iter().collect() })
        }
        None => None,
    };
    Ok(LegacyWeights { layers, top_level })
}

/// The data sets that a group's `weight_names` lists.
fn read_weights(group: &Hdf5Group<'_>) -> Result<IndexMap<String, Tensor>, FormatError> {
    let mut datasets = group.all_datasets()?;
    let mut weights = IndexMap::new();
    for name in Attributes::of(group)?.list(WEIGHT_NAMES).unwrap_or_default() {
        match weights.entry(name) {
            Entry::Occupied(entry) => {
                return Err(Problem::Duplicate { name: entry.key().clone() }.at(group.path()));
            }
            Entry::Vacant(entry) => {
                let dataset = datasets.swap_remove(entry.key());
                let missing = || Problem::missing(format_args!("the data set `{}`", entry.key())).at(group.path());
                let tensor = dataset.ok_or_else(missing)?.read()?;
                entry.insert(tensor);
            }
        }
    }
    Ok(weights)
}

/// The HDF5 tree of a legacy file.
pub(super) fn tree<'t>(file: &'t KerasFile, weights: &'t LegacyWeights) -> Result<GroupToWrite<'t>, FormatError> {
    let mut root = GroupToWrite::new();
    let whole_model = file.layout == Layout::LegacyModel;
    let version = file.keras_version.as_deref().unwrap_or(super::archive::KERAS_VERSION);
    let backend = file.backend.as_deref().unwrap_or("tensorflow");
    if whole_model {
        let config = file.config.as_ref().ok_or_else(|| Problem::missing("the model's configuration"))?;
        root.set_attribute("model_config", Attribute::Text(config.to_string()));
        if let Some(training_config) = &file.training_config {
            root.set_attribute("training_config", Attribute::Text(training_config.to_string()));
        }
        describe_writer(&mut root, version, backend);
    }
    set_retune(&mut root, file.retune.as_ref());
    let group = if whole_model { root.group_at(MODEL_WEIGHTS)? } else { &mut root };
    describe_writer(group, version, backend);
    set_list(group, LAYER_NAMES, weights.layers.iter().map(|layer| layer.name.clone()).collect());
    for layer in weights.layers.iter().chain(&weights.top_level) {
        let weights = layer.weights.iter().map(|(name, tensor)| (name.as_str(), tensor));
        add_weights(group.group_at(&layer.name)?, weights).map_err(|error| error.within(&layer.name))?;
    }
    if whole_model && !file.optimizer_weights.is_empty() {
        let weights = file.optimizer_weights.iter().map(|(name, tensor)| (name.as_str(), tensor));
        add_weights(root.group_at(OPTIMIZER_WEIGHTS)?, weights).map_err(|error| error.within(OPTIMIZER_WEIGHTS))?;
    }
    Ok(root)
}

fn describe_writer(group: &mut GroupToWrite<'_>, version: &str, backend: &str) {
    group.set_attribute("keras_version", Attribute::Text(version.to_owned()));
    group.set_attribute("backend", Attribute::Text(backend.to_owned()));
}

fn add_weights<'t>(
    group: &mut GroupToWrite<'t>,
    weights: impl Iterator<Item = (&'t str, &'t Tensor)> + Clone,
) -> Result<(), FormatError> {
    set_list(group, WEIGHT_NAMES, weights.clone().map(|(name, _)| name.to_owned()).collect());
    for (name, tensor) in weights {
        group.add_dataset(name, tensor)?;
    }
    Ok(())
}

/// Stores a list of names, cut into as few equal parts as fit into an attribute each.
fn set_list(group: &mut GroupToWrite<'_>, name: &str, list: Vec<String>) {
    // An array of fixed-length strings: every item takes as much as the longest.
    let item_bytes = list.iter().map(String::len).max().unwrap_or(0).max(1);
    let items_per_part = (ATTRIBUTE_LIMIT_BYTES / item_bytes).max(1);
    if list.len() <= items_per_part {
        group.set_attribute(name, Attribute::Texts(list));
        return;
    }
    for (i, part) in list.chunks(items_per_part).enumerate() {
        group.set_attribute(format!("{name}{i}"), Attribute::Texts(part.to_vec()));
    }
}
