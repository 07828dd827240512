//! Prompt tuning and prefix tuning: learned vectors of tokens that no text has, for encoders of text.
//!
//! A prompt stands before every text as words of its own: sequences come longer by as many tokens, whose rows of the table of words
//! are replaced by the learned ones, and everything that follows takes them for tokens. What is made of the first token, such as a
//! class, is then made of the first of the prompt, as in PEFT. A prefix is only seen: keys and values before those of every
//! sequence in every layer. Where positions are looked up in a table, those of the text begin behind the prefix, as in
//! transformers.

use retune_tensor::{Key, Purpose, Tensor};

use super::{Adapter, AdapterKind, merge};
use crate::error::{ModelError, Result};
use crate::initializer::Initializer;
use crate::model::{Architecture, Model};
use crate::torch::layout::TorchLayout;
use crate::torch::task::Task;
use crate::torch::text::Text;
use crate::weight::Weight;

/// Name of the weight of a prompt.
pub(crate) const PROMPT: &str = "prompt_embeddings";
/// Name of the weight of a prefix.
pub(crate) const PREFIX: &str = "prefix_embeddings";

/// Standard deviation of a fresh prefix.
const PREFIX_STDDEV: f32 = 0.02;

/// Virtual tokens before every text. Lester, Al-Rfou and Constant, *The power of scale for parameter-efficient prompt tuning*, 2021.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// How many.
    pub tokens: usize,
    /// What they are at first.
    pub init: PromptInit,
}

/// What the tokens of a prompt are before training.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PromptInit {
    /// Normal random numbers with the standard deviation of the table of words.
    #[default]
    Random,
    /// The words of these numbers, repeated or cut off to the length of the prompt, as in PEFT.
    Words(Vec<i32>),
}

/// Keys and values before those of every sequence, in every layer. Li and Liang, *Prefix-tuning*, 2021, without the network that
/// makes them there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// How many of each.
    pub tokens: usize,
}

fn refuse<T>(what: impl Into<String>, hint: &str) -> Result<T> {
    Err(ModelError::Surgery { what: what.into(), hint: hint.to_owned() })
}

impl Model {
    /// Puts virtual tokens before every text and freezes everything but these and the head. Returns the number of trained values
    /// of the prompt: `tokens · width of the table of words`. Networks are then given sequences that are longer by
    /// [`Model::virtual_tokens`].
    ///
    /// # Errors
    /// For models that take no text or label its tokens, for more tokens than leave room for a text, and beside other adapters.
    pub fn add_prompt(&mut self, prompt: &Prompt, seed: u64) -> Result<usize> {
        let text = self.encoder_for("prompt tuning", prompt.tokens)?;
        if matches!(self.task(), Some(Task::TokenClassification { .. })) {
            return refuse("prompt tuning of a model that labels tokens", "use `prefix`, which adds none to the text");
        }
        let table = text.words();
        let Some(words) = self.weights.iter().find(|weight| weight.name == table) else {
            return refuse(format!("the model has no `{table}`"), "use another method");
        };
        let (rows, width) = (words.value.shape()[0], words.value.shape()[1]);
        let words = merge::values(&words.value);
        let initializer = Initializer::Normal { mean: 0.0, stddev: standard_deviation(words) };
        let mut value = self.drawn(initializer, &[prompt.tokens, width], seed);
        if let PromptInit::Words(ids) = &prompt.init {
            let row = |id: &i32| usize::try_from(*id).ok().filter(|id| *id < rows);
            let Some(ids) = ids.iter().map(row).collect::<Option<Vec<usize>>>().filter(|ids| !ids.is_empty()) else {
                return refuse(
                    format!("the words of a prompt must be numbers below {rows}"),
                    "use the model's tokenizer",
                );
            };
            let chosen = ids.iter().cycle().take(prompt.tokens);
            let values: Vec<f32> = chosen.flat_map(|id| &words[id * width..(id + 1) * width]).copied().collect();
            value = Tensor::new([prompt.tokens, width], values)?;
        }
        self.add_virtual(PROMPT, AdapterKind::Prompt { tokens: prompt.tokens }, table, value, initializer)
    }

