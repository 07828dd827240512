//! Operations that move values without computing.

use super::{Operand, Operation, Sizes, exactly, require};
use crate::error::{GraphError, Rule};
use crate::grad::Backward;
use crate::graph::{Graph, NodeId};
use crate::shape::{DType, Shape};

/// The same values in the same order under another shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reshape {
    /// The new shape.
    pub shape: Shape,
}

impl Operation for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [x] = exactly(inputs)?;
        require(x.shape.volume() == self.shape.volume(), || format!("{} must hold as many values", self.shape))?;
        Ok((self.shape.clone(), x.dtype))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        let shape = b.graph.shape(b.input(0)).clone();
        let dx = b.graph.reshape(b.dy, shape)?;
        b.give(0, dx);
        Ok(())
    }

    fn flops(&self, _: Sizes<'_>) -> u64 {
        0
    }
}

/// Output axis `i` is input axis `axes[i]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transpose {
    /// A permutation of the axes.
    pub axes: Vec<usize>,
}

impl Operation for Transpose {
    fn name(&self) -> &'static str {
        "transpose"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [x] = exactly(inputs)?;
        let mut sorted = self.axes.clone();
        sorted.sort_unstable();
        require(sorted.into_iter().eq(0..x.shape.rank()), || {
            format!("{:?} must be a permutation of its axes", self.axes)
        })?;
        Ok((self.axes.iter().map(|&axis| x.shape[axis]).collect(), x.dtype))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        let mut inverse = vec![0; self.axes.len()];
        for (i, &axis) in self.axes.iter().enumerate() {
            inverse[axis] = i;
        }
        let dx = b.graph.transpose(b.dy, &inverse)?;
        b.give(0, dx);
        Ok(())
    }

    fn flops(&self, _: Sizes<'_>) -> u64 {
        0
    }
}

/// `size` values from `start` along one axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// The axis that is cut.
    pub axis: usize,
    /// First index kept.
    pub start: usize,
    /// Number of indices kept.
    pub size: usize,
}

impl Operation for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [x] = exactly(inputs)?;
        require(self.axis < x.shape.rank(), || format!("axis {} must exist", self.axis))?;
        let size = x.shape[self.axis].fixed().ok_or("the axis must have a fixed size")?;
        require(self.start.checked_add(self.size).is_some_and(|end| end <= size), || {
            format!("axis {} must hold indices {} to {}", self.axis, self.start, self.start.saturating_add(self.size))
        })?;
        Ok((x.shape.with(self.axis, self.size.into()), x.dtype))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        let shape = b.graph.shape(b.input(0)).clone();
        let total = shape[self.axis].fixed().expect("the shape rule checked it");
        let mut padding = vec![(0, 0); shape.rank()];
        padding[self.axis] = (self.start, total - self.start - self.size);
        let dx = b.graph.pad(b.dy, &padding)?;
        b.give(0, dx);
        Ok(())
    }

    fn flops(&self, _: Sizes<'_>) -> u64 {
        0
    }
}

/// Adds zeros before and behind along each axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pad {
    /// For each axis, how many zeros come before and behind.
    pub padding: Vec<(usize, usize)>,
}

impl Operation for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [x] = exactly(inputs)?;
        require(self.padding.len() == x.shape.rank(), || "it needs a padding for each axis".to_owned())?;
        let mut shape = x.shape.clone();
        for (axis, &(before, behind)) in self.padding.iter().enumerate().filter(|(_, p)| **p != (0, 0)) {
            let size = x.shape[axis].fixed().ok_or("only axes of fixed size can be padded")?;
            shape = shape.with(axis, (before + size + behind).into());
        }
        Ok((shape, x.dtype))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        let shape = b.graph.shape(b.input(0)).clone();
        let mut dx = b.dy;
        for (axis, &(before, _)) in self.padding.iter().enumerate().filter(|(_, p)| **p != (0, 0)) {
            let size = shape[axis].fixed().expect("the shape rule checked it");
            dx = b.graph.slice(dx, axis, before, size)?;
        }
        b.give(0, dx);
        Ok(())
    }

    fn flops(&self, _: Sizes<'_>) -> u64 {
        0
    }
}

