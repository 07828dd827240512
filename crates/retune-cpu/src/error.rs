//! What can go wrong when a graph is planned or run.

/// A graph that cannot be planned, or data that it cannot be run on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CpuError {
    /// The graph has an input that the run was not given.
    #[error("the network's input `{name}` was not given")]
    MissingInput {
        /// Name of the input.
        name: String,
    },
    /// An input or weight has another shape or type than the graph says.
    #[error("`{name}` must be {expected}, found {found}")]
    WrongTensor {
        /// Name of the input or weight.
        name: String,
        /// Type and shape of the graph.
        expected: String,
        /// Type and shape given.
        found: String,
    },
    /// The number of weights differs from the graph's table.
    #[error("the graph has {expected} weights, {found} were given")]
    WrongWeightCount {
        /// Weights of the graph.
        expected: usize,
        /// Weights given.
        found: usize,
    },
    /// Fewer example ids than examples, so that randomness cannot be keyed.
    #[error("the batch has {expected} examples, but {found} example ids were given")]
    WrongExampleCount {
        /// Examples of the batch.
        expected: usize,
        /// Ids given.
        found: usize,
    },
    /// A class index or row index points outside of its table.
    #[error("layer `{layer}`: index {index} is outside of 0..{limit}")]
    IndexOutOfRange {
        /// Layer of the operation.
        layer: String,
        /// The offending index.
        index: i64,
        /// Number of classes or rows.
        limit: usize,
    },
    /// The lengths of a batch's sequences do not add up to its tokens.
    #[error("layer `{layer}`: the batch has {tokens} tokens, but the lengths of its sequences are {lengths:?}")]
    WrongLengths {
        /// Layer of the operation.
        layer: String,
        /// Tokens of the batch.
        tokens: usize,
        /// The lengths given.
        lengths: Vec<i32>,
    },
    /// The plan needs more memory than can be had.
    #[error("the plan needs {bytes} bytes, which could not be allocated; use a smaller batch size")]
    OutOfMemory {
        /// Bytes asked for.
        bytes: usize,
    },
}
