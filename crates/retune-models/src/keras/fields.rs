//! Strict access to the attributes of one layer: what is not understood is refused, never ignored.

use std::cell::RefCell;
use std::collections::HashSet;

use serde_json::{Map, Value};

use super::values::{self, ActivationFunction};
use crate::error::{ModelError, Result};
use crate::initializer::Initializer;
use crate::report::Note;
use crate::weight::{Constraint, Regularizer};

/// Attributes that every layer may have and that say nothing about what it computes.
const COMMON: &[&str] = &["name", "trainable", "dtype", "autocast", "seed", "build_config", "activity_regularizer"];

/// The attributes of one layer, and which of them have been read.
pub(crate) struct Fields<'a> {
    /// Path of the layer in the model.
    pub(crate) layer: &'a str,
    /// The layer's class.
    pub(crate) class: &'a str,
    config: &'a Map<String, Value>,
    read: RefCell<HashSet<String>>,
    notes: &'a RefCell<Vec<Note>>,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(
        layer: &'a str,
        class: &'a str,
        config: &'a Map<String, Value>,
        notes: &'a RefCell<Vec<Note>>,
    ) -> Fields<'a> {
        Fields { layer, class, config, read: RefCell::default(), notes }
    }

    /// The notes of the whole file, for the layers inside this one.
    pub(crate) fn notes(&self) -> &'a RefCell<Vec<Note>> {
        self.notes
    }

    /// A remark for the user.
    pub(crate) fn note(&self, text: impl Into<String>) {
        self.notes.borrow_mut().push(Note { layer: self.layer.to_owned(), text: text.into() });
    }

    /// An error: `what` is not supported.
    pub(crate) fn unsupported(&self, what: impl Into<String>, hint: impl Into<String>) -> ModelError {
        ModelError::Unsupported {
            layer: self.layer.to_owned(),
            class: self.class.to_owned(),
            what: what.into(),
            hint: hint.into(),
        }
    }

    /// An error: the attribute is not what belongs there.
    pub(crate) fn wrong(&self, attribute: &str, expected: impl Into<String>) -> ModelError {
        let found = self.config.get(attribute).map_or_else(|| "nothing".to_owned(), values::excerpt);
        ModelError::Attribute {
            layer: self.layer.to_owned(),
            class: self.class.to_owned(),
            attribute: attribute.to_owned(),
            expected: expected.into(),
            found,
        }
    }

    /// The attribute, if it is there and not null.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Value> {
        self.read.borrow_mut().insert(name.to_owned());
        self.config.get(name).filter(|value| !value.is_null())
    }

    fn typed<T>(
        &self,
        name: &str,
        default: Option<T>,
        expected: &str,
        convert: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<T> {
        match self.get(name) {
            Some(value) => convert(value).ok_or_else(|| self.wrong(name, expected)),
            None => default.ok_or_else(|| self.wrong(name, expected)),
        }
    }

    /// A truth value.
    pub(crate) fn flag(&self, name: &str, default: bool) -> Result<bool> {
        self.typed(name, Some(default), "true or false", Value::as_bool)
    }

    /// A number.
    pub(crate) fn number(&self, name: &str, default: Option<f32>) -> Result<f32> {
        self.typed(name, default, "a number", number)
    }

    /// A number that may be absent.
    pub(crate) fn optional_number(&self, name: &str) -> Result<Option<f32>> {
        self.get(name).map(|value| number(value).ok_or_else(|| self.wrong(name, "a number"))).transpose()
    }

    /// A whole number of at least 1.
    pub(crate) fn size(&self, name: &str, default: Option<usize>) -> Result<usize> {
        self.typed(name, default, "a whole number of at least 1", |v| size(v).filter(|&n| n > 0))
    }

    /// A whole number that may be negative.
    pub(crate) fn integer(&self, name: &str, default: Option<i64>) -> Result<i64> {
        self.typed(name, default, "a whole number", |value| match value {
            Value::Array(list) if list.len() == 1 => list[0].as_i64(),
            value => value.as_i64(),
        })
    }

    /// Whole numbers that may be negative; a single one counts as a list.
    pub(crate) fn integers(&self, name: &str, default: Option<&[i64]>) -> Result<Vec<i64>> {
        self.typed(name, default.map(<[i64]>::to_vec), "a list of whole numbers", |value| match value {
            Value::Array(list) => list.iter().map(Value::as_i64).collect(),
            value => value.as_i64().map(|n| vec![n]),
        })
    }

    /// `N` whole numbers, or one for all of them.
    pub(crate) fn sizes<const N: usize>(&self, name: &str, default: Option<[usize; N]>) -> Result<[usize; N]> {
        self.typed(name, default, &format!("{N} whole numbers"), |value| match value {
            Value::Array(list) => {
                list.iter().map(size).collect::<Option<Vec<_>>>().and_then(|sizes| sizes.try_into().ok())
            }
            value => size(value).map(|n| [n; N]),
        })
    }

    /// A text.
    pub(crate) fn text(&self, name: &str, default: &'static str) -> Result<&'a str> {
        self.typed(name, Some(default), "a text", Value::as_str)
    }

    /// Two numbers, or one for a range around 0.
    pub(crate) fn range(&self, name: &str) -> Result<(f32, f32)> {
        self.typed(name, None, "a number or two", |value| match value {
            Value::Array(list) if list.len() == 2 => Some((number(&list[0])?, number(&list[1])?)),
            value => number(value).map(|n| (-n.abs(), n.abs())),
        })
    }

    /// Numbers; a single one counts as a list.
    pub(crate) fn numbers(&self, name: &str, default: Option<f32>) -> Result<Vec<f32>> {
        self.typed(name, default.map(|n| vec![n]), "a number or a list of numbers", |value| {
            let mut flat = Vec::new();
            flatten_numbers(value, &mut flat).then_some(flat)
        })
    }

    /// An activation function; the identity by default.
    pub(crate) fn activation(&self, name: &str, default: &'static str) -> Result<ActivationFunction> {
        match self.get(name) {
            Some(value) => values::activation(self, name, value),
            None => values::activation(self, name, &Value::from(default)),
        }
    }

    /// An initializer.
    pub(crate) fn initializer(&self, name: &str, default: Initializer) -> Result<Initializer> {
        self.get(name).map_or(Ok(default), |value| values::initializer(self, name, value))
    }

    /// A penalty on a weight.
    pub(crate) fn regularizer(&self, name: &str) -> Result<Option<Regularizer>> {
        let regularizer = self.get(name).map(|value| values::regularizer(self, name, value)).transpose()?;
        Ok(regularizer.filter(|r| r.l1 != 0.0 || r.l2 != 0.0))
    }

    /// A rule that a weight is brought under after each step.
    pub(crate) fn constraint(&self, name: &str) -> Result<Option<Constraint>> {
        self.get(name).map_or(Ok(None), |value| values::constraint(self, name, value))
    }

    /// Requires channels behind the spatial axes.
    pub(crate) fn channels_last(&self) -> Result<()> {
        match self.text("data_format", "channels_last")? {
            "channels_last" => Ok(()),
            "channels_first" => Err(self.unsupported(
                "the data format `channels_first`",
                "build the same network with `channels_last` in Keras, copy the weights (`set_weights`) and save it again",
            )),
            _ => Err(self.wrong("data_format", "`channels_last`")),
        }
    }

    /// Refuses attributes that are set and were not read; notes those that do not change what the network computes.
    pub(crate) fn finish(self) -> Result<()> {
        for (name, value) in self.config {
            let unset = value.is_null() || *value == Value::Bool(false);
            if unset || self.read.borrow().contains(name.as_str()) || COMMON.contains(&name.as_str()) {
                continue;
            }
            if name.ends_with("_constraint") || name.ends_with("_regularizer") {
                self.note(format!("`{name}` is kept in the file, but training does not apply it"));
            } else if !name.ends_with("_initializer") {
                return Err(self.unsupported(
                    format!("the attribute `{name}` = {}", values::excerpt(value)),
                    "if it does not change what the layer computes, remove it from the model's description; \
                     otherwise build the layer without it and save the model again",
                ));
            }
        }
        if self.config.get("activity_regularizer").is_some_and(|value| !value.is_null()) {
            self.note("`activity_regularizer` is kept in the file, but training does not apply it");
        }
        self.check_dtype()
    }

    fn check_dtype(&self) -> Result<()> {
        let Some(dtype) = self.config.get("dtype") else { return Ok(()) };
        let name = match dtype {
            Value::Object(policy) => {
                policy.get("config").and_then(|config| config.get("name").or_else(|| config.get("source_name")))
            }
            other => Some(other),
        };
        let name = name.and_then(Value::as_str).unwrap_or("float32");
        let quantized = dtype.get("class_name").is_some_and(|class| {
            class.as_str().is_some_and(|class| !matches!(class, "DTypePolicy" | "Policy" | "PolicyV1"))
        });
        if quantized || name.starts_with("int8") || name.starts_with("int4") || name.contains("_from_") {
            return Err(self.unsupported(
                format!("the data type policy {}", values::excerpt(dtype)),
                "save the model before it is quantized",
            ));
        }
        if !matches!(name, "float32" | "int32" | "int64" | "uint8" | "bool" | "string" | "infer" | "_infer") {
            self.note(format!("the data type policy `{name}` is computed in float32"));
        }
        Ok(())
    }
}

fn number(value: &Value) -> Option<f32> {
    value.as_f64().map(|number| number as f32)
}

fn size(value: &Value) -> Option<usize> {
    // Keras 1 wrote some sizes as floating-point numbers.
    let whole = value.as_u64().or_else(|| value.as_f64().filter(|f| f.fract() == 0.0 && *f >= 0.0).map(|f| f as u64));
    whole.filter(|&n| n <= u64::from(u32::MAX)).map(|n| n as usize)
}

fn flatten_numbers(value: &Value, flat: &mut Vec<f32>) -> bool {
    match value {
        Value::Array(list) => list.iter().all(|item| flatten_numbers(item, flat)),
        // Keras 3 writes numpy arrays as objects that hold a nested list.
        Value::Object(object) => match object.get("config").and_then(|config| config.get("value")) {
            Some(value) => flatten_numbers(value, flat),
            None => false,
        },
        value => number(value).map(|n| flat.push(n)).is_some(),
    }
}
