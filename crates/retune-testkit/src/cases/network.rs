//! Tiny networks from the input to the loss.

use retune_graph::ops::pool::Pooling;
use retune_graph::ops::reduce::Reduction;
use retune_graph::ops::{Activation, ConvGeometry};
use retune_graph::{Graph, NodeId, Shape};

use super::build::{Built, Case, case, frozen, input, integers, weight};

/// Convolution, batch normalization and activation, with weights of their own.
fn block(g: &mut Graph, x: NodeId, channels: [usize; 2], activation: Activation) -> Built {
    let (kernel, gamma, beta) =
        (weight(g, &[3, 3, channels[0], channels[1]]), weight(g, &[channels[1]]), weight(g, &[channels[1]]));
    let geometry = ConvGeometry { padding: [(1, 1); 2], ..Default::default() };
    let y = g.conv2d(x, kernel, None, geometry, 1)?;
    let (y, _) = g.batch_norm(y, gamma, beta, 1e-3)?;
    g.activate(y, activation)
}

/// A classifier of 6×6 images in three classes, as a training step has it: two blocks, pooling, dropout, a dense layer, and
/// the mean cross-entropy.
pub fn image_classifier(g: &mut Graph) -> Built {
    let (x, labels) = (input(g, "x", &[6, 6, 1]), integers(g, "labels", &[]));
    let y = block(g, x, [1, 2], Activation::RELU)?;
    let y = g.pool2d(y, Pooling::Max, [2, 2], ConvGeometry { strides: [2, 2], ..Default::default() })?;
    let y = block(g, y, [2, 3], Activation::Elu { alpha: 1.0 })?;
    let y = g.reshape(y, Shape::batch_of(&[27]))?;
    let y = g.dropout(y, 0.25, 0)?;
    let (w, b) = (weight(g, &[27, 3]), weight(g, &[3]));
    let logits = g.linear(y, w, Some(b))?;
    let loss = g.softmax_cross_entropy(logits, labels, 0.1)?;
    g.reduce_away(Reduction::Mean, loss, &[0])
}

/// The same task on a frozen feature extractor: separable convolution, global average, a new head.
fn frozen_features(g: &mut Graph) -> Built {
    let (x, labels) = (input(g, "x", &[5, 5, 2]), integers(g, "labels", &[]));
    let (depthwise, pointwise) = (frozen(g, &[3, 3, 2, 2]), frozen(g, &[1, 1, 4, 4]));
    let y = g.depthwise_conv2d(x, depthwise, ConvGeometry { strides: [2, 2], ..Default::default() })?;
    let y = g.conv2d(y, pointwise, None, ConvGeometry::default(), 1)?;
    let y = g.activate(y, Activation::Silu)?;
    let features = g.reduce_away(Reduction::Mean, y, &[1, 2])?;
    let (w, b) = (weight(g, &[4, 3]), weight(g, &[3]));
    let logits = g.linear(features, w, Some(b))?;
    g.softmax_cross_entropy(logits, labels, 0.0)
}

pub fn cases() -> Vec<Case> {
    vec![
        case("image classifier", image_classifier).batch(4),
        case("new head on frozen features", frozen_features).batch(3),
    ]
}
