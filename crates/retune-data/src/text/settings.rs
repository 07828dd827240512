//! [`TextSettings`]: how texts become tokens, beyond what the tokenizer's file says.

use crate::error::DataError;
use serde::{Deserialize, Serialize};

/// Which tokens go where an example has more than the network takes. They go from the text's end.
///
/// The same as in Hugging Face's tokenizers, so that a model sees at inference elsewhere what it was trained on here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Truncation {
    /// From the longer text of a pair, until both are of one length; then from both.
    #[default]
    LongestFirst,
    /// From the first text alone.
    OnlyFirst,
    /// From the second text alone; from the only one where examples are single texts.
    OnlySecond,
}

/// How texts become tokens. Stored with the saved model.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct TextSettings {
    /// Most tokens of an example, those that mark beginning and end included. Default: as many as the network takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<usize>,
    /// Which tokens go where there are more. Default `longest-first`.
    pub truncation: Truncation,
    /// Put in front of every text, of both of a pair, before it is cut into tokens. E5's models take `"query: "`.
    /// Default: nothing.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub prefix: String,
}

impl TextSettings {
    /// Checks each setting on its own.
    ///
    /// # Errors
    /// A maximum of 0.
    pub fn check(&self) -> Result<(), DataError> {
        match self.max_tokens {
            Some(0) => Err(DataError::setting("max-tokens", "at least 1", 0)),
            _ => Ok(()),
        }
    }
}
