//! The meaning of every operation, as loops over `f64`: what fast kernels are compared with, and what gradient rules are
//! checked on. One file an operation family, as in `retune_graph::ops`.
//!
//! Attributes are the graph's `f32` numbers taken exactly; nothing in between is rounded to `f32`.

mod activation;
mod attention;
mod batch_norm;
mod conv2d;
mod cross_entropy;
mod depthwise;
mod elementwise;
mod gather;
mod image;
mod layer_norm;
mod layout;
mod linear;
mod matmul;
mod pool;
mod random;
mod reduce;
mod resize;
mod rotary;
mod sequence;
mod softmax;

use retune_graph::{Bindings, Dim, Graph, NodeId, Op, Symbol};

use crate::array::Array;

pub use activation::{derivative, erf, value};

/// What the random operations of one step are keyed by: the numbers of stream `s` for one example are those of
/// `Key::new(seed).with(Purpose::Layer(s)).at(epoch, example_id)`; see `retune_graph::ops::random`.
#[derive(Debug, Clone, Copy, Default)]
pub struct StepRandom<'a> {
    /// The run's seed.
    pub seed: u64,
    /// Number of the epoch.
    pub epoch: u64,
    /// Identity of each example of the batch. May be empty where no operation is random.
    pub example_ids: &'a [u64],
}

/// The values of `outputs`, given every weight (in the order of their ids) and every input that the outputs depend on.
///
/// The batch and token counts follow from the inputs' shapes; where no input has a batch axis, there are as many examples
/// as `random` names.
///
/// # Panics
/// If a weight or an input is missing or has the wrong shape, if an index stands outside its table, and if an operation
/// gives another shape than its shape rule says.
pub fn interpret(
    graph: &Graph,
    outputs: &[NodeId],
    weights: &[Array],
    inputs: &[(&str, Array)],
    random: &StepRandom<'_>,
) -> Vec<Array> {
    let bindings = bind(graph, inputs, random);
    let reached = graph.reachable(outputs);
    let mut values: Vec<Option<Array>> = vec![None; graph.nodes().len()];
    for id in graph.ids().filter(|id| reached[id.0]) {
        let node = graph.node(id);
        let shape = node.shape.bind(&bindings);
        let operands: Vec<&Array> =
            node.inputs.iter().map(|i| values[i.0].as_ref().expect("inputs come before their users")).collect();
        let value = match &node.op {
            Op::Input(name) => find(inputs, name).clone(),
            Op::Weight(weight) => weights[weight.0].clone(),
            Op::Fill(value) => Array::full(&shape, f64::from(*value)),
            Op::Random(op) => random::random(op, &shape, bindings.batch, random),
            Op::Dropout(op) => random::dropout(op, operands[0], operands.get(1).copied(), bindings.batch, random),
            Op::Attention(op) => attention::attention(op, &operands, bindings.batch, random),
            Op::AttentionGrad(op) => attention::attention_grad(&op.0, &operands, bindings.batch, random).rows,
            Op::AttentionGradPrefix(op) => attention::attention_grad(&op.0, &operands, bindings.batch, random).prefix,
            Op::AttentionGradTables(op) => attention::attention_grad(&op.0, &operands, bindings.batch, random).tables,
            Op::ImageAugment(op) => image::augment(op, operands[0], bindings.batch, random),
            op => evaluate(op, &operands, &shape),
        };
        assert_eq!(
            value.shape,
            shape,
            "%{} = {:?} of layer `{}` must be {}",
            id.0,
            node.op,
            graph.layer_name(node.layer),
            node.shape
        );
        values[id.0] = Some(value);
    }
    outputs.iter().map(|id| values[id.0].clone().expect("outputs are reachable from themselves")).collect()
}

