//! Rows of a table by index: embedding.

use super::{Operand, Operation, Sizes, exactly, require};
use crate::error::{GraphError, Rule};
use crate::grad::Backward;
use crate::graph::{Graph, NodeId};
use crate::shape::{DType, Shape};

/// `y[…, :] = table[ids[…], :]`; inputs `(table [rows, width], ids […] i32)`. An index outside the table is an error of the
/// run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gather;

impl Operation for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [table, ids] = exactly(inputs)?;
        require(table.dtype == DType::F32 && table.shape.rank() == 2, || {
            "the table must be f32 [rows, width]".to_owned()
        })?;
        require(ids.dtype == DType::I32, || "indices must be i32".to_owned())?;
        Ok((ids.shape.followed_by(&[table.shape[1]]), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        let rows = b.graph.shape(b.input(0))[0].fixed().unwrap_or(0);
        let dt = b.graph.push(ScatterAdd { rows }.into(), &[b.input(1), b.dy])?;
        b.give(0, dt);
        Ok(())
    }

    fn flops(&self, _: Sizes<'_>) -> u64 {
        0
    }
}

/// `table[r, :] = Σ dy[…, :]` over the places where `ids[…] = r`; inputs `(ids, dy)`, output `[rows, width]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScatterAdd {
    /// Number of the table's rows.
    pub rows: usize,
}

impl Operation for ScatterAdd {
    fn name(&self) -> &'static str {
        "scatter_add"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [ids, dy] = exactly(inputs)?;
        require(ids.dtype == DType::I32 && dy.dtype == DType::F32, || "it takes i32 indices and f32 rows".to_owned())?;
        require(dy.shape.rank() == ids.shape.rank() + 1, || "there must be a row for each index".to_owned())?;
        Ok((Shape::new([self.rows.into(), dy.shape[dy.shape.rank() - 1]]), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        Err(b.refuse("second derivatives are not provided"))
    }

    fn flops(&self, Sizes { inputs, .. }: Sizes<'_>) -> u64 {
        inputs[1].iter().product::<usize>() as u64
    }
}

impl Graph {
    /// Rows of `table` by index.
    pub fn gather(&mut self, table: NodeId, ids: NodeId) -> Result<NodeId, GraphError> {
        self.push(Gather.into(), &[table, ids])
    }
}
