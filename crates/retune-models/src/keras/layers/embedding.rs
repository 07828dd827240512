//! Embedding and Masking: layers from which masks come.

use retune_graph::ops::reduce::Reduction;

use super::super::calls::Arguments;
use super::super::fields::Fields;
use super::super::lowering::{Lowering, Value, WeightKind};
use super::Lower;
use super::dense::WeightOptions;
use crate::error::Result;
use crate::initializer::Initializer;

/// Rows of a table by index: `[batch, …]` integers → `[batch, …, width]`. With `mask_zero` index 0 stands for padding.
#[derive(Debug, Clone)]
pub(crate) struct Embedding {
    rows: usize,
    width: usize,
    table: WeightOptions,
    mask_zero: bool,
}

impl Embedding {
    pub(crate) fn read(f: &Fields<'_>) -> Result<Embedding> {
        let default = Initializer::Uniform { low: -0.05, high: 0.05 };
        Ok(Embedding {
            rows: f.size("input_dim", None)?,
            width: f.size("output_dim", None)?,
            table: WeightOptions::read(f, "embeddings", default)?,
            mask_zero: f.flag("mask_zero", false)?,
        })
    }
}

impl Lower for Embedding {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let ids = match arguments.tensors().as_slice() {
            [ids] => ids.node,
            other => return Err(b.wrong_inputs("one input", format!("{} inputs", other.len()))),
        };
        let ids = b.integer(ids)?;
        let table = self.table.weight(b, "embeddings", &[self.rows, self.width], WeightKind::Kernel)?;
        let node = b.graph.gather(table, ids)?;
        let mask = match self.mask_zero {
            true => {
                let ids = b.float(ids)?;
                Some(b.differs(ids, 0.0)?)
            }
            false => None,
        };
        Ok(vec![Value { node, mask }])
    }
}

/// Masks the steps of a sequence whose features all equal `mask_value`, and sets them to 0.
#[derive(Debug, Clone)]
pub(crate) struct Masking {
    mask_value: f32,
}

impl Masking {
    pub(crate) fn read(f: &Fields<'_>) -> Result<Masking> {
        Ok(Masking { mask_value: f.number("mask_value", Some(0.0))? })
    }
}

impl Lower for Masking {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let x = b.one(arguments)?;
        let last = b.graph.shape(x).rank() - 1;
        let differs = b.differs(x, self.mask_value)?;
        let kept = b.graph.reduce(Reduction::Max, differs, &[last])?;
        let node = b.graph.mul(x, kept)?;
        Ok(vec![Value { node, mask: Some(b.squeeze(kept, last)?) }])
    }
}
