//! [`Predictor`]: a model that is ready to predict.

use crate::cpu::{Cpu, CpuError, Session, StepRandom};
use crate::graph::DType;
use crate::models::{Mode, Model, ModelError, NetworkInput, NetworkOutput};
use crate::tensor::{Key, Purpose, Tensor, Values};

/// A model built for inference, with its weights and its memory. The first batch of each size is planned, later ones
/// allocate nothing but their outputs.
#[derive(Debug)]
pub struct Predictor {
    session: Session,
    weights: Vec<Tensor>,
    inputs: Vec<NetworkInput>,
    outputs: Vec<NetworkOutput>,
}

impl Predictor {
    /// Builds a model for inference.
    ///
    /// # Errors
    /// A model whose shapes do not fit together, or whose input sizes are not all known.
    pub fn new(cpu: &Cpu, model: &Model) -> Result<Predictor, ModelError> {
        Predictor::with_shapes(cpu, model, None)
    }

    /// As [`Predictor::new`], with the shapes of the inputs, batch first, for a model that leaves some sizes open.
    ///
    /// # Errors
    /// As for [`Predictor::new`], and shapes that the model does not take.
    pub fn with_shapes(
        cpu: &Cpu,
        model: &Model,
        shapes: Option<&[Vec<Option<usize>>]>,
    ) -> Result<Predictor, ModelError> {
        let network = model.build(Mode::Inference, shapes)?;
        let nodes = network.outputs.iter().map(|output| output.node).collect();
        Ok(Predictor {
            session: Session::new(cpu, network.graph, nodes),
            weights: model.weights.iter().map(|weight| weight.value.clone()).collect(),
            inputs: network.inputs,
            outputs: network.outputs,
        })
    }

    /// The network's inputs.
    pub fn inputs(&self) -> &[NetworkInput] {
        &self.inputs
    }

    /// The network's outputs.
    pub fn outputs(&self) -> &[NetworkOutput] {
        &self.outputs
    }

    /// The outputs for a batch of prepared inputs, one tensor per input, `[batch, ...]` each.
    ///
    /// # Errors
    /// Inputs of another number, shape or type than the network takes.
    pub fn predict(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>, CpuError> {
        let named: Vec<(&str, &Tensor)> = self.inputs.iter().map(|i| i.name.as_str()).zip(inputs).collect();
        let outputs = self.session.run(&self.weights, &named, &StepRandom::NONE)?;
        Ok((0..outputs.len()).map(|index| outputs.tensor(index)).collect())
    }

    /// Random inputs of `batch` examples: values in `[0, 1)`, or the integers 0 and 1 where indices are taken. The same
    /// seed gives the same inputs.
    pub fn random_inputs(&self, batch: usize, seed: u64) -> Vec<Tensor> {
        self.inputs
            .iter()
            .zip(0..)
            .map(|(input, index)| {
                let key = Key::new(seed).with(Purpose::Test(index));
                let shape: Vec<usize> = input.shape.dims().iter().map(|dim| dim.fixed().unwrap_or(batch)).collect();
                let len = shape.iter().product::<usize>() as u64;
                let values = match input.dtype {
                    DType::I32 => Values::I32((0..len).map(|i| key.below(i, 2) as i32).collect()),
                    _ => Values::F32((0..len).map(|i| key.uniform(i)).collect()),
                };
                Tensor::new(shape, values).expect("as many values as the shape has")
            })
            .collect()
    }
}