/// An operation without randomness, applied to its inputs; `shape` is that of its output.
fn evaluate(op: &Op, inputs: &[&Array], shape: &[usize]) -> Array {
    match op {
        Op::Input(_) | Op::Weight(_) | Op::Fill(_) => unreachable!("`interpret` gives leaves their values"),
        Op::Random(_)
        | Op::Dropout(_)
        | Op::ImageAugment(_)
        | Op::Attention(_)
        | Op::AttentionGrad(_)
        | Op::AttentionGradPrefix(_)
        | Op::AttentionGradTables(_) => {
            unreachable!("`interpret` gives operations that may be random their values")
        }
        Op::Activate(op) => activation::activate(op, inputs[0]),
        Op::ActivateGrad(op) => activation::activate_grad(op, inputs[0], inputs[1]),
        Op::Affine(op) => elementwise::affine(op, inputs[0]),
        Op::BatchMoments(_) => batch_norm::moments(inputs[0]),
        Op::BatchNorm(op) => batch_norm::normalize(op, inputs[0], inputs[1], inputs[2], inputs[3]),
        Op::BatchNormGradInput(op) => batch_norm::grad_input(op, inputs),
        Op::BatchNormGradSums(op) => batch_norm::grad_sums(op, inputs),
        Op::Binary(op) => elementwise::binary(*op, inputs[0], inputs[1], shape),
        Op::BroadcastTo(_) => reduce::broadcast_to(inputs[0], shape),
        Op::Cast(_) | Op::Detach(_) => inputs[0].clone(),
        Op::Concat(op) => layout::concat(op, inputs, shape),
        Op::Conv2d(op) => conv2d::conv2d(op, inputs[0], inputs[1], inputs.get(2).copied()),
        Op::Conv2dGradInput(op) => conv2d::grad_input(op, inputs[0], inputs[1]),
        Op::Conv2dGradWeight(op) => conv2d::grad_weight(op, inputs[0], inputs[1]),
        Op::DepthwiseConv2d(op) => depthwise::depthwise(op, inputs[0], inputs[1]),
        Op::DepthwiseConv2dGradInput(op) => depthwise::grad_input(op, inputs[0], inputs[1]),
        Op::DepthwiseConv2dGradWeight(op) => depthwise::grad_weight(op, inputs[0], inputs[1]),
        Op::Gather(_) => gather::gather(inputs[0], inputs[1]),
        Op::LayerNorm(op) => layer_norm::normalize(op, inputs[0], inputs[1], inputs[2], inputs[3]),
        Op::LayerNormGradInput(op) => layer_norm::grad_input(op, inputs[0], inputs[1], inputs[2], inputs[3]),
        Op::LayerNormGradSums(op) => layer_norm::grad_sums(op, inputs[0], inputs[1], inputs[2]),
        Op::Linear(op) => linear::linear(op, inputs[0], inputs[1], inputs.get(2).copied()),
        Op::LogSoftmax(_) => softmax::log_softmax(inputs[0]),
        Op::LogSoftmaxGrad(_) => softmax::log_softmax_grad(inputs[0], inputs[1]),
        Op::MatMul(op) => matmul::matmul(op, inputs[0], inputs[1]),
        Op::Pad(op) => layout::pad(op, inputs[0]),
        Op::Pool2d(op) => pool::pool(op, inputs[0]),
        Op::Pool2dGrad(op) => pool::pool_grad(op, inputs),
        Op::Reduce(op) => reduce::reduce(op, inputs[0]),
        Op::Reshape(_) => inputs[0].reshaped(shape),
        Op::Resize(op) => resize::resize(op, inputs[0]),
        Op::ResizeGrad(op) => resize::resize_grad(op, inputs[0]),
        Op::Reverse(op) => layout::reverse(op, inputs[0]),
        Op::Rotary(op) => rotary::rotary(op, inputs[0], inputs[1]),
        Op::RowMoments(op) => layer_norm::moments(op, inputs[0]),
        Op::ScatterAdd(op) => gather::scatter_add(op, inputs[0], inputs[1]),
        Op::SequencePool(op) => sequence::pool(op, inputs[0], inputs[1]),
        Op::SequencePoolGrad(op) => sequence::pool_grad(op, inputs[0], inputs[1], shape),
        Op::SequencePrompt(_) => sequence::prompt(inputs[0], inputs[1], inputs[2]),
        Op::SequencePromptGrad(_) => sequence::prompt_grad(inputs[0], inputs[1], shape),
        Op::Slice(op) => layout::slice(op, inputs[0]),
        Op::Softmax(_) => softmax::softmax(inputs[0]),
        Op::SoftmaxCrossEntropy(op) => cross_entropy::loss(op, inputs[0], inputs[1]),
        Op::SoftmaxCrossEntropyGrad(op) => cross_entropy::grad(op, inputs[0], inputs[1], inputs[2]),
        Op::SoftmaxGrad(_) => softmax::softmax_grad(inputs[0], inputs[1]),
        Op::Transpose(op) => layout::transpose(op, inputs[0], shape),
        Op::Unary(op) => elementwise::unary(*op, inputs[0]),
    }
}

fn find<'a>(inputs: &'a [(&str, Array)], name: &str) -> &'a Array {
    match inputs.iter().find(|(given, _)| *given == name) {
        Some((_, array)) => array,
        None => panic!("input `{name}` is not given"),
    }
}

/// What the symbols stand for, from the inputs that are given.
fn bind(graph: &Graph, inputs: &[(&str, Array)], random: &StepRandom<'_>) -> Bindings {
    let (mut batch, mut tokens) = (None, None);
    for node in graph.nodes() {
        let Op::Input(name) = &node.op else { continue };
        let Some((_, array)) = inputs.iter().find(|(given, _)| given == name) else { continue };
        assert_eq!(array.shape.len(), node.shape.rank(), "input `{name}` must be {}", node.shape);
        for (&dim, &size) in node.shape.dims().iter().zip(&array.shape) {
            let Dim::Scaled(factor, symbol) = dim else { continue };
            assert_eq!(size % factor, 0, "input `{name}` must be {}, found {:?}", node.shape, array.shape);
            let bound = match symbol {
                Symbol::Batch => &mut batch,
                Symbol::Tokens => &mut tokens,
            };
            assert_eq!(*bound.get_or_insert(size / factor), size / factor, "input `{name}`: {symbol} differs");
        }
    }
    Bindings { batch: batch.unwrap_or(random.example_ids.len()), tokens: tokens.unwrap_or(0) }
}
