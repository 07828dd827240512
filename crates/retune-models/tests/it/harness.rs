//! Runs networks for comparison: on the reference interpreter, in `f64`, and on the engine that users run.

use std::path::{Path, PathBuf};

use retune_cpu::{Cpu, Session};
use retune_graph::passes::{fold_scale, fuse_activations};
use retune_graph::{DType, NodeId};
use retune_models::{Model, Network};
use retune_tensor::{Tensor, Values};
use retune_testkit::{Array, StepRandom, interpret};

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A file of the assets folder: `RETUNE_ASSETS`, or `assets/` at the repository's root. `None`, with a printed line, if
/// it is not there.
pub fn asset(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("RETUNE_ASSETS").map_or_else(|| root().join("assets"), PathBuf::from);
    let path = folder.join(name);
    if !path.exists() {
        println!("skipped: {} is not there (`cargo xtask assets` fetches it)", path.display());
        return None;
    }
    Some(path)
}

/// A tensor as numbers of the interpreter.
pub fn array(tensor: &Tensor) -> Array {
    let values: Vec<f64> = match tensor.values() {
        Values::I64(values) => values.iter().map(|&v| v as f64).collect(),
        _ => tensor.to_f32_vec().into_iter().map(f64::from).collect(),
    };
    Array::new(tensor.shape(), values)
}

/// The tensors of a `.safetensors` file.
pub fn read_safetensors(path: &Path) -> Vec<(String, Tensor)> {
    let bytes = std::fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    file.tensors()
        .into_iter()
        .map(|(name, view)| {
            let data = view.data();
            let values: Values = match view.dtype() {
                safetensors::Dtype::F32 => {
                    data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect::<Vec<_>>().into()
                }
                safetensors::Dtype::I32 => {
                    data.chunks_exact(4).map(|b| i32::from_le_bytes(b.try_into().unwrap())).collect::<Vec<_>>().into()
                }
                safetensors::Dtype::I64 => {
                    data.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap())).collect::<Vec<_>>().into()
                }
                safetensors::Dtype::BOOL => data.iter().map(|&b| b != 0).collect::<Vec<_>>().into(),
                other => panic!("{name} has the type {other:?}"),
            };
            (name, Tensor::new(view.shape(), values).unwrap())
        })
        .collect()
}

/// What computes a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// The reference interpreter, in `f64`.
    Interpreter,
    /// The engine, on two threads.
    Cpu,
}

/// The values of `nodes` of a network on `inputs`, in the network's order.
pub fn evaluate(backend: Backend, model: &Model, network: &Network, nodes: &[NodeId], inputs: &[Tensor]) -> Vec<Array> {
    let ids: Vec<u64> = (0..inputs[0].shape()[0] as u64).collect();
    let names = network.inputs.iter().map(|input| input.name.as_str());
    match backend {
        Backend::Interpreter => {
            let weights: Vec<Array> = model.weights.iter().map(|weight| array(&weight.value)).collect();
            let given: Vec<(&str, Array)> = names.zip(inputs.iter().map(array)).collect();
            interpret(&network.graph, nodes, &weights, &given, &StepRandom { seed: 1, epoch: 0, example_ids: &ids })
        }
        Backend::Cpu => {
            let weights: Vec<Tensor> = model.weights.iter().map(|weight| weight.value.clone()).collect();
            let as_declared = |tensor: &Tensor, dtype: DType| match dtype {
                DType::F32 => tensor.clone().into_f32(),
                DType::I32 => array(tensor).to_i32(),
            };
            let given: Vec<Tensor> =
                network.inputs.iter().zip(inputs).map(|(input, tensor)| as_declared(tensor, input.dtype)).collect();
            let given: Vec<(&str, &Tensor)> = names.zip(&given).collect();
            let mut session = Session::new(&Cpu::new(2), network.graph.clone(), nodes.to_vec());
            let random = retune_cpu::StepRandom { seed: 1, epoch: 0, example_ids: &ids };
            let outputs = session.run(&weights, &given, &random).unwrap();
            (0..nodes.len()).map(|index| array(&outputs.tensor(index))).collect()
        }
    }
}

/// The outputs of a network; by the engine after the passes that every run goes through.
pub fn outputs(backend: Backend, model: &Model, network: &Network, inputs: &[Tensor]) -> Vec<Array> {
    let nodes: Vec<NodeId> = network.outputs.iter().map(|output| output.node).collect();
    if backend == Backend::Interpreter {
        return evaluate(backend, model, network, &nodes, inputs);
    }
    let folded = fold_scale(&network.graph, &nodes).unwrap();
    let nodes: Vec<NodeId> = nodes.into_iter().map(|node| folded.id(node)).collect();
    let fused = fuse_activations(&folded.graph, &nodes).unwrap();
    let nodes: Vec<NodeId> = nodes.into_iter().map(|node| fused.id(node)).collect();
    evaluate(backend, model, &Network { graph: fused.graph, ..network.clone() }, &nodes, inputs)
}

/// By how much of its tolerance `found` misses `expected`, at its worst value; an error of shape is infinite.
pub fn tolerance_used(found: &Array, expected: &Array, rtol: f64, atol: f64) -> f64 {
    if found.shape != expected.shape {
        return f64::INFINITY;
    }
    let used = |(a, b): (&f64, &f64)| {
        let error = (a - b).abs() / (atol + rtol * b.abs());
        if error.is_nan() { f64::INFINITY } else { error }
    };
    found.values.iter().zip(&expected.values).map(used).fold(0.0, f64::max)
}

/// The largest difference of values from those of a peer, in units of the peer's largest; what is zero but for rounding, as the
/// gradient of every bias of keys is, counts as `least`.
pub fn difference(found: &[f32], expected: &Tensor, least: f32) -> f32 {
    let expected = expected.as_f32().unwrap();
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(least, |scale, x| scale.max(x.abs()));
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / scale
}
