//! InputLayer.

use retune_graph::DType;

use super::super::calls::Arguments;
use super::super::config;
use super::super::fields::Fields;
use super::super::lowering::{Lowering, Value};
use super::Lower;
use crate::error::Result;

/// Where a model's input comes in.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    /// Shape without the batch; unknown sizes are `None`.
    pub(crate) shape: Vec<Option<usize>>,
    pub(crate) dtype: DType,
}

impl Input {
    pub(crate) fn read(f: &Fields<'_>) -> Result<Input> {
        let shape = f.get("batch_shape").and_then(config::shape);
        let shape = shape.filter(|shape| !shape.is_empty());
        let shape = shape.ok_or_else(|| f.wrong("batch_shape", "a shape with the batch as its first axis"))?;
        for kind in ["sparse", "ragged"] {
            if f.flag(kind, false)? {
                return Err(f.unsupported(format!("a {kind} input"), "use a dense input"));
            }
        }
        // Whether an input may be left out concerns Python callers only.
        f.flag("optional", false)?;
        let name = match f.get("dtype") {
            Some(serde_json::Value::String(name)) => name.as_str(),
            _ => "float32",
        };
        let dtype = match name {
            "float16" | "bfloat16" | "float32" | "float64" => DType::F32,
            "bool" | "int8" | "int16" | "int32" | "int64" | "uint8" | "uint16" | "uint32" | "uint64" => DType::I32,
            _ => return Err(f.unsupported(format!("an input of type `{name}`"), "use numbers")),
        };
        Ok(Input { shape: shape[1..].to_vec(), dtype })
    }
}

impl Lower for Input {
    fn lower(&self, _: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        Ok(arguments.tensors().into_iter().copied().collect())
    }
}
