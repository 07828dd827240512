//! [`Inference`]: a model built for inference; tensors in, tensors out. To predict on files, see
//! [`train::predict`](crate::train::predict).

use crate::cpu::{Cpu, CpuError, Session, StepRandom};
use crate::graph::{Bindings, DType};
use crate::models::{Mode, Model, ModelError, NetworkInput, NetworkOutput};
use crate::tensor::{Key, Purpose, Tensor, Values};

/// Tokens of each sequence among random inputs.
const SEQUENCE: usize = 3;

/// A model built for inference, with its weights and its memory. The first batch of each size is planned, later ones
/// allocate nothing but their outputs.
#[derive(Debug)]
pub struct Inference {
    session: Session,
    weights: Vec<Tensor>,
    inputs: Vec<NetworkInput>,
    outputs: Vec<NetworkOutput>,
}

impl Inference {
    /// Builds a model for inference.
    ///
    /// # Errors
    /// A model whose shapes do not fit together, or whose input sizes are not all known.
    pub fn new(cpu: &Cpu, model: &Model) -> Result<Inference, Box<ModelError>> {
        Inference::with_shapes(cpu, model, None)
    }

    /// As [`Inference::new`], with the shapes of the inputs, batch first, for a model that leaves some sizes open.
    ///
    /// # Errors
    /// As for [`Inference::new`], and shapes that the model does not take.
    pub fn with_shapes(
        cpu: &Cpu,
        model: &Model,
        shapes: Option<&[Vec<Option<usize>>]>,
    ) -> Result<Inference, Box<ModelError>> {
        let network = model.build(Mode::Inference, shapes)?;
        let nodes = network.outputs.iter().map(|output| output.node).collect();
        Ok(Inference {
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

    /// As [`Inference::predict`], in batches of at most `batch` examples, put together again.
    ///
    /// # Errors
    /// As for [`Inference::predict`].
    pub fn predict_batches(&mut self, inputs: &[Tensor], batch: usize) -> Result<Vec<Tensor>, CpuError> {
        let examples = inputs.first().map_or(0, |input| input.shape()[0]);
        let mut collected: Vec<(Vec<usize>, Vec<f32>)> = Vec::new();
        for start in (0..examples).step_by(batch.max(1)) {
            let part: Vec<Tensor> =
                inputs.iter().map(|input| rows(input, start, batch.min(examples - start))).collect();
            let outputs = self.predict(&part)?;
            collected.resize_with(outputs.len(), Default::default);
            for ((shape, values), output) in collected.iter_mut().zip(outputs) {
                *shape = output.shape().to_vec();
                values.extend(output.to_f32_vec());
            }
        }
        let whole = collected.into_iter().map(|(mut shape, values)| {
            shape[0] = examples;
            Tensor::new(shape, values).expect("every batch has outputs of the same size for each example")
        });
        Ok(whole.collect())
    }

    /// Random inputs of `batch` examples: values in `[0, 1)`, or the integers 0 and 1 where indices are taken; for a text
    /// encoder, sequences of three tokens. The same seed gives the same inputs.
    pub fn random_inputs(&self, batch: usize, seed: u64) -> Vec<Tensor> {
        self.inputs
            .iter()
            .zip(0..)
            .map(|(input, index)| {
                let key = Key::new(seed).with(Purpose::Test(index));
                let shape = input.shape.bind(&Bindings { batch, tokens: SEQUENCE * batch });
                let len = shape.iter().product::<usize>();
                let values = match input.dtype {
                    _ if input.name == "lengths" => Values::I32(vec![SEQUENCE as i32; batch]),
                    _ if input.name == "positions" => Values::I32((0..len).map(|i| (i % SEQUENCE) as i32).collect()),
                    DType::I32 => Values::I32((0..len as u64).map(|i| key.below(i, 2) as i32).collect()),
                    _ => Values::F32((0..len as u64).map(|i| key.uniform(i)).collect()),
                };
                Tensor::new(shape, values).expect("as many values as the shape has")
            })
            .collect()
    }
}

/// Examples `start..start + count` of a tensor of `f32` or `i32`.
fn rows(tensor: &Tensor, start: usize, count: usize) -> Tensor {
    let mut shape = tensor.shape().to_vec();
    let size: usize = shape[1..].iter().product();
    shape[0] = count;
    let range = start * size..(start + count) * size;
    let values = match tensor.values() {
        Values::I32(values) => Values::I32(values[range].to_vec()),
        _ => Values::F32(tensor.to_f32_vec()[range].to_vec()),
    };
    Tensor::new(shape, values).expect("as many values as the shape has")
}
