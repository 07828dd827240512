//! Parts of data that lie by themselves.

use super::{Result, paths};
use std::path::PathBuf;

/// The parts that data are tested on, where they are files or folders of their own.
#[derive(Debug, Clone, clap::Args)]
pub struct PartsArguments {
    /// The validation part, where it is a file or folder of its own
    #[arg(long, value_name = "DATA")]
    pub validation: Option<PathBuf>,
    /// The test part, where it is a file or folder of its own
    #[arg(long, value_name = "DATA")]
    pub test: Option<PathBuf>,
}

impl PartsArguments {
    /// Those that are given, with their names.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, &PathBuf)> {
        let PartsArguments { validation, test } = self;
        [("validation", validation), ("test", test)].into_iter().filter_map(|(name, path)| Some((name, path.as_ref()?)))
    }

    /// Fails where one of them is not there.
    pub fn must_exist(&self) -> Result {
        self.given().try_for_each(|(_, path)| paths::must_exist(path))
    }
}
