//! What the values of a frozen part depend on, as a hash: the graph, the weights in it, the precision, the instruction set, and the
//! program that computes them. Anything else gives another key, and the values of the old one are never looked at.

use super::precision::FeaturePrecision;
use super::segment::VERSION;
use retune_cpu::Cpu;
use retune_data::ContentHash;
use retune_graph::{Graph, NodeId, Op};
use retune_tensor::Tensor;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::sync::OnceLock;

/// The key of the values that `graph` gives at `outputs` with these weights.
pub fn part_key(
    graph: &Graph,
    outputs: &[NodeId],
    weights: &[Tensor],
    cpu: &Cpu,
    precision: FeaturePrecision,
) -> ContentHash {
    let mut hasher = Sha256::new();
    hasher.update(program_hash());
    // Kernels for other instructions may differ in the last bits; the number of threads changes none.
    hasher.update(format!("{VERSION} {:?} {precision:?} {outputs:?}\n", cpu.level()));
    for node in graph.nodes() {
        // Debug texts of numbers are exact. The layer that a node belongs to changes nothing, nor does a weight's number.
        match &node.op {
            Op::Weight(id) => {
                hasher.update("weight ");
                add_tensor(&mut hasher, &weights[id.0]);
            }
            op => hasher.update(format!("{op:?} {:?}\n", (&node.inputs, &node.shape, node.dtype))),
        }
    }
    ContentHash(hasher.finalize().into())
}

fn add_tensor(hasher: &mut Sha256, tensor: &Tensor) {
    hasher.update(format!("{:?} {:?} ", tensor.dtype(), tensor.shape()));
    match tensor.as_f32() {
        Some(values) => hasher.update(bytemuck::cast_slice(values)),
        None => tensor.to_f32_vec().iter().for_each(|value| hasher.update(value.to_le_bytes())),
    }
}

/// SHA-256 of this program's file: another build may compute other bits. Where the file cannot be read, a hash that no other process
/// has, so that nothing is shared.
fn program_hash() -> &'static [u8; 32] {
    static HASH: OnceLock<[u8; 32]> = OnceLock::new();
    HASH.get_or_init(|| {
        let read = || {
            let mut file = File::open(std::env::current_exe()?)?;
            let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
            loop {
                match file.read(&mut buffer)? {
                    0 => return Ok::<[u8; 32], std::io::Error>(hasher.finalize().into()),
                    count => hasher.update(&buffer[..count]),
                }
            }
        };
        read().unwrap_or_else(|_| {
            let now = std::time::SystemTime::now();
            Sha256::digest(format!("{} {now:?}", std::process::id())).into()
        })
    })
}
