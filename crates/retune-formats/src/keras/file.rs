//! What a Keras file contains, and reading and writing of every layout.

use std::path::Path;

use indexmap::IndexMap;
use retune_tensor::Tensor;
use serde_json::Value;

use super::weights::KerasWeights;
use super::{archive, legacy, paths};
use crate::atomic::write_atomic;
use crate::error::{FormatError, Problem};
use crate::hdf5::{self, Attribute, Hdf5File};
use crate::limits::{self, Limits};

/// The layouts in which Keras stores models and weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `.h5`/`.hdf5` with the model's description and its weights by layer (`model.save("m.h5")`).
    LegacyModel,
    /// `.h5`/`.hdf5` with weights by layer only (`model.save_weights("w.h5")` of Keras 1 and 2).
    LegacyWeights,
    /// `.keras`: a zip archive with the model's description and its weights by path (Keras 3).
    Archive,
    /// `.weights.h5`: weights by path only (Keras 3).
    Weights,
}

impl Layout {
    /// The file name extension that Keras demands for the layout, without a leading dot.
    pub fn extension(self) -> &'static str {
        match self {
            Layout::LegacyModel | Layout::LegacyWeights => "h5",
            Layout::Archive => "keras",
            Layout::Weights => "weights.h5",
        }
    }
}

/// A Keras file's contents. Nothing in it is interpreted: configurations are JSON as stored, and no code is run.
///
/// | field | `LegacyModel` | `LegacyWeights` | `Archive` | `Weights` |
/// | --- | --- | --- | --- | --- |
/// | `keras_version` | attribute | attribute | `metadata.json` | – |
/// | `backend` | attribute | attribute | – | – |
/// | `config` | attribute `model_config` | – | `config.json` | – |
/// | `training_config` | attribute | – | – (in `config` under `compile_config`) | – |
/// | `weights` | `Legacy` | `Legacy` | `Paths` | `Paths` |
/// | `optimizer_weights` | group | – | – (in `weights` under `optimizer/`) | – |
/// | `retune` | attribute | attribute | `retune.json` | attribute |
/// | `extra` | – | – | all other members | – |
#[derive(Debug, Clone, PartialEq)]
pub struct KerasFile {
    /// How the file is laid out; [`KerasFile::write`] writes this layout.
    pub layout: Layout,
    /// The Keras that wrote the file, for example `2.9.0`. Keras 1 wrote none.
    pub keras_version: Option<String>,
    /// The backend under which the file was written, for example `tensorflow`.
    pub backend: Option<String>,
    /// The model's description, in the dialect of the Keras that wrote it: `{"class_name": …, "config": …}`.
    pub config: Option<Value>,
    /// Optimizer, loss and metrics of a legacy whole model.
    pub training_config: Option<Value>,
    /// The weights.
    pub weights: KerasWeights,
    /// The optimizer's variables of a legacy whole model, by name, in the file's order.
    pub optimizer_weights: IndexMap<String, Tensor>,
    /// What retune itself stores beside the model: preprocessing and label names. Keras ignores it.
    pub retune: Option<Value>,
    /// Members of an archive that belong to none of the fields above (`assets/…`), kept when it is written again.
    pub extra: IndexMap<String, Vec<u8>>,
}

impl KerasFile {
    /// A file of `layout` that contains `weights` and nothing else.
    pub fn new(layout: Layout, weights: KerasWeights) -> KerasFile {
        KerasFile {
            layout,
            keras_version: None,
            backend: None,
            config: None,
            training_config: None,
            weights,
            optimizer_weights: IndexMap::new(),
            retune: None,
            extra: IndexMap::new(),
        }
    }

    /// Reads the file at `path`, whatever its name: the layout is recognized by content.
    ///
    /// # Errors
    /// If the file cannot be opened, is not a Keras file, is damaged, or exceeds the default [`Limits`].
    pub fn read(path: impl AsRef<Path>) -> Result<KerasFile, FormatError> {
        KerasFile::read_with(path, &Limits::default())
    }

    /// [`KerasFile::read`] with limits of one's own.
    ///
    /// # Errors
    /// As for [`KerasFile::read`].
    pub fn read_with(path: impl AsRef<Path>, limits: &Limits) -> Result<KerasFile, FormatError> {
        let path = path.as_ref();
        let bytes = limits.read_file(path)?;
        KerasFile::from_bytes(bytes, limits).map_err(|error| error.in_file(path))
    }

    /// Reads a file whose bytes are at hand.
    ///
    /// # Errors
    /// If they are not a Keras file, damaged, or exceed the limits.
    pub fn from_bytes(bytes: Vec<u8>, limits: &Limits) -> Result<KerasFile, FormatError> {
        if bytes.starts_with(b"PK\x03\x04") {
            return archive::read(bytes, limits);
        }
        if !hdf5::is_hdf5(&bytes) {
            let expected = "a Keras file: an HDF5 file (`.h5`, `.hdf5`, `.weights.h5`) or a zip archive (`.keras`)";
            let start = &bytes[..bytes.len().min(8)];
            return Err(
                Problem::mismatch(expected, format_args!("a file that starts `{}`", start.escape_ascii())).into()
            );
        }
        let file = Hdf5File::from_bytes(bytes, limits)?;
        let root = file.root();
        if legacy::is_legacy(&root)? { legacy::read(&root, limits) } else { paths::read_file(&root, limits) }
    }

    /// Writes the file at `path` in its [`Layout`], replacing a file of that name only when all is written.
    ///
    /// Keras recognizes files by name: use the extension of [`Layout::extension`].
    ///
    /// # Errors
    /// If the operating system refuses, the weights are not named as the layout demands, or a name is not permitted.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), FormatError> {
        let path = path.as_ref();
        write_atomic(path, |writer| -> Result<(), FormatError> {
            match (self.layout, &self.weights) {
                (Layout::LegacyModel | Layout::LegacyWeights, KerasWeights::Legacy(weights)) => {
                    legacy::tree(self, weights)?.write(writer)?;
                }
                (Layout::Archive, KerasWeights::Paths(weights)) => archive::write(self, weights, writer)?,
                (Layout::Weights, KerasWeights::Paths(weights)) => {
                    let mut tree = paths::tree(weights)?;
                    set_retune(&mut tree, self.retune.as_ref());
                    tree.write(writer)?;
                }
                (layout, _) => {
                    let expected = format!("weights named as the layout {layout:?} names them");
                    return Err(Problem::mismatch(expected, "weights of the other naming").into());
                }
            }
            Ok(())
        })
        .map_err(|error| error.in_file(path))
    }
}

/// The name of the attribute (and, with `.json`, of the archive member) that holds [`KerasFile::retune`].
pub(super) const RETUNE: &str = "retune";

/// Stores [`KerasFile::retune`] as an attribute of the root group.
pub(super) fn set_retune(root: &mut hdf5::GroupToWrite<'_>, retune: Option<&Value>) {
    if let Some(value) = retune {
        root.set_attribute(RETUNE, Attribute::Text(value.to_string()));
    }
}

/// Parses the JSON text `text`, which stands at `place`.
pub(super) fn parse_json(text: &[u8], place: &str, limits: &Limits) -> Result<Value, FormatError> {
    limits::check("the size of a JSON text in bytes", text.len() as u64, limits.max_json_bytes)
        .and_then(|()| Ok(serde_json::from_slice(text)?))
        .map_err(|problem: Problem| problem.at(place))
}
