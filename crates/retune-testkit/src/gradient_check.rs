//! Gradient rules against finite differences, both evaluated by the interpreter in `f64`.

use std::collections::BTreeMap;

use retune_graph::{Bindings, DType, Graph, GraphError, NodeId, Op, gradients};

use crate::array::Array;
use crate::interpreter::{StepRandom, interpret};
use crate::samples;

/// How and where gradients are checked. The point is random: every `f32` input and weight has values spread over `range`
/// without ties, every `i32` input has integers below `integers`.
#[derive(Debug, Clone)]
pub struct GradientCheck {
    /// Number of examples.
    pub batch: usize,
    /// Number of tokens, for graphs that have a token axis.
    pub tokens: usize,
    /// Range of the values.
    pub range: (f64, f64),
    /// Upper bound of the integers.
    pub integers: usize,
    /// Values of this distance or less from one of these kinks are moved away.
    pub kinks: Vec<f64>,
    /// Selects the point.
    pub seed: u32,
}

impl Default for GradientCheck {
    fn default() -> GradientCheck {
        GradientCheck { batch: 2, tokens: 0, range: (-2.0, 2.0), integers: 3, kinks: Vec::new(), seed: 0 }
    }
}

/// Distance of the outer points of a difference quotient. It has four points, so its error is of the order of `STEP⁴`.
const STEP: f64 = 1e-3;

/// Values stay this far from a kink.
const KINK_DISTANCE: f64 = 5.0 * STEP;

/// The largest error allowed, relative to a value of the gradient plus the root mean square of that gradient.
const TOLERANCE: f64 = 1e-6;

/// Checks the gradients of the graph that `build` makes at [`GradientCheck::default`]'s point.
///
/// # Panics
/// As [`GradientCheck::run`].
#[track_caller]
pub fn check_gradients(build: impl Fn(&mut Graph) -> Result<NodeId, GraphError>) {
    GradientCheck::default().run(build);
}

/// A graph with the gradients of one output, and what they are taken with respect to.
pub struct Differentiated {
    /// The graph, gradients included.
    pub graph: Graph,
    /// The output that was differentiated.
    pub output: NodeId,
    /// Every `f32` input and every trainable weight, with the gradient.
    pub gradients: Vec<(NodeId, NodeId)>,
}

/// Builds a graph and appends the gradients of `⟨output, cotangent⟩` with respect to all its `f32` inputs and trainable
/// weights, where the cotangent is an input named `cotangent`.
///
/// # Panics
/// If the output does not depend on one of them.
#[track_caller]
pub fn differentiate(build: impl Fn(&mut Graph) -> Result<NodeId, GraphError>) -> Result<Differentiated, GraphError> {
    let mut graph = Graph::new();
    let output = build(&mut graph)?;
    let points: Vec<NodeId> = graph
        .ids()
        .filter(|&id| match &graph.node(id).op {
            Op::Input(_) => graph.node(id).dtype == DType::F32,
            Op::Weight(weight) => graph.weight_info(*weight).role.is_trainable(),
            _ => false,
        })
        .collect();
    assert!(!points.is_empty(), "there is nothing to differentiate with respect to");
    let shape = graph.shape(output).clone();
    let cotangent = graph.input("cotangent", shape, DType::F32);
    let found = gradients(&mut graph, &[(output, cotangent)], &points)?;
    let gradients = points.into_iter().zip(found).map(|(point, gradient)| match gradient {
        Some(gradient) => (point, gradient),
        None => panic!("no gradient reaches %{}\n{graph}", point.0),
    });
    let gradients = gradients.collect();
    Ok(Differentiated { graph, output, gradients })
}

impl GradientCheck {
    /// Compares the gradients of `Σ output · cotangent`, for a random cotangent, with central differences, for every `f32`
    /// input and every trainable weight of the graph that `build` makes.
    ///
    /// # Panics
    /// If they differ by more than one part in a million, if a gradient is zero everywhere, or if there is none.
    #[track_caller]
    pub fn run(&self, build: impl Fn(&mut Graph) -> Result<NodeId, GraphError>) {
        let Differentiated { graph, output, gradients } = match differentiate(build) {
            Ok(differentiated) => differentiated,
            Err(error) => panic!("{error}"),
        };
        let mut point = self.point(&graph);
        let ids: Vec<NodeId> = gradients.iter().map(|&(_, gradient)| gradient).collect();
        let found = point.interpret(&graph, &ids);
        for (&(wrt, _), found) in gradients.iter().zip(&found) {
            let expected = point.differences(&graph, output, wrt);
            self.compare(&graph, wrt, found, &expected);
        }
    }

