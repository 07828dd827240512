//! What can be wrong with a model.

use std::path::PathBuf;

use retune_formats::FormatError;
use retune_graph::GraphError;
use retune_tensor::TensorError;

use crate::report::LoadReport;

/// A model that cannot be read, built, changed or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file itself.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// Shapes that do not fit; the message names the layer.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A tensor whose shape and values disagree.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// A layer, or an attribute of it, that changes the result and is not supported. Nothing was executed.
    #[error("layer `{layer}` of class `{class}`: {what} is not supported\nhint: {hint}")]
    Unsupported {
        /// Path of the layer in the model: names of the models around it and its own, joined by `/`.
        layer: String,
        /// The layer's class.
        class: String,
        /// What is not supported.
        what: String,
        /// What the user can do.
        hint: String,
    },
    /// An attribute of a layer that is missing or of the wrong kind.
    #[error("layer `{layer}` of class `{class}`: attribute `{attribute}`: expected {expected}, found {found}")]
    Attribute {
        /// Path of the layer.
        layer: String,
        /// The layer's class.
        class: String,
        /// The attribute.
        attribute: String,
        /// What belongs there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A layer called with inputs that it cannot take.
    #[error("layer `{layer}` of class `{class}`: expected {expected}, found {found}")]
    Inputs {
        /// Path of the layer.
        layer: String,
        /// The layer's class.
        class: String,
        /// What the layer takes.
        expected: String,
        /// What it was given.
        found: String,
    },
    /// The description of the network is damaged.
    #[error("description of `{place}`: expected {expected}, found {found}")]
    Description {
        /// The model or layer, or the key in its description.
        place: String,
        /// What belongs there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A file with weights only, where a whole model was expected.
    #[error(
        "`{path}` contains weights, but no description of the network\nhint: load the model that the weights belong to, then load these weights into it"
    )]
    NoDescription {
        /// The file.
        path: PathBuf,
    },
    /// Weights of a file that do not fit the model.
    #[error("the weights do not fit the model: {0}")]
    Weights(Box<LoadReport>),
    /// A model folder of an architecture that is not known.
    #[error("the architecture `{kind}` is not supported\nhint: use a model whose `model_type` is one of {known}")]
    UnknownArchitecture {
        /// The `model_type` of `config.json`.
        kind: String,
        /// Those that are supported.
        known: String,
    },
    /// A file of weights alone whose tensors are those of no network that is known.
    #[error(
        "the network of these weights is not known: the first tensors are {first}{}\nhint: networks known by their tensors are {known}; a folder with `config.json` says what it holds",
        nearest.map(|network| format!("; the most similar network is {network}")).unwrap_or_default()
    )]
    UnknownWeights {
        /// Names of the first tensors.
        first: String,
        /// The networks that are known.
        known: String,
        /// The one with the most similar names.
        nearest: Option<&'static str>,
    },
    /// Something that only models of Keras can do, or only those of other frameworks.
    #[error("{what} is not possible for this kind of model\nhint: {hint}")]
    WrongKind {
        /// What was asked for.
        what: &'static str,
        /// What the user can do.
        hint: &'static str,
    },
    /// An input of unknown size: graphs need every size but the batch's.
    #[error(
        "input `{input}` has shape {shape}, whose sizes are not all known\nhint: give the input's shape when the network is built"
    )]
    UnknownSize {
        /// The input.
        input: String,
        /// Its shape, `?` for unknown sizes, without the batch.
        shape: String,
    },
    /// A name or pattern that no layer has.
    #[error("no layer is called `{pattern}`{}", nearest.as_ref().map(|n| format!("\nhint: did you mean `{n}`?")).unwrap_or_default())]
    NoSuchLayer {
        /// The name or pattern asked for.
        pattern: String,
        /// The most similar name that there is.
        nearest: Option<String>,
    },
    /// A change that this model does not admit.
    #[error("{what}\nhint: {hint}")]
    Surgery {
        /// What is impossible, and why.
        what: String,
        /// What the user can do.
        hint: String,
    },
    /// A file name from which the format to write does not follow.
    #[error(
        "the extension of `{path}` names no format to write\nhint: use `.keras`, `.h5` or `.weights.h5` for models of Keras, `.pth` or `.safetensors` for weights with PyTorch's names"
    )]
    Extension {
        /// The file asked for.
        path: PathBuf,
    },
}

/// The result of everything that can fail with a [`ModelError`].
pub type Result<T> = std::result::Result<T, ModelError>;
