//! `run.json`: on exactly what, with what, and how a run was made.

use crate::error::TrainError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Provenance of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Manifest {
    /// Version of retune.
    pub retune: String,
    /// The command that began the run.
    pub command: Vec<String>,
    /// The folder that relative paths of the recipe start at.
    pub folder: PathBuf,
    /// Seed of everything random.
    pub seed: u64,
    /// Number of threads; results do not depend on it.
    pub threads: usize,
    /// Instruction set; results may differ in the last bits from one to another.
    pub instruction_set: String,
    /// The pretrained model's file, if there is one.
    pub model: Option<FileManifest>,
    /// The file of weights loaded into the model (`model.weights-file`), if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<FileManifest>,
    /// Files by which texts are changed: lists of words and synonyms.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub augment: Vec<FileManifest>,
    /// The data.
    pub data: Vec<DataManifest>,
}

/// A file and its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FileManifest {
    /// Where it was.
    pub path: PathBuf,
    /// SHA-256 of its bytes; of a folder see [`path_sha256`].
    pub sha256: String,
    /// Of a model of the Hugging Face Hub its address with the exact commit, `hf://org/name@commit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// A part of the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DataManifest {
    /// `train`, `validation`, `test`, or `also` for other data that was measured before and after.
    pub part: String,
    /// Where it was.
    pub description: String,
    /// Examples used.
    pub examples: usize,
    /// SHA-256 of the inputs and labels of the source.
    pub sha256: String,
    /// SHA-256 of the numbers of the examples used, which tells shares of one source apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids_sha256: Option<String>,
}

impl Manifest {
    /// Reads `run.json` of a run's folder.
    ///
    /// # Errors
    /// No such file, or a damaged one.
    pub fn read(root: &Path) -> Result<Manifest, TrainError> {
        let path = root.join("run.json");
        let text = std::fs::read_to_string(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                TrainError::NoRun { path: root.to_owned(), reason: "`run.json` is missing".into() }
            }
            _ => TrainError::read(&path)(error),
        })?;
        serde_json::from_str(&text).map_err(|error| TrainError::Damaged { path, reason: error.to_string() })
    }

    /// An error if model or data are not those of `before`.
    ///
    /// # Errors
    /// The first that changed.
    pub fn check_unchanged(&self, before: &Manifest) -> Result<(), TrainError> {
        let changed = |what: &str, before: &str, now: &str| TrainError::Changed {
            what: what.to_owned(),
            before: before.to_owned(),
            now: now.to_owned(),
        };
        let files = [("model", &self.model, &before.model), ("weights", &self.weights, &before.weights)];
        for (what, now, then) in files {
            if let (Some(now), Some(then)) = (now, then)
                && now.sha256 != then.sha256
            {
                let what = format!("the {what} file `{}`", now.path.display());
                return Err(changed(&what, &then.sha256, &now.sha256));
            }
        }
        for then in &before.augment {
            let now = self.augment.iter().find(|now| now.path.file_name() == then.path.file_name());
            let sha256 = now.map_or("missing", |now| &now.sha256);
            if sha256 != then.sha256 {
                return Err(changed(&format!("the file `{}`", then.path.display()), &then.sha256, sha256));
            }
        }
        for then in &before.data {
            let now = self.data.iter().find(|now| now.part == then.part);
            let sha256 = now.map_or("missing", |now| &now.sha256);
            if now.is_none_or(|now| now.sha256 != then.sha256 || now.examples != then.examples) {
                return Err(changed(&format!("the {} data `{}`", then.part, then.description), &then.sha256, sha256));
            }
        }
        Ok(())
    }
}

/// SHA-256 of a file's bytes, or of a folder: of the names of its files, in order, and the SHA-256 of each; folders in it are left
/// out.
///
/// # Errors
/// A file that cannot be read.
pub fn path_sha256(path: &Path) -> Result<String, TrainError> {
    if !path.is_dir() {
        return file_sha256(path);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(TrainError::read(path))? {
        files.push(entry.map_err(TrainError::read(path))?.path());
    }
    files.sort();
    let mut hasher = Sha256::new();
    for file in files.iter().filter(|file| file.is_file()) {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        hasher.update(format!("{name}\0{}\n", file_sha256(file)?));
    }
    Ok(hex(&hasher.finalize()))
}

/// SHA-256 of a file's bytes.
pub(super) fn file_sha256(path: &Path) -> Result<String, TrainError> {
    let mut file = std::fs::File::open(path).map_err(TrainError::read(path))?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer).map_err(TrainError::read(path))? {
            0 => return Ok(hex(&hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

/// SHA-256 of the numbers of examples.
pub(crate) fn ids_sha256(ids: &[u64]) -> String {
    let mut hasher = Sha256::new();
    ids.iter().for_each(|id| hasher.update(id.to_le_bytes()));
    hex(&hasher.finalize())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
