//! Pooling over windows and over the whole image or sequence.

use retune_graph::ops::pool::Pooling;
use retune_graph::ops::reduce::Reduction;

use super::super::calls::Arguments;
use super::super::fields::Fields;
use super::super::lowering::{Lowering, Value};
use super::Lower;
use super::convolution::{Window, image_sizes};
use crate::error::Result;

/// MaxPooling and AveragePooling, 1D and 2D.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    pooling: Pooling,
    window: Window,
}

impl Pool {
    pub(crate) fn read(f: &Fields<'_>, pooling: Pooling, rank: usize) -> Result<Pool> {
        Ok(Pool { pooling, window: Window::read(f, rank, "pool_size", Some(2))? })
    }
}

impl Lower for Pool {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let x = self.window.image(b, arguments)?;
        let [height, width, _] = image_sizes(b, x)?;
        let y = b.graph.pool2d(x, self.pooling, self.window.size, self.window.geometry([height, width]))?;
        Ok(vec![self.window.output(b, y)?.into()])
    }
}

/// GlobalMaxPooling and GlobalAveragePooling, 1D and 2D. The mean over a sequence leaves masked steps out.
#[derive(Debug, Clone)]
pub(crate) struct GlobalPool {
    pooling: Pooling,
    rank: usize,
    keepdims: bool,
}

impl GlobalPool {
    pub(crate) fn read(f: &Fields<'_>, pooling: Pooling, rank: usize) -> Result<GlobalPool> {
        f.channels_last()?;
        Ok(GlobalPool { pooling, rank, keepdims: f.flag("keepdims", false)? })
    }
}

impl Lower for GlobalPool {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let mask = b.mask(arguments)?;
        let axes = if self.rank == 1 { "[batch, steps, channels]" } else { "[batch, height, width, channels]" };
        let x = match arguments.tensors().first() {
            Some(_) => {
                let first = Arguments::on(arguments.tensors().into_iter().copied().take(1));
                b.one_of_rank(&first, self.rank + 2, axes)?
            }
            None => return Err(b.wrong_inputs("one input", "none")),
        };
        let reduced: Vec<usize> = (1..=self.rank).collect();
        let kept = match (self.pooling, mask) {
            (Pooling::Average, Some(mask)) if self.rank == 1 => {
                let mask = b.expand(mask, 2)?;
                let masked = b.graph.mul(x, mask)?;
                let sum = b.graph.reduce(Reduction::Sum, masked, &reduced)?;
                let count = b.graph.reduce(Reduction::Sum, mask, &reduced)?;
                b.graph.div(sum, count)?
            }
            (Pooling::Average, _) => b.graph.reduce(Reduction::Mean, x, &reduced)?,
            (Pooling::Max, _) => b.graph.reduce(Reduction::Max, x, &reduced)?,
        };
        if self.keepdims {
            return Ok(vec![kept.into()]);
        }
        let channels = b.sizes_from(kept, self.rank + 1)?;
        Ok(vec![b.reshape_rows(kept, &channels)?.into()])
    }
}
