//! The HDF5 tree of Keras 3's weights: `.weights.h5`, and `model.weights.h5` in a `.keras` archive.
//!
//! Groups follow the model's object tree; the group `vars` of each object holds its own variables as data sets `0`,
//! `1`, …, and the object's name as attribute `name`.

use indexmap::IndexMap;
use retune_tensor::Tensor;

use super::file::{KerasFile, Layout, RETUNE, parse_json};
use super::weights::{KerasWeights, PathWeights};
use crate::error::{FormatError, Problem};
use crate::hdf5::{Attribute, GroupToWrite, Hdf5Group};
use crate::limits::Limits;

const VARS: &str = "vars";

/// Reads a `.weights.h5` file from its root group.
pub(super) fn read_file(root: &Hdf5Group<'_>, limits: &Limits) -> Result<KerasFile, FormatError> {
    let mut file = KerasFile::new(Layout::Weights, KerasWeights::Paths(read_tree(root)?));
    if let Some(Attribute::Text(text)) = root.attributes()?.get(RETUNE) {
        file.retune = Some(parse_json(text.as_bytes(), RETUNE, limits)?);
    }
    Ok(file)
}

/// Reads the weights of a tree.
///
/// # Errors
/// If it has a data set outside a group `vars` (then it is not a file of Keras), or none at all and no name either.
pub(super) fn read_tree(root: &Hdf5Group<'_>) -> Result<PathWeights, FormatError> {
    let mut weights = PathWeights::default();
    read_group(root, &mut weights)?;
    if weights.variables.is_empty() && weights.names.is_empty() {
        return Err(Problem::mismatch("the weights of a Keras model", "an HDF5 file without groups `vars`").into());
    }
    Ok(weights)
}

fn read_group(group: &Hdf5Group<'_>, weights: &mut PathWeights) -> Result<(), FormatError> {
    let path = group.path();
    let is_vars = path == VARS || path.ends_with("/vars");
    let mut datasets = group.datasets()?;
    if !is_vars && let Some((_, dataset)) = datasets.first() {
        return Err(Problem::mismatch("variables only in groups named `vars`", "a data set").at(dataset.path()));
    }
    // HDF5 sorts names as text: `10` before `2`.
    datasets.sort_by_key(|(name, _)| name.parse::<u64>().unwrap_or(u64::MAX));
    for (_, dataset) in datasets {
        weights.variables.insert(dataset.path().to_owned(), dataset.read()?);
    }
    if is_vars && let Some(Attribute::Text(name)) = group.attributes()?.remove("name") {
        weights.names.insert(path.trim_end_matches(VARS).trim_end_matches('/').to_owned(), name);
    }
    for (_, child) in group.groups()? {
        read_group(&child, weights)?;
    }
    Ok(())
}

/// The HDF5 tree of weights by path.
///
/// # Errors
/// If a path does not end in `vars/<name>`, or is not plain.
pub(super) fn tree(weights: &PathWeights) -> Result<GroupToWrite<'_>, FormatError> {
    let mut root = GroupToWrite::new();
    for (path, name) in &weights.names {
        let vars = if path.is_empty() { VARS.to_owned() } else { format!("{path}/{VARS}") };
        root.group_at(&vars)?.set_attribute("name", Attribute::Text(name.clone()));
    }
    add_variables(&mut root, &weights.variables)?;
    Ok(root)
}

fn add_variables<'t>(root: &mut GroupToWrite<'t>, variables: &'t IndexMap<String, Tensor>) -> Result<(), FormatError> {
    for (path, tensor) in variables {
        let in_vars = path.rsplit_once('/').is_some_and(|(group, _)| group == VARS || group.ends_with("/vars"));
        if !in_vars {
            return Err(Problem::mismatch("a path that ends `vars/<number>`", format_args!("`{path}`")).into());
        }
        root.add_dataset(path, tensor)?;
    }
    Ok(())
}
