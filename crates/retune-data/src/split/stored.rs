//! [`StoredSplit`]: a split as a file, to be used again on the same data.

use super::Split;
use crate::dataset::Dataset;
use crate::error::DataError;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A split with the data that it divides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StoredSplit {
    /// The data, in words.
    pub data: String,
    /// SHA-256 of its inputs and labels, see [`Dataset::content_hash`].
    pub sha256: String,
    /// Ids of the examples of each part: their places in the source, from 0.
    #[serde(flatten)]
    pub split: Split,
}

impl StoredSplit {
    /// A split of this data.
    ///
    /// # Errors
    /// An image file that cannot be read.
    pub fn new(data: &Dataset, split: Split) -> Result<StoredSplit, DataError> {
        Ok(StoredSplit { data: data.description().to_owned(), sha256: data.content_hash()?.to_string(), split })
    }

    /// Reads the split of a file for this data.
    ///
    /// # Errors
    /// A file that cannot be read or is no split; a split of other data.
    pub fn read(path: &Path, data: &Dataset) -> Result<Split, DataError> {
        let text = std::fs::read_to_string(path).map_err(DataError::io(path))?;
        let stored: StoredSplit = serde_json::from_str(&text).map_err(|error| DataError::Malformed {
            path: path.to_path_buf(),
            place: format!("line {}", error.line()),
            expected: "a split as a run keeps it".into(),
            found: error.to_string(),
            hint: "name the file `split.json` in the folder of a run",
        })?;
        let found = data.content_hash()?.to_string();
        if found != stored.sha256 {
            return Err(DataError::OtherData {
                path: path.to_path_buf(),
                expected: format!("{}, SHA-256 {}", stored.data, stored.sha256),
                found: format!("{}, SHA-256 {found}", data.description()),
            });
        }
        stored.split.check(data)?;
        Ok(stored.split)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Inputs, Labels};
    use retune_tensor::Tensor;

    fn dataset(label: i32) -> Dataset {
        let labels = Labels::classes("t", vec![0, 1, 0, label], 2).unwrap();
        Dataset::new("t", Inputs::Features(Tensor::zeros([4, 1])), labels).unwrap()
    }

    #[test]
    fn is_used_again_on_the_same_data_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("split.json");
        let split = Split::by_fraction(&dataset(1), 0.0, 0.5, 1).unwrap();
        let stored = StoredSplit::new(&dataset(1), split.clone()).unwrap();
        std::fs::write(&path, serde_json::to_string(&stored).unwrap()).unwrap();
        assert_eq!(StoredSplit::read(&path, &dataset(1)).unwrap(), split);
        let error = StoredSplit::read(&path, &dataset(0)).unwrap_err().to_string();
        assert!(error.contains("other data"), "{error}");
        std::fs::write(&path, "{}").unwrap();
        assert!(matches!(StoredSplit::read(&path, &dataset(1)), Err(DataError::Malformed { .. })));
        assert!(matches!(StoredSplit::read(folder.path(), &dataset(1)), Err(DataError::Io { .. })));
    }
}
