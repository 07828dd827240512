//! The readable form of a graph.

use retune_graph::ops::{Activation, ConvGeometry};
use retune_graph::{DType, Graph, Role, Shape, WeightInfo};

#[test]
fn one_node_a_line_under_its_layer() {
    let mut g = Graph::new();
    let x = g.input("image", Shape::batch_of(&[4, 4, 1]), DType::F32);
    g.enter_layer("conv");
    let info = WeightInfo {
        name: "conv/kernel".into(),
        shape: Shape::fixed(&[3, 3, 1, 2]),
        role: Role::Trainable { group: 1 },
        decays: true,
    };
    let (_, w) = g.weight(info);
    let y = g.conv2d(x, w, None, ConvGeometry::default(), 1).unwrap();
    g.enter_layer("activation");
    g.activate(y, Activation::Sigmoid).unwrap();
    g.fill(Shape::scalar(), 1.0);
    assert_eq!(
        g.to_string(),
        "\
%0: f32[Batch, 4, 4, 1] = input `image`
# conv
%1: f32[3, 3, 1, 2] = weight `conv/kernel` Trainable { group: 1 }
%2: f32[Batch, 2, 2, 2] = conv2d(%0, %1) Conv2d { geometry: ConvGeometry { strides: [1, 1], \
         padding: [(0, 0), (0, 0)], dilation: [1, 1] }, groups: 1, activation: None }
# activation
%3: f32[Batch, 2, 2, 2] = sigmoid(%2) Activate(Sigmoid)
%4: f32[] = fill() 1
"
    );
}
