//! Model cards: `README.md` of a model's folder, and what the Hub reads at its beginning.
//!
//! A card that somebody wrote is kept: that of a model which is saved unchanged as it is, that of a base beside the card of what was
//! made of it ([`BASE`]), and one that stands where a folder is written ([`PREVIOUS`]).

use std::path::Path;

use super::{Origin, TorchModel};
use crate::model::{Architecture, Model};
use retune_formats::Limits;
use serde_json::Value;

/// The card.
pub(crate) const README: &str = "README.md";
/// The card of the base, beside that of a model that was made of it.
pub(crate) const BASE: &str = "README.base.md";
/// A card that stood where another is written.
pub(crate) const PREVIOUS: &str = "README.previous.md";

/// What a card's front matter says, as far as it passes on to what is made of the model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FrontMatter {
    lines: Vec<(String, String)>,
}

impl FrontMatter {
    /// The values that stand on the line of their key, between the card's first line `---` and the next. Lists and tables are left out.
    pub fn of(card: &str) -> FrontMatter {
        let mut lines = card.lines().map(str::trim_end);
        if lines.next() != Some("---") {
            return FrontMatter::default();
        }
        let matter: Vec<&str> = lines.collect();
        let Some(end) = matter.iter().position(|line| *line == "---") else { return FrontMatter::default() };
        let value = |line: &&str| {
            let (key, value) = line.split_once(':')?;
            let is_key = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
            let value = value.split(" #").next().unwrap_or_default().trim().trim_matches(['"', '\'']);
            let is_scalar = !value.is_empty() && !value.starts_with(['[', '{', '|', '>', '&', '*']);
            (is_key && is_scalar).then(|| (key.to_owned(), value.to_owned()))
        };
        FrontMatter { lines: matter[..end].iter().filter_map(value).collect() }
    }

    /// The value of a key at the outermost level.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.lines.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }
}

/// The text of the card at a path, if there is one of an ordinary size.
pub(crate) fn read(path: &Path) -> Option<String> {
    let bytes = Limits::default().read_file(path).ok()?;
    String::from_utf8(bytes).ok()
}

/// The cards to write into a folder at `path`: their names and texts.
pub(crate) fn files(torch: &TorchModel, model: &Model, path: &Path) -> Vec<(&'static str, String)> {
    let card = match (&model.card, &torch.card) {
        (Some(card), _) | (None, Some(card)) => card.clone(),
        (None, None) => plain(torch),
    };
    let previous = read(&path.join(README)).filter(|text| *text != card && Some(text) != torch.card.as_ref());
    let base = torch.card.clone().filter(|text| *text != card);
    let more = [(BASE, base), (PREVIOUS, previous)];
    std::iter::once((README, card)).chain(more.into_iter().filter_map(|(name, text)| Some((name, text?)))).collect()
}

/// What the model itself knows to say.
fn plain(torch: &TorchModel) -> String {
    let class = torch.class();
    let base = torch.config.get("_name_or_path").and_then(Value::as_str).filter(|name| !name.is_empty());
    let library = match torch.origin {
        Origin::Timm => "timm",
        _ if torch.pooled_head().is_some() => "sentence-transformers",
        _ => "transformers",
    };
    let mut card = format!("---\nlibrary_name: {library}\n");
    if let Some(base) = base {
        card.push_str(&format!("base_model: {base}\n"));
    }
    card.push_str("---\n\n");
    card.push_str(&format!("# {class}\n\nFine-tuned with retune.\n"));
    if !torch.task.labels().is_empty() {
        card.push_str(&format!("\nLabels: {}.\n", torch.task.labels().join(", ")));
    }
    card
}

impl Model {
    /// The card (`README.md`) of the folder that the model was read from, if it had one.
    pub fn base_card(&self) -> Option<&str> {
        match &self.architecture {
            Architecture::Torch(torch) => torch.card.as_deref(),
            Architecture::Keras(_) => None,
        }
    }

    /// The card that is written where the model is saved as a folder, in place of the base's own, which is then kept beside it. Files of
    /// other kinds have none.
    pub fn set_card(&mut self, card: String) {
        self.card = Some(card);
    }

    /// The library whose folders the model is saved as: `transformers`, `sentence-transformers` or `timm`; `None` for files.
    pub fn library(&self) -> Option<&'static str> {
        let Architecture::Torch(torch) = &self.architecture else { return None };
        let gives_vectors = torch.task.outputs().is_none() && torch.family.text().is_some();
        match torch.origin {
            Origin::Transformers if gives_vectors || torch.pooled_head().is_some() => Some("sentence-transformers"),
            Origin::Transformers => Some("transformers"),
            Origin::Timm => Some("timm"),
            Origin::File { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn front_matter_is_read_at_its_outermost_level() {
        let card = "---\nlanguage: en\nlicense: \"apache-2.0\" # as the base\ntags:\n- a: b\nmetrics: [accuracy]\nname:\n  license: mit\n\
                    ---\n# Title\nlicense: none\n";
        let matter = FrontMatter::of(card);
        assert_eq!((matter.get("license"), matter.get("language")), (Some("apache-2.0"), Some("en")));
        assert_eq!([matter.get("tags"), matter.get("metrics"), matter.get("name")], [None; 3]);
        for card in ["", "# Title\nlicense: mit", "---\nlicense: mit\n", "text\n---\nlicense: mit\n---\n"] {
            assert_eq!(FrontMatter::of(card).get("license"), None, "{card}");
        }
    }
}
