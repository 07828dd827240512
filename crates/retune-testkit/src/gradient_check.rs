//! Gradient rules against finite differences, both evaluated by the interpreter in `f64`.

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
    /// Lengths of the sequences that the tokens fall into, for graphs with an input of this name.
    pub lengths: Vec<usize>,
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
        GradientCheck {
            batch: 2,
            tokens: 0,
            lengths: Vec::new(),
            range: (-2.0, 2.0),
            integers: 3,
            kinks: Vec::new(),
            seed: 0,
        }
    }
}

/// Name of the input that weighs the output.
const COTANGENT: &str = "cotangent";

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
    let cotangent = graph.input(COTANGENT, shape, DType::F32);
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

    /// A value for each input and each weight of `graph`, and an id for each example.
    pub fn point(&self, graph: &Graph) -> Point {
        let bindings = Bindings { batch: self.batch, tokens: self.tokens };
        let (mut weights, mut inputs) = (Vec::new(), Vec::new());
        for (index, info) in graph.weights().iter().enumerate() {
            weights.push(self.values(2 * index as u32, &info.shape.bind(&bindings)));
        }
        for node in graph.nodes() {
            let Op::Input(name) = &node.op else { continue };
            let (stream, shape) = (2 * inputs.len() as u32 + 1, node.shape.bind(&bindings));
            let value = match node.dtype {
                DType::F32 => self.values(stream, &shape),
                DType::I32 if name == "lengths" => {
                    Array::new(&shape, self.lengths.iter().map(|&length| length as f64).collect())
                }
                DType::I32 => samples::below(self.stream(stream), &shape, self.integers),
            };
            inputs.push((name.clone(), value));
        }
        Point { weights, inputs, example_ids: (0..self.batch as u64).map(|i| 100 + 7 * i).collect() }
    }

    fn stream(&self, number: u32) -> u32 {
        self.seed.wrapping_mul(1000).wrapping_add(number)
    }

    fn values(&self, stream: u32, shape: &[usize]) -> Array {
        let (low, high) = self.range;
        samples::spread(self.stream(stream), shape, low, high).map(|x| self.away_from_kinks(x))
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
#[derive(Debug, Clone)]
pub struct Point {
    /// The value of each weight, in the order of their ids.
    pub weights: Vec<Array>,
    /// The value of each input by name.
    pub inputs: Vec<(String, Array)>,
    /// The id of each example.
    pub example_ids: Vec<u64>,
}

impl Point {
    /// The keys of the random operations at this point.
    pub fn random(&self) -> StepRandom<'_> {
        StepRandom { seed: 1, epoch: 2, example_ids: &self.example_ids }
    }

    /// The values of `outputs` at this point.
    pub fn interpret(&self, graph: &Graph, outputs: &[NodeId]) -> Vec<Array> {
        let inputs: Vec<(&str, Array)> = self.inputs.iter().map(|(name, x)| (name.as_str(), x.clone())).collect();
        interpret(graph, outputs, &self.weights, &inputs, &self.random())
    }

    /// The value of an input or a weight, for change.
    fn value_mut(&mut self, graph: &Graph, node: NodeId) -> &mut Array {
        match &graph.node(node).op {
            Op::Weight(weight) => &mut self.weights[weight.0],
            Op::Input(name) => {
                let found = self.inputs.iter_mut().find(|(given, _)| given == name);
                &mut found.expect("a point has a value for every input").1
            }
            op => unreachable!("{op:?} has no value of its own"),
        }
    }

    /// Five-point central differences of `⟨output, cotangent⟩` with respect to each value of `wrt`.
    fn differences(&mut self, graph: &Graph, output: NodeId, wrt: NodeId) -> Array {
        let (_, cotangent) = self.inputs.iter().find(|(name, _)| name == COTANGENT).expect("`differentiate` adds it");
        let cotangent = cotangent.clone();
        let shape = self.value_mut(graph, wrt).shape.clone();
        let mut at = |position: usize, step: f64| {
            let value = self.value_mut(graph, wrt).values[position];
            self.value_mut(graph, wrt).values[position] = value + step;
            let result = self.interpret(graph, &[output])[0].dot(&cotangent);
            self.value_mut(graph, wrt).values[position] = value;
            result
        };
        let slope = |position: usize| {
            let near = at(position, 0.5 * STEP) - at(position, -0.5 * STEP);
            let far = at(position, STEP) - at(position, -STEP);
            (8.0 * near - far) / (6.0 * STEP)
        };
        let count: usize = shape.iter().product();
        Array::new(&shape, (0..count).map(slope).collect())
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
