//! Golden cases: what Keras computed for a small model. `tests/golden/README.md` says what is in a case.

use std::path::{Path, PathBuf};

use retune_formats::safetensors::SafetensorsFile;
use retune_tensor::Tensor;
use serde::Deserialize;

use crate::array::Array;
use crate::compare::close;

/// `tests/golden`.
pub fn golden_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden")
}

/// One case: its description and its tensors.
#[derive(Debug, Clone)]
pub struct GoldenCase {
    /// Where the case lies; model files are beside `case.json`.
    pub folder: PathBuf,
    /// What `case.json` says.
    pub description: Description,
    /// The tensors of `case.safetensors`.
    pub tensors: SafetensorsFile,
}

/// The part of `case.json` that tests read.
#[derive(Debug, Clone, Deserialize)]
pub struct Description {
    /// Name of the case.
    pub case: String,
    /// Which family of layers it belongs to.
    pub group: String,
    /// What is special about it.
    pub notes: String,
    /// The model's inputs; the values of input `i` are the tensor `input/<i>`.
    pub inputs: Vec<Edge>,
    /// The model's outputs; the values of output `j` are the tensor `output/<j>`.
    pub outputs: Vec<Edge>,
    /// Every weight.
    pub weights: Vec<Weight>,
    /// Whether there are gradients and weights after a step.
    pub train: bool,
    /// How close a result must be.
    pub tolerance: Tolerances,
}

/// An input or output of a model.
#[derive(Debug, Clone, Deserialize)]
pub struct Edge {
    /// Keras's name of an input; outputs have none.
    pub name: Option<String>,
    /// Its shape, the batch included.
    pub shape: Vec<usize>,
    /// numpy's name of its type.
    pub dtype: String,
}

/// A weight of the model.
#[derive(Debug, Clone, Deserialize)]
pub struct Weight {
    /// Name in the tensors `grad/<key>`, `after/<key>` and `statistic/<key>`.
    pub key: String,
    /// Keras's own path of the variable.
    pub path: String,
    /// Place in `model.weights`.
    pub index: usize,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Whether training changes it.
    pub trainable: bool,
}

/// How close results must be.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Tolerances {
    /// For outputs and statistics.
    pub output: Tolerance,
    /// For gradients, and for weights after a step.
    pub grad: Tolerance,
}

/// `|value − golden| ≤ atol + rtol · |golden|`.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Tolerance {
    /// Relative part.
    pub rtol: f64,
    /// Absolute part.
    pub atol: f64,
}

impl GoldenCase {
    /// Reads the case in `folder`.
    ///
    /// # Panics
    /// If it cannot be read; the message names the file.
    #[track_caller]
    pub fn load(folder: impl Into<PathBuf>) -> GoldenCase {
        let folder = folder.into();
        let path = folder.join("case.json");
        let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let description = serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let tensors = SafetensorsFile::read(folder.join("case.safetensors")).unwrap_or_else(|error| panic!("{error}"));
        GoldenCase { folder, description, tensors }
    }

    /// The case `tests/golden/keras/<name>`.
    ///
    /// # Panics
    /// As [`GoldenCase::load`].
    #[track_caller]
    pub fn keras(name: &str) -> GoldenCase {
        GoldenCase::load(golden_folder().join("keras").join(name))
    }

    /// Every case of a folder of `tests/golden`, by name.
    ///
    /// # Panics
    /// As [`GoldenCase::load`], and if there is none.
    #[track_caller]
    pub fn all(folder: &str) -> Vec<GoldenCase> {
        let folder = golden_folder().join(folder);
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut folders: Vec<PathBuf> = entries
            .map(|entry| entry.unwrap_or_else(|error| panic!("{}: {error}", folder.display())).path())
            .filter(|path| path.join("case.json").is_file())
            .collect();
        assert!(!folders.is_empty(), "{} holds no case", folder.display());
        folders.sort();
        folders.into_iter().map(GoldenCase::load).collect()
    }

    /// A tensor by name, if the case has it.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.tensors.get(name)
    }

    /// A tensor by name.
    ///
    /// # Panics
    /// If the case does not have it.
    #[track_caller]
    pub fn tensor(&self, name: &str) -> &Tensor {
        self.get(name).unwrap_or_else(|| panic!("case `{}` has no tensor `{name}`", self.description.case))
    }

    /// A tensor by name, as an array; panics as [`GoldenCase::tensor`] does.
    #[track_caller]
    pub fn array(&self, name: &str) -> Array {
        Array::from(self.tensor(name))
    }

    /// Requires `actual` to be the tensor `name` within the case's tolerance: that of gradients for names that begin with
    /// `grad` or `after`, else that of outputs.
    ///
    /// # Panics
    /// If it is not; the message names the case, the tensor and the worst value.
    #[track_caller]
    pub fn check(&self, name: &str, actual: &Array) {
        let is_gradient = name.starts_with("grad") || name.starts_with("after");
        let Tolerances { output, grad } = self.description.tolerance;
        let Tolerance { rtol, atol } = if is_gradient { grad } else { output };
        if let Err(report) = close(actual, &self.array(name), rtol, atol) {
            panic!("case `{}`, tensor `{name}`: {report}", self.description.case);
        }
    }
}
