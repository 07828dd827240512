//! A graph whose gradients are checked, and short names for building one.

use retune_graph::{DType, Dim, Graph, GraphError, NodeId, Role, Shape, Symbol, WeightInfo};

use crate::gradient_check::GradientCheck;

/// What building a node gives.
pub type Built = Result<NodeId, GraphError>;

/// One graph, and the point at which it is evaluated.
pub struct Case {
    /// What is special about it.
    pub name: String,
    /// The point, and the check of its gradients.
    pub check: GradientCheck,
    /// Builds the graph and gives its output.
    pub build: Box<dyn Fn(&mut Graph) -> Built>,
}

/// A case at the default point.
pub fn case(name: impl Into<String>, build: impl Fn(&mut Graph) -> Built + 'static) -> Case {
    Case { name: name.into(), check: GradientCheck::default(), build: Box::new(build) }
}

impl Case {
    /// At values of this range.
    pub fn range(mut self, low: f64, high: f64) -> Case {
        self.check.range = (low, high);
        self
    }

    /// Away from these values.
    pub fn kinks(mut self, kinks: &[f64]) -> Case {
        self.check.kinks = kinks.to_vec();
        self
    }

    /// At another random point.
    pub fn seed(mut self, seed: u32) -> Case {
        self.check.seed = seed;
        self
    }

    /// With this many tokens.
    pub fn tokens(mut self, tokens: usize) -> Case {
        self.check.tokens = tokens;
        self
    }

    /// With sequences of these lengths, in an input `lengths`.
    pub fn lengths(mut self, lengths: &[usize]) -> Case {
        self.check.lengths = lengths.to_vec();
        self.tokens(lengths.iter().sum()).batch(lengths.len())
    }

    /// With this many examples.
    pub fn batch(mut self, batch: usize) -> Case {
        self.check.batch = batch;
        self
    }
}

/// An input `[Batch, dims…]`.
pub fn input(g: &mut Graph, name: &str, dims: &[usize]) -> NodeId {
    g.input(name, Shape::batch_of(dims), DType::F32)
}

/// An input `[rows · Batch, dims…]`, such as time steps flattened into the batch.
pub fn rows(g: &mut Graph, name: &str, rows: usize, dims: &[usize]) -> NodeId {
    let shape = Shape::new([Dim::Scaled(rows, Symbol::Batch)]).followed_by(Shape::fixed(dims).dims());
    g.input(name, shape, DType::F32)
}

/// An input `[Tokens, dims…]`.
pub fn tokens(g: &mut Graph, name: &str, dims: &[usize]) -> NodeId {
    let shape = Shape::new([Dim::Scaled(1, Symbol::Tokens)]).followed_by(Shape::fixed(dims).dims());
    g.input(name, shape, DType::F32)
}

/// Integers `[Batch, dims…]`.
pub fn integers(g: &mut Graph, name: &str, dims: &[usize]) -> NodeId {
    g.input(name, Shape::batch_of(dims), DType::I32)
}

/// A trainable weight.
pub fn weight(g: &mut Graph, dims: &[usize]) -> NodeId {
    weight_with_role(g, dims, Role::Trainable { group: 0 })
}

/// A frozen weight.
pub fn frozen(g: &mut Graph, dims: &[usize]) -> NodeId {
    weight_with_role(g, dims, Role::Frozen)
}

fn weight_with_role(g: &mut Graph, dims: &[usize], role: Role) -> NodeId {
    let name = format!("weight {}", g.weights().len());
    g.weight(WeightInfo { name, shape: Shape::fixed(dims), role, decays: true }).1
}
