//! Dot: products of two inputs, summed over one axis of each, example by example.

use retune_graph::NodeId;

use super::super::calls::Arguments;
use super::super::fields::Fields;
use super::super::lowering::{Lowering, Value};
use super::Lower;
use super::normalization::unit_length;
use crate::error::Result;

/// Keras's default lower bound of a norm, squared as `normalize` takes it.
const NORM_EPSILON: f32 = 1e-14;

/// See the file's documentation.
#[derive(Debug, Clone)]
pub(crate) struct Dot {
    axes: Vec<i64>,
    normalize: bool,
}

impl Dot {
    pub(crate) fn read(f: &Fields<'_>) -> Result<Dot> {
        let axes = f.integers("axes", None)?;
        if axes.is_empty() || axes.len() > 2 {
            return Err(f.wrong("axes", "one axis, or one for each input"));
        }
        Ok(Dot { axes, normalize: f.flag("normalize", false)? })
    }
}

impl Lower for Dot {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let nodes: Vec<NodeId> = arguments.tensors().iter().map(|value| value.node).collect();
        let &[x, y] = nodes.as_slice() else { return Err(b.wrong_inputs("two inputs", nodes.len().to_string())) };
        let (mut x, mut y) = (b.float(x)?, b.float(y)?);
        let x_axis = b.axis(x, self.axes[0])?;
        let y_axis = b.axis(y, *self.axes.last().unwrap_or(&self.axes[0]))?;
        if x_axis == 0 || y_axis == 0 {
            return Err(b.wrong_inputs("axes behind the batch", "the batch's axis"));
        }
        if self.normalize {
            x = unit_length(b, x, &[x_axis], NORM_EPSILON)?;
            y = unit_length(b, y, &[y_axis], NORM_EPSILON)?;
        }
        let (x, _) = b.axis_last(x, x_axis)?;
        let (y, _) = b.axis_last(y, y_axis)?;
        let (x_sizes, y_sizes) = (b.sizes_from(x, 1)?, b.sizes_from(y, 1)?);
        let (summed, x_rest) = x_sizes.split_last().map_or((1, &[][..]), |(last, rest)| (*last, rest));
        let (y_summed, y_rest) = y_sizes.split_last().map_or((1, &[][..]), |(last, rest)| (*last, rest));
        let x = b.reshape_rows(x, &[x_rest.iter().product(), summed])?;
        let y = b.reshape_rows(y, &[y_rest.iter().product(), y_summed])?;
        let product = b.graph.matmul(x, y, false, true)?;
        let mut sizes: Vec<usize> = x_rest.iter().chain(y_rest).copied().collect();
        if sizes.is_empty() {
            sizes.push(1);
        }
        Ok(vec![b.reshape_rows(product, &sizes)?.into()])
    }
}