/// Joins its inputs along one axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concat {
    /// The axis along which the inputs follow each other.
    pub axis: usize,
}

impl Operation for Concat {
    fn name(&self) -> &'static str {
        "concatenate"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let first = inputs.first().ok_or("it takes at least one input")?;
        require(self.axis < first.shape.rank(), || format!("axis {} must exist", self.axis))?;
        let mut total = 0;
        for input in inputs {
            require(input.dtype == first.dtype, || "all inputs must have one type".to_owned())?;
            require(input.shape.rank() == first.shape.rank(), || "all inputs must have as many axes".to_owned())?;
            total += input.shape[self.axis].fixed().ok_or("the axis must have a fixed size")?;
            require(input.shape.with(self.axis, 0.into()) == first.shape.with(self.axis, 0.into()), || {
                format!("all axes but axis {} must agree", self.axis)
            })?;
        }
        Ok((first.shape.with(self.axis, total.into()), first.dtype))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        let mut start = 0;
        for index in 0..b.input_count() {
            let size = b.graph.shape(b.input(index))[self.axis].fixed().expect("the shape rule checked it");
            if b.needs(index) {
                let dx = b.graph.slice(b.dy, self.axis, start, size)?;
                b.give(index, dx);
            }
            start += size;
        }
        Ok(())
    }

    fn flops(&self, _: Sizes<'_>) -> u64 {
        0
    }
}

/// Reverses the order along one axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reverse {
    /// The axis that is reversed.
    pub axis: usize,
}

impl Operation for Reverse {
    fn name(&self) -> &'static str {
        "reverse"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [x] = exactly(inputs)?;
        require(self.axis < x.shape.rank(), || format!("axis {} must exist", self.axis))?;
        Ok((x.shape.clone(), x.dtype))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        let dx = b.graph.reverse(b.dy, self.axis)?;
        b.give(0, dx);
        Ok(())
    }

    fn flops(&self, _: Sizes<'_>) -> u64 {
        0
    }
}

impl Graph {
    /// `x` under another shape of equal volume.
    pub fn reshape(&mut self, x: NodeId, shape: Shape) -> Result<NodeId, GraphError> {
        if *self.shape(x) == shape {
            return Ok(x);
        }
        self.push(Reshape { shape }.into(), &[x])
    }

    /// Permutes the axes: output axis `i` is input axis `axes[i]`.
    pub fn transpose(&mut self, x: NodeId, axes: &[usize]) -> Result<NodeId, GraphError> {
        if axes.iter().copied().eq(0..self.shape(x).rank()) {
            return Ok(x);
        }
        self.push(Transpose { axes: axes.to_vec() }.into(), &[x])
    }

    /// `size` indices from `start` along `axis`.
    pub fn slice(&mut self, x: NodeId, axis: usize, start: usize, size: usize) -> Result<NodeId, GraphError> {
        if start == 0 && self.shape(x).dims().get(axis) == Some(&size.into()) {
            return Ok(x);
        }
        self.push(Slice { axis, start, size }.into(), &[x])
    }

    /// Zeros before and behind along each axis.
    pub fn pad(&mut self, x: NodeId, padding: &[(usize, usize)]) -> Result<NodeId, GraphError> {
        if padding.iter().all(|p| *p == (0, 0)) {
            return Ok(x);
        }
        self.push(Pad { padding: padding.to_vec() }.into(), &[x])
    }

    /// `parts` joined along `axis`.
    pub fn concat(&mut self, parts: &[NodeId], axis: usize) -> Result<NodeId, GraphError> {
        match parts {
            [one] => Ok(*one),
            _ => self.push(Concat { axis }.into(), parts),
        }
    }

    /// `x` in reverse order along `axis`.
    pub fn reverse(&mut self, x: NodeId, axis: usize) -> Result<NodeId, GraphError> {
        self.push(Reverse { axis }.into(), &[x])
    }
}
