//! Functions of single values, and of pairs with numpy broadcasting.

use super::{Operand, Operation, Sizes, exactly, require, require_f32};
use crate::error::{GraphError, Rule};
use crate::grad::Backward;
use crate::graph::{Graph, NodeId};
use crate::shape::{DType, Shape};

/// `y = f(x)` for each value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unary {
    /// `eˣ`
    Exp,
    /// Natural logarithm.
    Log,
    /// Square root.
    Sqrt,
    /// `1 / √x`
    Rsqrt,
    /// `1 / x`
    Reciprocal,
    /// `x²`
    Square,
    /// `|x|`; its gradient at 0 is 0.
    Abs,
    /// −1, 0 or 1; no gradient flows.
    Sign,
}

impl Operation for Unary {
    fn name(&self) -> &'static str {
        match self {
            Unary::Exp => "exp",
            Unary::Log => "log",
            Unary::Sqrt => "sqrt",
            Unary::Rsqrt => "rsqrt",
            Unary::Reciprocal => "reciprocal",
            Unary::Square => "square",
            Unary::Abs => "abs",
            Unary::Sign => "sign",
        }
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [x] = exactly(inputs)?;
        require_f32(inputs)?;
        Ok((x.shape.clone(), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        let (x, y, dy) = (b.input(0), b.node, b.dy);
        let g = &mut *b.graph;
        let dx = match self {
            Unary::Exp => g.mul(dy, y)?,
            Unary::Log => g.div(dy, x)?,
            Unary::Sqrt => {
                let half = g.affine(dy, 0.5, 0.0)?;
                g.div(half, y)?
            }
            Unary::Rsqrt => {
                let cubed = g.unary(Unary::Square, y)?;
                let cubed = g.mul(cubed, y)?;
                let dx = g.mul(dy, cubed)?;
                g.affine(dx, -0.5, 0.0)?
            }
            Unary::Reciprocal => {
                let squared = g.unary(Unary::Square, y)?;
                let dx = g.mul(dy, squared)?;
                g.affine(dx, -1.0, 0.0)?
            }
            Unary::Square => {
                let dx = g.mul(dy, x)?;
                g.affine(dx, 2.0, 0.0)?
            }
            Unary::Abs => {
                let sign = g.unary(Unary::Sign, x)?;
                g.mul(dy, sign)?
            }
            Unary::Sign => return Ok(()),
        };
        b.give(0, dx);
        Ok(())
    }
}

/// `y = scale · x + offset`, both constants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    /// Factor.
    pub scale: f32,
    /// Added after.
    pub offset: f32,
}

impl Operation for Affine {
    fn name(&self) -> &'static str {
        "affine"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [x] = exactly(inputs)?;
        require_f32(inputs)?;
        Ok((x.shape.clone(), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        let dx = b.graph.affine(b.dy, self.scale, 0.0)?;
        b.give(0, dx);
        Ok(())
    }
}

/// `z = f(x, y)` for each pair of values, by numpy's broadcasting. Comparisons give 1 or 0 and pass no gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    /// `x + y`
    Add,
    /// `x − y`
    Sub,
    /// `x · y`
    Mul,
    /// `x / y`
    Div,
    /// The larger; where equal, the gradient goes to `x` (TensorFlow's rule).
    Maximum,
    /// The smaller; where equal, the gradient goes to `x`.
    Minimum,
    /// `x ≥ y`
    GreaterEqual,
    /// `x = y`
    Equal,
}

