//! Layers that only arrange values: Flatten, Reshape, Permute, RepeatVector; and the identity.

use retune_graph::{Dim, Shape};

use super::super::calls::Arguments;
use super::super::fields::Fields;
use super::super::lowering::{Lowering, Value};
use super::Lower;
use crate::error::Result;

/// Identity, and ActivityRegularization, whose penalty is not part of the network's function.
#[derive(Debug, Clone)]
pub(crate) struct Identity;

impl Identity {
    pub(crate) fn activity_regularization(f: &Fields<'_>) -> Result<Identity> {
        let (l1, l2) = (f.number("l1", Some(0.0))?, f.number("l2", Some(0.0))?);
        if l1 != 0.0 || l2 != 0.0 {
            f.note("the penalty on activities is kept in the file, but training does not apply it");
        }
        Ok(Identity)
    }
}

impl Lower for Identity {
    fn lower(&self, _: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        Ok(arguments.tensors().into_iter().copied().collect())
    }
}

/// All axes but the batch in one.
#[derive(Debug, Clone)]
pub(crate) struct Flatten;

impl Flatten {
    pub(crate) fn read(f: &Fields<'_>) -> Result<Flatten> {
        f.channels_last()?;
        Ok(Flatten)
    }
}

impl Lower for Flatten {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let x = b.one(arguments)?;
        let count = b.sizes_from(x, 1)?.iter().product();
        Ok(vec![b.reshape_rows(x, &[count])?.into()])
    }
}

/// The same values under another shape; one size may be −1.
#[derive(Debug, Clone)]
pub(crate) struct Reshape {
    target: Vec<i64>,
}

impl Reshape {
    pub(crate) fn read(f: &Fields<'_>) -> Result<Reshape> {
        let target = f.integers("target_shape", None)?;
        let unknown = target.iter().filter(|&&size| size == -1).count();
        if unknown > 1 || target.iter().any(|&size| size < -1) {
            return Err(f.wrong("target_shape", "sizes, at most one of them -1"));
        }
        Ok(Reshape { target })
    }
}

impl Lower for Reshape {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        // Indices stay integers.
        let tensors = arguments.tensors();
        let [value] = tensors.as_slice() else {
            return Err(b.wrong_inputs("one input", format!("{} inputs", tensors.len())));
        };
        let x = value.node;
        let count: usize = b.sizes_from(x, 1)?.iter().product();
        let known = self
            .target
            .iter()
            .filter(|&&size| size >= 0)
            .try_fold(1usize, |product, &size| product.checked_mul(usize::try_from(size).ok()?));
        let fits = known.filter(|&known| known > 0 && count.is_multiple_of(known));
        let known = fits.ok_or_else(|| {
            b.wrong_inputs(format!("an input that fits into the shape {:?}", self.target), b.graph.shape(x).to_string())
        })?;
        let sizes: Vec<usize> =
            self.target.iter().map(|&size| usize::try_from(size).unwrap_or(count / known)).collect();
        Ok(vec![b.reshape_rows(x, &sizes)?.into()])
    }
}

/// Permutes the axes; `dims` counts them from 1, the batch being 0.
#[derive(Debug, Clone)]
pub(crate) struct Permute {
    axes: Vec<usize>,
}

impl Permute {
    pub(crate) fn read(f: &Fields<'_>) -> Result<Permute> {
        let dims = f.integers("dims", None)?;
        let axes: Option<Vec<usize>> =
            std::iter::once(Some(0)).chain(dims.iter().map(|&d| usize::try_from(d).ok())).collect();
        Ok(Permute { axes: axes.ok_or_else(|| f.wrong("dims", "axes counted from 1"))? })
    }
}

impl Lower for Permute {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let x = b.one(arguments)?;
        Ok(vec![b.graph.transpose(x, &self.axes)?.into()])
    }
}

/// `[batch, features]` → `[batch, n, features]`.
#[derive(Debug, Clone)]
pub(crate) struct RepeatVector {
    n: usize,
}

impl RepeatVector {
    pub(crate) fn read(f: &Fields<'_>) -> Result<RepeatVector> {
        Ok(RepeatVector { n: f.size("n", None)? })
    }
}

impl Lower for RepeatVector {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let x = b.one_of_rank(arguments, 2, "[batch, features]")?;
        let shape = b.graph.shape(x).clone();
        let row = b.expand(x, 1)?;
        let full = Shape::new([shape[0], Dim::Fixed(self.n), shape[1]]);
        Ok(vec![b.graph.broadcast_to(row, &full)?.into()])
    }
}
