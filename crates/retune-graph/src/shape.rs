//! Shapes whose sizes are known now or bound when a plan is made for a batch.

use std::fmt;

/// Type of the values that flow along an edge. Graphs compute in `f32`; `i32` holds labels, ids and indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DType {
    /// 32-bit floating point.
    F32,
    /// 32-bit signed integer.
    I32,
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DType::F32 => "f32",
            DType::I32 => "i32",
        })
    }
}

/// A size that is bound per batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Symbol {
    /// Number of examples of the batch.
    Batch,
    /// Number of tokens of the batch, over all its sequences.
    Tokens,
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What the symbols stand for in one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bindings {
    /// Number of examples.
    pub batch: usize,
    /// Number of tokens (0 where a graph has none).
    pub tokens: usize,
}

impl Bindings {
    /// Bindings of a batch of `batch` examples without a token axis.
    pub fn batch(batch: usize) -> Bindings {
        Bindings { batch, tokens: 0 }
    }

    fn get(&self, symbol: Symbol) -> usize {
        match symbol {
            Symbol::Batch => self.batch,
            Symbol::Tokens => self.tokens,
        }
    }
}

/// Size of one axis: a number, or a multiple of a [`Symbol`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dim {
    /// Known now.
    Fixed(usize),
    /// `factor × symbol`: for example the `Batch × 7` rows of seven time steps flattened into the batch.
    Scaled(usize, Symbol),
}

impl Dim {
    /// The axis of examples.
    pub const BATCH: Dim = Dim::Scaled(1, Symbol::Batch);

    /// The size if it is known now.
    pub fn fixed(self) -> Option<usize> {
        match self {
            Dim::Fixed(size) => Some(size),
            Dim::Scaled(..) => None,
        }
    }

    /// The size for one batch.
    pub fn bind(self, bindings: &Bindings) -> usize {
        match self {
            Dim::Fixed(size) => size,
            Dim::Scaled(factor, symbol) => factor * bindings.get(symbol),
        }
    }

    /// `self × factor`.
    pub fn times(self, factor: usize) -> Dim {
        match self {
            Dim::Fixed(size) => Dim::Fixed(size * factor),
            Dim::Scaled(size, symbol) => Dim::Scaled(size * factor, symbol),
        }
    }
}

impl From<usize> for Dim {
    fn from(size: usize) -> Dim {
        Dim::Fixed(size)
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dim::Fixed(size) => write!(f, "{size}"),
            Dim::Scaled(1, symbol) => write!(f, "{symbol}"),
            Dim::Scaled(factor, symbol) => write!(f, "{factor}·{symbol}"),
        }
    }
}

/// Sizes of a node's axes, outermost first; a scalar has none.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Shape(Vec<Dim>);

impl Shape {
    /// A shape of these sizes.
    pub fn new(dims: impl Into<Vec<Dim>>) -> Shape {
        Shape(dims.into())
    }

    /// A shape whose sizes are all known.
    pub fn fixed(dims: &[usize]) -> Shape {
        Shape(dims.iter().map(|&d| Dim::Fixed(d)).collect())
    }

    /// `[Batch, dims…]`.
    pub fn batch_of(dims: &[usize]) -> Shape {
        std::iter::once(Dim::BATCH).chain(dims.iter().map(|&d| Dim::Fixed(d))).collect()
    }

    /// A shape without axes.
    pub fn scalar() -> Shape {
        Shape(Vec::new())
    }

    /// The sizes.
    pub fn dims(&self) -> &[Dim] {
        &self.0
    }

    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// Size of the last axis, if there is one.
    pub fn last(&self) -> Option<Dim> {
        self.0.last().copied()
    }

    /// All axes but the last `count`.
    pub fn leading(&self, count: usize) -> Shape {
        Shape(self.0[..self.rank() - count].to_vec())
    }

    /// This shape with more axes behind it.
    pub fn followed_by(&self, dims: &[Dim]) -> Shape {
        self.0.iter().chain(dims).copied().collect()
    }

    /// This shape with axis `axis` of another size.
    pub fn with(&self, axis: usize, dim: Dim) -> Shape {
        let mut dims = self.0.clone();
        dims[axis] = dim;
        Shape(dims)
    }

    /// The sizes for one batch.
    pub fn bind(&self, bindings: &Bindings) -> Vec<usize> {
        self.0.iter().map(|d| d.bind(bindings)).collect()
    }

    /// Number of values for one batch.
    pub fn count(&self, bindings: &Bindings) -> usize {
        self.0.iter().map(|d| d.bind(bindings)).product()
    }

    /// The number of values as a monomial: its factor and the symbols it is multiplied by, in order.
    pub fn volume(&self) -> (usize, Vec<Symbol>) {
        let mut symbols = Vec::new();
        let factor = self.0.iter().fold(1usize, |product, dim| match *dim {
            Dim::Fixed(size) => product.saturating_mul(size),
            Dim::Scaled(factor, symbol) => {
                symbols.push(symbol);
                product.saturating_mul(factor)
            }
        });
        symbols.sort();
        (factor, symbols)
    }

    /// The shape that both broadcast to by numpy's rule (axes aligned at the end; 1 stretches), if there is one.
    pub fn broadcast(&self, other: &Shape) -> Option<Shape> {
        let rank = self.rank().max(other.rank());
        (0..rank)
            .map(|axis| {
                let of =
                    |shape: &Shape| (axis + shape.rank()).checked_sub(rank).map_or(Dim::Fixed(1), |axis| shape.0[axis]);
                match (of(self), of(other)) {
                    (a, b) if a == b => Some(a),
                    (Dim::Fixed(1), b) => Some(b),
                    (a, Dim::Fixed(1)) => Some(a),
                    _ => None,
                }
            })
            .collect::<Option<Vec<Dim>>>()
            .map(Shape)
    }
}

impl FromIterator<Dim> for Shape {
    fn from_iter<I: IntoIterator<Item = Dim>>(dims: I) -> Shape {
        Shape(dims.into_iter().collect())
    }
}

impl std::ops::Index<usize> for Shape {
    type Output = Dim;

    fn index(&self, axis: usize) -> &Dim {
        &self.0[axis]
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, dim) in self.0.iter().enumerate() {
            write!(f, "{}{dim}", if i == 0 { "" } else { ", " })?;
        }
        f.write_str("]")
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_follows_numpy() {
        let a = Shape::batch_of(&[4, 1]);
        assert_eq!(a.broadcast(&Shape::fixed(&[3])), Some(Shape::batch_of(&[4, 3])));
        assert_eq!(a.broadcast(&Shape::fixed(&[5, 3])), None);
        assert_eq!(Shape::scalar().broadcast(&a), Some(a.clone()));
    }

    #[test]
    fn volumes_compare_across_reshapes() {
        let rows = Shape::new([Dim::Scaled(7, Symbol::Batch), Dim::Fixed(3)]);
        assert_eq!(rows.volume(), Shape::batch_of(&[7, 3]).volume());
        assert_ne!(rows.volume(), Shape::batch_of(&[7, 4]).volume());
    }

    #[test]
    fn reads_well() {
        assert_eq!(Shape::batch_of(&[28, 28, 3]).to_string(), "[Batch, 28, 28, 3]");
    }
}