    #[track_caller]
    fn compare(&self, graph: &Graph, wrt: NodeId, found: &Array, expected: &Array) {
        let rms = (expected.dot(expected) / expected.values.len() as f64).sqrt();
        assert!(rms > 0.0, "the gradient of %{} is zero everywhere, which checks nothing\n{graph}", wrt.0);
        for (at, (found, expected)) in found.values.iter().zip(&expected.values).enumerate() {
            let error = (found - expected).abs() / (expected.abs() + rms);
            assert!(
                error <= TOLERANCE,
                "gradient of %{} at value {at}: found {found}, finite difference {expected}, error {error:e}\n{graph}",
                wrt.0
            );
        }
    }

    /// A value for each input and each weight.
    fn point(&self, graph: &Graph) -> Point {
        let bindings = Bindings { batch: self.batch, tokens: self.tokens };
        let mut values = BTreeMap::new();
        for id in graph.ids() {
            let node = graph.node(id);
            let shape = node.shape.bind(&bindings);
            let stream = self.seed.wrapping_mul(1000).wrapping_add(id.0 as u32);
            let value = match (&node.op, node.dtype) {
                (Op::Input(_), DType::I32) => samples::below(stream, &shape, self.integers),
                (Op::Input(_) | Op::Weight(_), _) => {
                    let (low, high) = self.range;
                    samples::spread(stream, &shape, low, high).map(|x| self.away_from_kinks(x))
                }
                _ => continue,
            };
            values.insert(id, value);
        }
        Point { values, example_ids: (0..self.batch as u64).map(|i| 100 + 7 * i).collect() }
    }

    fn away_from_kinks(&self, x: f64) -> f64 {
        match self.kinks.iter().find(|&&kink| (x - kink).abs() < KINK_DISTANCE) {
            Some(kink) if x < *kink => kink - KINK_DISTANCE,
            Some(kink) => kink + KINK_DISTANCE,
            None => x,
        }
    }
}

/// Where a graph is evaluated.
struct Point {
    values: BTreeMap<NodeId, Array>,
    example_ids: Vec<u64>,
}

impl Point {
    fn interpret(&self, graph: &Graph, outputs: &[NodeId]) -> Vec<Array> {
        let (mut weights, mut inputs) = (vec![Array::zeros(&[]); graph.weights().len()], Vec::new());
        for (id, value) in &self.values {
            match &graph.node(*id).op {
                Op::Weight(weight) => weights[weight.0] = value.clone(),
                Op::Input(name) => inputs.push((name.as_str(), value.clone())),
                _ => unreachable!("only inputs and weights have a value of their own"),
            }
        }
        let random = StepRandom { seed: 1, epoch: 2, example_ids: &self.example_ids };
        interpret(graph, outputs, &weights, &inputs, &random)
    }

    /// Five-point central differences of `⟨output, cotangent⟩` with respect to each value of `wrt`.
    fn differences(&mut self, graph: &Graph, output: NodeId, wrt: NodeId) -> Array {
        let cotangent = graph
            .ids()
            .find(|&id| matches!(&graph.node(id).op, Op::Input(name) if name == "cotangent"))
            .map(|id| self.values[&id].clone())
            .expect("`differentiate` adds the cotangent");
        let point = self.values[&wrt].clone();
        let mut at = |position: usize, step: f64| {
            let mut moved = point.clone();
            moved.values[position] += step;
            self.values.insert(wrt, moved);
            self.interpret(graph, &[output])[0].dot(&cotangent)
        };
        let slope = |position: usize| {
            let near = at(position, 0.5 * STEP) - at(position, -0.5 * STEP);
            let far = at(position, STEP) - at(position, -STEP);
            (8.0 * near - far) / (6.0 * STEP)
        };
        let differences = Array::new(&point.shape, (0..point.values.len()).map(slope).collect());
        self.values.insert(wrt, point);
        differences
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retune_graph::Shape;
    use retune_graph::ops::Unary;

    fn absolute(g: &mut Graph) -> Result<NodeId, GraphError> {
        let x = g.input("x", Shape::batch_of(&[3]), DType::F32);
        g.unary(Unary::Abs, x)
    }

    #[test]
    fn a_right_rule_passes() {
        GradientCheck { range: (0.5, 2.0), ..Default::default() }.run(absolute);
    }

    /// On its kink the rule of |x| is no derivative, which stands for any wrong rule.
    #[test]
    #[should_panic(expected = "finite difference")]
    fn a_wrong_rule_is_found() {
        GradientCheck { range: (-1e-4, 1e-4), ..Default::default() }.run(absolute);
    }

    #[test]
    #[should_panic(expected = "no gradient reaches %0")]
    fn a_missing_rule_is_found() {
        check_gradients(|g| {
            let y = absolute(g)?;
            g.unary(Unary::Sign, y)
        });
    }

    #[test]
    #[should_panic(expected = "zero everywhere")]
    fn a_gradient_that_checks_nothing_is_found() {
        check_gradients(|g| {
            let y = absolute(g)?;
            let zero = g.affine(y, 0.0, 0.0)?;
            g.mul(zero, y)
        });
    }
}
