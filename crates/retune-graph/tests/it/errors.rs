//! Errors name the layer, the operation, every shape and the rule that is broken.

use retune_graph::ops::image::Augmentation;
use retune_graph::ops::pool::Pooling;
use retune_graph::ops::{Conv2d, ConvGeometry, ImageAugment, Transpose};
use retune_graph::{DType, Graph, GraphError, Shape, gradients};
use retune_testkit::cases::{Built, input, integers, rows, weight};

/// The message of what `build` does wrong inside layer `block/layer`.
fn message(build: impl Fn(&mut Graph) -> Built) -> String {
    let mut g = Graph::new();
    g.enter_layer("block/layer");
    let error = build(&mut g).unwrap_err();
    assert!(matches!(&error, GraphError::Shape { layer, .. } if layer == "block/layer"));
    error.to_string()
}

#[test]
fn linear_names_both_shapes() {
    let found = message(|g| {
        let (x, w) = (input(g, "x", &[5]), weight(g, &[4, 3]));
        g.linear(x, w, None)
    });
    assert_eq!(
        found,
        "layer `block/layer`: linear cannot take inputs of shape [Batch, 5] and [4, 3]: \
         the last axis of x must be the weight's 4 inputs"
    );
}

#[test]
fn every_rule_speaks() {
    type Wrong = fn(&mut Graph) -> Built;
    let wrong: [(&str, Wrong); 18] = [
        ("[Batch, 3] and [Batch, 4]: the shapes must be equal or broadcast", |g| {
            let (x, y) = (input(g, "x", &[3]), input(g, "y", &[4]));
            g.add(x, y)
        }),
        ("[Batch, 3] and [7·Batch, 3]: the shapes must be equal or broadcast", |g| {
            let (x, y) = (input(g, "x", &[3]), rows(g, "y", 7, &[3]));
            g.add(x, y)
        }),
        ("[Batch, 3]: it takes f32 values", |g| {
            let x = integers(g, "x", &[3]);
            g.affine(x, 2.0, 0.0)
        }),
        ("conv2d cannot take inputs of shape [Batch, 4, 5, 3] and [3, 3, 2, 8]: the kernel takes 2 channels", |g| {
            let (x, w) = (input(g, "x", &[4, 5, 3]), weight(g, &[3, 3, 2, 8]));
            g.conv2d(x, w, None, ConvGeometry::default(), 1)
        }),
        ("the window covers 5 values along spatial axis 0, the padded input has 4", |g| {
            let (x, w) = (input(g, "x", &[4, 5, 3]), weight(g, &[5, 3, 3, 8]));
            g.conv2d(x, w, None, ConvGeometry::default(), 1)
        }),
        ("8 filters do not divide into 3 groups", |g| {
            let (x, w) = (input(g, "x", &[4, 5, 3]), weight(g, &[3, 3, 1, 8]));
            g.conv2d(x, w, None, ConvGeometry::default(), 3)
        }),
        ("kernel, strides and dilation must be positive", |g| {
            let (x, w) = (input(g, "x", &[4, 5, 3]), weight(g, &[3, 3, 3, 8]));
            let geometry = ConvGeometry { strides: [1, 0], ..Default::default() };
            g.push(Conv2d { geometry, groups: 1, activation: None }.into(), &[x, w])
        }),
        ("the bias must be [8]", |g| {
            let (x, w, b) = (input(g, "x", &[4, 5, 3]), weight(g, &[3, 3, 3, 8]), weight(g, &[3]));
            g.conv2d(x, w, Some(b), ConvGeometry::default(), 1)
        }),
        ("images must be [batch, height, width, channels]", |g| {
            let x = input(g, "x", &[4, 5]);
            g.pool2d(x, Pooling::Max, [2, 2], ConvGeometry::default())
        }),
        ("the kernel takes 4 channels, the input has 3", |g| {
            let (x, w) = (input(g, "x", &[4, 5, 3]), weight(g, &[3, 3, 4, 1]));
            g.depthwise_conv2d(x, w, ConvGeometry::default())
        }),
        ("the summed axes must agree, found 3 and 4", |g| {
            let (a, b) = (input(g, "a", &[2, 3]), input(g, "b", &[4, 5]));
            g.matmul(a, b, false, false)
        }),
        ("gamma and beta must be [3]", |g| {
            let (x, gamma, beta) = (input(g, "x", &[3]), weight(g, &[4]), weight(g, &[3]));
            Ok(g.batch_norm(x, gamma, beta, 1e-3)?.0)
        }),
        ("class indices must have the shape of the logits without the last axis", |g| {
            let (x, labels) = (input(g, "x", &[3]), integers(g, "labels", &[1]));
            g.softmax_cross_entropy(x, labels, 0.0)
        }),
        ("[Batch, 6]: [Batch, 4] must hold as many values", |g| {
            let x = input(g, "x", &[6]);
            g.reshape(x, Shape::batch_of(&[4]))
        }),
        ("axis 1 must hold indices 2 to 5", |g| {
            let x = input(g, "x", &[4]);
            g.slice(x, 1, 2, 3)
        }),
        ("all axes but axis 1 must agree", |g| {
            let (x, y) = (input(g, "x", &[2, 3]), input(g, "y", &[2, 4]));
            g.concat(&[x, y], 1)
        }),
        ("[0, 0] must be a permutation of its axes", |g| {
            let x = input(g, "x", &[4]);
            g.push(Transpose { axes: vec![0, 0] }.into(), &[x])
        }),
        ("the rate must be in [0, 1), found 1", |g| {
            let x = input(g, "x", &[4]);
            g.dropout(x, 1.0, 0)
        }),
    ];
    for (expected, build) in wrong {
        let found = message(build);
        assert!(found.contains(expected), "expected `{expected}` in `{found}`");
        assert!(!found.ends_with('.'));
    }
}

#[test]
fn the_number_of_inputs_is_a_rule() {
    let found = message(|g| {
        let x = input(g, "x", &[4]);
        g.push(retune_graph::ops::Softmax.into(), &[x, x])
    });
    assert!(found.ends_with("[Batch, 4] and [Batch, 4]: it takes 1 inputs, found 2"), "{found}");
}

#[test]
fn random_image_layers_pass_no_gradient() {
    let mut g = Graph::new();
    g.enter_layer("random_flip");
    let x = g.input("x", Shape::batch_of(&[4, 4, 1]), DType::F32);
    let augmentation = Augmentation::Flip { horizontal: true, vertical: false };
    let y = g.push(ImageAugment { augmentation, stream: 0 }.into(), &[x]).unwrap();
    let ones = g.fill(Shape::batch_of(&[4, 4, 1]), 1.0);
    let error = gradients(&mut g, &[(y, ones)], &[x]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "layer `random_flip`: image_augment has no gradient: put random image layers before every trainable layer"
    );
}
