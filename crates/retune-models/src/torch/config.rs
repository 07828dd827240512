//! Strict access to `config.json`.

use serde_json::{Map, Value};

use crate::error::{ModelError, Result};
use retune_graph::ops::Activation;

/// A `config.json`, or an object in it.
pub(crate) struct Config<'a> {
    values: &'a Map<String, Value>,
}

impl<'a> Config<'a> {
    pub(crate) fn new(config: &'a Value) -> Result<Config<'a>> {
        let values = config.as_object().ok_or_else(|| wrong("config.json", "an object", Some(config)))?;
        Ok(Config { values })
    }

    /// The value of a key, if it is there and not null.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Value> {
        self.values.get(key).filter(|value| !value.is_null())
    }

    fn typed<T>(&self, key: &str, expected: &str, read: impl Fn(&Value) -> Option<T>) -> Result<Option<T>> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| wrong(key, expected, Some(value))),
        }
    }

    /// A text.
    pub(crate) fn text(&self, key: &str) -> Result<String> {
        let text = self.typed(key, "a text", |value| value.as_str().map(str::to_owned))?;
        text.ok_or_else(|| wrong(key, "a text", None))
    }

    /// A text, if there is one.
    pub(crate) fn text_if_any(&self, key: &str) -> Result<Option<String>> {
        self.typed(key, "a text", |value| value.as_str().map(str::to_owned))
    }

    /// A size: a whole number from 1 to 2³¹ − 1.
    pub(crate) fn size(&self, key: &str) -> Result<usize> {
        self.size_if_any(key)?.ok_or_else(|| wrong(key, SIZE, None))
    }

    /// A size, if there is one.
    pub(crate) fn size_if_any(&self, key: &str) -> Result<Option<usize>> {
        self.typed(key, SIZE, |value| {
            value.as_u64().filter(|size| (1..1 << 31).contains(size)).and_then(|size| usize::try_from(size).ok())
        })
    }

    /// A size; `None` where there is none, or a number below 1 that stands for that.
    pub(crate) fn size_or_none(&self, key: &str) -> Result<Option<usize>> {
        match self.get(key).and_then(Value::as_i64) {
            Some(size) if size < 1 => Ok(None),
            _ => self.size_if_any(key),
        }
    }

    /// A whole number that may be 0, or `default`.
    pub(crate) fn count_or(&self, key: &str, default: usize) -> Result<usize> {
        let count = self.typed(key, "a whole number", |value| {
            value.as_u64().filter(|count| *count < 1 << 31).and_then(|count| usize::try_from(count).ok())
        })?;
        Ok(count.unwrap_or(default))
    }

    /// Sizes, or `default`.
    pub(crate) fn sizes(&self, key: &str, default: &[usize]) -> Result<Vec<usize>> {
        let size = |value: &Value| value.as_u64().filter(|size| (1..1 << 20).contains(size)).map(|size| size as usize);
        let read = |value: &Value| value.as_array().and_then(|list| list.iter().map(size).collect::<Option<Vec<_>>>());
        let fits = |sizes: &Vec<usize>| (1..=16).contains(&sizes.len());
        let sizes = self.typed(key, "a list of 1 to 16 sizes", |value| read(value).filter(fits))?;
        Ok(sizes.unwrap_or_else(|| default.to_vec()))
    }

    /// Height and width: one size for both, or a list of two.
    pub(crate) fn sides(&self, key: &str, default: usize) -> Result<[usize; 2]> {
        if self.get(key).is_some_and(Value::is_array) {
            let sides = self.sizes(key, &[])?;
            let both: Option<[usize; 2]> = sides.try_into().ok();
            return both.ok_or_else(|| wrong(key, "a size, or height and width", self.get(key)));
        }
        Ok([self.size_if_any(key)?.unwrap_or(default); 2])
    }

    /// A switch, or `default`.
    pub(crate) fn flag_or(&self, key: &str, default: bool) -> Result<bool> {
        Ok(self.typed(key, "true or false", Value::as_bool)?.unwrap_or(default))
    }

    /// A number, or `default`.
    pub(crate) fn number_or(&self, key: &str, default: f64) -> Result<f32> {
        let number = self.typed(key, "a number", Value::as_f64)?.unwrap_or(default);
        Ok(number as f32)
    }

    /// A factor above 0 and at most 100, or `default`.
    pub(crate) fn factor_or(&self, key: &str, default: f64) -> Result<f32> {
        let read = |value: &Value| value.as_f64().filter(|factor| *factor > 0.0 && *factor <= 100.0);
        Ok(self.typed(key, "a number above 0 and at most 100", read)?.unwrap_or(default) as f32)
    }

    /// The base of rotary angles, a number of at least 1, or `default`.
    pub(crate) fn base_of_angles_or(&self, key: &str, default: f64) -> Result<f32> {
        let read = |value: &Value| value.as_f64().filter(|base| (1.0..1e12).contains(base));
        Ok(self.typed(key, "a number of at least 1", read)?.unwrap_or(default) as f32)
    }

    /// A probability in `[0, 1)`, or `default`.
    pub(crate) fn rate_or(&self, key: &str, default: f64) -> Result<f32> {
        let read = |value: &Value| value.as_f64().filter(|rate| (0.0..1.0).contains(rate));
        Ok(self.typed(key, "a probability below 1", read)?.unwrap_or(default) as f32)
    }

    /// A switch that changes the network and is supported only where it is off.
    pub(crate) fn require_off(&self, key: &str, hint: &str) -> Result<()> {
        match self.typed(key, "true or false", Value::as_bool)? {
            Some(true) => Err(self.unsupported(format!("`{key}`"), hint)?),
            _ => Ok(()),
        }
    }

    fn unsupported(&self, what: String, hint: &str) -> Result<ModelError> {
        let class = self.text_if_any("model_type")?.unwrap_or_default();
        Ok(ModelError::Unsupported { layer: "config.json".to_owned(), class, what, hint: hint.to_owned() })
    }

    /// A key that changes the network and is supported with one value alone.
    pub(crate) fn require(&self, key: &str, only: &str, hint: &str) -> Result<()> {
        match self.text_if_any(key)? {
            Some(found) if found != only => Err(self.unsupported(format!("`{key}` = `{found}`"), hint)?),
            _ => Ok(()),
        }
    }

    /// An activation function by transformers' name, or `default`.
    pub(crate) fn activation_or(&self, key: &str, default: Activation) -> Result<Activation> {
        const KNOWN: &str = "one of `gelu`, `gelu_new`, `gelu_pytorch_tanh`, `relu`, `relu6`, `silu`, `swish`, `tanh`";
        let named = self.typed(key, KNOWN, |value| match value.as_str()? {
            "gelu" | "gelu_python" => Some(Activation::Gelu { approximate: false }),
            "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" => Some(Activation::Gelu { approximate: true }),
            "relu" => Some(Activation::RELU),
            "relu6" => Some(Activation::Relu { max_value: Some(6.0), negative_slope: 0.0, threshold: 0.0 }),
            "silu" | "swish" => Some(Activation::Silu),
            "tanh" => Some(Activation::Tanh),
            _ => None,
        })?;
        Ok(named.unwrap_or(default))
    }
}

const SIZE: &str = "a whole number above 0";

fn wrong(key: &str, expected: &str, found: Option<&Value>) -> ModelError {
    ModelError::Description {
        place: if key == "config.json" { key.to_owned() } else { format!("config.json: {key}") },
        expected: expected.to_owned(),
        found: found.map_or_else(|| "nothing".to_owned(), crate::keras::values::excerpt),
    }
}
