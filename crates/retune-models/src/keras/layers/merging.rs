//! Layers with several inputs: Add, Subtract, Multiply, Average, Maximum, Minimum, Concatenate.

use retune_graph::NodeId;
use retune_graph::ops::Binary;
use retune_graph::ops::reduce::Reduction;

use super::super::calls::Arguments;
use super::super::fields::Fields;
use super::super::lowering::{Lowering, Value};
use super::Lower;
use crate::error::Result;

/// Value by value over all inputs, which broadcast; those with fewer axes get axes of size 1 behind the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Merge {
    Add,
    Subtract,
    Multiply,
    Average,
    Maximum,
    Minimum,
}

/// Every input as `f32`.
fn inputs(b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<NodeId>> {
    let nodes: Vec<NodeId> = arguments.tensors().iter().map(|value| value.node).collect();
    nodes.into_iter().map(|node| b.float(node)).collect()
}

/// 1 where either mask is 1.
fn either(b: &mut Lowering<'_>, x: NodeId, y: NodeId) -> Result<NodeId> {
    Ok(b.graph.binary(Binary::Maximum, x, y)?)
}

impl Lower for Merge {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let mut nodes = inputs(b, arguments)?;
        if nodes.is_empty() || (*self == Merge::Subtract && nodes.len() != 2) {
            return Err(b.wrong_inputs("two inputs", nodes.len().to_string()));
        }
        let rank = nodes.iter().map(|&node| b.graph.shape(node).rank()).max().unwrap_or(0);
        for node in &mut nodes {
            while b.graph.shape(*node).rank() < rank {
                *node = b.expand(*node, 1)?;
            }
        }
        let op = match self {
            Merge::Add | Merge::Average => Binary::Add,
            Merge::Subtract => Binary::Sub,
            Merge::Multiply => Binary::Mul,
            Merge::Maximum => Binary::Maximum,
            Merge::Minimum => Binary::Minimum,
        };
        let count = nodes.len();
        let mut merged = nodes[0];
        for &node in &nodes[1..] {
            merged = b.graph.binary(op, merged, node)?;
        }
        if *self == Merge::Average {
            merged = b.graph.affine(merged, 1.0 / count as f32, 0.0)?;
        }
        // A step counts if it counts in any input; without a mask on every input there is none.
        let masks: Option<Vec<NodeId>> = arguments.tensors().iter().map(|value| value.mask).collect();
        let mask = match masks.as_deref() {
            Some([first, rest @ ..]) => Some(rest.iter().try_fold(*first, |joined, &mask| either(b, joined, mask))?),
            _ => None,
        };
        Ok(vec![Value { node: merged, mask }])
    }
}

/// Joins the inputs along one axis.
#[derive(Debug, Clone)]
pub(crate) struct Concatenate {
    axis: i64,
}

impl Concatenate {
    pub(crate) fn read(f: &Fields<'_>) -> Result<Concatenate> {
        Ok(Concatenate { axis: f.integer("axis", Some(-1))? })
    }
}

impl Lower for Concatenate {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let nodes = inputs(b, arguments)?;
        let Some(&first) = nodes.first() else { return Err(b.wrong_inputs("at least one input", "none")) };
        let axis = b.axis(first, self.axis)?;
        let node = b.graph.concat(&nodes, axis)?;
        let values: Vec<Value> = arguments.tensors().into_iter().copied().collect();
        let mask = if values.iter().any(|value| value.mask.is_some()) {
            let mut parts = Vec::with_capacity(values.len());
            for (value, &node) in values.iter().zip(&nodes) {
                let shape = b.graph.shape(node).clone();
                parts.push(match value.mask {
                    None => b.graph.fill(shape, 1.0),
                    Some(mask) => {
                        let mut mask = mask;
                        while b.graph.shape(mask).rank() < shape.rank() {
                            let rank = b.graph.shape(mask).rank();
                            mask = b.expand(mask, rank)?;
                        }
                        b.graph.broadcast_to(mask, &shape)?
                    }
                });
            }
            let joined = b.graph.concat(&parts, axis)?;
            let last = b.graph.shape(joined).rank() - 1;
            Some(b.graph.reduce_away(Reduction::Max, joined, &[last])?)
        } else {
            None
        };
        Ok(vec![Value { node, mask }])
    }
}