    /// Puts keys and values before those of every sequence in every layer, and freezes everything but these and the head. Returns the
    /// number of their values: `tokens · layers · 2 · width`.
    ///
    /// # Errors
    /// For models that take no text, networks with relative or rotary positions or with windows, in which a key without a place has no
    /// meaning (MPNet, DeBERTa, ModernBERT), for more tokens than leave room for a text, and beside other adapters.
    pub fn add_prefix(&mut self, prefix: &Prefix, seed: u64) -> Result<usize> {
        let text = self.encoder_for("prefix tuning", prefix.tokens)?;
        let Some([layers, width]) = text.prefix_size() else {
            let what = format!("prefix tuning of `{}`, whose attention needs the places of keys", text.name());
            return refuse(what, "use `prompt`, `lora` or `bottleneck`");
        };
        let initializer = Initializer::Normal { mean: 0.0, stddev: PREFIX_STDDEV };
        let value = self.drawn(initializer, &[prefix.tokens, 2 * layers * width], seed);
        let target = text.base().to_owned();
        self.add_virtual(PREFIX, AdapterKind::Prefix { tokens: prefix.tokens }, target, value, initializer)
    }

    /// Tokens that stand before every text, and by which sequences that the network is given are longer: those of a prompt.
    pub fn virtual_tokens(&self) -> usize {
        let of = |adapter: &Adapter| match adapter.kind {
            AdapterKind::Prompt { tokens } => tokens,
            _ => 0,
        };
        self.adapters.iter().map(of).sum()
    }

    /// Places of the network that are taken by virtual tokens, those of a prefix included.
    pub(crate) fn taken_places(&self) -> usize {
        let of = |adapter: &Adapter| match adapter.kind {
            AdapterKind::Prompt { tokens } | AdapterKind::Prefix { tokens } => tokens,
            _ => 0,
        };
        self.adapters.iter().map(of).sum()
    }

    /// The encoder of text that can have so many virtual tokens.
    fn encoder_for(&self, what: &str, tokens: usize) -> Result<Text> {
        let text = match &self.architecture {
            Architecture::Torch(torch) => torch.family.text().cloned(),
            Architecture::Keras(_) => None,
        };
        let Some(text) = text else {
            let what = format!("{what} of `{}`, which is no encoder of text", self.name());
            return refuse(what, "use `lora`, which every network takes");
        };
        if !self.adapters.is_empty() {
            return refuse(format!("{what} beside other adapters"), "merge them before, or use one of the two");
        }
        // A text has a token and two that mark its beginning and end.
        match text.max_tokens().checked_sub(tokens) {
            _ if tokens == 0 => refuse(format!("{what} with 0 virtual tokens"), "use 1 or more"),
            Some(room) if room >= 3 => Ok(text),
            _ => {
                let what = format!("{what} with {tokens} virtual tokens, which leave no room for a text");
                refuse(what, &format!("the network takes {} tokens together", text.max_tokens()))
            }
        }
    }

    fn drawn(&self, initializer: Initializer, shape: &[usize], seed: u64) -> Tensor {
        let stream = u32::try_from(self.weights.len()).unwrap_or(u32::MAX);
        initializer.tensor(shape, Key::new(seed).with(Purpose::Init(stream)))
    }

    fn add_virtual(
        &mut self,
        name: &str,
        kind: AdapterKind,
        target: String,
        value: Tensor,
        initializer: Initializer,
    ) -> Result<usize> {
        let count = value.len();
        self.weights.push(Weight {
            name: name.to_owned(),
            value,
            trainable: true,
            decays: true,
            statistic: false,
            regularizer: None,
            constraint: None,
            group: 0,
            layer: name.to_owned(),
            class: "Adapter",
            keras_path: String::new(),
            torch_layout: TorchLayout::Same,
            initializer,
            integer: false,
        });
        self.adapters.push(Adapter { target, kind, weights: vec![name.to_owned()], initial: None });
        self.freeze_base();
        Ok(count)
    }
}

fn standard_deviation(values: &[f32]) -> f32 {
    let count = values.len().max(1) as f64;
    let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
    (values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count).sqrt() as f32
}