impl Operation for Binary {
    fn name(&self) -> &'static str {
        match self {
            Binary::Add => "add",
            Binary::Sub => "sub",
            Binary::Mul => "mul",
            Binary::Div => "div",
            Binary::Maximum => "maximum",
            Binary::Minimum => "minimum",
            Binary::GreaterEqual => "greater_equal",
            Binary::Equal => "equal",
        }
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [x, y] = exactly(inputs)?;
        require_f32(inputs)?;
        let shape =
            x.shape.broadcast(y.shape).ok_or("the shapes must be equal or broadcast (an axis of 1 stretches)")?;
        Ok((shape, DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        let (x, y, z, dz) = (b.input(0), b.input(1), b.node, b.dy);
        let (needs_x, needs_y) = (b.needs(0), b.needs(1));
        let g = &mut *b.graph;
        let (mut dx, mut dy) = (None, None);
        match self {
            Binary::Add => (dx, dy) = (Some(dz), Some(dz)),
            Binary::Sub => {
                dx = Some(dz);
                if needs_y {
                    dy = Some(g.affine(dz, -1.0, 0.0)?);
                }
            }
            Binary::Mul => {
                if needs_x {
                    dx = Some(g.mul(dz, y)?);
                }
                if needs_y {
                    dy = Some(g.mul(dz, x)?);
                }
            }
            Binary::Div => {
                let dq = g.div(dz, y)?;
                dx = Some(dq);
                if needs_y {
                    let product = g.mul(dq, z)?;
                    dy = Some(g.affine(product, -1.0, 0.0)?);
                }
            }
            Binary::Maximum | Binary::Minimum => {
                let (a, c) = if *self == Binary::Maximum { (x, y) } else { (y, x) };
                let to_x = g.push(Binary::GreaterEqual.into(), &[a, c])?;
                if needs_x {
                    dx = Some(g.mul(dz, to_x)?);
                }
                if needs_y {
                    let to_y = g.affine(to_x, -1.0, 1.0)?;
                    dy = Some(g.mul(dz, to_y)?);
                }
            }
            Binary::GreaterEqual | Binary::Equal => return Ok(()),
        }
        for (index, grad) in [(0, dx), (1, dy)] {
            if let Some(grad) = grad.filter(|_| b.needs(index)) {
                let shape = b.graph.shape(b.input(index)).clone();
                let grad = b.graph.sum_to(grad, &shape)?;
                b.give(index, grad);
            }
        }
        Ok(())
    }
}

/// `y = x`, and no gradient flows: x counts as a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detach;

impl Operation for Detach {
    fn name(&self) -> &'static str {
        "detach"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [x] = exactly(inputs)?;
        require_f32(inputs)?;
        Ok((x.shape.clone(), DType::F32))
    }

    fn grad(&self, _: &mut Backward<'_>) -> Result<(), GraphError> {
        Ok(())
    }

    fn flops(&self, _: Sizes<'_>) -> u64 {
        0
    }
}

/// `i32` to `f32`; no gradient flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cast;

impl Operation for Cast {
    fn name(&self) -> &'static str {
        "cast"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [x] = exactly(inputs)?;
        require(x.dtype == DType::I32, || "it takes i32 values".to_owned())?;
        Ok((x.shape.clone(), DType::F32))
    }

    fn grad(&self, _: &mut Backward<'_>) -> Result<(), GraphError> {
        Ok(())
    }
}

impl Graph {
    /// `x`, through which no gradient flows.
    pub fn detach(&mut self, x: NodeId) -> Result<NodeId, GraphError> {
        self.push(Detach.into(), &[x])
    }

    /// `f(x)`.
    pub fn unary(&mut self, f: Unary, x: NodeId) -> Result<NodeId, GraphError> {
        self.push(f.into(), &[x])
    }

    /// `scale · x + offset`.
    pub fn affine(&mut self, x: NodeId, scale: f32, offset: f32) -> Result<NodeId, GraphError> {
        if scale == 1.0 && offset == 0.0 {
            return Ok(x);
        }
        self.push(Affine { scale, offset }.into(), &[x])
    }

    /// `f(x, y)` with broadcasting.
    pub fn binary(&mut self, f: Binary, x: NodeId, y: NodeId) -> Result<NodeId, GraphError> {
        self.push(f.into(), &[x, y])
    }

    /// `x + y`.
    pub fn add(&mut self, x: NodeId, y: NodeId) -> Result<NodeId, GraphError> {
        self.binary(Binary::Add, x, y)
    }

    /// `x − y`.
    pub fn sub(&mut self, x: NodeId, y: NodeId) -> Result<NodeId, GraphError> {
        self.binary(Binary::Sub, x, y)
    }

    /// `x · y`.
    pub fn mul(&mut self, x: NodeId, y: NodeId) -> Result<NodeId, GraphError> {
        self.binary(Binary::Mul, x, y)
    }

    /// `x / y`.
    pub fn div(&mut self, x: NodeId, y: NodeId) -> Result<NodeId, GraphError> {
        self.binary(Binary::Div, x, y)
    }
}
