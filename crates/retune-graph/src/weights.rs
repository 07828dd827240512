//! The weights that a graph refers to, and what training may do to each.

use crate::shape::Shape;

/// Index of a weight in its graph's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WeightId(pub usize);

/// What training may do to a weight. Everything that retune saves in work follows from this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Never changes.
    Frozen,
    /// Changed by the optimizer; `group` selects the learning rate and decay.
    Trainable {
        /// Index of the parameter group.
        group: usize,
    },
    /// Follows the data without a gradient, like the moving mean of batch normalization.
    Statistic,
}

impl Role {
    /// Whether the optimizer changes the weight.
    pub fn is_trainable(self) -> bool {
        matches!(self, Role::Trainable { .. })
    }
}

/// One weight: its name in the model, its shape and its role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightInfo {
    /// Unique name, the model's own.
    pub name: String,
    /// Shape; every size is fixed.
    pub shape: Shape,
    /// What training may do to it.
    pub role: Role,
    /// Whether weight decay applies by default: not to biases nor to the scales and shifts of norms.
    pub decays: bool,
}
