//! Errors of graphs of operations, and of running them.

use retune::cpu::CpuError;
use retune::graph::GraphError;
use retune::train::language::phrases::{chinese, filled};

/// Errors of building a graph.
pub fn graph(error: &GraphError) -> Option<String> {
    Some(match error {
        GraphError::Shape { layer, op, inputs, rule } => {
            let inputs = inputs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" 和 ");
            filled("层 `{}`：{} 不接受形状为 {} 的输入：{}", &[layer, op, &inputs, rule])
        }
        GraphError::NoGradient { layer, op, reason } => filled("层 `{}`：{} 没有梯度：{}", &[layer, op, reason]),
        _ => return None,
    })
}

/// Errors of running a network.
pub fn cpu(error: &CpuError) -> Option<String> {
    Some(match error {
        CpuError::MissingInput { name } => format!("没有给出网络的输入 `{name}`"),
        CpuError::WrongTensor { name, expected, found } => {
            format!("`{name}` 应为 {}，实际为 {}", chinese(expected), chinese(found))
        }
        CpuError::WrongWeightCount { expected, found } => format!("图有 {expected} 个权重，实际给出 {found} 个"),
        CpuError::WrongExampleCount { expected, found } => {
            format!("批中有 {expected} 个样本，却给出 {found} 个样本编号")
        }
        CpuError::IndexOutOfRange { layer, index, limit } => {
            format!("层 `{layer}`：编号 {index} 超出 0..{limit}")
        }
        CpuError::WrongLengths { layer, tokens, lengths } => {
            format!("层 `{layer}`：批中有 {tokens} 个词元，而序列长度为 {lengths:?}")
        }
        CpuError::OutOfMemory { bytes } => format!("计划需要 {bytes} 字节内存，无法分配；请使用较小的批大小"),
        _ => return None,
    })
}
