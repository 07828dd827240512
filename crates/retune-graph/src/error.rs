//! What can be wrong with a graph.

use crate::shape::Shape;

/// A graph that cannot be built. Shape errors name the layer, every input's shape and the rule that they break.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// The inputs of an operation do not fit it.
    #[error("layer `{layer}`: {op} cannot take inputs of shape {}: {rule}", list(inputs))]
    Shape {
        /// Layer that was being built, empty outside of any.
        layer: String,
        /// The operation.
        op: &'static str,
        /// Shapes of its inputs.
        inputs: Vec<Shape>,
        /// The rule that is broken, with what it expects.
        rule: String,
    },
    /// A derivative was asked for that the operation does not have.
    #[error("layer `{layer}`: {op} has no gradient: {reason}")]
    NoGradient {
        /// Layer that the node belongs to.
        layer: String,
        /// The operation.
        op: &'static str,
        /// Why, and what to do.
        reason: &'static str,
    },
}

fn list(shapes: &[Shape]) -> String {
    shapes.iter().map(Shape::to_string).collect::<Vec<_>>().join(" and ")
}

/// The broken rule of an operation, before the graph adds where it happened.
pub type Rule = String;
